"""Students an earlier import brought who are not in this file."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.audit.log import plain
from school.db import db
from school.enrollment.models import Enrollment
from school.errors import Conflict
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


def refuse_unknown_rows(import_id: UUID) -> None:
    """Raises Conflict while a row to be repaired may mean one of those who seem gone."""
    unknown = db.session.scalar(
        sa.select(sa.func.count())
        .select_from(RosterRow)
        .where(RosterRow.import_id == import_id, RosterRow.student_id.is_(None))
        .where(RosterRow.is_blocked.is_(True), RosterRow.is_left_out.is_(False))
    )
    if unknown:
        raise Conflict(
            "In %(count)s rows nobody can tell who is meant; it may be somebody who seems to be "
            "missing. Repair these rows or leave them out, then archive who is not in the file.",
            count=unknown,
        )


def archive_gone(import_id: UUID, batch: Batch) -> int:
    """Archive them all and end their classes, as part of the import. Returns how many."""
    rows = db.session.execute(
        sa.select(Student.id, Student.status, Enrollment.id, Enrollment.begins_on)
        .outerjoin(
            Enrollment, sa.and_(Enrollment.student_id == Student.id, Enrollment.ends_on.is_(None))
        )
        .where(gone_from(import_id))
    ).all()
    for student_id, status, enrollment_id, begins_on in rows:
        _archive(batch, student_id.hex, status)
        if enrollment_id:
            ends_on = max(clock.today(), begins_on).isoformat()
            batch.update(Enrollment, enrollment_id.hex, {"ends_on": ends_on})
            batch.note(
                "enrollment.closed",
                "enrollment",
                enrollment_id.hex,
                {"ends_on": None},
                {"ends_on": ends_on},
                about=student_id.hex,
            )
    return len(rows)


def _archive(batch: Batch, student_id: str, status: str) -> None:
    now = {"status": StudentStatus.ARCHIVED.value, "status_before_archive": status}
    batch.update(Student, student_id, {**now, "archived_at": batch.at})
    batch.note(
        "student.archived",
        "student",
        student_id,
        {"status": status, "status_before_archive": None, "archived_at": None},
        {**now, "archived_at": plain(batch.happened_at)},
    )
