"""The school's own fields and genders."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from school.db import db
from school.errors import NotFound
from school.students.models import CustomField, Gender, Student


def list_genders() -> list[Gender]:
    return list(db.session.scalars(sa.select(Gender).order_by(Gender.position, Gender.code)))


def list_fields(*, include_archived: bool = False) -> list[CustomField]:
    """The fields this school added, in its order."""
    fields = sa.select(CustomField).order_by(CustomField.position, CustomField.id)
    if not include_archived:
        fields = fields.where(CustomField.is_archived.is_(False))
    return list(db.session.scalars(fields))


def count_with_value(field: CustomField, value: str) -> int:
    """How many students, archived ones included, have this text in the field."""
    own = Student.custom[str(field.id)].as_string()
    return db.session.scalar(sa.select(sa.func.count(Student.id)).where(own == value)) or 0


def get_field(field_id: UUID) -> CustomField:
    """Raises NotFound, for another school's field too."""
    found = db.session.scalar(sa.select(CustomField).where(CustomField.id == field_id))
    if found is None:
        raise NotFound("There is no such field.")
    return found
