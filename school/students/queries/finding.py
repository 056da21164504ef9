"""The search over everything: a few of each kind, only what the asker may see."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from school.academics.models import SchoolClass
from school.db import db
from school.files.models import File, OwnerKind
from school.permissions import Permission, Person
from school.search.matching import match
from school.search.models import Kind
from school.students.models import Guardian, Student
from school.students.queries.listing import Row, StudentFilter, first_students
from school.students.queries.visibility import visible_to

_CLOSED_PURPOSES = {"medical": Permission.MEDICAL_VIEW}


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


def _of_visible_student(person: Person) -> sa.ColumnElement[bool]:
    # For staff the condition would gather every student of the school to say yes to each.
    if person.is_staff and person.may(Permission.STUDENT_VIEW):
        return sa.true()
    return File.owner_id.in_(sa.select(Student.id).where(visible_to(person)))


def find_files(person: Person, q: str, limit: int) -> list[Any]:
    """Files of students this person may see; those of a closed purpose only with its permission."""
    if not person.may(Permission.FILE_VIEW):
        return []
    closed = [p for p, permission in _CLOSED_PURPOSES.items() if not person.may(permission)]
    files = (
        sa.select(File.id, File.name)
        .where(
            *match(Kind.FILE, File.id, q).conditions,
            File.owner_kind == OwnerKind.STUDENT,
            File.archived_at.is_(None),
            File.purpose.not_in(closed),
            _of_visible_student(person),
        )
        .order_by(File.name, File.id)
    )
    return list(db.session.execute(files.limit(limit)))
