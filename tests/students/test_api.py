"""What a program may do with students and guardians."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from school.academics.service import create_class
from school.audit.models import AuditEvent
from school.db import db, transaction
from school.permissions import Permission, Role
from school.students import service
from school.students.models import Guardian, Student
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from tests.api.conftest import *  # noqa: F403 - its fixtures
from tests.api.conftest import Family, Make, Program, make_student
from tests.conftest import make_member

STAFF = (Role.ADMINISTRATOR, Role.REGISTRAR, Role.TEACHER)
OFFICE = (Role.ADMINISTRATOR, Role.REGISTRAR)


def test_a_student_is_admitted_and_read_back(program: Make) -> None:
    call = program()
    sent = {
        "family_name": "Nguyễn",
        "given_name": "Hoàng Long",
        "family_name_first": True,
        "birth_date": "2013-05-04",
        "gender_code": "M",
        "admission_number": "S-1",
        "status": "joining",
        "medical_note": "Nuts",
    }
    made = call.post("/students", json=sent)
    assert made.status_code == 201
    assert made.headers["ETag"] == '"1"'
    assert made.json.items() >= sent.items()
    read = call.get(made.headers["Location"].removeprefix("/api/v1"))
    assert read.status_code == 200
    assert read.json == made.json
    assert read.headers["ETag"] == '"1"'


def test_a_student_is_admitted_into_a_class(program: Make, school: School) -> None:
    with school_scope(school.id), transaction():
        class_id = str(create_class("8B").id)
    call = program()
    made = call.post("/students", json={"family_name": "Ito", "class_id": class_id}).json
    assert (made["class_id"], made["class_name"]) == (class_id, "8B")
    found = call.get(f"/students?class_id={class_id}").json["items"]
    assert [one["id"] for one in found] == [made["id"]]


def test_facts_are_changed_and_the_rest_stays(program: Make, family: Family) -> None:
    call = program()
    answer = call.patch(
        f"/students/{family.student_id}", version=family.version, json={"town": "Gdynia"}
    )
    assert answer.status_code == 200
    assert answer.json["town"] == "Gdynia"
    assert answer.json["given_name"] == "Zofia"
    assert answer.headers["ETag"] == f'"{family.version + 1}"'


def test_every_change_is_the_tokens_owners_in_the_history(
    program: Make, family: Family, school: School
) -> None:
    call = program()
    call.patch(f"/students/{family.student_id}", version=family.version, json={"town": "Sopot"})
    with school_scope(school.id):
        event = db.session.scalars(
            sa.select(AuditEvent).where(AuditEvent.action == "student.edited")
        ).one()
        assert event.actor_id == call.user.id
        assert event.after == {"town": "Sopot"}


@pytest.mark.parametrize(("method", "what"), [("PATCH", ""), ("DELETE", "")])
def test_a_change_without_if_match_is_not_tried(
    program: Make, family: Family, method: str, what: str
) -> None:
    call = program()
    answer = call(method, f"/students/{family.student_id}", json={} if method == "PATCH" else None)
    assert answer.status_code == 428
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("tag", ['"99"', '"x"', 'W/"1"', '"²"', '"1', '"99999999999999"'])
def test_an_old_or_damaged_if_match_changes_nothing(
    program: Make, family: Family, tag: str
) -> None:
    call = program()
    path = f"/students/{family.student_id}"
    answer = call.patch(path, headers={"If-Match": tag}, json={"town": "X"})
    assert answer.status_code == 412
    assert call.delete(path, headers={"If-Match": tag}).status_code == 412
    assert call.get(path).json["town"] is None
    assert call.get(path).json["status"] == "enrolled"


def test_of_two_who_read_the_same_version_the_second_is_told(program: Make, family: Family) -> None:
    call, path = program(), f"/students/{family.student_id}"
    assert call.patch(path, version=family.version, json={"town": "A"}).status_code == 200
    late = call.patch(path, version=family.version, json={"town": "B"})
    assert late.status_code == 412
    assert late.json["type"] == "urn:schoolhouse:problem:stale"
    assert late.json["theirs"] == {"version": family.version + 1}
    assert call.get(path).json["town"] == "A"


def test_archiving_and_restoring(program: Make, family: Family) -> None:
    call, path = program(), f"/students/{family.student_id}"
    assert call.delete(path, version=family.version).status_code == 204
    archived = call.get(path).json
    assert (archived["status"], archived["archived_at"] is not None) == ("archived", True)
    assert call.get("/students").json["items"] == []
    assert len(call.get("/students?status=archived").json["items"]) == 1
    assert call.delete(path, version=archived["version"]).status_code == 409
    restored = call.post(f"{path}/restore")
    assert (restored.status_code, restored.json["status"]) == (200, "enrolled")
    assert call.post(f"{path}/restore").status_code == 409


def test_an_archived_student_is_not_brought_back_by_the_side_door(
    program: Make, family: Family
) -> None:
    call, path = program(), f"/students/{family.student_id}"
    call.delete(path, version=family.version)
    version = call.get(path).json["version"]
    assert call.patch(path, version=version, json={"status": "left"}).status_code == 409
    assert call.get(path).json["status"] == "archived"


MASS = {
    "id": str(uuid4()),
    "school_id": str(uuid4()),
    "user_id": str(uuid4()),
    "version": 7,
    "sort_name": "x",
    "photo_file_id": str(uuid4()),
    "archived_at": "2026-01-01T00:00:00Z",
    "status_before_archive": "left",
    "created_at": "2020-01-01T00:00:00Z",
    "class_name": "8B",
}


@pytest.mark.parametrize("name", MASS)
def test_fields_that_are_not_offered_are_refused_by_name(
    program: Make, family: Family, name: str
) -> None:
    call, extra = program(), {name: MASS[name]}
    made = call.post("/students", json={"family_name": "Ito", **extra})
    changed = call.patch(f"/students/{family.student_id}", version=family.version, json=extra)
    for answer in (made, changed):
        assert answer.status_code == 422
        assert name in answer.json["errors"]
    assert len(call.get("/students").json["items"]) == 1


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "family_name"),
        ({"family_name": "  "}, "family_name"),
        ({"family_name": None}, "family_name"),
        ({"family_name": "x" * 301}, "family_name"),
        ({"family_name": "a\x00b"}, "family_name"),
        ({"family_name": "a\ud800b"}, "family_name"),
        ({"family_name": 7}, "family_name"),
        ({"family_name": "Ito", "status": "archived"}, "status"),
        ({"family_name": "Ito", "birth_date": "04.05.2013"}, "birth_date"),
        ({"family_name": "Ito", "birth_date": "2099-01-01"}, "birth_date"),
        ({"family_name": "Ito", "gender_code": "Z"}, "gender_code"),
        ({"family_name": "Ito", "email": "nobody"}, "email"),
        ({"family_name": "Ito", "family_name_first": "yes"}, "family_name_first"),
        ({"family_name": "Ito", "custom": {"x": "y"}}, "custom"),
        ({"family_name": "Ito", "custom": {"x": [1]}}, "custom"),
        ([1, 2], "body"),
    ],
)
def test_what_cannot_be_true_is_refused_with_its_field(
    program: Make, sent: Any, field: str
) -> None:
    answer = program().post("/students", json=sent)
    assert answer.status_code == 422
    assert field in answer.json["errors"]


def test_a_number_in_use_is_a_conflict(program: Make) -> None:
    call, sent = program(), {"family_name": "Ito", "admission_number": "S-1"}
    assert call.post("/students", json=sent).status_code == 201
    again = call.post("/students", json=sent)
    assert (again.status_code, list(again.json["errors"])) == (409, ["admission_number"])


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 5_000, "application/json", 400),
        (b'{"family_name": ' + b"9" * 5_000 + b"}", "application/json", 400),
        (b"family_name=Ito", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_that_is_not_json_is_refused(
    program: Make, body: bytes, kind: str, status: int
) -> None:
    answer = program().post("/students", data=body, content_type=kind)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"


# The school's own fields


def test_own_fields_are_typed(program: Make, school: School) -> None:
    with school_scope(school.id), transaction():
        kinds = ("text", "number", "date", "yes_no")
        ids = {kind: str(service.add_field(kind, kind).id) for kind in kinds}
        ids["choice"] = str(service.add_field("House", "choice", choices=["Red", "Blue"]).id)
    right = {"text": "x", "number": 2.5, "date": "2026-11-20", "yes_no": False, "choice": "Red"}
    wrong = {"text": 1, "number": "2.5", "date": "20.11.2026", "yes_no": "no", "choice": "Green"}
    call = program()
    custom = {ids[kind]: value for kind, value in right.items()}
    made = call.post("/students", json={"family_name": "Ito", "custom": custom})
    assert made.json["custom"] == custom
    path = f"/students/{made.json['id']}"
    for kind, value in wrong.items():
        answer = call.patch(path, version=1, json={"custom": {ids[kind]: value}})
        assert (answer.status_code, list(answer.json["errors"])) == (422, [f"custom_{ids[kind]}"])
    emptied = call.patch(path, version=1, json={"custom": {ids["text"]: None}}).json["custom"]
    assert ids["text"] not in emptied
    assert emptied[ids["number"]] == 2.5
    listed = {one["id"]: one["kind"] for one in call.get("/student-fields").json["items"]}
    assert listed == {ids[kind]: kind for kind in right}


# Medical notes


def test_the_medical_note_is_said_only_with_its_scope(program: Make, family: Family) -> None:
    narrow = program(scopes=[Permission.STUDENT_VIEW])
    wide = program(scopes=[Permission.STUDENT_VIEW, Permission.MEDICAL_VIEW])
    for path in (f"/students/{family.student_id}", "/students"):
        assert "Nuts" not in narrow.get(path).text
        assert "Nuts" in wide.get(path).text


def test_a_medical_note_is_written_only_with_its_scope(program: Make, family: Family) -> None:
    call = program(
        scopes=[Permission.STUDENT_VIEW, Permission.STUDENT_EDIT, Permission.STUDENT_ADMIT]
    )
    path = f"/students/{family.student_id}"
    assert call.patch(path, version=family.version, json={"medical_note": None}).status_code == 403
    assert call.post("/students", json={"family_name": "A", "medical_note": "x"}).status_code == 403
    assert program().get(path).json["medical_note"] == "Nuts"


# Lists


def test_the_list_is_read_page_by_page_to_its_end(program: Make, school: School) -> None:
    with school_scope(school.id):
        for number in range(7):
            make_student(family_name=f"Name {number}", admission_number=f"N-{number}")
    call = program()
    for sort, first in (("name", "N-0"), ("-name", "N-6"), ("number", "N-0"), ("-number", "N-6")):
        seen, after = [], None
        for _ in range(5):
            page = call.get("/students", query_string={"limit": 3, "sort": sort, "after": after})
            seen += [one["admission_number"] for one in page.json["items"]]
            after = page.json["next"]
            if after is None:
                break
        assert len(seen) == len(set(seen)) == 7
        assert seen[0] == first


def test_the_list_is_searched_and_filtered(program: Make, school: School) -> None:
    with school_scope(school.id):
        make_student(family_name="Müller", grade_level="8", status="left")
        make_student(family_name="Ito", gender_code="F")
    call = program()

    def names(**query: str) -> list[str]:
        found = call.get("/students", query_string=query).json["items"]
        return [one["family_name"] for one in found]

    assert names() == ["Ito"]
    assert names(q="muller", status="all") == ["Müller"]
    assert names(status="left") == ["Müller"]
    assert names(grade_level="8", status="all") == ["Müller"]
    assert names(gender_code="F") == ["Ito"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "sort=birth_date",
        "status=gone",
        "class_id=7",
        "nothing=1",
        "after=x",
        "after=WzFd",
        "after=W2ZhbHNlLDEsMl0",
        "after=W2ZhbHNlLCJhXHUwMDAwIiwiYiJd",
        "after=W2ZhbHNlLCJhIiwiYiJd",
        "after=W3RydWUsImEiLCI3ZDlkMWFkZS0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDAiXQ",
        "q=%00",
    ],
)
def test_a_question_we_do_not_understand_is_refused(program: Make, query: str) -> None:
    assert program().get(f"/students?{query}").status_code == 422


@pytest.mark.parametrize("path", ["/students?limit=200", "/guardians"])
def test_a_page_costs_the_same_for_one_row_and_for_fifty(
    program: Make, school: School, count_queries: Any, family: Family, path: str
) -> None:
    call = program()
    call.get(path)
    with count_queries() as one:
        assert len(call.get(path).json["items"]) == 1
    with school_scope(school.id), transaction():
        for number in range(49):
            student = service.admit_student(family_name=f"Name {number}")
            service.link_guardian(student, service.add_guardian(f"Guardian {number}"))
    with count_queries() as fifty:
        assert len(call.get(path).json["items"]) == 50
    assert fifty.count <= one.count + 1  # the total is remembered, or counted once anew
    assert fifty.count <= 7


# Guardians


def test_a_new_guardian_is_added_and_shared_with_a_sibling(
    program: Make, family: Family, school: School
) -> None:
    with school_scope(school.id):
        sibling_id = make_student(given_name="Jan").id
    call = program()
    new = {"name": "Piotr Dąbrowski", "phone": "+48 22 333", "relationship": "father"}
    made = call.post(f"/students/{family.student_id}/guardians", json=new)
    assert made.status_code == 201
    assert made.json.items() >= new.items()
    assert made.json["emergency_order"] == 2
    also = {"guardian_id": made.json["guardian_id"], "has_custody": False}
    linked = call.post(f"/students/{sibling_id}/guardians", json=also)
    assert linked.status_code == 201
    assert linked.json["has_custody"] is False
    assert call.post(f"/students/{sibling_id}/guardians", json=also).status_code == 409
    guardian = call.get(f"/guardians/{also['guardian_id']}").json
    assert {child["given_name"] for child in guardian["students"]} == {"Zofia", "Jan"}


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"relationship": "aunt"},
        {"guardian_id": str(uuid4()), "name": "X"},
        {"name": " "},
        {"name": "X", "user_id": str(uuid4())},
        {"name": "X", "emergency_order": 1},
    ],
)
def test_a_guardian_is_either_known_or_new(program: Make, family: Family, sent: Any) -> None:
    answer = program().post(f"/students/{family.student_id}/guardians", json=sent)
    assert answer.status_code == 422


def test_a_guardian_and_the_tie_are_changed_each_with_its_version(
    program: Make, family: Family
) -> None:
    call = program()
    path = f"/guardians/{family.guardian_id}"
    tie = f"/students/{family.student_id}/guardians/{family.link_id}"
    version = call.get(path).json["version"]
    assert call.patch(path, json={"phone": None}).status_code == 428
    changed = call.patch(path, version=version, json={"phone": "112"})
    assert (changed.status_code, changed.json["phone"]) == (200, "112")
    assert call.patch(path, version=version, json={"phone": "113"}).status_code == 412
    version = call.get(tie).json["version"]
    moved = call.patch(tie, version=version, json={"lives_with": False})
    assert (moved.status_code, moved.json["lives_with"]) == (200, False)
    assert call.delete(tie).status_code == 428
    assert call.delete(tie, version=version).status_code == 412
    assert call.delete(tie, version=version + 1).status_code == 204
    assert call.get(tie).status_code == 404
    assert call.get(path).json["students"] == []


def test_a_guardian_is_found_by_name(program: Make, family: Family) -> None:
    call = program()
    assert [one["id"] for one in call.get("/guardians?q=dabr").json["items"]] == [
        family.guardian_id
    ]
    assert call.get("/guardians?q=nobody").json == {"items": [], "next": None}


# Who may


def calls(family: Family) -> list[tuple[str, str, Any]]:
    """Every call about a student or guardian: method, path, body."""
    student = f"/students/{family.student_id}"
    tie = f"{student}/guardians/{family.link_id}"
    return [
        ("GET", student, None),
        ("PATCH", student, {"town": "X"}),
        ("DELETE", student, None),
        ("POST", f"{student}/restore", None),
        ("GET", f"{student}/guardians", None),
        ("POST", f"{student}/guardians", {"name": "X"}),
        ("GET", tie, None),
        ("PATCH", tie, {"relationship": "X"}),
        ("DELETE", tie, None),
        ("GET", f"/guardians/{family.guardian_id}", None),
        ("PATCH", f"/guardians/{family.guardian_id}", {"phone": "1"}),
    ]


def answers(call: Program, family: Family) -> dict[str, int]:
    return {
        f"{method} {number}": call(method, path, json=body, version=1).status_code
        for number, (method, path, body) in enumerate(calls(family))
    }


@pytest.mark.parametrize("role", list(Role))
def test_another_schools_records_are_absent_for_everybody(
    program: Make, family_at: Callable[..., Family], other_school: School, role: Role
) -> None:
    there = family_at(other_school)
    found = answers(program(role), there)
    assert set(found.values()) <= {404, 403}
    if role in OFFICE:
        assert set(found.values()) == {404}
    text = "".join(program(role).get(path).text for path in ("/students", "/guardians"))
    assert there.student_id not in text
    assert there.guardian_id not in text


def test_a_link_to_another_schools_guardian_or_class_cannot_be_made(
    program: Make, family: Family, family_at: Callable[..., Family], other_school: School
) -> None:
    there = family_at(other_school)
    with school_scope(other_school.id), transaction():
        class_id = str(create_class("8B").id)
    call = program()
    to = f"/students/{family.student_id}/guardians"
    assert call.post(to, json={"guardian_id": there.guardian_id}).status_code == 404
    new = {"family_name": "X", "class_id": class_id}
    assert call.post("/students", json=new).status_code == 404


@pytest.mark.parametrize("role", [Role.TEACHER, Role.GUARDIAN, Role.STUDENT])
def test_only_the_office_changes_records(program: Make, family: Family, role: Role) -> None:
    call = program(role)
    found = answers(call, family)
    changing = [status for what, status in found.items() if not what.startswith("GET")]
    assert set(changing) == {403}
    assert call.post("/students", json={"family_name": "X"}).status_code == 403


@pytest.mark.parametrize("role", STAFF)
def test_whoever_works_here_reads_every_record(program: Make, family: Family, role: Role) -> None:
    found = answers(program(role), family)
    assert {status for what, status in found.items() if what.startswith("GET")} <= {200, 404}
    assert found["GET 0"] == 200


def test_a_guardian_sees_their_own_child_only_and_no_others_telephone(
    program: Make, family_at: Callable[..., Family], school: School
) -> None:
    user = make_member(school, Role.GUARDIAN)
    mine, theirs = family_at(school, user=user), family_at(school)
    with school_scope(school.id), transaction() as session:
        student = session.scalars(
            sa.select(Student).where(Student.id == UUID(mine.student_id))
        ).one()
        other = session.scalars(
            sa.select(Guardian).where(Guardian.id != UUID(mine.guardian_id))
        ).one()
        service.link_guardian(student, other)
    call = program(Role.GUARDIAN, user=user)
    assert [one["id"] for one in call.get("/students").json["items"]] == [mine.student_id]
    assert call.get(f"/students/{mine.student_id}").status_code == 200
    for path in ("", "/guardians", f"/guardians/{theirs.link_id}"):
        assert call.get(f"/students/{theirs.student_id}{path}").status_code == 404
    assert call.get(f"/guardians/{theirs.guardian_id}").status_code == 404
    links = call.get(f"/students/{mine.student_id}/guardians").json["items"]
    assert ["phone" in link for link in links] == [True, False]
    assert ["has_custody" in link for link in links] == [True, False]


def test_a_student_sees_themselves_only(
    program: Make, family_at: Callable[..., Family], school: School
) -> None:
    user = make_member(school, Role.STUDENT)
    mine, theirs = family_at(school, student_user=user), family_at(school)
    call = program(Role.STUDENT, user=user)
    assert call.get(f"/students/{mine.student_id}").status_code == 200
    assert call.get(f"/students/{theirs.student_id}").status_code == 404
    assert call.get(f"/students/{mine.student_id}/guardians").status_code == 403
    assert "Nuts" not in call.get(f"/students/{mine.student_id}").text


def test_scopes_narrow_what_the_role_allows(program: Make, family: Family) -> None:
    call = program(scopes=[Permission.STUDENT_VIEW])
    found = answers(call, family)
    assert found.pop("GET 0") == 200
    assert set(found.values()) == {403}
    assert program(scopes=[Permission.STUDENT_EDIT]).get("/students").status_code == 403


# The same request twice


def test_twenty_parallel_posts_with_one_key_admit_one_student(
    app: Flask, program: Make, school: School
) -> None:
    call, barrier, found = program(), Barrier(20), []

    def post() -> None:
        barrier.wait()
        mine = Program(type(call.client)(app), call.token, call.user)
        found.append(mine.post("/students", json={"family_name": "Ito"}, key="one"))

    threads = [Thread(target=post) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in found} == {201}
    assert len({answer.json["id"] for answer in found}) == 1
    assert len({answer.headers["Location"] for answer in found}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in found) == 19
    assert len(call.get("/students").json["items"]) == 1


def test_a_key_belongs_to_one_request_one_person_and_their_rights(
    program: Make, family: Family
) -> None:
    call = program()
    to = "/students"
    first = call.post(to, json={"family_name": "A", "medical_note": "Bees"}, key="k")
    assert first.status_code == 201
    assert call.post(to, json={"family_name": "B"}, key="k").status_code == 409
    narrow = program(user=call.user, scopes=[Permission.STUDENT_ADMIT])
    replay = narrow.post(to, json={"family_name": "A", "medical_note": "Bees"}, key="k")
    assert replay.status_code == 409
    other = program().post(to, json={"family_name": "A", "medical_note": "Bees"}, key="k")
    assert (other.status_code, "Idempotency-Replayed" in other.headers) == (201, False)
    assert call.post(to, json={"family_name": "A"}, key="").status_code == 422
    assert call.post(to, json={"family_name": "A"}, key="x" * 201).status_code == 422


def test_a_refused_request_leaves_its_key_free(program: Make) -> None:
    call = program()
    assert call.post("/students", json={"family_name": ""}, key="k").status_code == 422
    assert call.post("/students", json={"family_name": "A"}, key="k").status_code == 201


def test_of_ten_parallel_changes_with_one_version_exactly_one_is_made(
    app: Flask, program: Make, family: Family
) -> None:
    call, barrier, found = program(), Barrier(10), []
    path = f"/students/{family.student_id}"

    def patch(number: int) -> None:
        barrier.wait()
        mine = Program(type(call.client)(app), call.token, call.user)
        found.append(mine.patch(path, version=family.version, json={"town": f"Town {number}"}))

    threads = [Thread(target=patch, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in found) == [200] + [412] * 9
    made = next(answer for answer in found if answer.status_code == 200)
    assert call.get(path).json == made.json
