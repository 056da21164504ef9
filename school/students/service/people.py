"""Admit, edit, archive, restore."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Any, TypedDict, Unpack
from uuid import UUID

from school import cache, clock
from school.academics.models import SchoolClass
from school.audit import log
from school.audit.actor import current_actor
from school.audit.models import ChangeSet
from school.db import db, take_turn
from school.enrollment import queries as enrollments
from school.enrollment import service as enrollment
from school.errors import Conflict, Stale
from school.students import queries
from school.students.models import Student, StudentStatus
from school.students.service import values
from school.students.service.words import index_students, student_sort_name
from school.tenancy.scope import current_school_id

FACTS = (
    "admission_number",
    "family_name",
    "given_name",
    "preferred_name",
    "family_name_first",
    "birth_date",
    "gender_code",
    "grade_level",
    "status",
    "email",
    "phone",
    "address",
    "town",
    "postcode",
    "medical_note",
    "photo_file_id",
    "user_id",
    "archived_at",
    "status_before_archive",
)
"""What the audit keeps of a student; `custom.<field id>` for the school's own fields."""
_TWICE = timedelta(minutes=1)
"""A second press of the button comes within this."""


class StudentFacts(TypedDict, total=False):
    """What may be said of a student besides the name."""

    given_name: str | None
    preferred_name: str | None
    family_name_first: bool
    birth_date: date | None
    gender_code: str | None
    grade_level: str | None
    status: str
    email: str | None
    phone: str | None
    address: str | None
    town: str | None
    postcode: str | None
    medical_note: str | None


def student_facts(student: Student) -> log.Facts:
    """Everything the audit compares, the school's own fields one by one."""
    own = {f"custom.{key}": value for key, value in (student.custom or {}).items()}
    return {**log.facts(student, FACTS), **own}


def admit_student(
    *,
    family_name: str,
    admission_number: str | None = None,
    school_class: SchoolClass | None = None,
    begins_on: date | None = None,
    custom: Mapping[str, Any] | None = None,
    change_set: ChangeSet | None = None,
    **facts: Unpack[StudentFacts],
) -> Student:
    """Take a student in, with a class if one is given. The number defaults to the next free one.

    Raises Conflict for a number in use, Invalid for a value that cannot be true.
    """
    if not admission_number:
        take_turn(db.session(), f"admission_number:{current_school_id()}")
        admission_number = queries.next_admission_number()
    clean = values.checked(
        {**facts, "family_name": family_name, "admission_number": admission_number}
    )
    values.refuse_taken_number(clean["admission_number"])
    on = begins_on or clock.today()
    enrollment.refuse_far_day(on, field="begins_on")
    student = Student(**clean, custom=_without_empty(values.checked_custom(custom or {})))
    student.sort_name = student_sort_name(student.family_name, student.given_name)
    db.session.add(student)
    db.session.flush()
    after = {key: value for key, value in student_facts(student).items() if value is not None}
    log.record("student.admitted", "student", student.id, after=after, change_set=change_set)
    index_students([student.id])
    if school_class is not None:
        enrollment.place(student.id, school_class, on, change_set=change_set)
    return student


def find_just_admitted(
    *,
    admission_number: str,
    family_name: str,
    given_name: str | None,
    birth_date: date | None,
    **_more: Any,
) -> Student | None:
    """The student the same person admitted a moment ago with this number, name and birth date:
    the button was pressed twice."""
    said = values.checked(
        {
            "admission_number": admission_number,
            "family_name": family_name,
            "given_name": given_name,
            "birth_date": birth_date,
        }
    )
    found = queries.find_by_number(said["admission_number"])
    if found is None or any(getattr(found, name) != value for name, value in said.items()):
        return None
    since = clock.now() - _TWICE
    by_same = queries.was_admitted_by(found.id, current_actor().user_id, since=since)
    return found if by_same else None


