"""A list of students as rows of a file, with class, guardians and the school's own fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.db import db
from school.enrollment.queries import classes_of
from school.permissions import Permission, Person
from school.students.models import CustomField, Guardian, Student, StudentGuardian
from school.students.queries.families import OF_LINK
from school.students.queries.fields import list_fields, list_genders
from school.students.queries.listing import StudentFilter, every_row

_FIXED = (
    "Number",
    "Family name",
    "Given name",
    "Known as",
    "Class",
    "Grade level",
    "Born",
    "Gender",
    "Status",
    "E-mail",
    "Phone",
    "Address",
    "Town",
    "Postcode",
)
_GUARDIANS = 2
GUARDIAN_MESSAGES = {
    "name": "Guardian %(number)s",
    "relationship": "Guardian %(number)s relationship",
    "phone": "Guardian %(number)s phone",
    "email": "Guardian %(number)s e-mail",
}
_MEDICAL = "Medical note"


def headings(person: Person, say: Callable[..., str]) -> list[str]:
    """The columns this person gets, ours in the reader's language (`say`); the medical note only
    with its own permission."""
    numbers = range(1, _GUARDIANS + 1)
    guardians = [
        say(text, number=number) for number in numbers for text in GUARDIAN_MESSAGES.values()
    ]
    own = [field.label for field in list_fields()]
    medical = [say(_MEDICAL)] if person.may(Permission.MEDICAL_VIEW) else []
    return [*map(say, _FIXED), *guardians, *own, *medical]


def rows(
    person: Person,
    wanted: StudentFilter,
    ids: Sequence[UUID] | None = None,
    *,
    statuses: Mapping[str, str],
) -> Iterator[list[Any]]:
    """One row for each student the filter leaves, read a thousand at a time.

    `statuses`: how the reader calls each status.
    """
    fields = list_fields()
    genders = {gender.code: gender.label for gender in list_genders()}
    has_medical = person.may(Permission.MEDICAL_VIEW)
    for students in every_row(person, wanted, ids):
        chunk = [student.id for student in students]
        classes, guardians = classes_of(chunk), _guardians(chunk)
        for student in students:
            school_class = classes.get(student.id)
            yield [
                *_facts(student, school_class.name if school_class else None, genders, statuses),
                *_of_guardians(guardians.get(student.id, [])),
                *_own(student, fields),
                *([student.medical_note] if has_medical else []),
            ]


def _facts(
    student: Student,
    class_name: str | None,
    genders: Mapping[str, str],
    statuses: Mapping[str, str],
) -> list[Any]:
    return [
        student.admission_number,
        student.family_name,
        student.given_name,
        student.preferred_name,
        class_name,
        student.grade_level,
        student.birth_date,
        genders.get(student.gender_code or ""),
        statuses.get(student.status, student.status),
        student.email,
        student.phone,
        student.address,
        student.town,
        student.postcode,
    ]


def _guardians(student_ids: Sequence[UUID]) -> dict[UUID, list[list[str | None]]]:
    found = db.session.execute(
        sa.select(
            StudentGuardian.student_id,
            Guardian.name,
            StudentGuardian.relationship,
            Guardian.phone,
            Guardian.email,
        )
        .join(Guardian, OF_LINK)
        .where(StudentGuardian.student_id.in_(student_ids))
        .order_by(StudentGuardian.emergency_order, StudentGuardian.id)
    )
    by_student: dict[UUID, list[list[str | None]]] = {}
    for row in found:
        by_student.setdefault(row[0], []).append(list(row[1:]))
    return by_student


def _of_guardians(guardians: list[list[str | None]]) -> list[str | None]:
    cells = [cell for guardian in guardians[:_GUARDIANS] for cell in guardian]
    return cells + [None] * (_GUARDIANS * len(GUARDIAN_MESSAGES) - len(cells))


def _own(student: Student, fields: Sequence[CustomField]) -> list[Any]:
    values = student.custom or {}
    return [_cell(values.get(str(field.id))) for field in fields]


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value
