"""Reads: years and classes."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from school.academics.models import AcademicYear, SchoolClass
from school.db import db
from school.errors import Conflict, NotFound


def find_current_year() -> AcademicYear | None:
    return db.session.scalar(sa.select(AcademicYear).where(AcademicYear.is_current))


def get_current_year() -> AcademicYear:
    """The year the school is in. Raises Conflict when it has none yet."""
    year = find_current_year()
    if year is None:
        raise Conflict("The school has no current academic year yet. Add one first.")
    return year


def get_class(class_id: UUID) -> SchoolClass:
    """Raises NotFound, for another school's class too."""
    found = db.session.scalar(sa.select(SchoolClass).where(SchoolClass.id == class_id))
    if found is None:
        raise NotFound("There is no such class.")
    return found


def find_class(name: str, *, academic_year_id: UUID) -> SchoolClass | None:
    return db.session.scalar(
        sa.select(SchoolClass).where(
            SchoolClass.academic_year_id == academic_year_id, SchoolClass.name == name
        )
    )


def list_classes(*, include_archived: bool = False) -> list[SchoolClass]:
    """The classes of the current year, "8B" before "10A"."""
    classes = (
        sa.select(SchoolClass)
        .join(
            AcademicYear,
            (AcademicYear.school_id == SchoolClass.school_id)
            & (AcademicYear.id == SchoolClass.academic_year_id),
        )
        .where(AcademicYear.is_current)
        .order_by(SchoolClass.sort_name, SchoolClass.id)
    )
    if not include_archived:
        classes = classes.where(SchoolClass.is_archived.is_(False))
    return list(db.session.scalars(classes))
