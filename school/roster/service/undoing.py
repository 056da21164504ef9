"""Take a whole import back, and keep what people did since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from school import cache
from school.academics.models import SchoolClass
from school.audit.models import AuditEvent, ChangeSet, ChangeSetState
from school.audit.undo import Kept, undo_change_set
from school.db import as_json, db, take_write_lock
from school.enrollment.models import Enrollment
from school.errors import Conflict
from school.files.models import OwnerKind
from school.files.service.holding import what_keeps
from school.roster.models import ImportState, RosterImport, RosterRecord, RosterRow
from school.roster.service import bulk
from school.roster.service.staging import get_import
from school.search.index import forget as forget_words
from school.search.models import Kind
from school.students.models import CustomField, Student, StudentGuardian
from school.tenancy.scope import current_school_id

_CHUNK = 500
_KEPT_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Undone:
    """How many records were put back, and what stayed because people worked on it since."""

    restored: int
    kept: list[Kept]


def undo(import_id: UUID) -> Undone:
    """Call it inside one transaction. Raises Conflict when it is too late or done already."""
    _claim(import_id)
    bulk.plan_for_many(db.session())
    imported = get_import(import_id)
    change_set = db.session.scalars(
        sa.select(ChangeSet).where(ChangeSet.id == imported.change_set_id)
    ).one()
    at = change_set.committed_at
    assert at is not None
    with bulk.without_cycle_search():
        named = _named_since(at)
        for ids in _created(change_set.id):
            _loosen(ids, change_set.id, named)
        report = undo_change_set(change_set)
        _restore_base(import_id)
    _drop_empty_classes(at)
    _drop_empty_fields(at)
    _close(imported, report.restored, report.kept)
    return Undone(report.restored, report.kept)


def _claim(import_id: UUID) -> None:
    take_write_lock(db.session())
    claimed = db.session.execute(
        sa.update(RosterImport)
        .where(RosterImport.id == import_id, RosterImport.state == ImportState.COMMITTED)
        .values(state=ImportState.UNDOING, version=RosterImport.version + 1)
        .execution_options(synchronize_session=False)
    )
    if claimed.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("Only a saved import can be undone, and only once.")
    db.session.expire_all()


def _created(change_set_id: UUID) -> Iterator[list[UUID]]:
    """The students the import brought, by chunks."""
    last: UUID | None = None
    while True:
        query = (
            sa.select(AuditEvent.id, AuditEvent.entity_id)
            .where(AuditEvent.change_set_id == change_set_id, AuditEvent.entity == "student")
            .where(AuditEvent.action == "student.admitted")
            .order_by(AuditEvent.id)
            .limit(_CHUNK)
        )
        rows = db.session.execute(
            query if last is None else query.where(AuditEvent.id > last)
        ).all()
        if not rows:
            return
        last = rows[-1][0]
        yield [row[1] for row in rows]


def _named_since(at: datetime) -> set[UUID]:
    """Students that a newer import, which still stands, has in its file: they stay."""
    newer = sa.select(RosterImport.id).where(
        RosterImport.state == ImportState.COMMITTED, RosterImport.committed_at > at
    )
    rows = db.session.scalars(
        sa.select(RosterRow.student_id).where(
            RosterRow.import_id.in_(newer), RosterRow.student_id.is_not(None)
        )
    )
    return {one for one in rows if one is not None}


def _loosen(ids: list[UUID], change_set_id: UUID, named: set[UUID]) -> None:
    """Untie students nobody worked on from guardians and classes, so that they can go."""
    touched = _touched(ids, change_set_id) | named
    free = [student_id for student_id in ids if student_id not in touched]
    for model in (StudentGuardian, Enrollment):
        owner: Any = model.student_id
        db.session.execute(
            sa.delete(model).where(owner.in_(free)).execution_options(synchronize_session=False)
        )


def _touched(ids: list[UUID], change_set_id: UUID) -> set[UUID]:
    """Those with anything on them that neither this import nor one undone since has made."""
    undone = sa.select(ChangeSet.id).where(ChangeSet.state == ChangeSetState.UNDONE)
    by_people = sa.and_(
        AuditEvent.action.not_like("%.undone"),
        sa.or_(
            AuditEvent.change_set_id.is_(None),
            sa.and_(
                AuditEvent.change_set_id != change_set_id, AuditEvent.change_set_id.not_in(undone)
            ),
        ),
    )
    looks = (
        sa.select(AuditEvent.entity_id).where(
            AuditEvent.entity == "student", AuditEvent.entity_id.in_(ids), by_people
        ),
        sa.select(AuditEvent.about_id).where(AuditEvent.about_id.in_(ids), by_people),
    )
    found = {one for look in looks for one in db.session.scalars(look) if one is not None}
    return found | what_keeps(OwnerKind.STUDENT, ids).keys()


def _restore_base(import_id: UUID) -> None:
    """What the newest import before said, of those that still stand, is the base again."""
    undone = {
        str(one)
        for one in db.session.scalars(
            sa.select(RosterImport.id).where(RosterImport.state == ImportState.UNDONE)
        )
    }
    session = db.session()
    last: UUID | None = None
    while True:
        query = sa.select(RosterRecord.student_id, RosterRecord.before).where(
            RosterRecord.import_id == import_id
        )
        if last is not None:
            query = query.where(RosterRecord.student_id > last)
        rows = session.execute(query.order_by(RosterRecord.student_id).limit(_CHUNK)).all()
        if not rows:
            return
        last = rows[-1][0]
        _restore(session, {row[0].hex: row[1] for row in rows}, undone)


def _restore(session: Session, rows: dict[str, list[Any]], undone: set[str]) -> None:
    school_id = current_school_id().hex
    standing = {
        student_id: [one for one in before if one["import_id"] not in undone]
        for student_id, before in rows.items()
    }
    bulk.update(
        session,
        RosterRecord,
        keys=("school_id", "student_id"),
        columns=("import_id", "said", "before"),
        rows=[
            (UUID(one["import_id"]).hex, as_json(one["said"]), as_json(rest), school_id, student_id)
            for student_id, (one, *rest) in ((key, left) for key, left in standing.items() if left)
        ],
    )
    gone = [(school_id, student_id) for student_id, left in standing.items() if not left]
    bulk.delete(session, RosterRecord, keys=("school_id", "student_id"), rows=gone)


def _drop_empty_classes(at: datetime) -> None:
    """Classes the import made go if nobody was ever put in them besides."""
    empty = db.session.scalars(
        sa.select(SchoolClass.id)
        .where(SchoolClass.created_at == at, SchoolClass.version == 1)
        .where(SchoolClass.id.not_in(sa.select(Enrollment.class_id)))
    ).all()
    for start in range(0, len(empty), _CHUNK):
        ids = empty[start : start + _CHUNK]
        db.session.execute(
            sa.delete(SchoolClass)
            .where(SchoolClass.id.in_(ids))
            .execution_options(synchronize_session=False)
        )
    forget_words(Kind.CLASS, empty)


def _drop_empty_fields(at: datetime) -> None:
    """Own fields the import made go if no student has a value in them."""
    for field_id in db.session.scalars(
        sa.select(CustomField.id).where(CustomField.created_at == at, CustomField.version == 1)
    ).all():
        value = Student.custom[str(field_id)].as_string()
        if db.session.scalar(sa.select(Student.id).where(value.is_not(None)).limit(1)) is None:
            db.session.execute(
                sa.delete(CustomField)
                .where(CustomField.id == field_id)
                .execution_options(synchronize_session=False)
            )


def _close(imported: RosterImport, restored: int, kept: list[Kept]) -> None:
    imported.state = ImportState.UNDONE
    imported.counts = {
        **imported.counts,
        "undone": {
            "restored": restored,
            "kept": len(kept),
            "kept_list": [
                {
                    "entity": one.entity,
                    "id": str(one.entity_id),
                    "about": str(one.about_id) if one.about_id else None,
                    "field": one.field,
                    "theirs": _plain(one.theirs),
                    "ours": _plain(one.ours),
                }
                for one in kept[:_KEPT_SHOWN]
            ],
        },
    }
    db.session.flush()
    for topic in ("students", "guardians", "classes", "files"):
        cache.forget(current_school_id(), topic)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
