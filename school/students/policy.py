"""Who may do what to this student."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from school.db import db
from school.errors import NotFound
from school.permissions import Permission, Person
from school.students import queries
from school.students.models import Guardian, Student
from school.students.queries.visibility import visible_to


def may_view(person: Person, student_id: UUID) -> bool:
    """Staff with STUDENT_VIEW: everybody of their school. Guardians: the children they have
    custody of. A student: themselves. Nobody else."""
    seen = sa.select(Student.id).where(Student.id == student_id, visible_to(person))
    return db.session.scalar(seen) is not None


def may_edit(person: Person, student_id: UUID) -> bool:
    return person.is_staff and person.may(Permission.STUDENT_EDIT) and may_view(person, student_id)


def get_visible(person: Person, student_id: UUID) -> Student:
    """The student, if this person may see them. Raises NotFound: hidden looks like absent."""
    student = db.session.scalar(
        sa.select(Student).where(Student.id == student_id, visible_to(person))
    )
    if student is None:
        raise NotFound("There is no such student.")
    return student


def may_view_medical(person: Person) -> bool:
    """The note itself is then narrowed by who may see the student."""
    return person.may(Permission.MEDICAL_VIEW)


def may_see_contact_of(person: Person, guardian: Guardian) -> bool:
    """Families see their own telephone numbers, never the other guardians'."""
    if not person.may(Permission.GUARDIAN_VIEW):
        return False
    return person.is_staff or guardian.user_id == person.user_id


def get_visible_guardian(person: Person, guardian_id: UUID) -> Guardian:
    """Raises NotFound unless the person works here, or is this guardian."""
    guardian = queries.get_guardian(guardian_id)
    if not may_see_contact_of(person, guardian):
        raise NotFound("There is no such guardian.")
    return guardian
