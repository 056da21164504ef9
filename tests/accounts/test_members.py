"""Inviting, roles, ending accounts: nobody gives more than they hold, somebody always stays."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from school.accounts import queries, service
from school.accounts.models import Invitation, User
from school.audit.models import AuditEvent, PlatformEvent
from school.db import db, transaction
from school.errors import Conflict, Forbidden, Invalid, NotFound
from school.mail.models import MailMessage
from school.permissions import Role
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from tests.conftest import make_member
from tests.factories.accounts import PASSWORD, add_role, make_user_with_password, person_of
from tests.pages import read_page


def secret_of(url: str) -> str:
    return url.rpartition("/")[2]


def invite(school: School, email: str = "new@example.org", role: Role = Role.TEACHER, by=None):
    with school_scope(school.id), transaction():
        return service.invite(email, role=role, display_name="New Person", by=by)


def accept(url: str, password: str | None = "a long enough one"):
    return service.accept_invitation(secret_of(url), password=password)


def test_an_invitation_sends_a_link_and_makes_no_account_yet(app: Flask, school: School) -> None:
    invited = invite(school, "New@Example.org")
    assert invited.email == "new@example.org"
    assert queries.find_user("new@example.org") is None
    letter = db.session.scalars(sa.select(MailMessage)).one()
    assert letter.to_address == "new@example.org"
    assert invited.url in letter.body
    assert school.name in letter.subject
    user = accept(invited.url)
    assert queries.roles_of(user.id, school.id) == {Role.TEACHER}


def test_the_links_secret_is_not_in_the_database(app: Flask, school: School) -> None:
    invited = invite(school)
    with school_scope(school.id):
        stored = db.session.scalars(sa.select(Invitation.secret_hash)).one()
    assert invited.url.rpartition(".")[2] not in stored


def test_somebody_known_elsewhere_belongs_here_only_once_they_accept(
    app: Flask, school: School, other_school: School
) -> None:
    known_id = make_user_with_password(
        other_school, Role.TEACHER, email="known@example.org", display_name="Real Name"
    ).id
    invited = invite(school, "known@example.org", Role.GUARDIAN)
    assert queries.roles_of(known_id, school.id) == frozenset()
    with school_scope(school.id):
        shown = queries.list_members(school.id).rows
        assert [(one.display_name, one.state) for one in shown] == [
            ("New Person", queries.Belongs.INVITED)
        ]
        assert shown[0].id != known_id
        assert shown[0].last_seen_at is None
    accept(invited.url, None)
    assert queries.roles_of(known_id, school.id) == {Role.GUARDIAN}
    assert queries.roles_of(known_id, other_school.id) == {Role.TEACHER}


def test_accepting_opens_no_account_and_sets_no_password(
    app: Flask, school: School, other_school: School
) -> None:
    user = make_user_with_password(other_school, Role.TEACHER, email="known@example.org")
    path = "/welcome/" + secret_of(invite(school, "known@example.org").url)
    client = app.test_client()
    page = read_page(client.get(path))
    assert page.h1 == f"{school.name} invites you"
    answer = client.post(path, data={"password": "taken over, long"})
    assert answer.status_code == 303
    assert client.get("/account/school").status_code == 302, "nobody is signed in"
    assert db.session.get(User, user.id).password == user.password
    assert client.post(path).status_code == 404, "once"


def test_an_invitation_elsewhere_leaves_the_first_schools_link_alone(
    app: Flask, school: School, other_school: School
) -> None:
    first, second = invite(school).url, invite(other_school).url
    user = accept(first)
    assert service.open_invitation(secret_of(second)).needs_password is False
    accept(second, None)
    assert {school.id, other_school.id} == queries.schools_of(user.id)


def test_an_ended_account_is_not_brought_back_by_an_invitation(
    app: Flask, school: School, other_school: School
) -> None:
    make_member(other_school, Role.TEACHER, email="new@example.org", active=False)
    url = invite(school).url
    with pytest.raises(NotFound):
        accept(url)


def test_an_invitation_taken_back_opens_nothing(app: Flask, school: School) -> None:
    url = invite(school).url
    with school_scope(school.id), transaction():
        service.take_back(queries.list_members(school.id).rows[0].id)
    with pytest.raises(NotFound):
        service.open_invitation(secret_of(url))


def test_a_member_gets_another_role_at_once(app: Flask, school: School) -> None:
    user_id = make_user_with_password(school, Role.TEACHER, email="new@example.org").id
    assert invite(school, role=Role.REGISTRAR).url is None
    assert queries.roles_of(user_id, school.id) == {Role.TEACHER, Role.REGISTRAR}


def test_the_link_sets_a_password_and_signs_in_once(app: Flask, school: School) -> None:
    path = "/welcome/" + secret_of(invite(school).url)
    client, late = app.test_client(), app.test_client()
    assert read_page(client.get(path)).h1 == "Welcome, New Person"
    assert read_page(client.get(path)).h1 == "Welcome, New Person", "looking uses nothing up"
    assert client.post(path, data={"password": "short"}).status_code == 422
    assert client.post(path, data={"password": "a long enough one"}).status_code == 303
    assert client.get("/account/school").status_code == 200
    assert late.post(path, data={"password": "somebody else's"}).status_code == 404
    assert (
        late.post(
            "/login", data={"email": "new@example.org", "password": "a long enough one"}
        ).status_code
        == 302
    )


def test_a_link_is_too_old_after_seven_days(app: Flask, school: School, frozen_clock) -> None:
    begin = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    frozen_clock(begin)
    path = "/welcome/" + secret_of(invite(school).url)
    frozen_clock(begin + timedelta(days=7))
    assert read_page(app.test_client().get(path), status=404).h1 == "This link no longer works"


def test_a_newer_link_ends_the_older(app: Flask, school: School) -> None:
    first, second = invite(school).url, invite(school).url
    with pytest.raises(NotFound):
        service.open_invitation(secret_of(first))
    assert service.open_invitation(secret_of(second)).email == "new@example.org"


def test_of_fifty_at_once_one_gets_in(app: Flask, school: School) -> None:
    secret = secret_of(invite(school).url)
    outcomes: list[str] = []
    start = threading.Barrier(50)

    def use(n: int) -> None:
        with app.app_context():
            start.wait()
            try:
                service.accept_invitation(secret, password=f"password number {n}")
                outcomes.append("in")
            except NotFound:
                outcomes.append("refused")
            except Exception as error:  # a time-out is no way in either
                outcomes.append(type(error).__name__)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=use, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("in") == 1, outcomes
    assert len(outcomes) == 50


def test_a_sign_in_link_lasts_a_day(app: Flask, school: School, frozen_clock) -> None:
    begin = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    frozen_clock(begin)
    user = make_member(school, Role.ADMINISTRATOR)
    with transaction():
        url = service.make_sign_in_link(user)
    assert url.startswith("http://localhost/welcome/")
    frozen_clock(begin + timedelta(hours=24))
    with pytest.raises(NotFound):
        service.open_link(secret_of(url))


@pytest.mark.parametrize("address", ["", "nobody", "@example.org", "a b@example.org", "a@b@c"])
def test_what_cannot_be_an_address_is_refused(app: Flask, school: School, address: str) -> None:
    with pytest.raises(Invalid) as told:
        invite(school, address)
    assert told.value.field == "email"


def test_nobody_gives_more_than_they_hold(app: Flask, school: School) -> None:
    registrar = make_member(school, Role.REGISTRAR)
    with pytest.raises(Forbidden):
        invite(school, role=Role.ADMINISTRATOR, by=person_of(registrar, school, Role.REGISTRAR))
    assert queries.find_user("new@example.org") is None


def test_the_last_administrator_stays(app: Flask, school: School) -> None:
    only_id = make_member(school, Role.ADMINISTRATOR).id
    with school_scope(school.id), pytest.raises(Conflict), transaction():
        service.set_roles(db.session.get(User, only_id), [Role.TEACHER])
    with pytest.raises(Conflict), transaction():
        service.deactivate(db.session.get(User, only_id))
    make_member(school, Role.ADMINISTRATOR)
    with school_scope(school.id), transaction():
        service.set_roles(db.session.get(User, only_id), [Role.TEACHER])
    assert queries.roles_of(only_id, school.id) == {Role.TEACHER}


def test_an_administrator_of_another_school_does_not_count(
    app: Flask, school: School, other_school: School
) -> None:
    only = make_member(school, Role.ADMINISTRATOR)
    make_member(other_school, Role.ADMINISTRATOR)
    with school_scope(school.id), pytest.raises(Conflict), transaction():
        service.set_roles(db.session.get(User, only.id), [])


def test_a_school_cannot_end_an_account_that_belongs_elsewhere_too(
    app: Flask, school: School, other_school: School
) -> None:
    boss = make_member(school, Role.ADMINISTRATOR)
    teacher = make_member(school, Role.TEACHER)
    add_role(teacher, other_school, Role.TEACHER)
    by = person_of(boss, school, Role.ADMINISTRATOR)
    with pytest.raises(Forbidden), transaction():
        service.deactivate(db.session.get(User, teacher.id), by=by)


def test_ending_an_account_signs_it_out_and_bringing_it_back_does_not_sign_it_in(
    app: Flask, school: School, client_for
) -> None:
    client = client_for(Role.TEACHER)
    assert client.get("/account/school").status_code == 200
    user_id = client.user.id
    with transaction():
        service.deactivate(db.session.get(User, user_id))
    assert client.get("/account/school").status_code == 302
    with transaction():
        service.reactivate(db.session.get(User, user_id))
    assert client.get("/account/school").status_code == 302


def test_every_act_is_recorded_with_who_did_it(app: Flask, school: School) -> None:
    teacher = make_member(school, Role.TEACHER)
    with school_scope(school.id), transaction():
        service.set_roles(db.session.get(User, teacher.id), [Role.REGISTRAR])
    with school_scope(school.id):
        event = db.session.scalars(sa.select(AuditEvent)).one()
        assert (event.action, event.before, event.after) == (
            "member.roles_changed",
            {"roles": "teacher"},
            {"roles": "registrar"},
        )
    with transaction():
        service.deactivate(db.session.get(User, teacher.id))
    actions = set(db.session.scalars(sa.select(PlatformEvent.action)))
    assert "account.deactivated" in actions


def test_the_number_of_members_is_told_outside_the_school_and_without_invited_people(
    app: Flask, school: School
) -> None:
    make_member(school, Role.TEACHER)
    invite(school)
    assert queries.count_members(school.id) == 1
    with school_scope(school.id):
        assert queries.count_people(school.id) == 2


def test_an_invitation_opened_by_somebody_else_says_whose_it_is(
    app: Flask, school: School, other_school: School
) -> None:
    hannah = make_user_with_password(other_school, Role.TEACHER, email="hannah@example.org")
    make_user_with_password(other_school, Role.TEACHER, email="amara@example.org")
    path = "/welcome/" + secret_of(invite(school, "hannah@example.org").url)
    client = app.test_client()
    assert "Somebody else" not in read_page(client.get(path)).text, "nobody is signed in"
    client.post("/login", data={"email": "amara@example.org", "password": PASSWORD})
    shown = read_page(client.get(path)).text
    assert "Somebody else is signed in here: amara@example.org" in shown
    told = read_page(client.post(path, follow_redirects=True)).text
    assert f"hannah@example.org now belongs to {school.name}." in told
    assert "You now belong" not in told
    assert queries.roles_of(hannah.id, school.id) == {Role.TEACHER}


def test_ones_own_invitation_mentions_nobody_else(
    app: Flask, school: School, other_school: School
) -> None:
    make_user_with_password(other_school, Role.TEACHER, email="hannah@example.org")
    path = "/welcome/" + secret_of(invite(school, "hannah@example.org").url)
    client = app.test_client()
    client.post("/login", data={"email": "hannah@example.org", "password": PASSWORD})
    assert "Somebody else" not in read_page(client.get(path)).text


def test_a_password_changed_by_a_sign_in_link_is_told_by_mail(app: Flask, school: School) -> None:
    known = make_user_with_password(school, Role.TEACHER, email="known@example.org")
    new = make_member(school, Role.TEACHER, email="new@example.org")
    for user in (known, new):
        with transaction():
            secret = secret_of(service.make_sign_in_link(user))
        answer = app.test_client().post(f"/welcome/{secret}", data={"password": "another long one"})
        assert answer.status_code == 303
    letter = db.session.scalars(sa.select(MailMessage)).one()
    assert (letter.to_address, letter.subject) == ("known@example.org", "Your password was changed")
    assert "http://localhost/reset" in letter.body
