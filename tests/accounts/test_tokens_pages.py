"""Keys for programs: made, shown once, revoked."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import sqlalchemy as sa

from school.accounts import service
from school.accounts.models import ApiToken, Membership, User
from school.accounts.queries import load_token
from school.audit.models import AuditEvent
from school.db import db, transaction
from school.permissions import Permission, Role
from school.tenancy.scope import school_scope
from tests.conftest import make_member

FORM = {"name": "Library", "scopes": ["student:view", "class:view"], "days": "30"}


@pytest.fixture
def office(client_for):
    return client_for(Role.ADMINISTRATOR)


def make(client, **more) -> str:
    answer = client.post("/api-tokens/new", data={**FORM, **more})
    assert answer.status_code == 201, answer.get_data(as_text=True)[:300]
    return re.search(r"sh_[0-9a-f]{32}_[0-9a-f]{32}_[\w-]+", answer.get_data(as_text=True))[0]


def only_token(school) -> ApiToken:
    with school_scope(school.id):
        return db.session.scalars(sa.select(ApiToken)).one()


def actions(school) -> list[str]:
    with school_scope(school.id):
        return list(db.session.scalars(sa.select(AuditEvent.action).order_by(AuditEvent.id)))


def test_without_keys_the_page_says_what_to_do(office, page):
    assert "No keys yet" in page(office, "/api-tokens").text


def test_a_key_is_shown_once_and_works(office, page, school):
    page(office, "/api-tokens/new")
    answer = office.post("/api-tokens/new", data=FORM)
    assert answer.headers["Cache-Control"] == "no-store"
    text = make(office, name="Timetable")
    person = load_token(text)
    assert person.user_id == office.user.id
    assert person.permissions == {Permission.STUDENT_VIEW, Permission.CLASS_VIEW}
    shown = page(office, "/api-tokens")
    assert "Timetable" in shown.text
    assert text not in shown.html
    assert "api_token.created" in actions(school)


def test_a_revoked_key_opens_nothing(office, page, school):
    text = make(office)
    token = only_token(school)
    assert page(office, f"/api-tokens/{token.id}/revoke").h1 == "Revoke “Library”"
    assert load_token(text) is not None
    assert office.post(f"/api-tokens/{token.id}/revoke").status_code == 303
    assert load_token(text) is None
    assert actions(school) == ["api_token.created", "api_token.revoked"]
    assert "Revoked" in page(office, "/api-tokens").text


def test_a_key_ends_with_its_time(office, page, frozen_clock):
    text = make(office)
    frozen_clock(datetime(2030, 1, 1, tzinfo=UTC))
    assert load_token(text) is None


def test_a_key_without_rights_or_name_is_refused_beside_the_field(office):
    for faulty in ({"scopes": []}, {"name": ""}, {"scopes": ["api:token"]}, {"days": "99999"}):
        answer = office.post("/api-tokens/new", data={**FORM, **faulty})
        assert answer.status_code == 422, faulty


def demote(user, role: Role) -> None:
    with transaction() as session:
        held = sa.select(Membership).where(Membership.user_id == user.id)
        session.scalars(held).one().role = role


def test_whoever_may_make_keys_no_longer_still_sees_and_revokes_their_own(office, page, school):
    make(office)
    token = only_token(school)
    demote(office.user, Role.TEACHER)
    shown = page(office, "/api-tokens")
    assert "Library" in shown.text
    assert "/api-tokens/new" not in shown.links
    assert "Keys for programs" in page(office, "/account").text
    assert office.post(f"/api-tokens/{token.id}/revoke").status_code == 303
    assert only_token(school).revoked_at is not None


def test_administrators_see_and_revoke_everybodys_keys(office, client_for, page, school):
    make(office)
    token = only_token(school)
    colleague = client_for(Role.ADMINISTRATOR)
    shown = page(colleague, "/api-tokens").text
    assert "Library" in shown
    assert f"Acts as {office.user.display_name}" in shown
    assert colleague.post(f"/api-tokens/{token.id}/revoke").status_code == 303
    assert only_token(school).revoked_at is not None


@pytest.mark.parametrize("role", [Role.REGISTRAR, Role.TEACHER, Role.GUARDIAN, Role.STUDENT])
def test_nobody_else_sees_or_revokes_the_key_of_another(office, client_for, page, school, role):
    make(office)
    token = only_token(school)
    stranger = client_for(role)
    assert "Library" not in page(stranger, "/api-tokens").text
    assert stranger.get(f"/api-tokens/{token.id}/revoke").status_code == 404
    assert stranger.post(f"/api-tokens/{token.id}/revoke").status_code == 404
    assert only_token(school).revoked_at is None


def test_ending_an_account_ends_its_keys_for_good(office, client_for, page, school):
    text = make(office)
    client_for(Role.ADMINISTRATOR)
    user_id = office.user.id
    for verb in (service.deactivate, service.reactivate):
        with transaction():
            verb(db.session.get(User, user_id))
    assert load_token(text) is None
    assert "Revoked" in page(client_for(Role.ADMINISTRATOR), "/api-tokens").text


def test_without_a_school_there_are_no_keys(client_for, page):
    nobody = client_for(None)
    assert nobody.get("/api-tokens").status_code == 302
    assert nobody.post(f"/api-tokens/{uuid4()}/revoke").status_code == 404


def test_keys_of_other_schools_are_not_there(office, client_for, page, school, other_school):
    make(office)
    token = only_token(school)
    there = client_for(
        Role.ADMINISTRATOR, at=other_school, user=make_member(other_school, Role.ADMINISTRATOR)
    )
    page(there, f"/api-tokens/{token.id}/revoke", status=404)
    assert there.post(f"/api-tokens/{token.id}/revoke").status_code == 404


@pytest.mark.parametrize("role", [Role.REGISTRAR, Role.TEACHER, Role.GUARDIAN, Role.STUDENT])
def test_only_administrators_make_keys(client_for, page, role):
    page(client_for(role), "/api-tokens/new", status=403)


def test_the_list_takes_one_query_however_many_keys(office, page, count_queries):
    page(office, "/api-tokens")
    for n in range(3):
        make(office, name=f"Key {n}")
    with count_queries() as queries:
        page(office, "/api-tokens")
    assert queries.count == 1


def test_asking_before_revoking_takes_one_query(office, page, school, count_queries):
    make(office)
    token = only_token(school)
    page(office, f"/api-tokens/{token.id}/revoke")
    with count_queries() as queries:
        page(office, f"/api-tokens/{token.id}/revoke")
    assert queries.count == 1, queries.statements
