"""What happened to a record, and to whom it concerned: reads for the history pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.audit.models import AuditEvent, ChangeSet
from school.db import db
from school.errors import NotFound

PAGE_EVENTS = 50


def list_events(
    subject_id: UUID,
    *,
    entity: str,
    also: Iterable[tuple[str, UUID]] = (),
    before: UUID | None = None,
    limit: int = PAGE_EVENTS,
) -> list[AuditEvent]:
    """The newest events of a record, those told about it, and those of `also`; newest first.

    `before` is the id of the last event of the page read so far.
    """
    # One indexed piece each, instead of an OR over three indexes.
    pieces = [_piece(AuditEvent.about_id == subject_id, before, limit)]
    wanted = [(entity, subject_id), *also]
    for name in dict.fromkeys(name for name, _ in wanted):
        ids = [entity_id for kind, entity_id in wanted if kind == name]
        for entity_id in ids:
            condition = (AuditEvent.entity == name) & (AuditEvent.entity_id == entity_id)
            pieces.append(_piece(condition, before, limit))
    found = sa.union(*pieces).subquery()
    return list(
        db.session.scalars(
            sa.select(AuditEvent)
            .where(AuditEvent.id.in_(sa.select(found.c.id)))
            .order_by(AuditEvent.id.desc())
            .limit(limit)
        )
    )


def _piece(condition: sa.ColumnElement[bool], before: UUID | None, limit: int) -> sa.Select[UUID]:
    events = sa.select(AuditEvent.id).where(condition)
    if before is not None:
        events = events.where(AuditEvent.id < before)
    newest = events.order_by(AuditEvent.id.desc()).limit(limit).subquery()
    return sa.select(newest.c.id)


def get_event(event_id: UUID) -> AuditEvent:
    """Raises NotFound for an event of another school too."""
    event = db.session.scalar(sa.select(AuditEvent).where(AuditEvent.id == event_id))
    if event is None:
        raise NotFound("There is no such entry in the history.")
    return event


def get_change_set(change_set_id: UUID) -> ChangeSet:
    """Raises NotFound for a change set of another school too."""
    found = db.session.scalar(sa.select(ChangeSet).where(ChangeSet.id == change_set_id))
    if found is None:
        raise NotFound("There is no such change.")
    return found


def change_sets_of(change_set_ids: Iterable[UUID | None]) -> dict[UUID, sa.Row[Any]]:
    """The bulk acts: `kind`, `title` and `counts` of each."""
    ids = {change_set_id for change_set_id in change_set_ids if change_set_id}
    if not ids:
        return {}
    rows = db.session.execute(
        sa.select(ChangeSet.id, ChangeSet.kind, ChangeSet.title, ChangeSet.counts).where(
            ChangeSet.id.in_(ids)
        )
    )
    return {row.id: row for row in rows}
