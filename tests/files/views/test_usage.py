"""The page about space, a person's limit, their own account page, and what drop zones know."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape

from school import clock
from school.audit.actor import Actor, acting_as
from school.audit.models import AuditEvent, PlatformEvent
from school.db import db, transaction
from school.files.models import File, HolderKind, UsageDay
from school.files.service import keeping, quotas, usage
from school.permissions import Permission, Person, Role
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from tests.conftest import make_member
from tests.factories.files import make_owner

SCHOOL, PERSON = HolderKind.SCHOOL, HolderKind.PERSON


def sent_by(user: Any, size_bytes: int, *, name: str, purpose: str = "document") -> File:
    with acting_as(Actor(name=user.display_name, user_id=user.id)):
        return keeping.store_upload(
            io.BytesIO(b"x" * size_bytes),
            owner_kind="student",
            owner_id=make_owner().id,
            filename=name,
            purpose=purpose,
        )


def limit(kind: HolderKind, holder_id: Any, size_bytes: int | None) -> None:
    with transaction():
        quotas.set_limit(kind, holder_id, size_bytes)


def test_the_page_shows_space_by_kind_person_and_file(
    school: School, client_for: Callable[..., FlaskClient], page: Any
) -> None:
    teacher = make_member(school, Role.TEACHER)
    with school_scope(school.id):
        file = sent_by(teacher, 3_000_000, name="Large.txt")
        sent_by(teacher, 1_000_000, name="Allergies.txt", purpose="medical")
        with acting_as(Actor(name="Somebody")):
            keeping.add_version(file, io.BytesIO(b"y" * 2_000_000), filename="Large.txt")
        limit(SCHOOL, school.id, 10_000_000)
    seen = page(client_for(Role.ADMINISTRATOR), "/files/usage").html
    assert "6.0 MB of 10.0 MB used" in seen
    assert 'aria-valuenow="60.0"' in seen
    for words in ("Documents", "Medical documents", "Earlier versions", "3.0 MB", "Large.txt"):
        assert words in seen
    assert str(escape(teacher.display_name)) in seen
    assert f"/files/usage/people/{teacher.id}" in seen
    assert "4.0 MB used" in seen, "the version sent by nobody counts for the school only"


def test_all_parts_together_are_the_whole(school: School) -> None:
    with school_scope(school.id):
        user = make_member(school, Role.TEACHER)
        file = sent_by(user, 500, name="a.txt")
        keeping.add_version(file, io.BytesIO(b"y" * 70), filename="a.txt")
        gone = sent_by(user, 33, name="b.txt")
        with transaction():
            gone.trashed_at = clock.now()
        parts = dict(usage._parts())
        assert parts == {"document": 70, "earlier": 500, "trash": 33}
        assert sum(parts.values()) == quotas.list_standings(None)[0].used_bytes


def test_the_chart_reads_a_table_of_the_last_90_days(
    school: School, client_for: Callable[..., FlaskClient], page: Any
) -> None:
    with school_scope(school.id), transaction() as session:
        for ago in (0, 1, 89, 95):
            day = clock.today() - timedelta(days=ago)
            session.add(UsageDay(day=day, used_bytes=2_500_000_000 + ago, files=7))
    seen = page(client_for(Role.ADMINISTRATOR), "/files/usage")
    assert seen.html.count('data-value="2.5"') == 3
    assert "Space in GB" in seen.text
    assert 'data-table="days-table"' in seen.html


def test_an_empty_school_says_so(client_for: Callable[..., FlaskClient], page: Any) -> None:
    seen = page(client_for(Role.ADMINISTRATOR), "/files/usage").text
    assert "There are no files yet." in seen
    assert "Nobody sent a file yet." in seen
    assert "Nothing was noted yet." in seen


def test_only_administrators_see_the_space(client_for: Callable[..., FlaskClient]) -> None:
    for role in (Role.REGISTRAR, Role.TEACHER, Role.GUARDIAN):
        assert client_for(role).get("/files/usage").status_code == 403


def test_a_file_that_is_not_for_the_reader_has_no_name(school: School) -> None:
    with school_scope(school.id):
        user = make_member(school, Role.TEACHER)
        sent_by(user, 500, name="Secret.txt", purpose="medical")
        person = Person(
            user_id=user.id,
            display_name="A",
            email="a@example.org",
            school_id=school.id,
            roles=frozenset({Role.ADMINISTRATOR}),
            scopes=frozenset({Permission.FILE_VIEW, Permission.STUDENT_VIEW}),
        )
        (largest,) = usage.look(person).largest
        assert (largest.size_bytes, largest.name) == (500, None)


# ---- limits ----


def test_an_administrator_limits_a_person(
    school: School, client_for: Callable[..., FlaskClient], page: Any
) -> None:
    teacher = make_member(school, Role.TEACHER)
    client, path = client_for(Role.ADMINISTRATOR), f"/files/usage/people/{teacher.id}"
    assert 'value=""' in page(client, path).html
    assert client.post(path, data={"limit_mb": "250"}).status_code == 303
    with school_scope(school.id):
        standing = quotas.list_standings(teacher.id)[1]
        assert (standing.limit_bytes, standing.is_own_limit) == (250_000_000, True)
        event = db.session.scalars(
            sa.select(AuditEvent).where(AuditEvent.action == "storage.limit_set")
        ).one()
        assert event.actor_id == client.user.id  # type: ignore[attr-defined]
    assert 'value="250"' in page(client, path).html
    client.post(path, data={"limit_mb": ""})
    with school_scope(school.id):
        assert not quotas.list_standings(teacher.id)[1].is_own_limit


def test_a_limit_that_is_none_is_said_beside_the_field(
    school: School, client_for: Callable[..., FlaskClient]
) -> None:
    teacher = make_member(school, Role.TEACHER)
    for wrong in ("-1", "99999999999999"):
        answer = client_for(Role.ADMINISTRATOR).post(
            f"/files/usage/people/{teacher.id}", data={"limit_mb": wrong}
        )
        assert answer.status_code == 422
        assert "Type a whole number of megabytes, or nothing." in answer.text


def test_somebody_of_another_school_is_not_there(
    other_school: School, client_for: Callable[..., FlaskClient]
) -> None:
    stranger = make_member(other_school, Role.TEACHER)
    client = client_for(Role.ADMINISTRATOR)
    for ask in (client.get, client.post):
        assert ask(f"/files/usage/people/{stranger.id}").status_code == 404


def test_the_operator_limits_a_school(
    school: School, client_for: Callable[..., FlaskClient], page: Any
) -> None:
    operator = make_member(None, None, is_platform_admin=True)
    client = client_for(None, user=operator)
    answer = client.post(f"/platform/schools/{school.id}/space", data={"limit_mb": "1000"})
    assert answer.status_code == 303
    with school_scope(school.id):
        assert quotas.list_standings(None)[0].limit_bytes == 1_000_000_000
    event = db.session.scalars(
        sa.select(PlatformEvent).where(PlatformEvent.action == "school.space_limited")
    ).one()
    assert (event.entity_id, event.details) == (school.id, {"limit_bytes": 1_000_000_000})
    assert "0 bytes of 1.0 GB used" in page(client, f"/platform/schools/{school.id}").text
    wrong = client.post(f"/platform/schools/{school.id}/space", data={"limit_mb": "-5"})
    assert wrong.status_code == 422


def test_an_administrator_does_not_limit_the_school(
    school: School, client_for: Callable[..., FlaskClient]
) -> None:
    answer = client_for(Role.ADMINISTRATOR).post(
        f"/platform/schools/{school.id}/space", data={"limit_mb": "1"}
    )
    assert answer.status_code == 403


# ---- elsewhere ----


def test_a_person_sees_their_own_space(
    school: School, client_for: Callable[..., FlaskClient], page: Any
) -> None:
    client = client_for(Role.TEACHER)
    with school_scope(school.id):
        sent_by(client.user, 950_000, name="a.txt")  # type: ignore[attr-defined]
        limit(PERSON, client.user.id, 1_000_000)  # type: ignore[attr-defined]
    seen = page(client, "/account").text
    assert "Space for your files" in seen
    assert "950.0 kB of 1.0 MB used" in seen
    assert "Nearly full" in seen


def test_a_family_has_no_space_of_its_own(
    client_for: Callable[..., FlaskClient], page: Any
) -> None:
    assert "Space for your files" not in page(client_for(Role.GUARDIAN), "/account").text


def test_today_tells_an_administrator_before_the_school_is_full(
    school: School, client_for: Callable[..., FlaskClient], page: Any
) -> None:
    client = client_for(Role.ADMINISTRATOR)
    with school_scope(school.id):
        sent_by(make_member(school, Role.TEACHER), 890, name="a.txt")
        limit(SCHOOL, school.id, 1000)
    assert "used up to 89%" in page(client, "/").text
    assert "used up to" not in page(client_for(Role.TEACHER), "/").text


def test_a_refused_upload_says_whose_room_it_was(
    school: School, client_for: Callable[..., FlaskClient]
) -> None:
    client = client_for(Role.TEACHER)
    with school_scope(school.id):
        student = make_owner()
        limit(PERSON, client.user.id, 1000)  # type: ignore[attr-defined]
    answer = client.post(
        f"/students/{student.id}/files",
        data={"file": (io.BytesIO(b"x" * 1001), "a.txt")},
        headers={"Accept": "application/json"},
    )
    assert answer.status_code == 413
    assert answer.mimetype == "application/problem+json"
    said = json.loads(answer.text)
    assert said["type"] == "urn:schoolhouse:problem:no_room"
    assert said["detail"] == "There is no room for this file: you have 1 kB left of 1 kB."


def test_the_drop_zone_knows_the_room_and_says_the_same_sentence(
    app: Flask, school: School, client_for: Callable[..., FlaskClient], page: Any
) -> None:
    client = client_for(Role.TEACHER)
    with school_scope(school.id):
        student_id = make_owner().id
    path = f"/students/{student_id}/files"
    assert "data-left" not in page(client, path).html
    with school_scope(school.id):
        limit(PERSON, client.user.id, 1000)  # type: ignore[attr-defined]
    seen = page(client, path).html
    assert 'data-left="1000"' in seen
    assert "There is no room for this file: you have 1 kB left of 1 kB." in seen
    with school_scope(school.id):
        sent_by(client.user, 400, name="a.txt")  # type: ignore[attr-defined]
    assert 'data-left="600"' in page(client, path).html


def test_the_page_asks_no_oftener_for_many(
    school: School, client_for: Callable[..., FlaskClient], count_queries: Any
) -> None:
    client = client_for(Role.ADMINISTRATOR)

    def asked() -> int:
        client.get("/files/usage")
        with count_queries() as queries:
            assert client.get("/files/usage").status_code == 200
        return int(queries.count)

    counts = []
    for files in (1, 11):
        for number in range(files):
            user = make_member(school, Role.TEACHER)
            with school_scope(school.id):
                sent_by(user, 10 + number, name=f"{files}-{number}.txt")
        counts.append(asked())
    assert counts[0] == counts[1] <= 6
