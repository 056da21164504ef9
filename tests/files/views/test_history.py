"""What happened to a file and a folder, as their pages tell it, and to whom."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from school import clock
from school.audit.actor import Actor, acting_as
from school.audit.history import PAGE_EVENTS
from school.audit.log import record
from school.db import db, transaction
from school.files.models import File, Folder, HoldTarget
from school.files.queries import Spot, get_file
from school.files.service import (
    folders,
    holding,
    keeping,
    open_links,
    sharing,
    trashing_folders,
)
from school.files.service.places import spot_of_person, spot_of_school
from school.permissions import Role
from school.students.models import Student
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from tests.conftest import make_member
from tests.factories.files import make_file
from tests.files.samples import PDF


@pytest.fixture
def letter(school: Any, pupil: Student) -> File:
    with school_scope(school.id):
        return make_file(pupil, filename="Letter.pdf")


@pytest.fixture
def trip(school: Any, pupil: Student) -> Folder:
    with school_scope(school.id), transaction():
        return folders.make_folder(Spot("student", pupil.id), "Trip")


def test_a_file_tells_all_that_happened_to_it(
    school: Any, client_for: Any, page: Any, letter: File, trip: Folder
) -> None:
    client = client_for(Role.REGISTRAR)
    friend = make_member(school, Role.TEACHER)
    with school_scope(school.id), acting_as(Actor(name="Amara Okafor")):
        keeping.add_version(letter, io.BytesIO(PDF + b"%2"), filename="Letter.pdf", note="Signed")
        with transaction():
            keeping.rename_file(get_file(letter.id), "Reply.pdf")
            folders.move([get_file(letter.id)], [], folders.inside(trip))
            given = sharing.share(get_file(letter.id), sharing.Grant(user_id=friend.id))
            sharing.end_share(given)
            holding.place_hold(HoldTarget.FILE, letter.id, "A claim")
    client.get(client.get(f"/files/{letter.id}/download").location)

    assert f'href="/files/{letter.id}/history"' in page(client, f"/files/{letter.id}").html
    shown = page(client, f"/files/{letter.id}/history")

    assert shown.h1 == "History of Reply.pdf"
    for words in (
        "Added",
        "Replaced by a new version",
        "Signed",
        "Renamed",
        "File moved",
        "Trip",
        "Shared",
        friend.display_name,
        "may look",
        "Sharing taken back",
        "Legal hold placed",
        "Looked at or downloaded",
        "Amara Okafor",
    ):
        assert words in shown.text, words
    assert "A claim" not in shown.text
    assert "A claim" in page(client_for(Role.ADMINISTRATOR), f"/files/{letter.id}/history").text


def test_a_folder_tells_its_own(
    school: Any, client_for: Any, page: Any, letter: File, trip: Folder
) -> None:
    with school_scope(school.id), acting_as(Actor(name="Amara Okafor")), transaction():
        folders.rename_folder(trip, "Trips")
        folders.move([get_file(letter.id)], [], folders.inside(trip))
        trashing_folders.trash_folder(trip)
        trashing_folders.take_out_folder(trip)
        folders.move([], [trip], spot_of_school())
    client = client_for(Role.REGISTRAR)
    path = f"/files/folders/{trip.id}"

    assert f'href="{path}/history"' in page(client, path).html
    shown = page(client, f"{path}/history").text

    for words in ("Made", "Renamed", "Deleted, with what lay in it", "1 file", "Folder moved"):
        assert words in shown, words
    assert "The school’s files" in shown or "The school's files" in shown
    of_file = page(client, f"/files/{letter.id}/history").text
    assert "With the folder" in of_file and "Taken out of the trash" in of_file


def test_a_folder_tells_what_its_link_gave(
    app: Any, school: Any, client_for: Any, page: Any, letter: File, trip: Folder
) -> None:
    with school_scope(school.id), transaction():
        db.session.execute(sa.update(School).values(allows_links=True))
        folders.move([get_file(letter.id)], [], folders.inside(trip))
        until = clock.now() + timedelta(days=2)
        token = open_links.make_link(trip, expires_at=until)

    assert app.test_client().get(f"/s/{token}/files/{letter.id}").status_code == 200

    shown = page(client_for(Role.REGISTRAR), f"/files/folders/{trip.id}/history").text
    assert "Whoever has the link" in shown and until.date().isoformat() in shown
    assert "Letter.pdf" in shown and "by a link, without an account" in shown


def test_folders_of_another_owner_are_not_named(school: Any, client_for: Any, page: Any) -> None:
    owner = client_for(Role.ADMINISTRATOR)
    with school_scope(school.id):
        with transaction():
            secret = folders.make_folder(spot_of_person(owner.user.id), "Secret")
        spot = folders.inside(secret)
        file = keeping.keep_upload(io.BytesIO(PDF), **spot._asdict(), filename="a.pdf")
        with transaction():
            folders.move([file], [], spot_of_school())

    shown = page(client_for(Role.REGISTRAR), f"/files/{file.id}/history").text

    assert "File moved" in shown and "Secret" not in shown
    assert "another folder" in shown


@pytest.mark.parametrize("role", list(Role))
def test_the_office_reads_it_and_everybody_that_of_their_own(
    school: Any, client_for: Any, letter: File, trip: Folder, role: Role
) -> None:
    client = client_for(role)
    may = role in {Role.ADMINISTRATOR, Role.REGISTRAR}
    for path in (f"/files/{letter.id}", f"/files/folders/{trip.id}"):
        assert (client.get(f"{path}/history").status_code == 200) is may
        if role is Role.TEACHER:
            assert f"{path}/history" not in client.get(path).text
    if role not in {Role.GUARDIAN, Role.STUDENT}:
        with school_scope(school.id), transaction():
            own = folders.make_folder(spot_of_person(client.user.id), "Own")
        assert client.get(f"/files/folders/{own.id}/history").status_code == 200
        assert client_for(role).get(f"/files/folders/{own.id}/history").status_code == 404


def test_it_is_paged(school: Any, client_for: Any, page: Any, letter: File) -> None:
    with school_scope(school.id), transaction():
        for number in range(PAGE_EVENTS + 5):
            record("file.downloaded", "file", letter.id, after={"version": 1, "name": f"{number}"})
    client = client_for(Role.REGISTRAR)
    path = f"/files/{letter.id}/history"

    first = page(client, path)
    older = next(link for link in first.links if "before=" in link)
    second = page(client, path, before=older.rpartition("=")[2])

    assert first.text.count("Looked at or downloaded") == PAGE_EVENTS
    assert second.text.count("Looked at or downloaded") == 5
    assert "Older" not in second.text
    assert client.get(f"{path}?before=nonsense").status_code == 422


def test_the_folder_it_was_deleted_with_is_named_to_who_sees_that(
    school: Any, client_for: Any, page: Any
) -> None:
    client = client_for(Role.ADMINISTRATOR)
    with school_scope(school.id), transaction():
        secret = folders.make_folder(spot_of_school(), "Dismissals")
    with school_scope(school.id):
        file = keeping.keep_upload(
            io.BytesIO(PDF), **folders.inside(secret)._asdict(), filename="a.pdf"
        )
    with school_scope(school.id), transaction():
        trashing_folders.trash_folder(folders.get_folder(secret.id))
        trashing_folders.take_out_folder(folders.get_folder(secret.id, from_trash=True))
    assert "Dismissals" in page(client, f"/files/{file.id}/history").text

    with school_scope(school.id), transaction():
        folders.move([get_file(file.id)], [], spot_of_person(client.user.id))

    shown = page(client, f"/files/{file.id}/history").text
    assert "With the folder" in shown and "Dismissals" not in shown
