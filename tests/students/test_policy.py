"""Who sees whom, with three schools' worth of canaries."""

from __future__ import annotations

from uuid import uuid4

import pytest

from school.db import transaction
from school.errors import NotFound
from school.permissions import Permission, Role
from school.students import policy, queries, service
from school.students.queries.finding import find_guardians, find_students
from school.students.queries.listing import StudentFilter, list_students
from school.tenancy.scope import school_scope
from tests.conftest import make_member, make_school
from tests.factories.students import make_guardian, make_student


@pytest.fixture
def canaries(app):
    """The same family in three schools: {school: (child, stranger)}."""
    user = make_member(None, None)
    found = {}
    for name in ("Northfield", "Millbrook", "Kelby"):
        school = make_school(name)
        with school_scope(school.id):
            child = make_student(family_name=f"Canary{name}", given_name="Child")
            stranger = make_student(family_name=f"Canary{name}", given_name="Stranger")
            make_guardian(child, name=f"Canary {name}", user_id=user.id, phone="1")
            make_guardian(stranger, name=f"Canary Other {name}", phone="2")
            found[school.id] = (child.id, stranger.id)
    return user, found


def person_in(school_id, *roles, user_id=None):
    from school.permissions import Person

    return Person(
        user_id=user_id or uuid4(), display_name="", email="", school_id=school_id,
        roles=frozenset(roles),
    )  # fmt: skip


def seen(person):
    rows = list_students(person, StudentFilter(status="all")).page.rows
    searched = find_students(person, "canary", 50)
    assert {row.id for row in rows} == {row.id for row in searched}
    return {row.id for row in rows}


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.REGISTRAR, Role.TEACHER])
def test_staff_see_all_of_their_school_and_nothing_of_others(canaries, role):
    _user, found = canaries
    everybody = {student for pair in found.values() for student in pair}
    for school_id, pair in found.items():
        with school_scope(school_id):
            person = person_in(school_id, role)
            assert seen(person) == set(pair)
            for student_id in everybody:
                assert policy.may_view(person, student_id) == (student_id in pair)


def test_guardians_see_their_own_children_in_the_school_they_are_in(canaries):
    user, found = canaries
    for school_id, (child, _stranger) in found.items():
        with school_scope(school_id):
            person = person_in(school_id, Role.GUARDIAN, user_id=user.id)
            assert seen(person) == {child}
            assert [g.phone for g in find_guardians(person, "canary", 50)] == ["1"]


def test_a_guardian_without_custody_does_not_see_the_child(canaries):
    user, found = canaries
    school_id, (child, _stranger) = next(iter(found.items()))
    with school_scope(school_id):
        person = person_in(school_id, Role.GUARDIAN, user_id=user.id)
        tie, _guardian = queries.guardian_links(child)[0]
        with transaction():
            service.edit_link(tie, version=tie.version, has_custody=False)
        assert seen(person) == set()
        with pytest.raises(NotFound):
            policy.get_visible(person, child)
        with transaction():
            service.edit_link(tie, version=tie.version, has_custody=True)
        assert seen(person) == {child}


def test_a_user_who_is_guardian_elsewhere_sees_nobody_here(canaries):
    _user, found = canaries
    school_id = next(iter(found))
    with school_scope(school_id):
        assert seen(person_in(school_id, Role.GUARDIAN)) == set()
        assert seen(person_in(school_id, Role.STUDENT)) == set()
        assert seen(person_in(school_id)) == set()


def test_a_student_sees_only_themselves(in_school, person_as):
    from school.db import transaction

    user = make_member(None, None)
    me, _other = make_student(), make_student()
    with transaction():
        me.user_id = user.id
    assert seen_ids(person_as(Role.STUDENT, user_id=user.id)) == {me.id}


def seen_ids(person):
    return {row.id for row in list_students(person, StudentFilter(status="all")).page.rows}


def test_a_guardian_who_teaches_here_too_sees_everybody(in_school, person_as):
    make_student()
    assert len(seen_ids(person_as(Role.GUARDIAN, Role.TEACHER))) == 1


def test_a_token_without_the_permission_sees_nobody(in_school, person_as):
    make_student()
    narrowed = person_as(Role.REGISTRAR, scopes=frozenset({Permission.CLASS_VIEW}))
    assert seen_ids(narrowed) == set()


def test_other_guardians_telephone_numbers_are_hidden_from_guardians(in_school, person_as):
    user = make_member(None, None)
    student = make_student()
    mine = make_guardian(student, name="Mine", user_id=user.id)
    theirs = make_guardian(student, name="Theirs")
    person = person_as(Role.GUARDIAN, user_id=user.id)
    assert policy.may_see_contact_of(person, mine)
    assert not policy.may_see_contact_of(person, theirs)
    with pytest.raises(NotFound):
        policy.get_visible_guardian(person, theirs.id)


def test_hidden_looks_like_absent(in_school, person_as):
    student = make_student()
    with pytest.raises(NotFound):
        policy.get_visible(person_as(Role.GUARDIAN), student.id)
