"""One student, and several by id."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from school.academics.models import SchoolClass
from school.audit.models import AuditEvent
from school.db import db
from school.enrollment.models import Enrollment
from school.enrollment.queries import IN_CLASS
from school.errors import NotFound
from school.students.models import Student, StudentStatus

_TAIL = re.compile(r"(\d+)(?!.*\d)")
_LOOKED_BACK = 50


def get_student(student_id: UUID) -> Student:
    """Raises NotFound, for another school's student too."""
    student = db.session.scalar(sa.select(Student).where(Student.id == student_id))
    if student is None:
        raise NotFound("There is no such student.")
    return student


def find_with_class(student_id: UUID) -> tuple[Student, SchoolClass | None] | None:
    """The student and the class they are in now."""
    row = db.session.execute(
        sa.select(Student, SchoolClass)
        .outerjoin(
            Enrollment,
            sa.and_(
                Enrollment.school_id == Student.school_id,
                Enrollment.student_id == Student.id,
                Enrollment.ends_on.is_(None),
            ),
        )
        .outerjoin(SchoolClass, IN_CLASS)
        .where(Student.id == student_id)
    ).first()
    return (row[0], row[1]) if row else None


def get_students(student_ids: Collection[UUID]) -> list[Student]:
    """Those of the ids that are this school's, by name."""
    return list(
        db.session.scalars(
            sa.select(Student)
            .where(Student.id.in_(student_ids))
            .order_by(Student.sort_name, Student.id)
        )
    )


def count_by_class(class_id: UUID | None = None) -> dict[UUID, int]:
    """Class id → how many are in it now; the archived are in none. One class, or all of them."""
    counting = (
        sa.select(Enrollment.class_id, sa.func.count())
        .join(
            Student,
            (Student.school_id == Enrollment.school_id) & (Student.id == Enrollment.student_id),
        )
        .where(Enrollment.ends_on.is_(None), Student.status != StudentStatus.ARCHIVED)
        .group_by(Enrollment.class_id)
    )
    if class_id is not None:
        counting = counting.where(Enrollment.class_id == class_id)
    return {found: count for found, count in db.session.execute(counting)}  # noqa: C416 - rows


def find_by_number(admission_number: str) -> Student | None:
    return db.session.scalar(sa.select(Student).where(Student.admission_number == admission_number))


def was_admitted_by(student_id: UUID, user_id: UUID | None, *, since: datetime) -> bool:
    """Whether this person took the student in since then. Never true of a program."""
    admitting = sa.select(AuditEvent.id).where(
        AuditEvent.entity == "student",
        AuditEvent.entity_id == student_id,
        AuditEvent.action == "student.admitted",
        AuditEvent.actor_id == user_id,
        AuditEvent.at >= since,
    )
    return user_id is not None and db.session.scalar(admitting.limit(1)) is not None


def next_admission_number() -> str:
    """The number after the highest of those given last, as a suggestion: "S-0419" after "S-0418".

    Of the last fifty, those written like most: one odd number begins no series of its own.
    """
    last = db.session.scalars(
        sa.select(Student.admission_number).order_by(Student.id.desc()).limit(_LOOKED_BACK)
    ).all()
    written = Counter(map(_shape, last))
    alike = [one for one in last if _shape(one) == written.most_common(1)[0][0]]
    number = max(alike, key=_series_number, default="1000")
    while True:
        number = _raised(number)
        if find_by_number(number) is None:
            return number


def _shape(number: str) -> str:
    """What stands around the last group of digits."""
    return _TAIL.sub("#", number, count=1)


def _series_number(number: str) -> int:
    found = _TAIL.search(number)
    return int(found.group(1)) if found else 0


def _raised(number: str) -> str:
    """The last group of digits raised by one, as wide as it was."""
    found = _TAIL.search(number)
    if found is None:
        return f"{number}-1"
    digits = found.group(1)
    return number[: found.start()] + str(int(digits) + 1).zfill(len(digits)) + number[found.end() :]
