"""A program imports a roster: sends it, looks, saves, undoes."""

from __future__ import annotations

import io
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from school.permissions import Permission, Role, permissions_of
from school.tenancy.models import School
from tests.api.conftest import *  # noqa: F403 - its fixtures
from tests.api.conftest import Make, Program

ROSTER = """Admission number,First name,Surname,Date of birth,Class
R-1,Zofia,Dąbrowska,2013-05-04,8B
R-2,Jan,Nowak,2013-13-45,8B
,Anna,Ito,2012-01-02,8A
"""
STEPS = ("commit", "undo", "discard")


def sheet(text: str = ROSTER, name: str = "roster.csv") -> dict[str, Any]:
    return {"data": {"file": (io.BytesIO(text.encode()), name)}}


def send(call: Program) -> str:
    return f"/imports/{call.post('/imports', **sheet()).json['id']}"


def test_a_roster_goes_from_file_to_preview_to_saved_to_undone(
    app: Flask, program: Make, run_jobs: Any
) -> None:
    call = program()
    made = call.post("/imports", **sheet())
    assert made.status_code == 202
    assert made.json["state"] == "uploaded"
    assert made.json["job"]["state"] == "waiting"
    path = made.headers["Location"].removeprefix("/api/v1")
    run_jobs()
    preview = call.get(path)
    assert preview.json["state"] == "preview"
    assert preview.json["counts"]["rows"] == 3
    assert preview.headers["ETag"] != made.headers["ETag"]
    assert call.get("/students?status=all").json["items"] == []

    saved = call.post(f"{path}/commit", json={})
    assert saved.status_code == 202
    run_jobs()
    assert call.get(path).json["state"] == "committed"
    numbers = {one["admission_number"] for one in call.get("/students").json["items"]}
    assert numbers == {"R-1", "R-2"}

    assert call.post(f"{path}/undo").status_code == 202
    run_jobs()
    assert call.get(path).json["state"] == "undone"
    assert call.get("/students?status=all").json["items"] == []


def test_problems_are_told_by_row_and_column(app: Flask, program: Make, run_jobs: Any) -> None:
    call = program()
    path = send(call)
    run_jobs()
    rows = {one["row"]: one for one in call.get(f"{path}/rows").json["items"]}
    assert list(rows) == [2, 3, 4]
    assert rows[2]["problems"] == []
    assert rows[3]["problems"][0]["column"] == "Date of birth"
    assert rows[3]["problems"][0]["value"] == "2013-13-45"
    assert "Type the right date" in rows[3]["problems"][0]["message"]
    assert rows[4]["is_blocked"] is True
    repair = call.get(f"{path}/rows?show=repair").json["items"]
    assert [one["row"] for one in repair] == [4]


def test_rows_are_read_page_by_page(app: Flask, program: Make, run_jobs: Any) -> None:
    call = program()
    path = send(call)
    run_jobs()
    seen, after = [], None
    for _ in range(4):
        page = call.get(f"{path}/rows", query_string={"limit": 2, "after": after}).json
        seen += [one["row"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == [2, 3, 4]
    assert call.get(f"{path}/rows?after=WzFd").status_code == 422


def test_a_file_that_cannot_be_read_says_why(app: Flask, program: Make, run_jobs: Any) -> None:
    call = program()
    made = call.post("/imports", **sheet("%PDF-1.4 not a table", "roster.csv"))
    run_jobs()
    read = call.get(f"/imports/{made.json['id']}").json
    assert read["state"] == "refused"
    assert read["refusal"]
    assert call.post(f"/imports/{read['id']}/commit", json={}).status_code == 409


def test_an_import_that_was_not_saved_is_thrown_away(
    app: Flask, program: Make, run_jobs: Any
) -> None:
    call = program()
    path = send(call)
    run_jobs()
    assert call.post(f"{path}/undo").status_code == 409
    thrown = call.post(f"{path}/discard")
    assert (thrown.status_code, thrown.json["state"]) == (202, "discarded")
    assert call.post(f"{path}/commit", json={}).status_code == 409
    assert call.get(f"{path}/rows").json["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": {"file": (io.BytesIO(b""), "empty.csv")}},
        {"data": {"file": (io.BytesIO(b"a"), "a.csv"), "state": "committed"}},
        {"data": {"other": (io.BytesIO(b"a"), "a.csv")}},
    ],
)
def test_anything_but_one_file_is_refused(app: Flask, program: Make, body: Any) -> None:
    assert program().post("/imports", **body).status_code == 422


