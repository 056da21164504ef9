"""Students an earlier import brought who are not in this file."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from school.db import db
from school.roster.models import RosterRecord, RosterRow
from school.roster.service.writing.batch import Batch
from school.students.models import Student, StudentStatus

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


def archive_gone(import_id: UUID, batch: Batch) -> int:
    """Archive them all, as part of the import. Returns how many."""
    archived = StudentStatus.ARCHIVED.value
    rows = db.session.execute(
        sa.select(Student.id, Student.status).where(gone_from(import_id))
    ).all()
    for student_id, status in rows:
        now = {"status": archived, "status_before_archive": status, "archived_at": batch.at}
        batch.update(Student, student_id.hex, now)
        was = {"status": status}
        batch.note("student.archived", "student", student_id.hex, was, {"status": archived})
    return len(rows)
