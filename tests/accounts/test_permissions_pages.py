"""Who may do what, and why somebody may or may not."""

from __future__ import annotations

import pytest

from school.accounts.views import words
from school.permissions import Permission, Role
from tests.conftest import make_member


def test_every_right_and_role_has_words():
    assert set(words.ACTS) == set(Permission)
    assert sorted(p for _, group in words.GROUPS for p in group) == sorted(Permission)
    assert set(words.ONE_OF) == set(words.MANY_OF) == set(Role)


@pytest.mark.parametrize("role", list(Role))
def test_everybody_signed_in_sees_who_may_do_what(client_for, page, role):
    shown = page(client_for(role), "/permissions")
    assert shown.h1 == "Who may do what"
    assert f"You are {words.ONE_OF[role]} here." in shown.text
    assert "only their own children" in shown.text


def test_the_page_needs_no_query_of_its_own(client_for, page, count_queries):
    client = client_for(Role.TEACHER)
    page(client, "/permissions")
    with count_queries() as queries:
        page(client, "/permissions")
    assert queries.count == 0


def test_why_a_teacher_may_see_students(client_for, page, school):
    lee = make_member(school, Role.TEACHER, display_name="Sarah Lee")
    shown = page(
        client_for(Role.ADMINISTRATOR),
        "/permissions/explain",
        person=lee.id,
        permission="student:view",
    )
    assert shown.h1 == "What Sarah Lee may do"
    assert (
        "Sarah Lee may see students because they are a teacher at Northfield School." in shown.text
    )


def test_why_not_says_who_may_and_who_can_change_it(client_for, page, school):
    make_member(school, Role.ADMINISTRATOR, display_name="Ann Cole")
    teacher = client_for(Role.TEACHER)
    shown = page(teacher, "/permissions/explain", permission="roster:import")
    assert "You may not import lists of students: you are a teacher at Northfield" in shown.text
    assert "Those who may: administrators and registrars." in shown.text
    assert "Ann Cole can change that." in shown.text


def test_families_are_told_the_limit_too(client_for, page):
    shown = page(client_for(Role.GUARDIAN), "/permissions/explain", permission="student:view")
    assert "You may see students because you are a guardian" in shown.text
    assert "But only their own children." in shown.text


def test_an_ended_account_may_do_nothing(client_for, page, school):
    gone = make_member(school, Role.REGISTRAR, display_name="Rex Gone", active=False)
    shown = page(
        client_for(Role.ADMINISTRATOR),
        "/permissions/explain",
        person=gone.id,
        permission="student:view",
    )
    assert "Rex Gone may do nothing: the account ended." in shown.text


def test_others_are_explained_only_to_those_who_see_members(client_for, page, school):
    lee = make_member(school, Role.TEACHER)
    page(client_for(Role.TEACHER), "/permissions/explain", status=403, person=lee.id)


def test_people_of_other_schools_are_not_there(client_for, page, other_school):
    stranger = make_member(other_school, Role.TEACHER)
    page(client_for(Role.ADMINISTRATOR), "/permissions/explain", status=404, person=stranger.id)


def test_rights_over_all_schools_are_explained_to_oneself_only(client_for, page, school):
    office = client_for(Role.ADMINISTRATOR)
    shown = page(office, "/permissions/explain", permission="platform:schools")
    assert "that is for those who look after all schools" in shown.text
    lee = make_member(school, Role.TEACHER, is_platform_admin=True)
    page(office, "/permissions/explain", status=404, person=lee.id, permission="platform:schools")


def test_an_unknown_right_is_not_found(client_for, page):
    page(client_for(Role.TEACHER), "/permissions/explain", status=404, permission="nuclear:launch")


def test_somebody_without_a_school_can_read_it_too(client_for, page):
    nobody = client_for(None)
    page(nobody, "/permissions")
    shown = page(nobody, "/permissions/explain", permission="student:view")
    assert "you are in no school" in shown.text


def test_explaining_takes_a_fixed_number_of_queries(client_for, page, school, count_queries):
    office = client_for(Role.ADMINISTRATOR)
    lee = make_member(school, Role.TEACHER)
    ask = {"person": lee.id, "permission": "roster:import"}
    page(office, "/permissions/explain", **ask)
    with count_queries() as queries:
        page(office, "/permissions/explain", **ask)
    assert queries.count == 4
