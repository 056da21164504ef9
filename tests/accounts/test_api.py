"""What a program may know of the school and its people, and how it proves who it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from school import clock
from school.accounts import service
from school.accounts.models import ApiToken, Membership, User
from school.db import db, transaction
from school.permissions import Permission, Role
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from tests.api.conftest import *  # noqa: F403 - its fixtures
from tests.api.conftest import Family, Make, Program
from tests.conftest import make_member


@pytest.mark.parametrize("role", list(Role))
def test_a_token_knows_its_own_school_only(
    program: Make, school: School, other_school: School, role: Role
) -> None:
    page = program(role).get("/schools").json
    assert [one["id"] for one in page["items"]] == [str(school.id)]
    assert page["next"] is None


def test_a_person_of_two_schools_has_a_token_for_each(
    program: Make, school: School, other_school: School
) -> None:
    user = make_member(school, Role.ADMINISTRATOR)
    with transaction() as session:
        session.add(Membership(school_id=other_school.id, user_id=user.id, role=Role.TEACHER))
    there = program(Role.TEACHER, user=user, at=other_school)
    assert [one["name"] for one in there.get("/schools").json["items"]] == [other_school.name]
    assert there.get("/users").status_code == 403


def test_people_are_listed_page_by_page_with_their_roles(program: Make, school: School) -> None:
    call = program(Role.REGISTRAR)
    for number in range(4):
        make_member(school, Role.TEACHER, display_name=f"Élodie {number}")
    seen: list[dict[str, Any]] = []
    after = None
    for _ in range(4):
        page = call.get("/users", query_string={"limit": 2, "after": after}).json
        seen += page["items"]
        after = page["next"]
        if after is None:
            break
    assert len({one["id"] for one in seen}) == len(seen) == 5
    only = call.get("/users?role=teacher").json["items"]
    assert [one["display_name"] for one in only] == [f"Élodie {n}" for n in range(4)]
    assert {tuple(one["roles"]) for one in only} == {("teacher",)}
    assert len(call.get("/users?q=lodie").json["items"]) == 4
    assert call.get("/users?q=nobody").json["items"] == []


def test_nothing_secret_is_told_of_a_person(program: Make, school: School) -> None:
    call = program()
    told = call.get("/users").json["items"][0]
    assert set(told) == {
        "id", "display_name", "email", "roles", "state", "is_active", "last_seen_at",
    }  # fmt: skip


def test_an_invited_account_of_another_school_is_told_as_the_inviter_typed_it(
    program: Make, school: School, other_school: School
) -> None:
    make_member(other_school, Role.TEACHER, email="known@example.org", display_name="Real Name")
    with school_scope(school.id), transaction():
        service.invite("known@example.org", role=Role.TEACHER, display_name="Typed Name")
    told = program().get("/users?state=invited&q=typed").json["items"]
    assert [(one["display_name"], one["is_active"], one["last_seen_at"]) for one in told] == [
        ("Typed Name", False, None)
    ]


def test_people_of_another_school_are_not_listed(
    program: Make, school: School, other_school: School
) -> None:
    stranger = make_member(other_school, Role.TEACHER)
    assert str(stranger.id) not in program().get("/users").text


@pytest.mark.parametrize("role", [Role.TEACHER, Role.GUARDIAN, Role.STUDENT])
def test_only_the_office_lists_people(program: Make, role: Role) -> None:
    assert program(role).get("/users").status_code == 403


@pytest.mark.parametrize(
    "query", ["role=king", "state=x", "limit=0", "after=x", "x=1", "q=%00", "after=WzEsMiwzXQ"]
)
def test_a_question_we_do_not_understand_is_refused(program: Make, query: str) -> None:
    assert program().get(f"/users?{query}").status_code == 422


def test_a_page_costs_the_same_for_one_person_and_for_fifty(
    program: Make, school: School, count_queries: Any
) -> None:
    call = program()
    call.get("/users")
    with count_queries() as one:
        assert len(call.get("/users").json["items"]) == 1
    for _ in range(49):
        make_member(school, Role.TEACHER)
    with count_queries() as fifty:
        assert len(call.get("/users").json["items"]) == 50
    assert fifty.count == one.count <= 5


# Who is asking


def test_a_session_does_not_open_the_api(client_for: Callable[..., FlaskClient]) -> None:
    answer = client_for(Role.ADMINISTRATOR).get("/api/v1/schools")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.mimetype == "application/problem+json"


def test_a_token_leaves_no_session_behind(program: Make) -> None:
    answer = program().get("/schools")
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer x", "Bearer sh_a_b_c", "Basic eDp5", "Bearer sh_{0}_{0}_x"],
)
def test_what_is_not_a_token_opens_nothing(app: Flask, school: School, header: str) -> None:
    value = header.format(school.id.hex)
    answer = FlaskClient(app).get("/api/v1/schools", headers={"Authorization": value})
    assert answer.status_code == 401


def _end(call: Program, school: School, how: str) -> None:
    with school_scope(school.id), transaction() as session:
        token = session.scalars(sa.select(ApiToken)).one()
        user = session.get_one(User, call.user.id)
        if how == "revoked":
            service.revoke_token(token)
        elif how == "expired":
            token.expires_at = clock.now()
        elif how == "deactivated":
            user.active = False
        else:
            found = sa.select(Membership).where(Membership.user_id == user.id)
            session.delete(session.scalars(found).one())


@pytest.mark.parametrize("how", ["revoked", "expired", "deactivated", "left the school"])
def test_a_token_whose_time_is_over_opens_nothing(program: Make, school: School, how: str) -> None:
    call = program()
    assert call.get("/schools").status_code == 200
    _end(call, school, how)
    assert call.get("/schools").status_code == 401


def test_a_token_with_another_schools_id_in_it_opens_nothing(
    program: Make, school: School, other_school: School
) -> None:
    call = program()
    call.token = call.token.replace(school.id.hex, other_school.id.hex)
    assert call.get("/schools").status_code == 401


def test_a_role_taken_away_narrows_every_token_at_once(program: Make, school: School) -> None:
    call = program()
    assert call.get("/users").status_code == 200
    with transaction() as session:
        found = sa.select(Membership).where(Membership.user_id == call.user.id)
        session.scalars(found).one().role = Role.TEACHER
    assert call.get("/users").status_code == 403


def test_only_the_hash_of_a_token_is_kept(program: Make, school: School) -> None:
    secret = program().token.split("_", 3)[3]  # the secret may hold a "_" of its own
    with school_scope(school.id):
        kept = db.session.scalars(sa.select(ApiToken)).one()
        assert secret not in str(vars(kept))


def test_a_scope_nobody_holds_any_more_is_worth_nothing(program: Make) -> None:
    call = program(scopes=[Permission.STUDENT_VIEW])
    assert call.get("/users").status_code == 403


def test_a_refusal_names_the_missing_permission(program: Make) -> None:
    answer = program(Role.TEACHER).get("/users")
    assert answer.json["detail"] == "Your key or role lacks: member:view"
    assert answer.json["type"] == "urn:schoolhouse:problem:forbidden"


def test_with_a_star_any_version_matches(program: Make, family: Family) -> None:
    call, path = program(), f"/students/{family.student_id}"
    star = {"If-Match": "*"}
    assert call.patch(path, headers=star, json={"town": "A"}).json["town"] == "A"
    assert call.patch(path, headers=star, json={"town": "B"}).json["town"] == "B"
    assert call.patch(f"/students/{UUID(int=0)}", headers=star, json={}).status_code == 404
    assert call.patch(path, json={"town": "C"}).status_code == 428
    assert call.delete(path, headers=star).status_code == 204
