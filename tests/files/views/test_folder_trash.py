"""Deleting folders, what is one's own, and what was put away: who may, and what the pages say."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from school.db import db, transaction
from school.files import policy
from school.files.models import File, Folder, HoldTarget
from school.files.queries import Spot
from school.files.service import folders, holding, keeping
from school.files.service.places import spot_of_person, spot_of_role, spot_of_school
from school.files.service.sharing import Grant, share
from school.permissions import Role
from school.students.models import Student
from school.tenancy.scope import school_scope
from tests.api.conftest import program
from tests.files.samples import PDF

__all__ = ["program"]


@pytest.fixture
def folder_in(school: Any) -> Callable[..., Folder]:
    """A folder of this name in a place, with so many files in it."""

    def make(spot: Spot, name: str = "Trip", files: int = 2) -> Folder:
        with school_scope(school.id):
            with transaction():
                folder = folders.make_folder(spot, name)
            for number in range(files):
                keep(school, folders.inside(folder), f"{number}.pdf")
        return folder

    return make


def keep(school: Any, spot: Spot, name: str) -> File:
    with school_scope(school.id):
        return keeping.keep_upload(io.BytesIO(PDF), **spot._asdict(), filename=name)


def fresh(school: Any, thing: Any) -> Any:
    with school_scope(school.id):
        db.session.expire_all()
        return db.session.get(type(thing), (school.id, thing.id))


def is_trashed(school: Any, thing: Any) -> bool:
    return fresh(school, thing).trashed_at is not None


def test_one_press_deletes_it_and_the_bar_takes_it_back(
    school: Any, client_for: Any, page: Any, folder_in: Any, pupil: Student
) -> None:
    folder = folder_in(Spot("student", pupil.id))
    client = client_for(Role.REGISTRAR)
    assert "Delete the folder" in page(client, f"/files/folders/{folder.id}").text

    gone = client.post(f"/files/folders/{folder.id}/trash", data={"version": folder.version})

    assert gone.location == f"/students/{pupil.id}/files"
    shown = page(client, gone.location)
    assert "“Trip” is in the trash, and 2 files with it" in shown.text
    assert f'action="/files/folders/{folder.id}/trash/restore"' in shown.html
    assert client.get(f"/files/folders/{folder.id}").status_code == 404
    for place in (f"/students/{pupil.id}/files/trash", "/files/trash"):
        listed = page(client, place)
        assert "Folder with 2 files" in listed.text and "0.pdf" not in listed.text

    back = client.post(f"/files/folders/{folder.id}/trash/restore")

    assert back.location == f"/students/{pupil.id}/files"
    assert "“Trip” is back" in page(client, back.location).text
    assert "1.pdf" in page(client, f"/files/folders/{folder.id}").text


def test_a_stale_page_deletes_nothing(
    school: Any, client_for: Any, page: Any, folder_in: Any
) -> None:
    folder = folder_in(spot_of_school_of(school))
    client = client_for(Role.REGISTRAR)

    answer = client.post(f"/files/folders/{folder.id}/trash", data={"version": folder.version + 1})

    assert "was changed by somebody else meanwhile" in page(client, answer.location).text
    assert not is_trashed(school, folder)


def spot_of_school_of(school: Any) -> Spot:
    with school_scope(school.id):
        return spot_of_school()


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("place", ["student", "school", "teachers"])
def test_what_the_school_keeps_is_deleted_by_the_office(
    school: Any, client_for: Any, folder_in: Any, pupil: Student, role: Role, place: str
) -> None:
    with school_scope(school.id):
        spot = {
            "student": Spot("student", pupil.id),
            "school": spot_of_school(),
            "teachers": spot_of_role(Role.TEACHER),
        }[place]
    folder = folder_in(spot, files=1)
    inside = keep(school, folders.inside(folder), "a.pdf")
    client = client_for(role)
    may = role is Role.ADMINISTRATOR or (role is Role.REGISTRAR and place != "teachers")

    for path in (f"/files/{inside.id}/archive", f"/files/{inside.id}/restore"):
        assert (client.post(path).status_code == 303) is may
    answer = client.post(f"/files/folders/{folder.id}/trash")
    assert (answer.status_code == 303) is may
    assert is_trashed(school, folder) is may
    if not may:
        folder_gone = client_for(Role.ADMINISTRATOR).post(f"/files/folders/{folder.id}/trash")
        assert folder_gone.status_code == 303
        back = client.post(f"/files/folders/{folder.id}/trash/restore")
        assert back.status_code in {403, 404} and is_trashed(school, folder)


@pytest.mark.parametrize("role", [Role.TEACHER, Role.REGISTRAR, Role.ADMINISTRATOR])
def test_everybody_deletes_and_puts_away_what_is_their_own(
    school: Any, client_for: Any, page: Any, folder_in: Any, role: Role
) -> None:
    client = client_for(role)
    folder = folder_in(spot_of_person(client.user.id))
    file = keep(school, spot_of_person(client.user.id), "Mine.pdf")

    for path in (f"/files/{file.id}/archive", f"/files/{file.id}/trash"):
        assert client.post(path).status_code == 303
    assert client.post(f"/files/folders/{folder.id}/trash").status_code == 303
    listed = page(client, "/files/trash").text
    assert "Mine.pdf" in listed and "Trip" in listed
    others = client_for(Role.ADMINISTRATOR)
    assert "Mine.pdf" not in page(others, "/files/trash").text
    assert others.post(f"/files/{file.id}/trash/restore").status_code == 404
    assert others.post(f"/files/folders/{folder.id}/trash/restore").status_code == 404

    assert client.post(f"/files/{file.id}/trash/restore").status_code == 303
    assert client.post(f"/files/{file.id}/restore").status_code == 303
    assert client.post(f"/files/folders/{folder.id}/trash/restore").status_code == 303
    assert "Mine.pdf" in page(client, "/files/mine").text


def test_a_teacher_deletes_an_empty_folder_they_may_change_and_no_other(
    school: Any, client_for: Any, page: Any, folder_in: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    empty = folder_in(Spot("student", pupil.id), "Empty", files=0)
    full = folder_in(Spot("student", pupil.id), "Full", files=1)

    assert "Delete the folder" in page(client, f"/files/folders/{empty.id}").text
    assert "Delete the folder" not in page(client, f"/files/folders/{full.id}").text
    assert client.post(f"/files/folders/{full.id}/trash").status_code == 403
    assert client.post(f"/files/folders/{empty.id}/trash").status_code == 303
    assert client.post(f"/files/folders/{empty.id}/trash/restore").status_code == 303


def test_what_is_shared_with_them_nobody_deletes(
    school: Any, client_for: Any, folder_in: Any
) -> None:
    owner, other = client_for(Role.TEACHER), client_for(Role.ADMINISTRATOR)
    folder = folder_in(spot_of_person(owner.user.id))
    with school_scope(school.id), transaction():
        share(folders.get_folder(folder.id), Grant(user_id=other.user.id))

    assert other.post(f"/files/folders/{folder.id}/trash").status_code == 403
    assert other.post(f"/files/folders/{folder.id}/hold", data={"reason": "x"}).status_code == 404
    assert other.get(f"/files/folders/{folder.id}?show=archived").status_code == 404


def test_a_hold_on_a_folder_is_placed_and_told_on_its_page(
    school: Any, client_for: Any, page: Any, folder_in: Any, pupil: Student
) -> None:
    folder = folder_in(Spot("student", pupil.id))
    client = client_for(Role.ADMINISTRATOR)

    client.post(f"/files/folders/{folder.id}/hold", data={"reason": "A claim"})

    shown = page(client, f"/files/folders/{folder.id}").text
    assert "Under a legal hold" in shown and "A claim" in shown
    assert "Delete the folder" not in shown
    assert "Trip" in page(client, "/files/holds").text
    told = page(client_for(Role.REGISTRAR), f"/files/folders/{folder.id}").text
    assert "Under a legal hold" in told and "A claim" not in told
    assert "Under a legal hold" not in page(client_for(Role.TEACHER), place_of(folder)).text
    refused = client.post(f"/files/folders/{folder.id}/trash")
    assert "is under a legal hold" in page(client, refused.location).text
    with school_scope(school.id), transaction():
        (row,) = holding.list_holds()
        assert (row.hold.target_kind, row.name) == (HoldTarget.FOLDER, "Trip")


def place_of(folder: Folder) -> str:
    return f"/files/folders/{folder.id}"


def test_it_comes_back_one_place_up_where_its_folder_is_gone(
    school: Any, client_for: Any, page: Any, folder_in: Any
) -> None:
    client = client_for(Role.TEACHER)
    outer = folder_in(spot_of_person(client.user.id), "Outer", files=0)
    inner = folder_in(folders.inside(outer), "Inner", files=1)
    for folder in (inner, outer):
        client.post(f"/files/folders/{folder.id}/trash")

    back = client.post(f"/files/folders/{inner.id}/trash/restore")

    assert back.location == "/files/mine"
    shown = page(client, back.location).text
    assert "“Inner” is back" in shown and "one place further up" in shown


@pytest.mark.parametrize("place", ["school", "teachers", "mine", "folder"])
def test_what_was_put_away_is_listed_at_every_place(
    school: Any, client_for: Any, page: Any, folder_in: Any, place: str
) -> None:
    client = client_for(Role.ADMINISTRATOR)
    with school_scope(school.id):
        spot, path = {
            "school": (spot_of_school(), "/files/school"),
            "teachers": (spot_of_role(Role.TEACHER), "/files/roles/teacher"),
            "mine": (spot_of_person(client.user.id), "/files/mine"),
            "folder": (spot_of_school(), "/files/school"),
        }[place]
    folder = folder_in(spot, files=0)
    away = keep(school, folders.inside(folder), "Away.pdf")
    keep(school, folders.inside(folder), "Here.pdf")
    if place == "folder":
        keep_other = keep(school, spot, "Other.pdf")
        client.post(f"/files/{keep_other.id}/archive")
        path = place_of(folder)
    client.post(f"/files/{away.id}/archive")

    assert f'href="{path}?show=archived"' in page(client, path).html
    shown = page(client, path, show="archived")

    assert "Away.pdf" in shown.text and "Here.pdf" not in shown.text
    assert "Other.pdf" not in shown.text
    assert f'action="/files/{away.id}/restore"' in shown.html
    at = str(folders.inside(folder) if place == "folder" else spot)
    zipped = client.post("/files/zip?show=archived", data={"at": at, "all": "1"})
    assert zipped.status_code == 200 and b"Away.pdf" in zipped.data
    assert b"Other.pdf" not in zipped.data and b"Here.pdf" not in zipped.data
    client.post(f"/files/{away.id}/restore")
    assert "Nothing is put away here" in page(client, path, show="archived").text


def test_a_program_deletes_folders_and_takes_them_out(
    school: Any, program: Any, folder_in: Any, pupil: Student
) -> None:
    folder = folder_in(Spot("student", pupil.id))
    office, teacher = program(), program(Role.TEACHER)
    path = f"/folders/{folder.id}/trash"

    assert teacher.post(path).status_code == 403
    assert office.post(path).status_code == 204
    assert office.get(f"/folders/{folder.id}/files").status_code == 404
    assert teacher.post(f"{path}/restore").status_code == 404
    back = office.post(f"{path}/restore")

    assert (back.status_code, back.json["name"]) == (200, "Trip")
    assert len(office.get(f"/folders/{folder.id}/files").json["items"]) == 2


def test_the_move_page_says_who_will_see_it(
    school: Any, client_for: Any, page: Any, folder_in: Any, pupil: Student
) -> None:
    client = client_for(Role.REGISTRAR)
    folder = folder_in(Spot("student", pupil.id))
    target = folder_in(spot_of_school_of(school), "Forms", files=0)
    with school_scope(school.id), transaction():
        share(folders.get_folder(target.id), Grant(role=Role.GUARDIAN))
    ids = {"ids": [f"folder:{folder.id}"]}

    asked = client.post("/files/move", data=ids).text
    assert "so does the family of Zofia Dąbrowska." in asked
    assert "Only you see what lies here." in asked
    assert "All registrars and administrators see what lies here." in asked
    there = client.post("/files/move", data=ids | {"to": str(folders.inside(target))}).text
    assert "Everybody who works here sees what lies here." in there
    assert "It is shared with others too: All guardians." in there


def test_what_teachers_keep_together_does_not_leave_by_one_of_them(
    school: Any, client_for: Any, page: Any, folder_in: Any
) -> None:
    """In their own files they could delete it, and see what the office deleted of it."""
    with school_scope(school.id):
        together = spot_of_role(Role.TEACHER)
    folder = folder_in(together, files=1)
    office = client_for(Role.ADMINISTRATOR)
    deleted = keep(school, folders.inside(fresh(school, folder)), "old.pdf")
    assert office.post(f"/files/{deleted.id}/trash").status_code == 303
    teacher = client_for(Role.TEACHER)
    mine = spot_of_person(teacher.user.id)
    chosen = {"ids": [f"folder:{folder.id}"], "to": str(mine)}

    assert teacher.post("/files/move/here", data=chosen).status_code == 403
    assert "old.pdf" not in page(teacher, "/files/trash").text
    assert teacher.post(f"/files/folders/{folder.id}/trash").status_code == 403

    # What a teacher puts there stays there, so no way back is offered that would be refused.
    own = keep(school, mine, "own.pdf")
    moved = teacher.post("/files/move/here", data={"ids": [str(own.id)], "to": str(together)})
    shown = page(teacher, moved.location)
    assert "1 moved" in shown.text and "/files/move/back" not in shown.html


def test_a_file_that_comes_in_meanwhile_keeps_an_empty_folder(
    school: Any, client_for: Any, page: Any, folder_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with school_scope(school.id):
        folder = folder_in(spot_of_role(Role.TEACHER), files=0)
    asked, check = [], policy.check_delete_folder

    def slowly(person: Any, asked_of: Folder) -> None:
        check(person, asked_of)
        if not asked:
            asked.append(asked_of)
            spot = folders.inside(asked_of)
            keeping.keep_upload(io.BytesIO(PDF), **spot._asdict(), filename="late.pdf")

    monkeypatch.setattr(policy, "check_delete_folder", slowly)

    client = client_for(Role.TEACHER)
    answer = client.post(f"/files/folders/{folder.id}/trash")

    assert "Only the office may delete a folder" in page(client, answer.location).text
    assert asked and not is_trashed(school, folder)
