"""`python -m school user …`: what an operator does when nobody can sign in."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from school.accounts import queries, service
from school.accounts.cli import group
from school.db import db, transaction
from school.errors import Conflict, NotFound
from school.permissions import Permission, Role
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from tests.conftest import make_member
from tests.factories.accounts import person_of


def run(*words: str) -> Result:
    done = CliRunner().invoke(group, words)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_inviting_prints_a_link_that_works(app: Flask, school: School) -> None:
    told = json.loads(
        run("invite", "new@example.org", "--name", "New", "--role", "teacher", "--json").output
    )
    assert service.open_invitation(told["link"].rpartition("/")[2]).email == "new@example.org"


def test_a_link_lets_somebody_in_who_forgot_everything(app: Flask, school: School) -> None:
    user = make_member(school, Role.ADMINISTRATOR, email="boss@example.org")
    link = run("link", "BOSS@example.org").output.strip()
    assert service.open_link(link.rpartition("/")[2]).id == user.id


def test_ending_bringing_back_and_listing(app: Flask, school: School) -> None:
    make_member(school, Role.TEACHER, email="t@example.org")
    run("deactivate", "t@example.org")
    assert [line["active"] for line in json.loads(run("list", "--json").output)] == [False]
    run("reactivate", "t@example.org")
    assert "(ended)" not in run("list").output


def test_roles_are_shown_and_set(app: Flask, school: School) -> None:
    user = make_member(school, Role.TEACHER, email="t@example.org")
    run("roles", "t@example.org", "--set", "registrar", "--set", "teacher")
    assert queries.roles_of(user.id, school.id) == {Role.REGISTRAR, Role.TEACHER}
    assert json.loads(run("roles", "t@example.org", "--json").output)["roles"] == {
        school.slug: ["registrar", "teacher"]
    }


def test_the_last_administrator_stays_here_too(app: Flask, school: School) -> None:
    make_member(school, Role.ADMINISTRATOR, email="boss@example.org")
    with pytest.raises(Conflict):
        run("roles", "boss@example.org", "--none")


def test_nobody_and_no_school_are_said_in_a_sentence(
    app: Flask, school: School, other_school: School
) -> None:
    with pytest.raises(NotFound):
        run("link", "nobody@example.org")
    done = run("invite", "x@example.org", "--name", "X", "--role", "teacher")
    assert done.exit_code == 2
    assert f"Say which with --school: {other_school.slug}, {school.slug}." in done.output


def test_the_list_says_what_people_sign_in_with(app: Flask, school: School) -> None:
    make_member(school, Role.TEACHER, email="t@example.org", username="mrs-t")
    assert "mrs-t" in run("list").output
    assert json.loads(run("list", "--json").output)[0]["username"] == "mrs-t"


def test_setting_roles_and_taking_all_away_do_not_go_together(app: Flask, school: School) -> None:
    user = make_member(school, Role.TEACHER, email="t@example.org")
    assert run("roles", "t@example.org", "--set", "registrar", "--none").exit_code == 2
    assert queries.roles_of(user.id, school.id) == {Role.TEACHER}


def test_the_platform_role_is_shown(app: Flask, school: School) -> None:
    make_member(school, Role.TEACHER, email="t@example.org")
    given = run("roles", "t@example.org", "--platform").output
    assert given.splitlines()[0] == "all schools: platform administrator"
    assert json.loads(run("roles", "t@example.org", "--json").output)["platform_administrator"]


def test_somebodys_keys_are_shown_and_revoked(app: Flask, school: School) -> None:
    boss = make_member(school, Role.ADMINISTRATOR, email="boss@example.org")
    with school_scope(school.id), transaction():
        by = person_of(boss, school, Role.ADMINISTRATOR)
        for name in ("Library", "Timetable"):
            service.create_token(name, scopes=[Permission.STUDENT_VIEW], days=30, by=by)
    shown = json.loads(run("tokens", "boss@example.org", "--json").output)["tokens"]
    assert [(one["name"], one["state"], one["school"]) for one in shown] == [
        ("Timetable", "works", school.slug), ("Library", "works", school.slug),
    ]  # fmt: skip
    run("tokens", "boss@example.org", "--revoke", shown[0]["id"])
    states = json.loads(run("tokens", "boss@example.org", "--json").output)["tokens"]
    assert [one["state"] for one in states] == ["revoked", "works"]
    assert "works" not in run("tokens", "boss@example.org", "--revoke-all").output


def test_a_lost_second_step_is_taken_away(app: Flask, school: School) -> None:
    user = make_member(
        school, Role.TEACHER, email="t@example.org",
        tf_primary_method="authenticator", tf_totp_secret="x",
    )  # fmt: skip
    run("remove-second-step", "t@example.org")
    db.session.expire_all()
    assert db.session.get(type(user), user.id).tf_primary_method is None
