"""Admitting, editing, archiving; guardians; the school's own fields."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from school import clock
from school.db import transaction
from school.enrollment.queries import class_of
from school.errors import Conflict, Invalid, Stale
from school.students import queries, service
from school.students.models import StudentStatus
from tests.factories.academics import make_class
from tests.factories.students import link, make_guardian, make_student


def test_a_student_is_admitted_into_a_class(in_school):
    school_class = make_class("8B")
    student = make_student(school_class=school_class)
    assert class_of(student.id).id == school_class.id
    assert student.sort_name == "dabrowska zofia"


def test_somebody_with_a_single_name_is_admitted(in_school):
    student = make_student(given_name=None, family_name="Suharto")
    assert (student.given_name, student.sort_name) == (None, "suharto")


def test_the_next_number_follows_the_last_one(in_school):
    make_student(admission_number="S-0418")
    assert make_student(admission_number=None).admission_number == "S-0419"


def test_one_odd_number_begins_no_series(in_school):
    for number in ("20001", "20003", "20002", "PAR1"):
        make_student(admission_number=number)
    assert make_student(admission_number=None).admission_number == "20004"


def test_a_number_in_use_names_who_has_it(in_school):
    make_student(admission_number="4711")
    with pytest.raises(Conflict, match="Zofia Dąbrowska") as caught:
        make_student(admission_number="4711")
    assert caught.value.field == "admission_number"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("family_name", "  "),
        ("family_name", "x" * 301),
        ("birth_date", clock.today() + timedelta(days=1)),
        ("birth_date", date(1850, 1, 1)),
        ("email", "nobody at home"),
        ("gender_code", "Q"),
        ("status", "archived"),
    ],
)
def test_a_value_that_cannot_be_true_is_refused_by_name(in_school, field, value):
    with pytest.raises(Invalid) as caught:
        make_student(**{field: value})
    assert caught.value.field == field


def test_editing_over_a_newer_version_shows_both_values(in_school):
    student = make_student()
    with transaction():
        service.edit_student(student, version=1, town="Kelby", phone="1")
    with pytest.raises(Stale) as caught, transaction():
        service.edit_student(student, version=1, town="Marston", phone="1")
    # What both agree on is no conflict.
    assert caught.value.theirs == {"town": "Kelby"}
    assert caught.value.yours == {"town": "Marston"}


def test_an_old_version_that_changes_nothing_is_no_conflict(in_school):
    student = make_student()
    with transaction():
        service.edit_student(student, version=1, town="Kelby")
        service.edit_student(student, version=1, town="Kelby")
    assert student.town == "Kelby"


def test_archiving_ends_the_class_and_restoring_brings_the_status_back(in_school):
    student = make_student(status="joining", school_class=make_class())
    with transaction():
        service.archive_student(student)
    assert class_of(student.id) is None
    assert student.archived_at is not None
    with transaction():
        service.restore_student(student)
    assert (student.status, student.archived_at) == (StudentStatus.JOINING, None)


def test_brothers_and_sisters_share_a_guardian(in_school):
    first, second, other = make_student(), make_student(), make_student()
    make_guardian(first, second)
    make_guardian(other, name="Somebody Else")
    assert [s.id for s in queries.list_siblings(first.id)] == [second.id]


def test_a_guardian_is_linked_to_a_student_once(in_school):
    student = make_student()
    guardian = make_guardian(student)
    with pytest.raises(Conflict, match="already"):
        link(student, guardian)


def test_the_order_of_calling_is_changed_one_step_at_a_time(in_school):
    student = make_student()
    for name in ("A", "B", "C"):
        make_guardian(student, name=name)
    with transaction():
        service.move_link(queries.guardian_links(student.id)[2][0], by=-1)
    links = queries.guardian_links(student.id)
    assert [(g.name, li.emergency_order) for li, g in links] == [("A", 1), ("C", 2), ("B", 3)]


@pytest.mark.parametrize(
    ("name", "phone"), [("KATARZYNA dabrowska", None), ("Nobody", "07700/900-118")]
)
def test_a_guardian_the_school_knows_is_suggested_by_name_or_phone(in_school, name, phone):
    guardian = make_guardian(name="Katarzyna Dąbrowska", phone="07700 900118")
    make_guardian(name="Marek Dąbrowski", phone="07700 900999")
    assert [g.id for g in queries.suggest_guardians(name, phone)] == [guardian.id]


@pytest.mark.parametrize(
    ("kind", "typed", "kept"),
    [
        ("text", " Red ", "Red"),
        ("number", "1 234,5", 1234.5),
        ("number", "31", 31),
        ("date", "2026-11-20", "2026-11-20"),
        ("yes_no", "yes", True),
        ("yes_no", "no", False),
        ("choice", "Blue", "Blue"),
        ("number", "", None),
    ],
)
def test_a_field_of_the_schools_own_keeps_its_type(in_school, kind, typed, kept):
    with transaction():
        field = service.add_field("Own", kind, choices=["Red", "Blue"])
    student = make_student(custom={str(field.id): typed})
    assert student.custom.get(str(field.id)) == kept
    assert (str(field.id) in student.custom) == (kept is not None)


@pytest.mark.parametrize(
    ("kind", "typed"),
    [("number", "many"), ("number", "inf"), ("number", "1e300"),
     ("number", "12345678901234567890"), ("number", "-12345678901234567890"), ("date", "31.2.2026"), ("yes_no", "maybe"),
     ("choice", "Green")],
)  # fmt: skip
def test_a_field_of_the_schools_own_refuses_what_it_cannot_hold(in_school, kind, typed):
    with transaction():
        field = service.add_field("Own", kind, choices=["Red", "Blue"])
    with pytest.raises(Invalid) as caught:
        make_student(custom={str(field.id): typed})
    assert caught.value.field == f"custom_{field.id}"


def test_own_fields_are_put_in_order_and_archived(in_school):
    with transaction():
        fields = [service.add_field(label, "text") for label in ("A", "B", "C")]
        service.move_field(fields[2], by=-1)
        service.archive_field(fields[0])
    assert [f.label for f in queries.list_fields()] == ["C", "B"]


def test_a_gender_in_use_stays_on_the_list(in_school):
    make_student(gender_code="F")
    with pytest.raises(Conflict, match="Female"), transaction():
        service.save_genders([("M", "Boy")], version=service.genders_version())
    with transaction():
        service.save_genders([("M", "Boy"), ("F", "Girl")], version=service.genders_version())
    assert [(g.code, g.label) for g in queries.list_genders()] == [("M", "Boy"), ("F", "Girl")]


def test_of_two_who_add_a_gender_the_second_is_shown_both_lists(in_school):
    seen = service.genders_version()
    with transaction():
        service.save_genders([("F", "Girl"), ("N", "Nonbinary")], version=seen)
    with pytest.raises(Stale) as caught, transaction():
        service.save_genders([("F", "Girl"), ("Q", "Not said")], version=seen)
    assert caught.value.theirs == {"genders": "F = Girl\nN = Nonbinary"}
    assert caught.value.yours == {"genders": "F = Girl\nQ = Not said"}
    assert [g.code for g in queries.list_genders()] == ["F", "N"]


def test_an_archived_field_is_not_moved(in_school):
    with transaction():
        fields = [service.add_field(label, "text") for label in ("A", "B", "C")]
        service.archive_field(fields[2])
        service.move_field(fields[2], by=-1)
    assert [(f.label, f.position) for f in queries.list_fields()] == [("A", 0), ("B", 1)]


def test_an_old_version_of_a_field_shows_only_what_differs(in_school):
    with transaction():
        field = service.add_field("House", "choice", choices=["Red", "Blue"])
    seen = field.version
    with transaction():
        service.edit_field(field, version=seen, label="House", choices=["Red", "Blue", "Green"])
    with pytest.raises(Stale) as caught, transaction():
        service.edit_field(field, version=seen, label="House", choices=["Red", "Blue", "Black"])
    assert caught.value.theirs == {"choices": ["Red", "Blue", "Green"]}
    assert caught.value.yours == {"choices": ["Red", "Blue", "Black"]}
    with transaction():
        service.edit_field(field, version=seen, label="House", choices=["Red", "Blue", "Green"])


def test_a_choice_students_have_stays_on_the_list(in_school):
    with transaction():
        field = service.add_field("House", "choice", choices=["Red", "Blue", "Green"])
    student = make_student(custom={str(field.id): "Red"})
    with pytest.raises(Conflict, match=r"“Red” has to stay.*: 1\.") as caught, transaction():
        service.edit_field(field, version=field.version, label="House", choices=["Blue", "Green"])
    assert caught.value.field == "choices"
    with transaction():
        service.edit_field(field, version=field.version, label="House", choices=["Red", "Blue"])
    with transaction():
        service.edit_student(student, version=student.version, custom={str(field.id): "Blue"})
        service.edit_field(field, version=field.version, label="House", choices=["Blue", "White"])
    assert field.choices == ["Blue", "White"]


def test_the_status_of_an_archived_student_changes_only_by_restoring(in_school):
    student = make_student()
    with transaction():
        service.archive_student(student)
    with pytest.raises(Conflict, match="Restore this student first"), transaction():
        service.edit_student(student, version=student.version, status="left")
    assert queries.get_student(student.id).status == StudentStatus.ARCHIVED


@pytest.mark.parametrize("unseen", ["\u200b", "\u202e", "\x00\u200d", "\ufeff \u2060", "\x07"])
def test_a_name_nobody_can_see_is_no_name(in_school, unseen):
    with pytest.raises(Invalid, match="A student needs a name"):
        make_student(family_name=unseen)
    with pytest.raises(Invalid, match="A guardian needs a name"):
        make_guardian(name=unseen)
    with pytest.raises(Invalid, match="A field needs a name"), transaction():
        service.add_field(unseen, "text")


def test_unseen_characters_are_dropped_from_names(in_school):
    student = make_student(given_name="\u202eZo\u200bfia", family_name="Dą\u00adbro\twska\u200d")
    assert (student.given_name, student.family_name) == ("Zofia", "Dąbro wska")
    assert make_guardian(name="Ka\u2066sia").name == "Kasia"
    with transaction():
        field = service.add_field("B\u200bus", "choice", choices=["A\u200b", "\u200b", "B"])
    assert (field.label, field.choices) == ("Bus", ["A", "B"])


@pytest.mark.parametrize("name", ["می\u200cخواهم", "क्\u200dष"])
def test_joiners_between_letters_belong_to_the_name(in_school, name):
    assert make_student(family_name=f"{name}\u200c").family_name == name
