"""What a program may do with files."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from school.db import new_id, transaction
from school.files import queries
from school.files.models import File, FileVersion, HolderKind, HoldTarget
from school.files.service import holding, keeping, quotas
from school.permissions import Permission, Role
from school.students.queries import get_student
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from tests.api.conftest import *  # noqa: F403 - its fixtures
from tests.api.conftest import Family, Make, Program
from tests.conftest import make_member
from tests.factories.files import make_file
from tests.files.samples import PDF, picture


def sent(data: bytes = PDF, name: str = "Report.pdf", **fields: str) -> dict[str, Any]:
    return {"data": {"file": (io.BytesIO(data), name), **fields}}


@pytest.fixture
def folder(family: Family) -> str:
    return f"/students/{family.student_id}/files"


@pytest.fixture
def file_at(family_at: Callable[..., Family]) -> Callable[..., tuple[Family, str]]:
    """A family of this school with one file: (family, file id)."""

    def make(place: School, *, purpose: str = "document", **more: Any) -> tuple[Family, str]:
        family = family_at(place, **more)
        with school_scope(place.id):
            student = get_student(UUID(family.student_id))
            return family, str(make_file(student, purpose=purpose).id)

    return make


def test_a_key_that_may_not_open_files_adds_none(program: Make, folder: str) -> None:
    narrow = {Permission.STUDENT_VIEW, Permission.FILE_UPLOAD}
    assert program(scopes=narrow).post(folder, **sent()).status_code == 403
    assert program(scopes=narrow | {Permission.FILE_VIEW}).post(folder, **sent()).status_code == 201


def test_a_file_is_kept_and_fetched_by_a_signed_link(
    app: Flask, program: Make, folder: str, family: Family
) -> None:
    call = program()
    made = call.post(folder, **sent())
    assert made.status_code == 201
    assert made.json["name"] == "Report.pdf"
    assert made.json["student_id"] == family.student_id
    assert made.json["size_bytes"] == len(PDF)
    assert made.headers["ETag"] == f'"{made.json["version"]}"'
    where = made.headers["Location"].removeprefix("/api/v1")
    assert call.get(where).json == made.json
    link = call.get(f"{where}/download").json
    assert link["url"].startswith("http://localhost/f/")
    fetched = call.client.get(link["url"].removeprefix("http://localhost"))
    assert (fetched.status_code, fetched.data) == (200, PDF)


def test_a_replaced_file_keeps_what_was_there(app: Flask, program: Make, folder: str) -> None:
    call = program()
    made = call.post(folder, **sent()).json
    path, longer = f"/files/{made['id']}", PDF + b"\n"
    new = call.post(f"{path}/versions", **sent(longer, note="Signed"), version=made["version"])
    assert new.status_code == 201
    assert [one["number"] for one in new.json["versions"]] == [2, 1]
    assert new.json["versions"][0]["note"] == "Signed"
    late = call.post(f"{path}/versions", **sent(longer), version=made["version"])
    assert late.status_code == 412
    old = call.get(f"{path}/download?version=1").json["url"].removeprefix("http://localhost")
    assert call.client.get(old).data == PDF
    assert call.get(f"{path}/download?version=9").status_code == 404


def test_renaming_and_putting_away_need_the_version(app: Flask, program: Make, folder: str) -> None:
    call = program()
    made = call.post(folder, **sent()).json
    path = f"/files/{made['id']}"
    assert call.patch(path, json={"name": "Letter.pdf"}).status_code == 428
    assert call.patch(path, json={"name": "Letter.pdf"}, version=99).status_code == 412
    renamed = call.patch(path, json={"name": "Letter.pdf"}, version=made["version"])
    assert (renamed.status_code, renamed.json["name"]) == (200, "Letter.pdf")
    assert call.delete(path).status_code == 428
    assert call.delete(path, version=made["version"]).status_code == 412
    assert call.delete(path, version=renamed.json["version"]).status_code == 204
    assert call.get(folder).json["items"] == []
    away = call.get(f"{folder}?archived=true").json["items"]
    assert [one["id"] for one in away] == [made["id"]]
    assert call.get(path).json["archived_at"] is not None


@pytest.mark.parametrize("extra", ["owner_id", "school_id", "current_version"])
def test_fields_that_are_not_offered_are_refused_by_name(
    program: Make, folder: str, extra: str
) -> None:
    call = program()
    answer = call.post(folder, **sent(**{extra: "x"}))
    assert (answer.status_code, list(answer.json["errors"])) == (422, [extra])
    made = call.post(folder, **sent()).json
    path = f"/files/{made['id']}"
    answer = call.patch(path, json={"name": "A.pdf", extra: "x"}, version=made["version"])
    assert (answer.status_code, list(answer.json["errors"])) == (422, [extra])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": {"file": "text"}},
        {"data": {"other": (io.BytesIO(PDF), "a.pdf")}},
        {"data": {"file": [(io.BytesIO(PDF), "a.pdf"), (io.BytesIO(PDF), "b.pdf")]}},
        {"json": {"file": "x"}},
        {"data": {"file": (io.BytesIO(b"MZ\x90\x00" * 50), "a.pdf")}},
        {"data": {"file": (io.BytesIO(PDF), "a.pdf"), "purpose": "photo"}},
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_stays(
    program: Make, folder: str, body: Any
) -> None:
    call = program()
    answer = call.post(folder, **body)
    assert answer.status_code == 422
    assert call.get(folder).json["items"] == []


def test_files_are_listed_page_by_page(app: Flask, program: Make, folder: str) -> None:
    call = program()
    for number in range(5):
        call.post(folder, **sent(name=f"File {number}.pdf"))
    seen, after = [], None
    for _ in range(4):
        page = call.get(folder, query_string={"limit": 2, "after": after}).json
        seen += [one["name"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == [f"File {number}.pdf" for number in (4, 3, 2, 1, 0)]


def test_a_long_list_of_files_is_listed_to_its_end(
    program: Make, school: School, file_at: Any
) -> None:
    family, file_id = file_at(school)
    with school_scope(school.id), transaction() as session:
        first = session.scalars(sa.select(FileVersion)).one()
        for number in range(520):
            file = File(
                id=new_id(),
                owner_kind="student",
                owner_id=UUID(family.student_id),
                purpose="document",
                name=f"{number}.pdf",
                size_bytes=1,
            )
            session.add(file)
            session.add(
                FileVersion(
                    file_id=file.id,
                    number=1,
                    name=file.name,
                    blob_id=first.blob_id,
                    created_by_name="Office",
                )
            )
    call, seen, after = program(), [], None
    while after is not None or not seen:
        page = call.get(
            f"/students/{family.student_id}/files", query_string={"limit": 200, "after": after}
        ).json
        seen += [one["id"] for one in page["items"]]
        after = page["next"]
    assert len(set(seen)) == len(seen) == 521 and file_id in seen


def test_a_page_of_files_costs_the_same_for_one_and_for_fifty(
    app: Flask, program: Make, school: School, file_at: Any, count_queries: Any
) -> None:
    family, _ = file_at(school)
    call, folder = program(), f"/students/{family.student_id}/files?limit=200"
    call.get(folder)
    with count_queries() as one:
        assert len(call.get(folder).json["items"]) == 1
    with school_scope(school.id):
        student = get_student(UUID(family.student_id))
        for number in range(49):
            make_file(student, filename=f"File {number}.pdf")
    call.get(folder)
    with count_queries() as fifty:
        assert len(call.get(folder).json["items"]) == 50
    assert fifty.count == one.count <= 4


# Who may


def answers(call: Program, family: Family, file_id: str) -> dict[str, int]:
    path = f"/files/{file_id}"
    return {
        "list": call.get(f"/students/{family.student_id}/files").status_code,
        "show": call.get(path).status_code,
        "download": call.get(f"{path}/download").status_code,
        "add": call.post(f"/students/{family.student_id}/files", **sent()).status_code,
        "version": call.post(f"{path}/versions", **sent()).status_code,
        "rename": call.patch(path, json={"name": "A.pdf"}, version=99).status_code,
        "archive": call.delete(path, version=99).status_code,
    }


@pytest.mark.parametrize("role", list(Role))
def test_another_schools_files_are_absent_for_everybody(
    app: Flask, program: Make, other_school: School, file_at: Any, role: Role
) -> None:
    found = answers(program(role), *file_at(other_school))
    assert set(found.values()) <= {403, 404}
    if role in {Role.ADMINISTRATOR, Role.REGISTRAR}:
        assert set(found.values()) == {404}


def test_a_teacher_adds_files_but_puts_none_away(
    app: Flask, program: Make, school: School, file_at: Any
) -> None:
    assert answers(program(Role.TEACHER), *file_at(school)) == {
        "list": 200,
        "show": 200,
        "download": 200,
        "add": 201,
        "version": 201,
        "rename": 412,
        "archive": 403,
    }


def test_a_guardian_reads_files_of_their_own_child_only(
    app: Flask, program: Make, school: School, file_at: Any
) -> None:
    user = make_member(school, Role.GUARDIAN)
    mine, theirs = file_at(school, user=user), file_at(school)
    call = program(Role.GUARDIAN, user=user)
    own, other = answers(call, *mine), answers(call, *theirs)
    assert [own[name] for name in ("list", "show", "download")] == [200, 200, 200]
    assert [other[name] for name in ("list", "show", "download")] == [404, 404, 404]
    for found in (own, other):
        assert {found[name] for name in ("add", "version", "rename", "archive")} == {403}


def test_what_was_put_away_is_there_for_staff_only(
    app: Flask, program: Make, school: School, file_at: Any
) -> None:
    user = make_member(school, Role.GUARDIAN)
    family, file_id = file_at(school, user=user)
    with school_scope(school.id), transaction():
        keeping.archive_file(queries.get_file(UUID(file_id)))
    guardian, teacher = program(Role.GUARDIAN, user=user), program(Role.TEACHER)
    listed = f"/students/{family.student_id}/files?archived=true"
    for path in (listed, f"/files/{file_id}", f"/files/{file_id}/download"):
        assert guardian.get(path).status_code == 404
        assert teacher.get(path).status_code == 200


def test_medical_files_are_there_only_with_the_scope(
    app: Flask, program: Make, school: School, file_at: Any
) -> None:
    family, file_id = file_at(school, purpose="medical")
    reading = [Permission.STUDENT_VIEW, Permission.FILE_VIEW]
    narrow, wide = program(scopes=reading), program(scopes=[*reading, Permission.MEDICAL_VIEW])
    folder = f"/students/{family.student_id}/files"
    assert narrow.get(folder).json["items"] == []
    assert [one["id"] for one in wide.get(folder).json["items"]] == [file_id]
    for path in (f"/files/{file_id}", f"/files/{file_id}/download"):
        assert narrow.get(path).status_code == 404
        assert wide.get(path).status_code == 200


# The same request twice


def test_twenty_parallel_uploads_with_one_key_keep_one_file(
    app: Flask, program: Make, folder: str
) -> None:
    call, barrier, found = program(), Barrier(20), []

    def post() -> None:
        barrier.wait()
        mine = Program(type(call.client)(app), call.token, call.user)
        found.append(mine.post(folder, **sent(), key="one"))

    threads = [Thread(target=post) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in found} <= {201, 409}
    kept = [answer for answer in found if answer.status_code == 201]
    assert sum("Idempotency-Replayed" not in answer.headers for answer in kept) == 1
    assert len({answer.json["id"] for answer in kept}) == 1
    again = call.post(folder, **sent(), key="one")
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    files = call.get(folder).json["items"]
    assert [one["current_version"] for one in files] == [1]


def test_a_refused_upload_leaves_its_key_free(app: Flask, program: Make, folder: str) -> None:
    call = program()
    assert call.post(folder, **sent(b"MZ" * 99), key="k").status_code == 422
    assert call.post(folder, **sent(), key="k").status_code == 201
    assert call.post(folder, **sent(picture(), "a.jpg"), key="k").status_code == 409


def test_an_upload_whose_answer_was_lost_is_never_done_twice(
    app: Flask, program: Make, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = program()
    with monkeypatch.context() as crash:
        crash.setattr("school.files.api._one", lambda *_a, **_m: 1 / 0)
        assert call.post(folder, **sent(), key="k").status_code == 500
    assert call.post(folder, **sent(), key="k").status_code == 409
    assert [one["current_version"] for one in call.get(folder).json["items"]] == [1]


def test_no_path_of_this_machine_is_ever_told(app: Flask, program: Make, folder: str) -> None:
    call = program()
    made = call.post(folder, **sent(name="../../etc/passwd.pdf")).json
    assert made["name"] == "passwd.pdf"
    everything = call.get(folder).text + call.get(f"/files/{made['id']}").text
    assert str(Path(app.config["SETTINGS"].data_dir)) not in everything


def test_the_space_of_a_school_is_told(app: Flask, program: Make, folder: str) -> None:
    call = program()
    call.post(folder, **sent())
    told = call.get("/files/usage").json
    assert told == {
        "used_bytes": len(PDF),
        "limit_bytes": None,
        "left_bytes": None,
        "days": [],
    }
    assert program(Role.TEACHER).get("/files/usage").status_code == 403


def test_what_does_not_fit_is_refused_before_it_is_read(
    app: Flask, program: Make, folder: str, school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = program()
    with school_scope(school.id), transaction():
        quotas.set_limit(HolderKind.SCHOOL, school.id, 1000)
    with monkeypatch.context() as patch:
        patch.setattr("school.files.api.sent_file", lambda _schema: pytest.fail("it was read"))
        answer = call.post(folder, **sent(b"x" * 20_000, "Long.txt"))
    assert answer.status_code == 413
    assert answer.json["type"] == "urn:schoolhouse:problem:no_room"
    assert answer.json["detail"].endswith("the school has 1 kB left of 1 kB.")
    assert call.post(folder, **sent(b"x" * 1001, "Notes.txt")).status_code == 413
    assert call.post(folder, **sent(b"x" * 1000, "Notes.txt")).status_code == 201


def test_into_the_trash_and_out_again(program: Make, file_at: Any, school: School) -> None:
    family, file_id = file_at(school)
    call = program(Role.REGISTRAR)
    place = f"/files/{file_id}"

    for _ in range(2):  # a repeated key repeats the answer
        answer = call.post(f"{place}/trash", headers={"Idempotency-Key": "once"})
        assert answer.status_code == 204

    assert call.get(place).status_code == 404
    assert call.get(f"{place}/download").status_code == 404
    assert call.get(f"/students/{family.student_id}/files").json["items"] == []
    back = call.post(f"{place}/trash/restore")
    assert (back.status_code, back.json["name"]) == (200, "Report.pdf")
    assert back.json["versions"][0]["pruned_at"] is None
    assert call.get(place).status_code == 200


def test_a_program_without_the_right_to_delete_finds_nothing_in_the_trash(
    program: Make, file_at: Any, school: School
) -> None:
    _, file_id = file_at(school)
    teacher = program(Role.TEACHER)
    assert teacher.post(f"/files/{file_id}/trash").status_code == 403
    assert program().post(f"/files/{file_id}/trash").status_code == 204

    assert teacher.get(f"/files/{file_id}").status_code == 404
    assert teacher.post(f"/files/{file_id}/trash/restore").status_code == 404


def test_a_held_file_is_not_deleted_by_a_program(
    program: Make, file_at: Any, school: School
) -> None:
    _, file_id = file_at(school)
    with school_scope(school.id), transaction():
        holding.place_hold(HoldTarget.FILE, UUID(file_id), "A claim")

    answer = program().post(f"/files/{file_id}/trash")

    assert answer.status_code == 409
    assert "legal hold" in answer.json["detail"]


def test_folders_are_made_filled_and_listed(family: Any, program: Any) -> None:
    call = program()
    folders = f"/students/{family.student_id}/folders"
    made = call.post(folders, json={"name": "Reports"})
    inner = call.post(folders, json={"name": "2026", "parent_id": made.json["id"]})
    sent = {"file": (io.BytesIO(PDF), "Report.pdf"), "folder_id": inner.json["id"]}
    file = call.post(f"/students/{family.student_id}/files", data=sent)

    assert (made.status_code, inner.status_code, file.status_code) == (201, 201, 201)
    assert file.json["folder_id"] == inner.json["id"]
    assert [row["name"] for row in call.get(folders).json["items"]] == ["Reports"]
    nested = call.get(f"{folders}?parent_id={made.json['id']}")
    assert [row["name"] for row in nested.json["items"]] == ["2026"]
    inside = call.get(f"/folders/{inner.json['id']}/files?limit=1")
    assert [row["id"] for row in inside.json["items"]] == [file.json["id"]]
    assert call.post(folders, json={"name": "REPORTS"}).status_code == 422
    nowhere = {"name": "X", "parent_id": family.student_id}
    assert call.post(folders, json=nowhere).status_code == 404
    assert call.get(f"{folders}?parent_id={family.student_id}").status_code == 404
