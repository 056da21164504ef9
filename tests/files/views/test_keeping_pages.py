"""The trash, the holds and the rules of retention, as people of every role see them."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest

from school import clock
from school.db import new_id, transaction
from school.files import queries
from school.files.models import File, HoldTarget
from school.files.service import folders, holding, keeping, retention, trashing
from school.files.service.links import DOWNLOAD_PATH
from school.permissions import Role
from school.students.models import Student
from school.tenancy.scope import school_scope
from tests.api.conftest import program
from tests.factories.files import make_file
from tests.files.samples import PDF

__all__ = ["program"]

NEWER = PDF + b"% newer\n%%EOF\n"


@pytest.fixture
def file(school: Any, pupil: Student) -> File:
    with school_scope(school.id):
        return make_file(pupil)


def in_trash(school: Any, file: File) -> File:
    with school_scope(school.id), transaction():
        return trashing.trash_file(queries.get_file(file.id))


def is_trashed(school: Any, file: File) -> bool:
    with school_scope(school.id):
        return queries.get_file(file.id).trashed_at is not None


def test_delete_undo_and_the_way_there(
    client_for: Any, page: Any, school: Any, pupil: Student, file: File
) -> None:
    client = client_for(Role.REGISTRAR)
    assert "Delete" in page(client, f"/files/{file.id}").text

    answer = client.post(f"/files/{file.id}/trash")

    assert answer.location == f"/students/{pupil.id}/files"
    shown = page(client, answer.location)
    assert "“Report.pdf” is in the trash" in shown.text
    assert f"/files/{file.id}/trash/restore" in shown.html
    assert "No files yet" in shown.text
    answer = client.post(f"/files/{file.id}/trash/restore")
    assert answer.location == f"/students/{pupil.id}/files"
    assert "Report.pdf" in page(client, answer.location).text


@pytest.mark.parametrize(
    "place", ["", "/download", "/preview", "/photo", "/delete", "/thumbnail", "/share"]
)
@pytest.mark.parametrize("role", [Role.REGISTRAR, Role.TEACHER])
def test_a_deleted_file_is_not_there(
    place: str, role: Role, client_for: Any, school: Any, file: File
) -> None:
    in_trash(school, file)

    answer = client_for(role).get(f"/files/{file.id}{place}")

    assert answer.status_code in ({403, 404, 405} if place == "/delete" else {404, 405})
    assert "Report.pdf" not in answer.text


def test_links_made_before_are_dead(client_for: Any, school: Any, file: File) -> None:
    client = client_for(Role.ADMINISTRATOR)
    link = client.get(f"/files/{file.id}/download").location
    assert link.startswith(DOWNLOAD_PATH)
    frame = client.get(f"/files/{file.id}/preview").location

    in_trash(school, file)

    assert client.get(link).status_code == 404
    assert client.get(frame).status_code == 404


def test_it_is_in_no_list_zip_search_and_api(
    client_for: Any, school: Any, pupil: Student, file: File
) -> None:
    client = client_for(Role.ADMINISTRATOR)
    in_trash(school, file)

    assert "Report.pdf" not in client.get(f"/students/{pupil.id}/files").text
    assert "Report.pdf" not in client.get("/search?q=report").text
    ticked = client.post(f"/students/{pupil.id}/files/zip", data={"ids": str(file.id)})
    assert ticked.status_code == 404
    for act in ("rename", "archive", "restore", "scan", "trash"):
        assert client.post(f"/files/{file.id}/{act}").status_code == 404


def test_the_trash_of_a_student_and_of_the_school(
    client_for: Any, page: Any, school: Any, pupil: Student, file: File
) -> None:
    client = client_for(Role.REGISTRAR)
    client.post(f"/files/{file.id}/trash")

    theirs = page(client, f"/students/{pupil.id}/files/trash")
    every = page(client, "/files/trash")

    for shown in (theirs, every):
        assert "Report.pdf" in shown.text
        assert client.user.display_name in shown.text
        assert "in 30 days" in shown.text
        assert "Delete for good" not in shown.text  # the administrator's
    assert "Zofia Dąbrowska" in every.text
    answer = client.post(f"/files/{file.id}/trash/restore", data={"to": "owner"})
    assert answer.location == f"/students/{pupil.id}/files/trash"
    assert "Nothing is in the trash" in page(client, "/files/trash").text


def test_the_trash_says_what_goes_tonight_and_what_is_kept(
    client_for: Any, page: Any, school: Any, pupil: Student, file: File, frozen_clock: Any
) -> None:
    in_trash(school, file)
    with school_scope(school.id):
        other = make_file(pupil, filename="Claim.pdf")
        in_trash(school, other)
        with transaction():
            holding.place_hold(HoldTarget.FILE, other.id, "A claim")
    frozen_clock(clock.now() + timedelta(days=30, minutes=1))

    shown = page(client_for(Role.ADMINISTRATOR), "/files/trash")

    assert "tonight" in shown.text
    assert "Kept by a legal hold" in shown.text
    assert shown.html.count("/delete?to=trash") == 1


def test_medical_files_in_the_trash_are_seen_by_who_may_read_them(
    client_for: Any, school: Any, pupil: Student, program: Any
) -> None:
    with school_scope(school.id):
        note = make_file(pupil, filename="Diagnosis.pdf", purpose="medical")
    in_trash(school, note)

    assert "Diagnosis.pdf" in client_for(Role.REGISTRAR).get("/files/trash").text
    assert "Diagnosis.pdf" not in client_for(Role.TEACHER).get("/files/trash").text
    assert client_for(Role.GUARDIAN).get("/files/trash").status_code == 403
    assert program().get(f"/files/{note.id}").status_code == 404


def test_only_an_administrator_deletes_for_good_and_is_asked_first(
    client_for: Any, page: Any, school: Any, file: File
) -> None:
    in_trash(school, file)
    assert client_for(Role.REGISTRAR).post(f"/files/{file.id}/delete").status_code == 403
    client = client_for(Role.ADMINISTRATOR)

    asked = page(client, f"/files/{file.id}/delete", to="trash")
    assert "This cannot be taken back" in asked.text
    answer = client.post(f"/files/{file.id}/delete", data={"to": "trash"})

    assert answer.location == "/files/trash"
    assert "“Report.pdf” is deleted for good" in page(client, answer.location).text
    assert client.get(f"/files/{file.id}/delete").status_code == 404
    assert client.post(f"/files/{file.id}/trash/restore").status_code == 404


def test_what_is_not_in_the_trash_cannot_be_deleted_for_good(
    client_for: Any, school: Any, file: File
) -> None:
    client = client_for(Role.ADMINISTRATOR)

    assert client.get(f"/files/{file.id}/delete").status_code == 404
    assert client.post(f"/files/{file.id}/delete").status_code == 404
    assert not is_trashed(school, file)


def test_the_trash_of_many_goes_in_pages(
    client_for: Any, page: Any, school: Any, pupil: Student
) -> None:
    with school_scope(school.id):
        for number in range(51):
            one = make_file(pupil, b"many", filename=f"Note {number:02}.txt")
            with transaction():
                trashing.trash_file(one)
    client = client_for(Role.REGISTRAR)

    first = page(client, "/files/trash")
    assert first.html.count("/trash/restore") == 50
    link = first.html.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = client.get(link).text

    assert "Note 00.txt" in second
    assert second.count("/trash/restore") == 1


def test_a_hold_is_placed_told_and_lifted(
    client_for: Any, page: Any, school: Any, pupil: Student, file: File
) -> None:
    boss = client_for(Role.ADMINISTRATOR)

    answer = boss.post(f"/files/{file.id}/hold", data={"reason": "Claim 12/26"})

    shown = page(boss, answer.location)
    assert "“Claim 12/26”" in shown.text
    assert "Place a hold" not in shown.text
    office, teacher = client_for(Role.REGISTRAR), client_for(Role.TEACHER)
    told = page(office, f"/files/{file.id}").text
    assert "Under a legal hold" in told
    assert "Claim 12/26" not in told
    assert "legal hold" not in page(teacher, f"/files/{file.id}").text
    refused = office.post(f"/files/{file.id}/trash")
    assert refused.status_code == 409
    assert "is under a legal hold" in refused.text
    with school_scope(school.id):
        (row,) = holding.list_holds()
    boss.post(f"/files/holds/{row.hold.id}/lift")
    history = page(boss, "/files/holds")
    assert "Claim 12/26" in history.text
    assert boss.user.display_name in history.text
    assert office.post(f"/files/{file.id}/trash").status_code == 303


def test_holds_on_a_student_and_on_the_school(
    client_for: Any, page: Any, pupil: Student, file: File
) -> None:
    client = client_for(Role.ADMINISTRATOR)
    client.post(f"/students/{pupil.id}/files/hold", data={"reason": "A claim"})
    client.post("/files/holds", data={"reason": "An audit"})

    shown = page(client, "/files/holds").text
    assert "All files of Zofia Dąbrowska" in shown
    assert "The whole school" in shown
    for place in (f"/students/{pupil.id}/files", f"/files/{file.id}"):
        text = page(client, place).text
        assert "“A claim”" in text
        assert "“An audit”" in text


def test_the_history_of_a_student_tells_holds_and_why_to_who_places_them(
    client_for: Any, page: Any, pupil: Student
) -> None:
    boss = client_for(Role.ADMINISTRATOR)
    boss.post(f"/students/{pupil.id}/files/hold", data={"reason": "Claim 12/26"})

    told = {
        role: page(client_for(role), f"/students/{pupil.id}/history").text
        for role in (Role.ADMINISTRATOR, Role.REGISTRAR)
    }

    assert all("Legal hold placed" in text for text in told.values())
    assert "Claim 12/26" in told[Role.ADMINISTRATOR]
    assert "Claim 12/26" not in told[Role.REGISTRAR]


def test_holds_do_not_lead_to_a_student_who_is_gone(
    client_for: Any, page: Any, school: Any
) -> None:
    gone = new_id()
    with school_scope(school.id), transaction():
        holding.place_hold(HoldTarget.STUDENT, gone, "A claim")

    shown = page(client_for(Role.ADMINISTRATOR), "/files/holds")

    assert "All files of a student who is gone" in shown.text
    assert str(gone) not in shown.html


def test_a_file_in_the_trash_is_held_on_the_page_that_asks(
    client_for: Any, page: Any, school: Any, file: File
) -> None:
    in_trash(school, file)
    client = client_for(Role.ADMINISTRATOR)
    asked = page(client, f"/files/{file.id}/delete", to="trash")
    assert "Place a hold" in asked.text

    answer = client.post(f"/files/{file.id}/hold?to=trash", data={"reason": "Claim 12/26"})

    assert answer.location == f"/files/{file.id}/delete?to=trash"
    shown = page(client, f"/files/{file.id}/delete", to="trash")
    assert "“Claim 12/26”" in shown.text
    assert "Place a hold" not in shown.text
    assert "Delete it for good" not in shown.text
    assert client.post(f"/files/{file.id}/delete").status_code == 409
    registrar = client_for(Role.REGISTRAR).post(f"/files/{file.id}/hold", data={"reason": "No"})
    assert registrar.status_code == 403


def test_somebody_elses_file_in_the_trash_cannot_be_held(
    client_for: Any, school: Any, pupil: Student
) -> None:
    with school_scope(school.id):
        theirs = keeping.store_upload(
            io.BytesIO(PDF), owner_kind="person", owner_id=new_id(), filename="Mine.pdf"
        )
    in_trash(school, theirs)

    answer = client_for(Role.ADMINISTRATOR).post(f"/files/{theirs.id}/hold", data={"reason": "A"})

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("leave", "come_back"), [("trash", "trash/restore"), ("archive", "restore")]
)
def test_what_comes_back_under_another_name_says_so(
    leave: str, come_back: str, client_for: Any, page: Any, school: Any, pupil: Student, file: File
) -> None:
    client = client_for(Role.REGISTRAR)
    client.post(f"/files/{file.id}/{leave}")
    with school_scope(school.id):
        make_file(pupil, filename="Report.pdf")

    answer = client.post(f"/files/{file.id}/{come_back}")

    assert "“Report.pdf” is back as “Report (2).pdf”" in page(client, answer.location).text


def test_what_is_deleted_in_a_folder_leads_back_to_the_folder(
    client_for: Any, page: Any, school: Any, pupil: Student, file: File
) -> None:
    top = queries.Spot("student", pupil.id)
    with school_scope(school.id), transaction():
        folder = folders.make_folder(top, "Forms")
        folders.move([queries.get_file(file.id)], [], folders.inside(folder))
    client = client_for(Role.REGISTRAR)

    deleted = client.post(f"/files/{file.id}/trash")
    taken_out = client.post(f"/files/{file.id}/trash/restore")

    assert deleted.location == taken_out.location == f"/files/folders/{folder.id}"


@pytest.mark.parametrize(
    ("role", "leads"), [(Role.REGISTRAR, True), (Role.TEACHER, True), (Role.GUARDIAN, False)]
)
def test_the_first_page_of_files_leads_those_who_may_delete_to_the_trash(
    role: Role, *, leads: bool, client_for: Any, page: Any
) -> None:
    assert ('href="/files/trash"' in page(client_for(role), "/files").html) is leads


def test_a_hold_without_a_reason_is_answered_in_words(
    client_for: Any, page: Any, file: File
) -> None:
    client = client_for(Role.ADMINISTRATOR)

    answer = client.post(f"/files/{file.id}/hold", data={"reason": " "})

    assert "Say why" in page(client, answer.location).text


def test_a_rule_is_looked_at_and_then_saved(
    client_for: Any, page: Any, school: Any, file: File
) -> None:
    with school_scope(school.id):
        keeping.add_version(file, io.BytesIO(NEWER), filename="Report.pdf")
    client = client_for(Role.ADMINISTRATOR)
    asked = {
        "purpose": "document",
        "document-most_versions": "1",
        "document-most_days": "",
        "document-version": "0",
    }

    shown = page(client, "/files/retention", **asked)
    assert "let go of 1 version of 1 file" in shown.text
    assert "Save: let 1 version go" in shown.text
    with school_scope(school.id):
        assert retention.list_rules() == []
    answer = client.post("/files/retention", data=asked)

    assert "Saved" in page(client, answer.location).text
    with school_scope(school.id):
        (rule,) = retention.list_rules()
        assert (rule.most_versions, rule.most_days) == (1, None)
        retention.retain()
    kept = page(client, f"/files/{file.id}")
    assert "Let go: Today" in kept.text
    assert "version=1" not in kept.html
    assert client.get(f"/files/{file.id}/download?version=1").status_code == 404
    again = page(client, client.post("/files/retention", data=asked).location)
    assert "Somebody else changed this rule" in again.text


@pytest.mark.parametrize("typed", ["0", "-1", "x", "99999999999"])
def test_limits_nobody_can_mean_are_said_beside_the_field(
    typed: str, client_for: Any, page: Any, school: Any
) -> None:
    client = client_for(Role.ADMINISTRATOR)
    asked = {"purpose": "document", "document-most_versions": typed}

    page(client, "/files/retention", status=422, **asked)
    assert client.post("/files/retention", data=asked).status_code == 422
    with school_scope(school.id):
        assert retention.list_rules() == []


def test_settings_lead_there(client_for: Any, page: Any) -> None:
    shown = page(client_for(Role.ADMINISTRATOR), "/settings")

    for place in ("/files/retention", "/files/holds", "/files/trash"):
        assert f'href="{place}"' in shown.html
