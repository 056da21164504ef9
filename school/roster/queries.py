"""Reads: imports, the preview's rows and counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.audit.models import ChangeSet
from school.cache import remember
from school.db import db
from school.roster.models import ImportState, RosterImport, RosterRow, RowOutcome
from school.students.models import Guardian, Student
from school.tenancy.scope import current_school_id

SHOWN = ("repair", "look", "new", "changed", "same", "gone", "out")
_BLOCKED, _REMARK = 0, 1


def list_imports(limit: int = 50) -> Sequence[RosterImport]:
    """The newest first; thrown-away ones are not shown."""
    return db.session.scalars(
        sa.select(RosterImport)
        .where(RosterImport.state != ImportState.DISCARDED)
        .order_by(RosterImport.created_at.desc(), RosterImport.id.desc())
        .limit(limit)
    ).all()


def count_unfinished() -> int:
    """Imports that were checked and neither saved nor thrown away, remembered."""
    counting = (
        sa.select(sa.func.count())
        .select_from(RosterImport)
        .where(RosterImport.state == ImportState.PREVIEW)
    )
    return remember(
        current_school_id(), "imports", "unfinished", lambda: db.session.scalar(counting) or 0
    )


def people_named(ids: Sequence[UUID]) -> dict[UUID, str]:
    """{id: name} of those that are students or guardians of the school."""
    students = db.session.execute(
        sa.select(Student.id, Student.given_name, Student.family_name).where(Student.id.in_(ids))
    )
    guardians = db.session.execute(
        sa.select(Guardian.id, Guardian.name).where(Guardian.id.in_(ids))
    )
    return {
        student_id: " ".join(filter(None, names)) for student_id, *names in students
    } | dict(guardians.all())


def find_change_set(imported: RosterImport) -> ChangeSet | None:
    """The change set of a saved import."""
    return db.session.scalar(sa.select(ChangeSet).where(ChangeSet.id == imported.change_set_id))


def count_rows(import_id: UUID) -> dict[str, int]:
    """{what is shown: how many rows}; `out` are left out by choice, `repair` need a person."""
    rows = db.session.execute(
        sa.select(RosterRow.rank, RosterRow.outcome, RosterRow.is_left_out, sa.func.count())
        .where(RosterRow.import_id == import_id)
        .group_by(RosterRow.rank, RosterRow.outcome, RosterRow.is_left_out)
    )
    counts = dict.fromkeys((*SHOWN, "all", "import"), 0)
    for rank, outcome, is_left_out, number in rows:
        counts["all"] += number
        if is_left_out:
            counts["out"] += number
            continue
        if rank == _BLOCKED:
            counts["repair"] += number
            continue
        counts["import"] += number
        counts["look"] += number if rank == _REMARK else 0
        counts[_SHOWN_AS[RowOutcome(outcome)]] += number
    return counts


_SHOWN_AS = {RowOutcome.NEW: "new", RowOutcome.CHANGED: "changed", RowOutcome.UNCHANGED: "same"}


def rows_shown(show: str) -> sa.ColumnElement[bool]:
    """Condition on RosterRow for one of the counts; everything for any other word."""
    taken = RosterRow.is_left_out.is_(False)
    unblocked = sa.and_(taken, RosterRow.rank > _BLOCKED)
    return {
        "repair": sa.and_(taken, RosterRow.rank == _BLOCKED),
        "look": sa.and_(taken, RosterRow.rank == _REMARK),
        "new": sa.and_(unblocked, RosterRow.outcome == RowOutcome.NEW),
        "changed": sa.and_(unblocked, RosterRow.outcome == RowOutcome.CHANGED),
        "same": sa.and_(unblocked, RosterRow.outcome == RowOutcome.UNCHANGED),
        "out": RosterRow.is_left_out.is_(True),
    }.get(show, sa.true())


def list_rows(
    import_id: UUID, show: str, *, after: Any, order: Sequence[Any], limit: int
) -> Sequence[RosterRow]:
    """Rows of the preview, from a place on."""
    return db.session.scalars(
        sa.select(RosterRow)
        .where(RosterRow.import_id == import_id, rows_shown(show), after)
        .order_by(*order)
        .limit(limit)
    ).all()


def get_row(import_id: UUID, line: int) -> RosterRow | None:
    return db.session.scalar(
        sa.select(RosterRow)
        .where(RosterRow.import_id == import_id, RosterRow.line == line)
        .execution_options(populate_existing=True)
    )


def names_of(student_ids: Sequence[UUID]) -> dict[UUID, tuple[str | None, str]]:
    """{id: (given name, family name)}."""
    rows = db.session.execute(
        sa.select(Student.id, Student.given_name, Student.family_name).where(
            Student.id.in_(student_ids)
        )
    )
    return {student_id: (given, family) for student_id, given, family in rows}


def list_gone(condition: Any, *, after: Any, order: Sequence[Any], limit: int) -> Sequence[Any]:
    """Students on roll who are not in the file."""
    return db.session.execute(
        sa.select(
            Student.id,
            Student.given_name,
            Student.family_name,
            Student.admission_number,
            Student.sort_name,
        )
        .where(condition, after)
        .order_by(*order)
        .limit(limit)
    ).all()
