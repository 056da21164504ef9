"""Reads: who is in which class."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa

from school.academics.models import SchoolClass
from school.db import db
from school.enrollment.models import Enrollment

IN_CLASS = (SchoolClass.school_id == Enrollment.school_id) & (SchoolClass.id == Enrollment.class_id)
"""Joins an enrollment to its class."""


def find_open(student_id: UUID) -> Enrollment | None:
    """The enrollment that holds now."""
    return db.session.scalar(
        sa.select(Enrollment).where(
            Enrollment.student_id == student_id, Enrollment.ends_on.is_(None)
        )
    )


def find_open_many(student_ids: Collection[UUID]) -> dict[UUID, Enrollment]:
    """Student id → the enrollment that holds now."""
    rows = db.session.scalars(
        sa.select(Enrollment).where(
            Enrollment.student_id.in_(student_ids), Enrollment.ends_on.is_(None)
        )
    )
    return {row.student_id: row for row in rows}


def class_of(student_id: UUID) -> SchoolClass | None:
    """The class a student is in now."""
    return db.session.scalar(
        sa.select(SchoolClass)
        .join(Enrollment, IN_CLASS)
        .where(Enrollment.student_id == student_id, Enrollment.ends_on.is_(None))
    )


def classes_of(student_ids: Collection[UUID]) -> dict[UUID, SchoolClass]:
    """Student id → class now, for several at once."""
    rows = db.session.execute(
        sa.select(Enrollment.student_id, SchoolClass)
        .join(SchoolClass, IN_CLASS)
        .where(Enrollment.student_id.in_(student_ids), Enrollment.ends_on.is_(None))
    )
    return {student_id: school_class for student_id, school_class in rows}  # noqa: C416 - rows


def list_enrollments(student_id: UUID) -> list[tuple[Enrollment, str]]:
    """Every class a student was in, newest first, with its name."""
    rows = db.session.execute(
        sa.select(Enrollment, SchoolClass.name)
        .join(SchoolClass, IN_CLASS)
        .where(Enrollment.student_id == student_id)
        .order_by(Enrollment.begins_on.desc(), Enrollment.id.desc())
    )
    return [(enrollment, name) for enrollment, name in rows]
