"""Take back a bulk act or a single one, and say which acts still stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.audit.actor import current_actor
from school.audit.models import AuditEvent, ChangeSet, ChangeSetState
from school.audit.undo.owners import UndoReport, owners
from school.audit.undo.reverting import current_rows, read_field, revert_all
from school.db import Base, db, take_write_lock
from school.errors import Conflict

CHUNK = 1_000


def undo_change_set(change_set: ChangeSet) -> UndoReport:
    """Take a whole bulk act back. Raises Conflict when it is too late, or already undone."""
    at = clock.now()
    db.session.refresh(change_set, with_for_update=None)
    if not change_set.is_undoable(at):
        raise Conflict("This can't be undone any more.")
    report = _undo(AuditEvent.change_set_id == change_set.id)
    change_set.state = ChangeSetState.UNDONE
    change_set.undone_at = at
    change_set.undone_by = current_actor().name
    db.session.flush()
    return report


def undo_event(event: AuditEvent) -> UndoReport:
    """Take one act back: the event, and with it what the same act did about the same record.

    (A move closes one enrollment and opens another: both go back together.)
    """
    if event.change_set_id is None:
        return _undo(AuditEvent.id == event.id)
    subject = event.about_id or event.entity_id
    concerns = sa.or_(AuditEvent.about_id == subject, AuditEvent.entity_id == subject)
    return _undo((AuditEvent.change_set_id == event.change_set_id) & concerns)


def _undo(condition: sa.ColumnElement[bool]) -> UndoReport:
    take_write_lock(db.session())
    db.session.flush()
    report = UndoReport()
    touched: dict[str, set[UUID]] = defaultdict(set)
    about: dict[str, set[UUID]] = defaultdict(set)
    entities = _entities(condition)
    # What hangs on others goes first, and comes back last.
    for removed_only, names in ((False, list(reversed(entities))), (True, entities)):
        for name in names:
            scope = condition & (AuditEvent.entity == name)
            scope &= AuditEvent.after.is_(None) if removed_only else AuditEvent.after.is_not(None)
            for events in _chunks(scope):
                touched[name] |= revert_all(name, events, report)
                about[name] |= {event.about_id for event in events if event.about_id}
    db.session.expire_all()
    for name, ids in touched.items():
        owner = owners[name]
        if owner.refresh and ids:
            owner.refresh(ids)
        if owner.refresh_about and about[name]:
            owner.refresh_about(about[name])
    return report


def _entities(condition: sa.ColumnElement[bool]) -> list[str]:
    """The tables concerned, what others hang on first."""
    present = set(db.session.scalars(sa.select(AuditEvent.entity).where(condition).distinct()))
    return [
        table.name
        for table in Base.metadata.sorted_tables
        if table.name in present and table.name in owners
    ]


def _chunks(condition: sa.ColumnElement[bool]) -> Iterator[list[AuditEvent]]:
    """The events, newest first, a thousand at a time."""
    last: UUID | None = None
    while True:
        query = sa.select(AuditEvent).where(condition).order_by(AuditEvent.id.desc()).limit(CHUNK)
        if last is not None:
            query = query.where(AuditEvent.id < last)
        events = list(db.session.scalars(query))
        if not events:
            return
        last = events[-1].id
        yield events
        for event in events:
            db.session.expunge(event)


def may_be_undone(events: Iterable[AuditEvent]) -> set[UUID]:
    """Of these events, the ids whose act still stands in at least one field."""
    by_entity: dict[str, list[AuditEvent]] = defaultdict(list)
    for event in events:
        if event.entity in owners and not event.action.endswith(".undone"):
            by_entity[event.entity].append(event)
    found: set[UUID] = set()
    for entity, mine in by_entity.items():
        rows = current_rows(Base.metadata.tables[entity], {event.entity_id for event in mine})
        found |= {event.id for event in mine if _stands(event, rows.get(event.entity_id))}
    return found


def _stands(event: AuditEvent, row: dict[str, Any] | None) -> bool:
    if event.after is None:
        return row is None
    if row is None or (event.before is None and event.entity in {"student", "guardian"}):
        return False  # people are archived, never undone away one by one
    return any(read_field(row, name) == value for name, value in event.after.items())
