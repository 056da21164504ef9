"""Which students a person may see, as a condition every list query takes."""

from __future__ import annotations

import sqlalchemy as sa

from school.permissions import Permission, Person, Role
from school.students.models import Student
from school.students.queries.families import children_of_user


def visible_to(person: Person) -> sa.ColumnElement[bool]:
    """Staff: all of the school. Guardians: the children they have custody of.
    Students: themselves."""
    if not person.may(Permission.STUDENT_VIEW):
        return sa.false()
    if person.is_staff:
        return sa.true()
    mine: list[sa.ColumnElement[bool]] = [sa.false()]
    if Role.GUARDIAN in person.roles:
        mine.append(Student.id.in_(children_of_user(person.user_id)))
    if Role.STUDENT in person.roles:
        mine.append(Student.user_id == person.user_id)
    return sa.or_(*mine)
