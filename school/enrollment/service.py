"""Verbs: a student is placed in a class, and leaves it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from uuid import UUID

from school import clock
from school.academics.models import SchoolClass
from school.audit.log import facts, record, record_change
from school.audit.models import ChangeSet
from school.audit.undo import undoable
from school.cache import forget
from school.db import db
from school.enrollment import queries
from school.enrollment.models import Enrollment
from school.errors import Invalid
from school.tenancy.scope import current_school_id

FACTS = ("student_id", "class_id", "begins_on", "ends_on")
_BACK, _AHEAD = timedelta(days=3_653), timedelta(days=731)


def refuse_far_day(on: date, *, field: str = "on") -> None:
    """Raises Invalid for a day nobody means: over ten years back or over two years ahead."""
    if not -_BACK <= on - clock.today() <= _AHEAD:
        raise Invalid(
            "This day is too far off: at most ten years back or two years ahead.", field=field
        )


def place(
    student_id: UUID, school_class: SchoolClass, on: date, *, change_set: ChangeSet | None = None
) -> Enrollment | None:
    """Put a student in a class from `on`; the class before ends the day before.

    None when the student is in it already.
    """
    made = place_many([student_id], school_class, on, change_set=change_set)
    return made[0] if made else None


def place_many(
    student_ids: Collection[UUID],
    school_class: SchoolClass,
    on: date,
    *,
    change_set: ChangeSet | None = None,
) -> list[Enrollment]:
    """Put several students in a class; those already in it are left alone."""
    refuse_far_day(on)
    if school_class.is_archived:
        raise Invalid("Class %(name)s is archived.", field="class_id", name=school_class.name)
    open_ones = queries.find_open_many(student_ids)
    movers = [
        student_id
        for student_id in dict.fromkeys(student_ids)
        if student_id not in open_ones or open_ones[student_id].class_id != school_class.id
    ]
    for student_id in movers:
        if student_id in open_ones:
            _close(open_ones[student_id], on - timedelta(days=1), change_set=change_set)
    db.session.flush()  # the old one is closed before the new one opens: one may be open
    made = [
        Enrollment(student_id=student_id, class_id=school_class.id, begins_on=on)
        for student_id in movers
    ]
    db.session.add_all(made)
    db.session.flush()
    for enrollment in made:
        record(
            "enrollment.opened",
            "enrollment",
            enrollment.id,
            after=facts(enrollment, FACTS),
            about_id=enrollment.student_id,
            change_set=change_set,
        )
    forget(current_school_id(), "students")
    return made


def leave(student_id: UUID, on: date, *, change_set: ChangeSet | None = None) -> None:
    """The student's class ends; they are in none."""
    enrollment = queries.find_open(student_id)
    if enrollment is not None:
        _close(enrollment, on, change_set=change_set)
        forget(current_school_id(), "students")


def _close(enrollment: Enrollment, on: date, *, change_set: ChangeSet | None) -> None:
    before = facts(enrollment, FACTS)
    # A class entered today and left today was a slip: it lasts the day.
    enrollment.ends_on = max(on, enrollment.begins_on)
    record_change(
        "enrollment.closed",
        "enrollment",
        enrollment,
        before=before,
        after=facts(enrollment, FACTS),
        about_id=enrollment.student_id,
        change_set=change_set,
    )


undoable("enrollment")
