"""API tokens: one school, one person, some permissions, until revoked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from school.accounts import queries, service
from school.accounts.models import ApiToken, User
from school.db import db, transaction
from school.errors import Forbidden, Invalid
from school.permissions import Permission, Role
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from tests.conftest import make_member
from tests.factories.accounts import person_of


@pytest.fixture
def boss(school: School) -> User:
    return make_member(school, Role.ADMINISTRATOR)


def make_token(
    school: School, user: User, *scopes: Permission, days: int | None = 30
) -> tuple[ApiToken, str]:
    with school_scope(school.id), transaction():
        return service.create_token(
            "Timetable",
            scopes=scopes or [Permission.STUDENT_VIEW],
            days=days,
            by=person_of(user, school, Role.ADMINISTRATOR),
        )


def test_a_token_acts_as_its_maker_with_its_scopes_only(school: School, boss: User) -> None:
    _, text = make_token(school, boss, Permission.STUDENT_VIEW, Permission.CLASS_VIEW)
    person = queries.load_token(text)
    assert (person.user_id, person.school_id) == (boss.id, school.id)
    assert person.permissions == {Permission.STUDENT_VIEW, Permission.CLASS_VIEW}


def test_the_tokens_text_is_not_in_the_database(school: School, boss: User) -> None:
    token, text = make_token(school, boss)
    assert text.split("_", 3)[3] not in str(vars(token))


def test_a_token_of_one_school_opens_nothing_in_another(
    school: School, other_school: School, boss: User
) -> None:
    _, text = make_token(school, boss)
    assert queries.load_token(text.replace(school.id.hex, other_school.id.hex)) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1] + ("a" if text[-1] != "a" else "b"),
        lambda text: text.rpartition("_")[0] + "_",
        lambda _: "",
        lambda _: "sh_x_y_z",
        lambda _: "sh___",
        lambda text: "xx" + text[2:],
    ],
)
def test_what_is_not_exactly_the_token_is_nobody(
    school: School, boss: User, spoil: Callable
) -> None:
    assert queries.load_token(spoil(make_token(school, boss)[1])) is None


def test_a_revoked_token_opens_nothing_from_that_moment(school: School, boss: User) -> None:
    token, text = make_token(school, boss)
    with school_scope(school.id), transaction():
        service.revoke_token(queries.get_token(token.id, of=boss.id))
    assert queries.load_token(text) is None


def test_a_token_ends_on_its_day(school: School, boss: User, frozen_clock: Callable) -> None:
    begin = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    frozen_clock(begin)
    _, text = make_token(school, boss, days=30)
    frozen_clock(begin + timedelta(days=30, seconds=-1))
    assert queries.load_token(text)
    frozen_clock(begin + timedelta(days=30))
    assert queries.load_token(text) is None


def test_a_token_dies_with_its_makers_account_and_shrinks_with_their_roles(
    app: Flask, school: School, boss: User
) -> None:
    make_member(school, Role.ADMINISTRATOR)
    _, text = make_token(school, boss, Permission.ROSTER_IMPORT, Permission.STUDENT_VIEW)
    with school_scope(school.id), transaction():
        service.set_roles(db.session.get(User, boss.id), [Role.TEACHER])
    assert queries.load_token(text).permissions == {Permission.STUDENT_VIEW}
    with transaction():
        service.deactivate(db.session.get(User, boss.id))
    assert queries.load_token(text) is None


def test_a_token_cannot_do_what_its_maker_may_not(school: School) -> None:
    teacher = make_member(school, Role.TEACHER)
    with school_scope(school.id), pytest.raises(Forbidden), transaction():
        service.create_token(
            "x",
            scopes=[Permission.ROSTER_IMPORT],
            days=30,
            by=person_of(teacher, school, Role.TEACHER),
        )


def test_a_token_needs_a_name_and_a_scope(school: School, boss: User) -> None:
    by = person_of(boss, school, Role.ADMINISTRATOR)
    for name, scopes, field in (("", [Permission.STUDENT_VIEW], "name"), ("x", [], "scopes")):
        with school_scope(school.id), pytest.raises(Invalid) as told, transaction():
            service.create_token(name, scopes=scopes, days=30, by=by)
        assert told.value.field == field


def test_use_is_noted_at_most_once_a_minute(
    school: School, boss: User, frozen_clock: Callable, count_queries: Callable
) -> None:
    begin = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    frozen_clock(begin)
    _, text = make_token(school, boss)

    def writes() -> int:
        with count_queries() as queries_:
            queries.load_token(text)
        return sum(statement.startswith("UPDATE") for statement in queries_.statements)

    assert (writes(), writes()) == (1, 0)
    frozen_clock(begin + timedelta(seconds=61))
    assert writes() == 1
