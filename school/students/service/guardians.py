"""Guardians: added, linked to students, edited, put in order, unlinked."""

from __future__ import annotations

from typing import Any, TypedDict, Unpack
from uuid import UUID

import sqlalchemy as sa

from school import cache
from school.audit import log
from school.audit.models import ChangeSet
from school.db import db
from school.errors import Conflict, Stale
from school.students import queries
from school.students.models import Guardian, Student, StudentGuardian
from school.students.service import values
from school.students.service.words import guardian_sort_name, index_guardians, index_students
from school.tenancy.scope import current_school_id

GUARDIAN_FACTS = ("name", "sort_name", "phone", "email", "address", "language", "user_id")
LINK_FACTS = (
    "student_id",
    "guardian_id",
    "relationship",
    "emergency_order",
    "has_custody",
    "may_be_contacted",
    "lives_with",
)


class GuardianFacts(TypedDict, total=False):
    """What may be said of a guardian besides the name."""

    phone: str | None
    email: str | None
    address: str | None
    language: str | None


class LinkFacts(TypedDict, total=False):
    """What a guardian is to one student."""

    relationship: str | None
    has_custody: bool
    may_be_contacted: bool
    lives_with: bool


def add_guardian(
    name: str,
    *,
    change_set: ChangeSet | None = None,
    **facts: Unpack[GuardianFacts],
) -> Guardian:
    """A person who may then be linked to any number of students."""
    clean = values.checked({**facts, "name": name})
    guardian = Guardian(**clean, sort_name=guardian_sort_name(clean["name"]))
    db.session.add(guardian)
    db.session.flush()
    log.record(
        "guardian.added",
        "guardian",
        guardian.id,
        after=log.facts(guardian, GUARDIAN_FACTS),
        change_set=change_set,
    )
    index_guardians([guardian.id])
    return guardian


def edit_guardian(guardian: Guardian, *, version: int, **changes: Any) -> Guardian:
    """Change the named facts, for all their students at once. Raises Stale."""
    clean = values.checked(changes)
    if guardian.version != version:
        _refuse_stale(guardian, clean, "Somebody else changed this guardian meanwhile.")
    before = log.facts(guardian, GUARDIAN_FACTS)
    for name, value in clean.items():
        setattr(guardian, name, value)
    guardian.sort_name = guardian_sort_name(guardian.name)
    db.session.flush()
    after = log.facts(guardian, GUARDIAN_FACTS)
    log.record_change("guardian.edited", "guardian", guardian, before=before, after=after)
    index_guardians([guardian.id])
    return guardian


def _refuse_stale(row: Any, clean: dict[str, Any], message: str) -> None:
    differing = [name for name, value in clean.items() if getattr(row, name) != value]
    if differing:
        raise Stale(
            message,
            theirs={name: getattr(row, name) for name in differing},
            yours={name: clean[name] for name in differing},
        )


def link_guardian(
    student: Student,
    guardian: Guardian,
    *,
    change_set: ChangeSet | None = None,
    **facts: Unpack[LinkFacts],
) -> StudentGuardian:
    """Say that this guardian is responsible for this student; called last until moved up."""
    links = queries.guardian_links(student.id)
    if any(link.guardian_id == guardian.id for link, _ in links):
        raise Conflict("%(name)s belongs to this student already.", name=guardian.name)
    link = StudentGuardian(
        student_id=student.id,
        guardian_id=guardian.id,
        emergency_order=max((link.emergency_order for link, _ in links), default=0) + 1,
        **values.checked(facts),
    )
    db.session.add(link)
    db.session.flush()
    log.record(
        "student_guardian.linked",
        "student_guardian",
        link.id,
        after=log.facts(link, LINK_FACTS),
        about_id=student.id,
        change_set=change_set,
    )
    _changed(student.id)
    return link


def edit_link(link: StudentGuardian, *, version: int, **facts: Unpack[LinkFacts]) -> None:
    """Relationship, custody, contact, where the student lives. Raises Stale."""
    clean = values.checked(facts)
    if link.version != version:
        _refuse_stale(link, clean, "Somebody else changed this meanwhile.")
    before = log.facts(link, LINK_FACTS)
    for name, value in clean.items():
        setattr(link, name, value)
    _link_saved(link, before)


def move_link(link: StudentGuardian, *, by: int) -> None:
    """Call this guardian earlier (by -1) or later (by 1)."""
    links = [other for other, _ in queries.guardian_links(link.student_id)]
    at = links.index(link)
    to = min(max(at + by, 0), len(links) - 1)
    links.insert(to, links.pop(at))
    for order, other in enumerate(links, start=1):
        if other.emergency_order != order:
            before = log.facts(other, LINK_FACTS)
            other.emergency_order = order
            _link_saved(other, before)


def unlink_guardian(link: StudentGuardian) -> None:
    """The guardian stays known to the school; only this tie ends."""
    before, student_id, link_id = log.facts(link, LINK_FACTS), link.student_id, link.id
    db.session.execute(sa.delete(StudentGuardian).where(StudentGuardian.id == link_id))
    db.session.expire_all()
    log.record(
        "student_guardian.unlinked", "student_guardian", link_id, before=before, about_id=student_id
    )
    _changed(student_id)


def _link_saved(link: StudentGuardian, before: log.Facts) -> None:
    db.session.flush()
    log.record_change(
        "student_guardian.edited",
        "student_guardian",
        link,
        before=before,
        after=log.facts(link, LINK_FACTS),
        about_id=link.student_id,
    )
    cache.forget(current_school_id(), "students")


def _changed(student_id: UUID) -> None:
    index_students([student_id])