@pytest.mark.parametrize("sent", [{"overwrite_edited": "yes"}, {"force": True}, []])
def test_a_commit_takes_known_choices_only(app: Flask, program: Make, sent: Any) -> None:
    call = program()
    assert call.post(f"{send(call)}/commit", json=sent).status_code == 422


def test_the_same_upload_sent_twice_is_one_import(app: Flask, program: Make) -> None:
    call = program()
    first, again = (call.post("/imports", **sheet(), key="k") for _ in range(2))
    assert first.json["id"] == again.json["id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert call.post("/imports", **sheet(ROSTER + "x"), key="k").status_code == 409


@pytest.mark.parametrize("role", list(Role))
def test_another_schools_import_is_absent_for_everybody(
    app: Flask, program: Make, other_school: School, role: Role
) -> None:
    path = send(program(at=other_school))
    call = program(role)
    found = {call.get(path).status_code, call.get(f"{path}/rows").status_code}
    found |= {call.post(f"{path}/{step}", json={}).status_code for step in STEPS}
    office = role in {Role.ADMINISTRATOR, Role.REGISTRAR}
    assert found == ({404} if office else {403})
    assert program(at=other_school).get(path).json["state"] == "uploaded"


@pytest.mark.parametrize("role", [Role.TEACHER, Role.GUARDIAN, Role.STUDENT])
def test_only_the_office_imports(app: Flask, program: Make, role: Role) -> None:
    assert program(role).post("/imports", **sheet()).status_code == 403


def test_undoing_needs_its_own_scope(app: Flask, program: Make) -> None:
    call = program(scopes=[Permission.ROSTER_IMPORT])
    path = send(call)
    assert call.get(path).status_code == 200
    assert call.post(f"{path}/undo").status_code == 403


def test_an_import_nobody_made_is_not_there(app: Flask, program: Make) -> None:
    assert program().get(f"/imports/{uuid4()}").status_code == 404


SMALL = "Admission number,Surname,Medical note\nR-1,Ito,Nuts\n"


@pytest.mark.parametrize(
    ("lacks", "values"),
    [
        (Permission.STUDENT_ADMIT, {}),
        (Permission.STUDENT_EDIT, {}),
        (Permission.MEDICAL_EDIT, {}),
        (Permission.STUDENT_ARCHIVE, {"archive_gone": True}),
    ],
)
def test_an_import_writes_nothing_its_key_may_not_write_by_hand(
    app: Flask, program: Make, run_jobs: Any, lacks: Permission, values: dict[str, Any]
) -> None:
    held = permissions_of(frozenset({Role.ADMINISTRATOR}))
    call = program(scopes=held - {lacks})
    path = f"/imports/{call.post('/imports', **sheet(SMALL)).json['id']}"
    run_jobs()
    assert call.post(f"{path}/commit", json=values).status_code == 403
    run_jobs()
    assert call.get(path).json["state"] == "preview"


def test_a_key_without_the_right_to_archive_may_save_the_rest(
    app: Flask, program: Make, run_jobs: Any
) -> None:
    held = permissions_of(frozenset({Role.ADMINISTRATOR}))
    call = program(scopes=held - {Permission.STUDENT_ARCHIVE})
    path = f"/imports/{call.post('/imports', **sheet(SMALL)).json['id']}"
    run_jobs()
    assert call.post(f"{path}/commit", json={}).status_code == 202
