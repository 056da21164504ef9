"""`python -m school user …`: what an operator does when nobody can sign in."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from school.accounts import queries, service
from school.accounts.cli import group
from school.errors import Conflict, NotFound
from school.permissions import Role
from school.tenancy.models import School
from tests.conftest import make_member


def run(*words: str) -> Result:
    done = CliRunner().invoke(group, words)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_inviting_prints_a_link_that_works(app: Flask, school: School) -> None:
    told = json.loads(
        run("invite", "new@example.org", "--name", "New", "--role", "teacher", "--json").output
    )
    assert service.open_link(told["link"].rpartition("/")[2]).email == "new@example.org"


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
    with pytest.raises(NotFound, match="--school"):
        run("invite", "x@example.org", "--name", "X", "--role", "teacher")
