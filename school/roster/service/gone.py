"""Students an earlier import brought who are not in this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from school.db import db
from school.roster.models import RosterRecord, RosterRow
from school.roster.service import bulk
from school.students.models import Student, StudentStatus

if TYPE_CHECKING:
    from school.roster.service.ledger import Ledger

ON_ROLL = (StudentStatus.JOINING, StudentStatus.ENROLLED)


def gone_from(import_id: UUID) -> sa.ColumnElement[bool]:
    """Condition on Student: on roll, brought by an earlier import, not in this file."""
    here = sa.select(RosterRow.student_id).where(
        RosterRow.import_id == import_id, RosterRow.student_id.is_not(None)
    )
    earlier = sa.select(RosterRecord.student_id).where(RosterRecord.import_id != import_id)
    return sa.and_(Student.status.in_(ON_ROLL), Student.id.in_(earlier), Student.id.not_in(here))


def count_gone(import_id: UUID) -> int:
    return (
        db.session.scalar(
            sa.select(sa.func.count()).select_from(Student).where(gone_from(import_id))
        )
        or 0
    )


def archive_gone(import_id: UUID, ledger: Ledger) -> int:
    """Archive them all, as part of the import. Returns how many."""
    rows = db.session.execute(
        sa.select(Student.id, Student.status).where(gone_from(import_id))
    ).all()
    archived: list[Any] = []
    for student_id, status in rows:
        archived.append(
            (
                StudentStatus.ARCHIVED.value,
                status,
                ledger.at,
                ledger.at,
                ledger.school_id,
                student_id.hex,
            )
        )
        ledger.note(
            "student.archived",
            "student",
            student_id.hex,
            {"status": status},
            {"status": StudentStatus.ARCHIVED.value},
        )
    bulk.update(
        db.session(),
        Student,
        keys=("school_id", "id"),
        columns=("status", "status_before_archive", "archived_at", "updated_at"),
        rows=archived,
    )
    ledger.flush()
    return len(rows)
