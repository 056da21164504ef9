"""One chunk of events taken back: worked out row by row, written together.

One of the few modules that write with Core: it names the school in every statement itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from school import clock
from school.audit.actor import current_actor
from school.audit.log import Facts, plain
from school.audit.models import AuditEvent, ChangeSet, ChangeSetState
from school.audit.undo.owners import TAKEN, Kept, UndoReport, owners
from school.db import Base, UtcDateTime, db, new_id
from school.tenancy.scope import current_school_id

# Kept by the database or by us; never a person's words.
_OWN_FIELDS = frozenset({"school_id", "id", "version", "created_at", "updated_at"})


@dataclass(slots=True)
class _Batch:
    """What one chunk of events comes to."""

    table: sa.Table
    rows: dict[UUID, dict[str, Any]]
    changes: dict[UUID, Facts] = field(default_factory=dict)
    removals: set[UUID] = field(default_factory=set)
    returns: dict[UUID, Facts] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)


def revert_all(entity: str, events: list[AuditEvent], report: UndoReport) -> set[UUID]:
    """One chunk together or, where somebody's work since then stands in the way, one by one."""
    together = UndoReport()
    try:
        with db.session.begin_nested():
            touched = _revert(entity, events, together)
    except IntegrityError:
        return {one for event in events for one in _revert_alone(entity, event, report)}
    report.add(together)
    return touched


def _revert_alone(entity: str, event: AuditEvent, report: UndoReport) -> set[UUID]:
    """One event. What cannot be had twice (a number, a place) and is taken by now is kept."""
    for names in _ever_less(entity, event):
        alone = UndoReport()
        try:
            with db.session.begin_nested():
                touched = _revert(entity, [event], alone, only=names)
        except IntegrityError:
            continue
        report.add(alone)
        for name in set(event.after or ()) - names if event.before is not None else ():
            ours = (event.after or {})[name]
            report.kept.append(Kept(entity, event.entity_id, name, ours, ours, event.about_id))
        return touched
    report.kept.append(Kept(entity, event.entity_id, "", TAKEN, None, event.about_id))
    return set()


def _ever_less(entity: str, event: AuditEvent) -> Iterator[set[str]]:
    """All fields of the event, then, of an edit, those that may be the same on many rows."""
    names = set(event.after or ())
    yield names
    if event.before is not None and event.after is not None:
        table = Base.metadata.tables[entity]
        unique: set[str] = set()
        for constraint in table.constraints:
            if isinstance(constraint, sa.UniqueConstraint):
                unique.update(constraint.columns.keys())
        for index in table.indexes:
            if index.unique:
                unique.update(index.columns.keys())
        fewer = names - unique
        if fewer and fewer != names:
            yield fewer


def _revert(
    entity: str, events: list[AuditEvent], report: UndoReport, *, only: set[str] | None = None
) -> set[UUID]:
    """Work out and write one chunk; the ids it touched. `only`: the fields to put back."""
    table = Base.metadata.tables[entity]
    batch = _Batch(table, current_rows(table, {event.entity_id for event in events}))
    held = _held(entity, events)
    undone = _undone_edits(entity, events)
    for event in events:
        if event.before is None:
            _take_away(batch, event, held, report)
        elif event.after is None:
            _bring_back(batch, event)
        else:
            _put_back(batch, event, report, only, undone.get(event.entity_id, []))
    _write(batch)
    touched = batch.removals | set(batch.returns) | set(batch.changes)
    report.restored += len(touched)
    return touched


def _undone_edits(entity: str, events: list[AuditEvent]) -> dict[UUID, list[AuditEvent]]:
    """{row: edits of acts undone already, the newest first}: what they had put there is no value
    to go back to."""
    edited = {event.entity_id for event in events if event.before is not None and event.after}
    undone = sa.select(ChangeSet.id).where(ChangeSet.state == ChangeSetState.UNDONE)
    found: dict[UUID, list[AuditEvent]] = defaultdict(list)
    if edited:
        rows = db.session.scalars(
            sa.select(AuditEvent)
            .where(AuditEvent.entity == entity, AuditEvent.entity_id.in_(edited))
            .where(AuditEvent.change_set_id.in_(undone), AuditEvent.action.not_like("%.undone"))
            .order_by(AuditEvent.id.desc())
        )
        for event in rows:
            if event.before is not None and event.after is not None:
                found[event.entity_id].append(event)
    return found


def _value_before(event: AuditEvent, name: str, undone: list[AuditEvent]) -> Any:
    """What the field was before the act, without what acts undone since had put there."""
    value = (event.before or {}).get(name)
    for earlier in undone:
        if earlier.id < event.id and name in (earlier.after or {}):
            if (earlier.after or {})[name] != value:
                break
            value = (earlier.before or {}).get(name)
    return value


def _held(entity: str, events: list[AuditEvent]) -> dict[UUID, str]:
    guard = owners[entity].guard
    made = {event.entity_id for event in events if event.before is None}
    return guard(made) if guard and made else {}


