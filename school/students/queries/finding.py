"""The search over everything: a few of each kind, only what the asker may see."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from school.academics.models import SchoolClass
from school.db import db
from school.permissions import Permission, Person
from school.search.matching import match
from school.search.models import Kind
from school.students.models import Guardian
from school.students.queries.listing import Row, StudentFilter, first_students


def find_students(person: Person, q: str, limit: int) -> list[Row]:
    """By name, number or how a guardian is reached; archived ones are found too."""
    return first_students(person, StudentFilter(q=q, status="all"), limit=limit)


def find_guardians(person: Person, q: str, limit: int) -> list[Any]:
    if not person.may(Permission.GUARDIAN_VIEW):
        return []
    guardians = sa.select(Guardian.id, Guardian.name, Guardian.phone).where(
        *match(Kind.GUARDIAN, Guardian.id, q).conditions
    )
    if not person.is_staff:
        guardians = guardians.where(Guardian.user_id == person.user_id)
    order = (Guardian.sort_name, Guardian.id)
    return list(db.session.execute(guardians.order_by(*order).limit(limit)))


def find_classes(person: Person, q: str, limit: int) -> list[Any]:
    if not person.may(Permission.CLASS_VIEW):
        return []
    classes = (
        sa.select(SchoolClass.id, SchoolClass.name, SchoolClass.grade_level)
        .where(*match(Kind.CLASS, SchoolClass.id, q).conditions)
        .order_by(SchoolClass.sort_name, SchoolClass.id)
    )
    return list(db.session.execute(classes.limit(limit)))
