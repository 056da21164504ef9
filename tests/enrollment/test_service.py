"""One class at a time; a move closes one row and opens another."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from school.academics import service as academics
from school.db import transaction
from school.enrollment import queries, service
from school.errors import Invalid
from tests.factories.academics import make_class
from tests.factories.students import make_student


def test_a_move_closes_the_class_before_the_day_earlier(in_school):
    old, new, student = make_class("8A"), make_class("8B"), make_student()
    with transaction():
        service.place(student.id, old, date(2026, 9, 1))
        service.place(student.id, new, date(2026, 11, 2))
    rows = [(name, e.begins_on, e.ends_on) for e, name in queries.list_enrollments(student.id)]
    assert rows == [
        ("8B", date(2026, 11, 2), None),
        ("8A", date(2026, 9, 1), date(2026, 11, 1)),
    ]


def test_placing_in_the_same_class_again_changes_nothing(in_school):
    school_class, student = make_class(), make_student()
    with transaction():
        service.place(student.id, school_class, date(2026, 9, 1))
        assert service.place(student.id, school_class, date(2026, 10, 1)) is None
    assert len(queries.list_enrollments(student.id)) == 1


def test_nobody_is_placed_in_an_archived_class(in_school):
    school_class, student = make_class(), make_student()
    with transaction():
        academics.archive_class(school_class)
    with pytest.raises(Invalid, match="archived"), transaction():
        service.place(student.id, school_class, date(2026, 9, 1))


def test_a_move_on_the_day_of_arrival_keeps_dates_in_order(in_school):
    old, new, student = make_class(), make_class(), make_student()
    with transaction():
        service.place(student.id, old, date(2026, 9, 1))
        service.place(student.id, new, date(2026, 9, 1))
    closed = queries.list_enrollments(student.id)[-1][0]
    assert closed.ends_on >= closed.begins_on
    assert queries.class_of(student.id).id == new.id


@pytest.mark.parametrize(
    ("on", "is_taken"),
    [
        (date.min, False),
        (date(2016, 11, 18), False),
        (date(2016, 11, 20), True),
        (date(2028, 11, 20), True),
        (date(2028, 11, 22), False),
        (date.max, False),
    ],
)
def test_a_day_nobody_means_is_refused(in_school, frozen_clock, on, is_taken):
    frozen_clock(datetime(2026, 11, 20, 8, tzinfo=UTC))
    old, new, student = make_class(), make_class(), make_student()
    with transaction():
        service.place(student.id, old, date(2026, 9, 1))
    if is_taken:
        with transaction():
            assert service.place(student.id, new, on).begins_on == on
    else:
        with pytest.raises(Invalid, match="too far off") as caught, transaction():
            service.place_many([student.id], new, on)
        assert caught.value.field == "on"
        assert queries.class_of(student.id).id == old.id