def edit_student(
    student: Student,
    *,
    version: int,
    custom: Mapping[str, Any] | None = None,
    change_set: ChangeSet | None = None,
    **changes: Any,
) -> Student:
    """Change the named facts. `version` is what the editor had read.

    Raises Stale with both sides when somebody else changed any of these facts meanwhile, and
    Conflict for the status of an archived student: only restoring brings them back.
    """
    clean = values.checked(changes)
    own = values.checked_custom(custom or {}, present=student.custom)
    if "status" in clean and student.status == StudentStatus.ARCHIVED:
        raise Conflict("Restore this student first.", field="status")
    if student.version != version:
        _refuse_stale(student, clean, own)
    if "admission_number" in clean:
        values.refuse_taken_number(clean["admission_number"], student_id=student.id)
    before = student_facts(student)
    for name, value in clean.items():
        setattr(student, name, value)
    if own:
        student.custom = _without_empty({**(student.custom or {}), **own})
    student.sort_name = student_sort_name(student.family_name, student.given_name)
    return _saved("student.edited", student, before, change_set=change_set)


def _refuse_stale(student: Student, clean: dict[str, Any], own: dict[str, Any]) -> None:
    yours = {**clean, **{f"custom_{key}": value for key, value in own.items()}}
    saved = {name: getattr(student, name) for name in clean}
    saved |= {f"custom_{key}": (student.custom or {}).get(key) for key in own}
    differing = [name for name in yours if yours[name] != saved[name]]
    if differing:
        raise Stale(
            "Somebody else changed this student while you were writing.",
            theirs={name: saved[name] for name in differing},
            yours={name: yours[name] for name in differing},
        )


def archive_student(student: Student, *, change_set: ChangeSet | None = None) -> Student:
    """Out of the lists and the class; everything stays and can be restored."""
    if student.status == StudentStatus.ARCHIVED:
        raise Conflict("This student is archived already.")
    before = student_facts(student)
    _lay_away(student)
    _saved("student.archived", student, before, change_set=change_set)
    enrollment.leave(student.id, clock.today(), change_set=change_set)
    return student


def _lay_away(student: Student) -> None:
    student.status_before_archive = student.status
    student.status = StudentStatus.ARCHIVED
    student.archived_at = clock.now()


def archive_students(student_ids: Collection[UUID]) -> ChangeSet:
    """Archive several as one act that can be undone as one."""
    students = [
        student
        for student in queries.get_students(student_ids)
        if student.status != StudentStatus.ARCHIVED
    ]
    if not students:
        raise Conflict("None of these students can be archived.")
    title = f"{len(students)} students archived" if len(students) > 1 else "A student archived"
    change_set = log.open_change_set("student.archive", title)
    before = {student.id: student_facts(student) for student in students}
    for student in students:
        _lay_away(student)
    db.session.flush()
    _tell_archived(students, before, change_set)
    change_set.counts = {"students": len(students)}
    db.session.flush()
    cache.forget(current_school_id(), "students")
    return change_set


def _tell_archived(
    students: list[Student], before: Mapping[UUID, log.Facts], change_set: ChangeSet
) -> None:
    """Written together at the end: a statement of its own for each takes minutes for thousands."""
    placed = enrollments.find_open_many([student.id for student in students])
    with db.session.no_autoflush:
        for student in students:
            log.record_change(
                "student.archived",
                "student",
                student,
                before=before[student.id],
                after=student_facts(student),
                change_set=change_set,
            )
            if student.id in placed:
                enrollment.leave(student.id, clock.today(), change_set=change_set)


def restore_student(student: Student) -> Student:
    """Back to what they were before archiving; the class is chosen anew."""
    if student.status != StudentStatus.ARCHIVED:
        raise Conflict("This student is not archived.")
    before = student_facts(student)
    student.status = student.status_before_archive or StudentStatus.ENROLLED
    student.status_before_archive = None
    student.archived_at = None
    return _saved("student.restored", student, before)


def _saved(
    action: str,
    student: Student,
    before: log.Facts,
    *,
    change_set: ChangeSet | None = None,
) -> Student:
    db.session.flush()
    after = student_facts(student)
    # A field of the school's own that was emptied is a change too.
    after |= {key: None for key in before if key not in after}
    log.record_change(action, "student", student, before=before, after=after, change_set=change_set)
    index_students([student.id])
    cache.forget(current_school_id(), "students")
    return student


def _without_empty(values_: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values_.items() if value is not None}
