"""The list of students: filters, search, order and page, fast at a hundred thousand.

Rows are tuples. A page takes the rows with their class, the first guardians of these rows, and
at most two numbers (how broad the search is; how many there are, which is remembered).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from school.academics.models import SchoolClass
from school.cache import remember
from school.db import db
from school.enrollment.models import Enrollment
from school.enrollment.queries import IN_CLASS
from school.errors import Invalid
from school.permissions import Permission, Person
from school.search.matching import Match, match
from school.search.models import Kind
from school.search.words import one_contact
from school.students.models import Student, StudentGuardian, StudentStatus
from school.students.queries.families import place_with_id, students_reached_by
from school.students.queries.visibility import visible_to
from school.tenancy.scope import current_school_id
from school.web.pagination import (
    DAMAGED,
    PAGE_ROWS,
    Page,
    Place,
    after_place,
    in_direction,
    take_page,
)

SORTS = ("name", "-name", "number", "-number", "class", "-class")
ON_ROLL = (StudentStatus.ENROLLED, StudentStatus.JOINING)
_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class StudentFilter:
    """What the address of the list asks for.

    `status` "" is the roll, "all" everybody, "kept" everybody but the archived.
    """

    q: str = ""
    status: str = ""
    class_id: UUID | None = None
    no_class: bool = False
    grade_level: str = ""
    gender: str = ""
    without_guardian: bool = False


class Row(NamedTuple):
    id: UUID
    admission_number: str
    family_name: str
    given_name: str | None
    family_name_first: bool
    status: str
    grade_level: str | None
    birth_date: date | None
    gender_code: str | None
    sort_name: str
    class_name: str | None
    class_sort: str | None

    @property
    def name(self) -> str:
        parts = (self.family_name, self.given_name)
        return " ".join(part for part in (parts if self.family_name_first else parts[::-1]) if part)


@dataclass(frozen=True, slots=True)
class StudentPage:
    """A page of rows. `total` is None where counting would cost more than it tells."""

    page: Page[Row]
    total: int | None


_COLUMNS = (
    Student.id,
    Student.admission_number,
    Student.family_name,
    Student.given_name,
    Student.family_name_first,
    Student.status,
    Student.grade_level,
    Student.birth_date,
    Student.gender_code,
    Student.sort_name,
    SchoolClass.name.label("class_name"),
    SchoolClass.sort_name.label("class_sort"),
)
_OPEN = (
    (Enrollment.school_id == Student.school_id)
    & (Enrollment.student_id == Student.id)
    & Enrollment.ends_on.is_(None)
)


def list_students(
    person: Person,
    wanted: StudentFilter,
    *,
    sort: str = "name",
    place: Place | None = None,
    size: int = PAGE_ROWS,
) -> StudentPage:
    """One page of the students this person may see."""
    found = _match(person, wanted.q)
    conditions = [visible_to(person), *_conditions(wanted), *found.conditions]
    by = sort.removeprefix("-")
    descending = sort.startswith("-")
    fetch = _fetch_by_class if by == "class" else _fetch_by_own
    page = take_page(
        lambda limit: fetch(conditions, by, place, descending=descending, limit=limit),
        place=place,
        key=lambda row: _key(row, by),
        size=size,
    )
    return StudentPage(page, _total(person, wanted, conditions, found, page))


def first_students(person: Person, wanted: StudentFilter, *, limit: int) -> list[Row]:
    """The first by name, uncounted."""
    found = _match(person, wanted.q)
    conditions = [visible_to(person), *_conditions(wanted), *found.conditions]
    return _fetch_by_own(conditions, "name", None, descending=False, limit=limit)


def matching_ids(person: Person, wanted: StudentFilter, *, limit: int) -> list[UUID]:
    """Everybody on all pages of the list with this filter, by name; at most `limit`."""
    found = _match(person, wanted.q)
    matching = sa.select(Student.id).where(
        visible_to(person), *_conditions(wanted), *found.conditions
    )
    in_order = matching.order_by(Student.sort_name, Student.id).limit(limit)
    return list(db.session.scalars(in_order))


def _match(person: Person, question: str) -> Match:
    """By words of their own; by how a guardian is reached too, for those who may see that."""
    found = match(Kind.STUDENT, Student.id, question)
    contact = one_contact(question)
    if contact is None or not (person.is_staff and person.may(Permission.GUARDIAN_VIEW)):
        return found
    reached = Student.id.in_(students_reached_by(contact))
    return Match([sa.or_(sa.and_(*found.conditions), reached)], is_broad=found.is_broad)


def _key(row: Row, by: str) -> tuple[Any, ...]:
    if by == "number":
        return (row.admission_number,)
    if by == "class":
        return (int(row.class_sort is None), row.class_sort or "", row.sort_name, str(row.id))
    return (row.sort_name, str(row.id))


def _fetch_by_own(
    conditions: Sequence[Any],
    by: str,
    place: Place | None,
    *,
    descending: bool,
    limit: int,
) -> list[Row]:
    columns = [Student.admission_number] if by == "number" else [Student.sort_name, Student.id]
    order = in_direction(columns, place, descending=descending)
    # First who is on the page, then their classes: a search may find thousands before it sorts.
    on_page = (
        sa.select(Student.id)
        .where(*conditions, after_place(columns, place_with_id(place), descending=descending))
        .order_by(*order)
        .limit(limit)
        .correlate(None)
    )
    statement = _with_class().where(Student.id.in_(on_page)).order_by(*order)
    return [Row(*row) for row in db.session.execute(statement)]


def _with_class() -> Any:
    return (
        sa.select(*_COLUMNS)
        .select_from(Student)
        .outerjoin(Enrollment, _OPEN)
        .outerjoin(SchoolClass, IN_CLASS)
    )


def _fetch_by_class(
    conditions: Sequence[Any],
    _by: str,
    place: Place | None,
    *,
    descending: bool,
    limit: int,
) -> list[Row]:
    """Class by class, those without one last: two runs, each stopping when the page is full."""
    if place and (len(place.values) != 4 or place.values[0] not in {0, 1}):
        raise Invalid(DAMAGED)
    rank = place.values[0] if place else None
    backwards = descending != bool(place and place.backwards)
    rows: list[Row] = []
    for group in (1, 0) if backwards else (0, 1):
        if rank is not None and (group > rank if backwards else group < rank):
            continue
        if len(rows) < limit:
            start = Place(place.values[1:], place.backwards) if place and rank == group else None
            rows += _fetch_group(
                conditions, group, start, backwards=backwards, limit=limit - len(rows)
            )
    return rows


def _fetch_group(
    conditions: Sequence[Any],
    group: int,
    start: Place | None,
    *,
    backwards: bool,
    limit: int,
) -> list[Row]:
    if group == 0:
        columns: list[Any] = [SchoolClass.sort_name, Student.sort_name, Student.id]
        statement: Any = (
            sa.select(*_COLUMNS)
            .select_from(SchoolClass)
            .join(Enrollment, IN_CLASS & Enrollment.ends_on.is_(None))
            .join(Student, _OPEN)
        )
    else:
        columns = [Student.sort_name, Student.id]
        statement = _with_class().where(SchoolClass.id.is_(None))
    if start is not None:
        values = start.values if group == 0 else start.values[1:]
        forward = Place(values, backwards=False)
        statement = statement.where(
            after_place(columns, place_with_id(forward), descending=backwards)
        )
        if group == 0:  # lets the index of classes skip those before
            edge = SchoolClass.sort_name
            statement = statement.where(edge <= values[0] if backwards else edge >= values[0])
    order = [column.desc() if backwards else column.asc() for column in columns]
    statement = statement.where(*conditions).order_by(*order).limit(limit)
    return [Row(*row) for row in db.session.execute(statement)]


def _conditions(wanted: StudentFilter) -> Iterator[sa.ColumnElement[bool]]:
    yield from _of_status(wanted.status)
    if wanted.class_id:
        yield Student.id.in_(_in_class(wanted.class_id))
    if wanted.no_class:
        yield ~_is_in_some_class()
    if wanted.grade_level:
        yield Student.grade_level == wanted.grade_level
    if wanted.gender:
        yield Student.gender_code == wanted.gender
    if wanted.without_guardian:
        yield ~sa.exists(
            sa.select(1).where(
                StudentGuardian.school_id == Student.school_id,
                StudentGuardian.student_id == Student.id,
            )
        )


def _of_status(status: str) -> Iterator[sa.ColumnElement[bool]]:
    if not status:
        yield Student.status.in_(ON_ROLL)
    elif status == "kept":
        yield Student.status != StudentStatus.ARCHIVED
    elif status != "all":
        yield Student.status == status


def _is_in_some_class() -> sa.ColumnElement[bool]:
    place = aliased(Enrollment)
    return sa.exists(
        sa.select(1).where(
            place.school_id == Student.school_id,
            place.student_id == Student.id,
            place.ends_on.is_(None),
        )
    )


def _in_class(class_id: UUID) -> sa.Select[UUID]:
    return sa.select(Enrollment.student_id).where(
        Enrollment.class_id == class_id, Enrollment.ends_on.is_(None)
    )


def _total(
    person: Person,
    wanted: StudentFilter,
    conditions: Sequence[Any],
    found: Match,
    page: Page[Row],
) -> int | None:
    if page.before is None and page.after is None:
        return len(page.rows)
    if found.is_broad:
        return None
    who = "staff" if person.is_staff else str(person.user_id)
    key = f"count:{who}:{json.dumps(asdict(wanted), default=str)}"
    return remember(current_school_id(), "students", key, lambda: _count(conditions))


def _count(conditions: Sequence[Any]) -> int:
    counting = sa.select(sa.func.count()).select_from(Student).where(*conditions)
    return db.session.scalar(counting) or 0


def count_students(person: Person, wanted: StudentFilter) -> int:
    """How many the filter leaves, remembered."""
    conditions = [visible_to(person), *_conditions(wanted)]
    who = "staff" if person.is_staff else str(person.user_id)
    key = f"count:{who}:{json.dumps(asdict(wanted), default=str)}"
    return remember(current_school_id(), "students", key, lambda: _count(conditions))


def count_new(*, since: datetime) -> int:
    """How many were taken in since then, remembered."""
    counting = sa.select(sa.func.count()).select_from(Student)
    counting = counting.where(Student.created_at >= since, Student.status != StudentStatus.ARCHIVED)
    return remember(
        current_school_id(), "students", "new", lambda: db.session.scalar(counting) or 0
    )


def grade_levels() -> list[str]:
    """The grade levels in use, remembered."""
    return remember(current_school_id(), "students", "grades", _grade_levels)


def _grade_levels() -> list[str]:
    levels = sa.select(Student.grade_level).where(Student.grade_level.is_not(None)).distinct()
    return sorted((level for level in db.session.scalars(levels) if level), key=_by_number)


def _by_number(text: str) -> tuple[int, str]:
    digits = "".join(char for char in text if char.isdigit())
    return (int(digits) if digits else 0, text)


def every_row(
    person: Person, wanted: StudentFilter, ids: Sequence[UUID] | None = None
) -> Iterator[list[Student]]:
    """The students of an export in order of name, a thousand at a time."""
    found = _match(person, wanted.q)
    conditions = [visible_to(person)]
    conditions += [Student.id.in_(ids)] if ids else [*_conditions(wanted), *found.conditions]
    columns = [Student.sort_name, Student.id]
    place: Place | None = None
    while True:
        chunk = list(
            db.session.scalars(
                sa.select(Student)
                .where(*conditions, after_place(columns, place))
                .order_by(*columns)
                .limit(_CHUNK)
            )
        )
        if not chunk:
            return
        place = Place((chunk[-1].sort_name, chunk[-1].id))
        yield chunk
        for student in chunk:
            db.session.expunge(student)
