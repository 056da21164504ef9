"""Record an act, in the same transaction as the act."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import object_session

from school import clock
from school.audit.actor import current_actor
from school.audit.models import AuditEvent, ChangeSet, ChangeSetState, PlatformEvent
from school.db import Base, db

Facts = dict[str, Any]


def plain(value: Any) -> Any:
    """A value as JSON keeps it: ids and dates as text, everything else as it is."""
    if isinstance(value, UUID | date | datetime):
        return str(value) if isinstance(value, UUID) else value.isoformat()
    return value


def facts(row: Base, fields: Iterable[str]) -> Facts:
    """The named columns of a row, as the audit keeps them."""
    return {field: plain(getattr(row, field)) for field in fields}


def difference(before: Facts, after: Facts) -> tuple[Facts, Facts]:
    """Just the fields that differ, on both sides."""
    changed = [field for field in after if before.get(field) != after[field]]
    return {f: before.get(f) for f in changed}, {f: after[f] for f in changed}


def record(
    action: str,
    entity: str,
    entity_id: UUID,
    *,
    before: Facts | None = None,
    after: Facts | None = None,
    about_id: UUID | None = None,
    change_set: ChangeSet | None = None,
) -> AuditEvent:
    """Add one event about a school's record. Flushed and committed with the act itself.

    `entity` is the record's table; `about_id` names somebody on whose page it is told too.
    """
    actor = current_actor()
    event = AuditEvent(
        action=action,
        entity=entity,
        entity_id=entity_id,
        before=before,
        after=after,
        about_id=about_id,
        change_set_id=change_set.id if change_set else None,
        actor_id=actor.user_id,
        actor_name=actor.name,
        request_id=actor.request_id,
    )
    db.session.add(event)
    return event


def record_change(
    action: str,
    entity: str,
    row: Any,
    *,
    before: Facts,
    after: Facts,
    about_id: UUID | None = None,
    change_set: ChangeSet | None = None,
) -> AuditEvent | None:
    """Record what differs between two `facts`; None when nothing does."""
    was, now = difference(before, after)
    if not now:
        return None
    assert object_session(row) is not None
    return record(
        action, entity, row.id, before=was, after=now, about_id=about_id, change_set=change_set
    )


def open_change_set(kind: str, title: str, *, undo_days: int = 30) -> ChangeSet:
    """A committed bulk act, undoable as one for `undo_days`; flushed, so events can name it."""
    actor, at = current_actor(), clock.now()
    change_set = ChangeSet(
        kind=kind,
        title=title[:300],
        state=ChangeSetState.COMMITTED,
        actor_id=actor.user_id,
        actor_name=actor.name,
        committed_at=at,
        undo_until=at + timedelta(days=undo_days),
    )
    db.session.add(change_set)
    db.session.flush()
    return change_set


def record_platform(
    action: str, entity: str, entity_id: UUID | None = None, *, details: Facts | None = None
) -> None:
    """Add one event that belongs to no school: accounts, sign-ins, schools."""
    actor = current_actor()
    db.session.add(
        PlatformEvent(
            action=action,
            entity=entity,
            entity_id=entity_id,
            details=details,
            actor_id=actor.user_id,
            actor_name=actor.name,
            request_id=actor.request_id,
        )
    )