def current_rows(table: sa.Table, ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    rows = db.session.execute(
        sa.select(table).where(table.c.school_id == current_school_id(), table.c.id.in_(ids))
    )
    return {row["id"]: dict(row) for row in rows.mappings()}


def _take_away(batch: _Batch, event: AuditEvent, held: dict[UUID, str], report: UndoReport) -> None:
    """Remove a row the act had made, unless somebody worked on it since."""
    row = batch.rows.get(event.entity_id)
    if row is None:
        return
    after = event.after or {}
    edited = [name for name in after if name in batch.table.c and plain(row[name]) != after[name]]
    for name in edited:
        theirs = plain(row[name])
        report.kept.append(
            Kept(event.entity, event.entity_id, name, theirs, after[name], event.about_id)
        )
    if event.entity_id in held and not edited:
        why = held[event.entity_id]
        report.kept.append(Kept(event.entity, event.entity_id, "", why, None, event.about_id))
    if edited or event.entity_id in held:
        return
    batch.changes.pop(event.entity_id, None)
    batch.removals.add(event.entity_id)
    del batch.rows[event.entity_id]
    _note(batch, event, before=after, after=None)


def _bring_back(batch: _Batch, event: AuditEvent) -> None:
    """Make a row again that the act had removed, unless it is there."""
    if event.entity_id in batch.rows or event.entity_id in batch.returns:
        return
    batch.returns[event.entity_id] = event.before or {}
    _note(batch, event, before=None, after=event.before)


def _put_back(
    batch: _Batch,
    event: AuditEvent,
    report: UndoReport,
    only: set[str] | None,
    undone: list[AuditEvent],
) -> None:
    """Field by field: what still equals `after` becomes `before` again."""
    row = batch.rows.get(event.entity_id)
    if row is None:
        return
    was, now = event.before or {}, event.after or {}
    restored: dict[str, Any] = {}
    for name, ours in now.items():
        if only is not None and name not in only:
            continue
        theirs = read_field(row, name)
        if theirs == ours:
            restored[name] = _value_before(event, name, undone)
            _lay(batch, row, event.entity_id, name, restored[name])
        elif theirs != was.get(name):
            report.kept.append(
                Kept(event.entity, event.entity_id, name, theirs, ours, event.about_id)
            )
    if restored:
        _note(
            batch,
            event,
            before={name: now[name] for name in restored},
            after=restored,
        )


def read_field(row: dict[str, Any], name: str) -> Any:
    """A field as the audit writes it; "custom.<id>" is one value inside the column `custom`."""
    column, _, key = name.partition(".")
    value = row.get(column)
    return (value or {}).get(key) if key else plain(value)


def _lay(batch: _Batch, row: dict[str, Any], row_id: UUID, name: str, value: Any) -> None:
    column, _, key = name.partition(".")
    if column not in batch.table.c or column in _OWN_FIELDS:
        return
    if key:
        inside = {**(row[column] or {}), key: value}
        row[column] = {k: v for k, v in inside.items() if v is not None}
    else:
        row[column] = typed(batch.table.c[column], value)
    batch.changes.setdefault(row_id, {})[column] = row[column]


def _note(batch: _Batch, event: AuditEvent, *, before: Facts | None, after: Facts | None) -> None:
    actor = current_actor()
    batch.notes.append(
        {
            "happened_on": clock.today(),
            "school_id": current_school_id(),
            "id": new_id(),
            "at": clock.now(),
            "action": f"{event.entity}.undone",
            "entity": event.entity,
            "entity_id": event.entity_id,
            "about_id": event.about_id,
            "actor_id": actor.user_id,
            "actor_name": actor.name,
            "request_id": actor.request_id,
            "change_set_id": None,
            "before": before,
            "after": after,
        }
    )


def _write(batch: _Batch) -> None:
    table, school_id = batch.table, current_school_id()
    if batch.removals:
        db.session.execute(
            sa.delete(table).where(table.c.school_id == school_id, table.c.id.in_(batch.removals))
        )
    _write_changes(table, batch.changes)
    if batch.returns:
        db.session.execute(
            sa.insert(table),
            [
                {
                    **{n: typed(table.c[n], v) for n, v in facts.items() if n in table.c},
                    "school_id": school_id,
                    "id": row_id,
                }
                for row_id, facts in batch.returns.items()
            ],
        )
    if batch.notes:
        db.session.execute(sa.insert(AuditEvent.__table__), batch.notes)  # type: ignore[arg-type]


def _write_changes(table: sa.Table, changes: dict[UUID, Facts]) -> None:
    """One statement for each set of columns."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row_id, values in changes.items():
        names = tuple(sorted(values))
        alike[names].append({"row_id": row_id, **{f"new_{n}": values[n] for n in names}})
    for names, rows in alike.items():
        new: dict[str, Any] = {n: sa.bindparam(f"new_{n}", type_=table.c[n].type) for n in names}
        if "version" in table.c:
            new["version"] = table.c.version + 1
        if "updated_at" in table.c:
            new["updated_at"] = sa.bindparam("new_at", clock.now(), type_=table.c.updated_at.type)
        statement = (
            sa.update(table)
            .where(
                table.c.school_id
                == sa.bindparam("row_school", current_school_id(), type_=sa.Uuid()),
                table.c.id == sa.bindparam("row_id", type_=sa.Uuid()),
            )
            .values(new)
        )
        db.session.connection().execute(statement, rows)


def typed(column: sa.Column[Any], value: Any) -> Any:
    """A value as the audit keeps it, in the column's own type again."""
    if not isinstance(value, str):
        return value
    if isinstance(column.type, sa.Uuid):
        return UUID(value)
    if isinstance(column.type, UtcDateTime):
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if isinstance(column.type, sa.Date) else value
