"""Who is asking: one query, remembered, and forgotten with every change."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from school.accounts import queries, service
from school.accounts.models import Membership, User
from school.accounts.service.people import checked_email, checked_name
from school.db import db, transaction
from school.errors import Invalid
from school.permissions import Permission, Role
from school.tenancy.models import School
from tests.conftest import make_member, make_school
from tests.factories.accounts import add_role


def test_a_person_with_one_school_is_in_it(school: School) -> None:
    user = make_member(school, Role.TEACHER)
    person = queries.load_person(user.fs_uniquifier, None)
    assert (person.school_id, person.roles) == (school.id, {Role.TEACHER})


def test_a_person_with_two_schools_is_in_the_one_they_chose(
    school: School, other_school: School
) -> None:
    user = make_member(school, Role.TEACHER)
    add_role(user, other_school, Role.GUARDIAN)
    assert queries.load_person(user.fs_uniquifier, None).school_id is None
    person = queries.load_person(user.fs_uniquifier, other_school.id)
    assert (person.school_id, person.roles) == (other_school.id, {Role.GUARDIAN})
    assert not person.may(Permission.CLASS_VIEW), "what one is elsewhere does not count here"


def test_a_school_one_does_not_belong_to_cannot_be_wanted(
    school: School, other_school: School
) -> None:
    user = make_member(school, Role.TEACHER)
    assert queries.load_person(user.fs_uniquifier, other_school.id).school_id == school.id


def test_an_archived_school_is_not_offered(
    app: Flask, school: School, other_school: School
) -> None:
    user = make_member(school, Role.TEACHER)
    add_role(user, other_school, Role.TEACHER)
    queries.load_person(user.fs_uniquifier, None)
    with transaction():
        service.archive_school(other_school.id)
    assert [name for _, name in queries.load_person(user.fs_uniquifier, None).schools] == [
        school.name
    ]


def test_knowing_who_asks_takes_one_query_and_then_none(
    school: School, other_school: School, count_queries: Callable
) -> None:
    user = make_member(school, Role.TEACHER)
    add_role(user, other_school, Role.ADMINISTRATOR)
    key = user.fs_uniquifier
    with count_queries() as first:
        queries.load_person(key, school.id)
    with count_queries() as second:
        queries.load_person(key, other_school.id)
    assert (first.count, second.count) == (1, 0)


def test_a_change_of_account_membership_or_school_is_seen_at_once(
    app: Flask, school: School
) -> None:
    user = make_member(school, Role.TEACHER)
    key = user.fs_uniquifier

    def seen() -> tuple[str, frozenset[Role], str]:
        person = queries.load_person(key, school.id)
        return person.display_name, person.roles, person.schools[0][1]

    seen()
    with transaction():
        db.session.get(User, user.id).display_name = "Amara"
    assert seen()[0] == "Amara"
    with transaction():
        db.session.add(Membership(user_id=user.id, school_id=school.id, role=Role.REGISTRAR))
    assert seen()[1] == {Role.TEACHER, Role.REGISTRAR}
    with transaction():
        service.rename_school(school.id, "Southfield School")
    assert seen()[2] == "Southfield School"


def test_a_change_that_is_rolled_back_changes_nothing(app: Flask, school: School) -> None:
    user = make_member(school, Role.TEACHER, display_name="Before")
    key = user.fs_uniquifier
    try:
        with transaction():
            db.session.get(User, user.id).display_name = "After"
            db.session.flush()
            raise RuntimeError
    except RuntimeError:
        pass
    assert queries.load_person(key, None).display_name == "Before"


def test_an_ended_account_is_nobody(app: Flask, school: School) -> None:
    user = make_member(school, Role.TEACHER, active=False)
    assert queries.load_person(user.fs_uniquifier, None) is None
    assert queries.load_person("never-made", None) is None


def test_choosing_a_school_is_by_button_and_only_ones_own(
    app: Flask, school: School, other_school: School, client_for
) -> None:
    third = make_school("Canary Academy")
    user = make_member(school, Role.TEACHER)
    add_role(user, other_school, Role.TEACHER)
    client = client_for(None, user=user)
    page = client.get("/account/school").text
    assert school.name in page
    assert other_school.name in page
    assert third.name not in page
    assert client.post("/account/school", data={"school_id": str(third.id)}).status_code == 404
    answer = client.post(
        "/account/school", data={"school_id": str(other_school.id), "next": "//evil.example"}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    with client.session_transaction() as session:
        assert session["school_id"] == str(other_school.id)


def test_a_change_of_roles_gives_another_session_id_at_the_next_click(
    app: Flask, school: School, client_for
) -> None:
    client = client_for(Role.TEACHER)
    client.get("/account/school")
    before = client.get_cookie("school").value
    client.get("/account/school")
    assert client.get_cookie("school").value == before
    add_role(client.user, school, Role.REGISTRAR)
    client.get("/account/school")
    after = client.get_cookie("school").value
    assert after != before
    thief = app.test_client()
    thief.set_cookie("school", before)
    assert thief.get("/account/school").status_code == 302


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Ann\u202e Lee\u200b", "Ann Lee"),
        ("A\x07nn", "Ann"),
        ("\ufeffAnn \u200d Lee", "Ann Lee"),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u200c\u062e\u0648"),
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),
    ],
)
def test_what_cannot_be_seen_is_no_part_of_a_name(typed: str, kept: str) -> None:
    assert checked_name(typed) == kept


@pytest.mark.parametrize("typed", ["\u200b", "\u202e \u2066", "\x07", "\u200d"])
def test_a_name_that_cannot_be_seen_is_none(typed: str) -> None:
    with pytest.raises(Invalid, match="Give a name"):
        checked_name(typed)


@pytest.mark.parametrize("typed", ["ann\u200b@example.org", "a\u202enn@example.org", "a\x07@b.org"])
def test_an_address_hides_nothing(typed: str) -> None:
    with pytest.raises(Invalid, match="not an e-mail"):
        checked_email(typed)
