"""Guardians, their students, brothers and sisters."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from school.db import db
from school.errors import Invalid, NotFound
from school.permissions import Person
from school.search.index import having_word
from school.search.matching import match
from school.search.models import Kind
from school.search.words import fold, one_contact, words_of
from school.students.models import Guardian, Student, StudentGuardian, StudentStatus
from school.web.pagination import DAMAGED, Page, Place, after_place, in_direction, take_page

OF_LINK = (Guardian.school_id == StudentGuardian.school_id) & (
    Guardian.id == StudentGuardian.guardian_id
)
"""Joins a link to its guardian."""
_MOST_SUGGESTIONS = 5


def get_guardian(guardian_id: UUID) -> Guardian:
    """Raises NotFound, for another school's guardian too."""
    guardian = db.session.scalar(sa.select(Guardian).where(Guardian.id == guardian_id))
    if guardian is None:
        raise NotFound("There is no such guardian.")
    return guardian


def get_link(student_id: UUID, link_id: UUID) -> StudentGuardian:
    """How one guardian belongs to this student. Raises NotFound."""
    link = db.session.scalar(
        sa.select(StudentGuardian).where(
            StudentGuardian.id == link_id, StudentGuardian.student_id == student_id
        )
    )
    if link is None:
        raise NotFound("This guardian does not belong to this student.")
    return link


def guardian_links(student_id: UUID) -> list[tuple[StudentGuardian, Guardian]]:
    """A student's guardians, whom to call first."""
    rows = db.session.execute(
        sa.select(StudentGuardian, Guardian)
        .join(Guardian, OF_LINK)
        .where(StudentGuardian.student_id == student_id)
        .order_by(StudentGuardian.emergency_order, StudentGuardian.id)
    )
    return [(link, guardian) for link, guardian in rows]


class FirstGuardian(NamedTuple):
    guardian_id: UUID
    name: str
    phone: str | None


def first_guardians(student_ids: Collection[UUID]) -> dict[UUID, FirstGuardian]:
    """Student id → whom to call first, for the rows of one page."""
    rows = db.session.execute(
        sa.select(StudentGuardian.student_id, Guardian.id, Guardian.name, Guardian.phone)
        .join(Guardian, OF_LINK)
        .where(StudentGuardian.student_id.in_(student_ids))
        .order_by(StudentGuardian.emergency_order.desc(), StudentGuardian.id.desc())
    )
    return {row[0]: FirstGuardian(row[1], row[2], row[3]) for row in rows}


def students_of(
    guardian_ids: Collection[UUID], visible: sa.ColumnElement[bool] | None = None
) -> dict[UUID, list[tuple[Student, str | None]]]:
    """Guardian id → (student, relationship), by name; `visible`: whom the asker may see."""
    rows = db.session.execute(
        sa.select(StudentGuardian.guardian_id, Student, StudentGuardian.relationship)
        .join(
            Student,
            (Student.school_id == StudentGuardian.school_id)
            & (Student.id == StudentGuardian.student_id),
        )
        .where(
            StudentGuardian.guardian_id.in_(guardian_ids),
            sa.true() if visible is None else visible,
        )
        .order_by(Student.sort_name, Student.id)
    )
    found: dict[UUID, list[tuple[Student, str | None]]] = {}
    for guardian_id, student, relationship in rows:
        found.setdefault(guardian_id, []).append((student, relationship))
    return found


class GuardianRow(NamedTuple):
    id: UUID
    name: str
    phone: str | None
    email: str | None
    sort_name: str


def list_guardians(person: Person, q: str, place: Place | None) -> Page[GuardianRow]:
    """One page of guardians by name. Families see themselves only."""
    conditions = list(match(Kind.GUARDIAN, Guardian.id, q).conditions)
    if not person.is_staff:
        conditions.append(Guardian.user_id == person.user_id)
    columns = [Guardian.sort_name, Guardian.id]
    start = place_with_id(place)

    def fetch(limit: int) -> list[GuardianRow]:
        statement = (
            sa.select(
                Guardian.id, Guardian.name, Guardian.phone, Guardian.email, Guardian.sort_name
            )
            .where(*conditions, after_place(columns, start))
            .order_by(*in_direction(columns, start))
            .limit(limit)
        )
        return [GuardianRow(*row) for row in db.session.execute(statement)]

    return take_page(fetch, place=start, key=lambda row: (row.sort_name, str(row.id)))


def place_with_id(place: Place | None) -> Place | None:
    """The id at the end of a place is text in the address and an id in the question."""
    if place is None or len(place.values) < 2:
        return place
    try:
        return Place((*place.values[:-1], UUID(str(place.values[-1]))), place.backwards)
    except ValueError:
        raise Invalid(DAMAGED) from None


def list_siblings(student_id: UUID, visible: sa.ColumnElement[bool] | None = None) -> list[Student]:
    """Other students with a guardian in common; `visible` narrows to whom the asker may see."""
    mine, theirs = aliased(StudentGuardian), aliased(StudentGuardian)
    siblings = (
        sa.select(theirs.student_id)
        .join(mine, (mine.school_id == theirs.school_id) & (mine.guardian_id == theirs.guardian_id))
        .where(mine.student_id == student_id, theirs.student_id != student_id)
    )
    return list(
        db.session.scalars(
            sa.select(Student)
            .where(
                Student.id.in_(siblings),
                Student.status != StudentStatus.ARCHIVED,
                sa.true() if visible is None else visible,
            )
            .order_by(Student.birth_date, Student.sort_name, Student.id)
        )
    )


def students_reached_by(contact: str) -> sa.Select[UUID]:
    """Ids of the students one of whose guardians has this telephone number or e-mail address."""
    return sa.select(StudentGuardian.student_id).where(
        StudentGuardian.guardian_id.in_(having_word(Kind.GUARDIAN, contact))
    )


def children_of_user(user_id: UUID) -> sa.Select[UUID]:
    """Ids of the students whose guardian, with custody, signs in as this user."""
    return (
        sa.select(StudentGuardian.student_id)
        .join(Guardian, OF_LINK)
        .where(Guardian.user_id == user_id, StudentGuardian.has_custody.is_(True))
    )


def suggest_guardians(name: str | None, phone: str | None) -> list[Guardian]:
    """Guardians the school knows already who may be the same person: same name, or same number."""
    found: dict[UUID, Guardian] = {}
    if name and words_of(name):
        matching = sa.select(Guardian).where(
            *(Guardian.id.in_(having_word(Kind.GUARDIAN, word)) for word in words_of(name)[:4])
        )
        found |= {g.id: g for g in db.session.scalars(matching.limit(_MOST_SUGGESTIONS))}
    number = one_contact(phone or "")
    if number is not None:
        same = sa.select(Guardian).where(Guardian.id.in_(having_word(Kind.GUARDIAN, number)))
        found |= {g.id: g for g in db.session.scalars(same.limit(_MOST_SUGGESTIONS))}
    return sorted(found.values(), key=lambda guardian: (fold(guardian.name), guardian.id))
