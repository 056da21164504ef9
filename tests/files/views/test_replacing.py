"""A new version that comes in pieces: of this very file, unless somebody changed it meanwhile."""

from __future__ import annotations

import io
from typing import Any
from uuid import UUID

import pytest

from school.db import transaction
from school.files import queries
from school.files.models import Access, File
from school.files.service import keeping
from school.files.service.places import spot_of_person
from school.files.service.sharing import Grant, share
from school.permissions import Role
from school.students.models import Student
from school.tenancy.scope import school_scope
from tests.factories.files import make_file
from tests.files.samples import PDF
from tests.files.views.test_tus import TEXT, begin, begun, send, stored


@pytest.fixture
def file(school: Any, pupil: Student) -> File:
    with school_scope(school.id):
        return make_file(pupil, filename="Report.pdf")


def replacing(file: File, **more: Any) -> dict[str, Any]:
    return {"replaces_id": file.id, "replaces_version": file.version, **more}


def rename(school: Any, file: File) -> None:
    with school_scope(school.id), transaction():
        keeping.rename_file(queries.get_file(file.id), "Other.pdf")


def test_it_becomes_the_next_version_whatever_it_is_called(
    client_for: Any, school: Any, file: File, storage: Any
) -> None:
    client = client_for(Role.TEACHER)
    told = replacing(file, filename="marks (3).csv", note="With the marks of May")
    place = begun(client, None, **told)
    send(client, place, 0, TEXT)

    state = client.get(place).json
    assert (state["state"], UUID(state["file_id"])) == ("kept", file.id)
    with school_scope(school.id):
        now = queries.get_file(file.id)
        newest = queries.list_versions(now)[0]
        assert (now.name, now.current_version) == ("Report.csv", 2)
        assert (newest.name, newest.note) == ("marks (3).csv", "With the marks of May")
    assert stored(school, storage, file.id) == TEXT


def test_who_begins_too_late_is_told_at_once(client_for: Any, school: Any, file: File) -> None:
    client = client_for(Role.TEACHER)
    told = replacing(file)
    rename(school, file)

    answer = begin(client, None, len(TEXT), **told)

    assert answer.status_code == 409
    assert "was changed by somebody else meanwhile" in answer.json["detail"]
    told["replaces_version"] = "many"
    assert begin(client, None, len(TEXT), **told).status_code == 422


def test_a_change_while_it_comes_is_not_overwritten(
    client_for: Any, school: Any, file: File
) -> None:
    client = client_for(Role.TEACHER)
    place = begun(client, None, **replacing(file))
    send(client, place, 0, TEXT[:100])
    rename(school, file)
    shown = client.get(f"/files/{file.id}").text
    assert "Choose the same file to go on." in shown
    send(client, place, 100, TEXT[100:])

    state = client.get(place).json
    assert state["state"] == "refused"
    assert "was changed by somebody else meanwhile" in state["detail"]
    with school_scope(school.id):
        assert queries.get_file(file.id).current_version == 1


def test_the_page_of_the_file_tells_of_it_and_the_list_around_does_not(
    client_for: Any, school: Any, pupil: Student, file: File
) -> None:
    client = client_for(Role.TEACHER)
    place = begun(client, None, **replacing(file, filename="New marks.csv"))
    send(client, place, 0, TEXT[:100])

    assert "New marks.csv" in client.get(f"/files/{file.id}").text
    assert "New marks.csv" not in client.get(f"/students/{pupil.id}/files").text
    assert "New marks.csv" not in client_for(Role.TEACHER).get(f"/files/{file.id}").text


@pytest.mark.parametrize("is_direct", [False, True])
def test_who_may_not_see_a_file_is_not_told_its_name(
    client_for: Any, school: Any, is_direct: bool
) -> None:
    owner = client_for(Role.REGISTRAR)
    with school_scope(school.id):
        mine = spot_of_person(owner.user.id)
        theirs = keeping.keep_upload(io.BytesIO(PDF), **mine._asdict(), filename="Private.pdf")
    told = replacing(theirs) | {"replaces_version": theirs.version + 1}

    client = client_for(Role.ADMINISTRATOR)
    if is_direct:
        sent = {**told, "filename": "a.pdf", "size": 9, "sha256": "0" * 64}
        answer = client.post("/files/uploads/direct", data=sent)
    else:
        answer = begin(client, None, len(TEXT), **told)

    assert answer.status_code == 404
    assert "Private" not in answer.text


def test_giving_up_leads_back_to_the_file(client_for: Any, school: Any) -> None:
    """Also of one that lies at the top of somebody else's files."""
    owner, client = client_for(Role.REGISTRAR), client_for(Role.TEACHER)
    with school_scope(school.id):
        mine = spot_of_person(owner.user.id)
        theirs = keeping.keep_upload(io.BytesIO(PDF), **mine._asdict(), filename="Plan.pdf")
        with transaction():
            share(theirs, Grant(role=Role.TEACHER), access=Access.EDIT)
    first, second = (begun(client, None, **replacing(theirs)) for _ in range(2))

    assert client.post(f"{first}/end").location == f"/files/{theirs.id}"

    owner.post(f"/files/{theirs.id}/trash")
    assert client.post(f"{second}/end").location == "/files"
