"""Verbs: classes are made, renamed, archived."""

from __future__ import annotations

import re
from datetime import date

from school.academics import queries
from school.academics.models import AcademicYear, SchoolClass
from school.audit.log import facts, record, record_change
from school.audit.models import ChangeSet
from school.audit.undo import undoable
from school.cache import forget
from school.db import db
from school.errors import Conflict, Invalid, Stale
from school.search.index import forget as forget_words
from school.search.index import index_words
from school.search.models import Kind
from school.search.words import fold
from school.tenancy.scope import current_school_id
from school.unseen import drop_unseen

FACTS = ("name", "sort_name", "grade_level", "is_archived", "academic_year_id")
_DIGITS = re.compile(r"\d+")


def sort_name(name: str) -> str:
    """Folded, its numbers padded, so that "8B" stands before "10A"."""
    return _DIGITS.sub(lambda digits: digits.group().zfill(6), fold(name))[:200]


def open_year(name: str, begins_on: date, ends_on: date) -> AcademicYear:
    """A new current academic year; the one before is current no more."""
    if begins_on >= ends_on:
        raise Invalid("The year ends before it begins.", field="ends_on")
    before = queries.find_current_year()
    if before is not None:
        before.is_current = False
        db.session.flush()
    year = AcademicYear(name=name, begins_on=begins_on, ends_on=ends_on, is_current=True)
    db.session.add(year)
    db.session.flush()
    forget(current_school_id(), "academics")
    record("academic_year.opened", "academic_year", year.id, after=facts(year, ("name",)))
    return year


def create_class(
    name: str, *, grade_level: str | None = None, change_set: ChangeSet | None = None
) -> SchoolClass:
    """A class in the current year. Raises Conflict when the name is taken."""
    name = _checked(name)
    year = queries.get_current_year()
    if queries.find_class(name, academic_year_id=year.id):
        raise Conflict("There is a class %(name)s already.", field="name", name=name)
    school_class = SchoolClass(
        academic_year_id=year.id, name=name, sort_name=sort_name(name), grade_level=grade_level
    )
    db.session.add(school_class)
    db.session.flush()
    record(
        "school_class.created",
        "school_class",
        school_class.id,
        after=facts(school_class, FACTS),
        change_set=change_set,
    )
    _index(school_class)
    return school_class


def get_or_create_class(
    name: str, *, grade_level: str | None = None, change_set: ChangeSet | None = None
) -> SchoolClass:
    """The class of this name in the current year."""
    year = queries.get_current_year()
    found = queries.find_class(_checked(name), academic_year_id=year.id)
    return found or create_class(name, grade_level=grade_level, change_set=change_set)


def edit_class(
    school_class: SchoolClass, *, version: int, name: str, grade_level: str | None
) -> SchoolClass:
    """Rename it or move it to another grade level."""
    name = _checked(name)
    before = facts(school_class, FACTS)
    if school_class.version != version:
        yours = {"name": name, "grade_level": grade_level}
        raise Stale(
            "Somebody else changed this class while you were writing.",
            theirs={key: before[key] for key in yours},
            yours=yours,
        )
    taken = queries.find_class(name, academic_year_id=school_class.academic_year_id)
    if taken is not None and taken.id != school_class.id:
        raise Conflict("There is a class %(name)s already.", field="name", name=name)
    school_class.name = name
    school_class.sort_name = sort_name(name)
    school_class.grade_level = grade_level
    return _saved("school_class.edited", school_class, before)


def archive_class(school_class: SchoolClass) -> SchoolClass:
    """Out of the lists; who was in it stays recorded."""
    before = facts(school_class, FACTS)
    school_class.is_archived = True
    return _saved("school_class.archived", school_class, before)


def restore_class(school_class: SchoolClass) -> SchoolClass:
    before = facts(school_class, FACTS)
    school_class.is_archived = False
    return _saved("school_class.restored", school_class, before)


def _saved(action: str, school_class: SchoolClass, before: dict[str, object]) -> SchoolClass:
    db.session.flush()
    record_change(
        action, "school_class", school_class, before=before, after=facts(school_class, FACTS)
    )
    _index(school_class)
    return school_class


def _checked(name: str) -> str:
    name = " ".join(drop_unseen(name).split())
    if not 1 <= len(name) <= 100:
        raise Invalid("A class needs a name of up to 100 letters.", field="name")
    return name


def _index(school_class: SchoolClass) -> None:
    if school_class.is_archived:
        forget_words(Kind.CLASS, [school_class.id])
    else:
        index_words(Kind.CLASS, school_class.id, [school_class.name])
    forget(current_school_id(), "students")


undoable("school_class")
