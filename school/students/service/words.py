"""What follows from names: sorting names and search words, kept true after writes and undoing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

import sqlalchemy as sa

from school import cache
from school.audit.undo import undoable
from school.db import db
from school.enrollment.models import Enrollment
from school.files.models import OwnerKind
from school.files.service.holding import what_keeps
from school.search.index import replace_words
from school.search.models import Kind
from school.search.words import contact_words, fold, words_of, words_of_all
from school.students.models import Guardian, Student, StudentGuardian
from school.students.queries.families import OF_LINK
from school.tenancy.scope import current_school_id

_CHUNK = 500


def student_sort_name(family_name: str, given_name: str | None) -> str:
    """Folded, family name first, so that every database sorts it alike."""
    return fold(f"{family_name} {given_name or ''}".strip())[:400]


def guardian_sort_name(name: str) -> str:
    """The last word first: "Katarzyna Dąbrowska" stands under D."""
    words = fold(name).split()
    return " ".join([*words[-1:], *words[:-1]])[:400]


def guardian_words(name: str, phone: str | None, email: str | None) -> set[str]:
    """By what a guardian is found."""
    return {*words_of(name), *contact_words(phone, email)}


def index_students(student_ids: Collection[UUID]) -> None:
    """Rewrite the words by which these students are found, with their guardians' names."""
    for chunk in _chunked(student_ids):
        _index_students(chunk)
    cache.forget(current_school_id(), "students")


def _index_students(ids: list[UUID]) -> None:
    # Held before the guardians' names are read: whoever edits another guardian at this moment
    # comes after us and reads what we wrote.
    students = db.session.execute(
        sa.select(
            Student.id,
            Student.admission_number,
            Student.family_name,
            Student.given_name,
            Student.preferred_name,
        )
        .where(Student.id.in_(ids))
        .order_by(Student.id)
        .with_for_update(key_share=True)
    ).all()
    names: dict[UUID, list[str]] = {}
    rows = db.session.execute(
        sa.select(StudentGuardian.student_id, Guardian.name)
        .join(Guardian, OF_LINK)
        .where(StudentGuardian.student_id.in_(ids))
    )
    for student_id, name in rows:
        names.setdefault(student_id, []).append(name)
    found = {row[0]: words_of_all([*row[1:], *names.get(row[0], [])]) for row in students}
    replace_words(Kind.STUDENT, {one: found.get(one, set()) for one in ids})


def index_guardians(guardian_ids: Collection[UUID]) -> None:
    """Rewrite the words of guardians, and of the students found by their names."""
    touched: set[UUID] = set()
    for chunk in _chunked(guardian_ids):
        rows = db.session.execute(
            sa.select(Guardian.id, Guardian.name, Guardian.phone, Guardian.email)
            .where(Guardian.id.in_(chunk))
            .order_by(Guardian.id)
            .with_for_update(key_share=True)
        )
        found = {row[0]: guardian_words(*row[1:]) for row in rows}
        replace_words(Kind.GUARDIAN, {one: found.get(one, set()) for one in chunk})
        touched |= set(
            db.session.scalars(
                sa.select(StudentGuardian.student_id).where(StudentGuardian.guardian_id.in_(chunk))
            )
        )
    index_students(touched)


def _student_undone(ids: Collection[UUID]) -> None:
    for chunk in _chunked(ids):
        for student in db.session.scalars(sa.select(Student).where(Student.id.in_(chunk))):
            student.sort_name = student_sort_name(student.family_name, student.given_name)
        db.session.flush()
    index_students(ids)


def _guardian_undone(ids: Collection[UUID]) -> None:
    for chunk in _chunked(ids):
        for guardian in db.session.scalars(sa.select(Guardian).where(Guardian.id.in_(chunk))):
            guardian.sort_name = guardian_sort_name(guardian.name)
        db.session.flush()
    index_guardians(ids)


def _what_hangs_on_student(ids: Collection[UUID]) -> dict[UUID, str]:
    """New students somebody gave files, a legal hold, a guardian or a class since they came."""
    found: dict[UUID, str] = {}
    for reason, owner in (
        ("guardian", StudentGuardian.student_id),
        ("enrollment", Enrollment.student_id),
    ):
        rows = db.session.scalars(sa.select(owner).where(owner.in_(ids)))
        found |= dict.fromkeys(rows, reason)
    return found | what_keeps(OwnerKind.STUDENT, ids)


def _what_hangs_on_guardian(ids: Collection[UUID]) -> dict[UUID, str]:
    rows = db.session.scalars(
        sa.select(StudentGuardian.guardian_id).where(StudentGuardian.guardian_id.in_(ids))
    )
    return dict.fromkeys(rows, "student")


def _what_hangs_on_class(ids: Collection[UUID]) -> dict[UUID, str]:
    rows = db.session.scalars(sa.select(Enrollment.class_id).where(Enrollment.class_id.in_(ids)))
    return dict.fromkeys(rows, "enrollment")


def _chunked(ids: Iterable[UUID]) -> Iterable[list[UUID]]:
    rest = list(ids)
    for start in range(0, len(rest), _CHUNK):
        yield rest[start : start + _CHUNK]


undoable("student", guard=_what_hangs_on_student, refresh=_student_undone)
undoable("guardian", guard=_what_hangs_on_guardian, refresh=_guardian_undone)
undoable("student_guardian", refresh_about=index_students)
undoable("school_class", guard=_what_hangs_on_class)
undoable("custom_field")
