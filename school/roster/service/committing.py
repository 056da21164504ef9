"""Make the previewed rows true: one transaction, one change set, everything or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school import cache, clock
from school.audit.actor import current_actor
from school.audit.models import ChangeSet, ChangeSetState
from school.db import db, take_write_lock
from school.errors import Conflict
from school.roster.models import ColumnMemory, ImportState, RosterImport, RosterRow, RowOutcome
from school.roster.service import bulk
from school.roster.service.directory import Directory, Known
from school.roster.service.gone import archive_gone, count_gone, refuse_unknown_rows
from school.roster.service.rows import CHUNK_ROWS, Matcher, Rank, Staged
from school.roster.service.staging import Tell, get_import, silent
from school.roster.service.verdict import Verdict
from school.roster.service.writing.ledger import Ledger
from school.roster.sheet.mapping import Mapping
from school.roster.sheet.problems import Problem
from school.tenancy.scope import current_school_id

KIND = "roster.import"
UNDO_DAYS = 30


@dataclass(frozen=True, slots=True)
class Committed:
    """What was written, counted while it was written."""

    change_set_id: UUID
    counts: dict[str, Any]


def commit(import_id: UUID, *, tell: Tell = silent) -> Committed:
    """Write everything. Call it inside one transaction. Raises Conflict if it was done already."""
    _claim(import_id)
    bulk.plan_for_many(db.session())
    imported = get_import(import_id)
    if imported.options.get("archive_gone"):
        refuse_unknown_rows(import_id)
    change_set = _open_change_set(imported)
    with bulk.without_cycle_search(), bulk.with_little_memory(db.session()):
        counts = _write_all(imported, change_set, tell)
    _remember_columns(imported)
    _close(imported, change_set, counts)
    for topic in ("students", "guardians", "classes", "files", "imports"):
        cache.forget(current_school_id(), topic)
    return Committed(change_set.id, counts)


def _write_all(imported: RosterImport, change_set: ChangeSet, tell: Tell) -> dict[str, Any]:
    total = max(int(imported.counts.get("rows", 0)), 1)
    done = 0
    chunks = _chunks(imported)
    with bulk.Sender() as sender:
        writer = _Writer(imported, change_set, sender)
        chunk = next(chunks, [])
        while chunk:
            send = writer.judge(chunk)
            sender.wait()
            done += len(chunk)
            chunk = next(chunks, [])  # read before the session is busy again
            sender.send(send)
            tell(0.95 * done / total, "Saved %(done)s of %(total)s rows", done=done, total=total)
    return writer.finish()


def _claim(import_id: UUID) -> None:
    """Only one commit gets past this, whoever started it and however often."""
    take_write_lock(db.session())
    claimed = db.session.execute(
        sa.update(RosterImport)
        .where(RosterImport.id == import_id, RosterImport.state == ImportState.PREVIEW)
        .values(state=ImportState.COMMITTING, version=RosterImport.version + 1)
        .execution_options(synchronize_session=False)
    )
    if claimed.rowcount != 1:  # type: ignore[attr-defined]
        state = db.session.scalar(sa.select(RosterImport.state).where(RosterImport.id == import_id))
        if state == ImportState.COMMITTED:
            raise Conflict("This import is saved already.")
        raise Conflict("This import is not ready to be saved.")
    db.session.expire_all()


def _open_change_set(imported: RosterImport) -> ChangeSet:
    actor = current_actor()
    change_set = ChangeSet(
        kind=KIND,
        title=imported.filename,
        actor_id=actor.user_id,
        actor_name=actor.name,
        # Every row this import makes carries this instant: undo knows them by it.
        committed_at=clock.now(),
    )
    db.session.add(change_set)
    db.session.flush()
    return change_set


def _is_alone(imported: RosterImport) -> bool:
    """No other import was saved or undone since this one's rows were judged."""
    since = imported.created_at
    is_undone = RosterImport.state.in_((ImportState.UNDOING, ImportState.UNDONE))
    return (
        db.session.scalar(
            sa.select(RosterImport.id)
            .where(RosterImport.id != imported.id)
            .where(
                (RosterImport.committed_at >= since)
                | (is_undone & (RosterImport.updated_at >= since))
            )
            .limit(1)
        )
        is None
    )


def _chunks(imported: RosterImport) -> Iterator[list[Staged]]:
    """The rows to be imported, in the order of the file.

    Rows that say what the last import said change nothing, whatever people do meanwhile: they
    are passed over, unless another import came between or people's edits are to be overwritten.
    """
    import_id = imported.id
    may_pass = _is_alone(imported) and not imported.options.get("overwrite_edited")
    last_rank = Rank.HEARD if may_pass else Rank.SAME
    columns = [
        getattr(RosterRow, name) for name in ("line", "values", "problems", "student_id", "take")
    ]
    last = 0
    while rows := db.session.execute(
        sa.select(*columns)
        .where(RosterRow.import_id == import_id, RosterRow.line > last)
        .where(RosterRow.is_blocked.is_(False), RosterRow.is_left_out.is_(False))
        .where(sa.or_(RosterRow.rank <= last_rank, RosterRow.outcome != RowOutcome.UNCHANGED))
        .order_by(RosterRow.line)
        .limit(CHUNK_ROWS)
    ).all():
        last = rows[-1].line
        yield [
            Staged(
                line,
                {},
                values["student"],
                values["guardians"],
                [Problem.from_json(one) for one in problems],
                is_blocked=False,
                take=take,
                verdict=Verdict(RowOutcome.NEW, student_id.hex if student_id else None),
            )
            for line, values, problems, student_id, take in rows
        ]


def _refuse_stale(row: Staged, known: Known | None) -> None:
    """Nothing is written that the preview did not show: the row still means the same student."""
    if row.verdict.student_id != (known.id if known else None):
        raise Conflict(
            "The school has changed since this was checked: row %(row)s now means somebody else. "
            "Check the file again.",
            row=row.line,
        )


class _Writer:
    """Judges the rows against the school as it is now, and writes what follows."""

    def __init__(self, imported: RosterImport, change_set: ChangeSet, sender: bulk.Sender) -> None:
        session = db.session()
        self.sender = sender
        mapping = Mapping.from_json(imported.mapping)
        self.imported = imported
        self.directory = Directory(session, current_school_id())
        self.matcher = Matcher(
            self.directory,
            mapping,
            overwrite_edited=bool(imported.options.get("overwrite_edited")),
        )
        self.ledger = Ledger(session, imported, change_set, self.directory, wait=sender.wait)
        self.outcomes: Counter[str] = Counter()
        self.kept = 0

    def judge(self, chunk: list[Staged]) -> Callable[[], None]:
        """An act that writes what follows from these rows."""
        if not self.directory.is_empty:
            self.sender.wait()  # whoever is looked up may be on the way
        by_number = self.directory.by_number(row.student.get("admission_number") for row in chunk)
        by_id = self.directory.by_id(
            UUID(row.verdict.student_id)
            for row in chunk
            if row.verdict.student_id and row.student.get("admission_number") not in by_number
        )
        for row in chunk:
            known = by_number.get(row.student.get("admission_number", "")) or by_id.get(
                row.verdict.student_id or ""
            )
            _refuse_stale(row, known)
            self._judge_row(row, known)
        return partial(_send, self.ledger.take())

    def _judge_row(self, row: Staged, known: Known | None) -> None:
        self.matcher.judge(row, known)
        verdict = row.verdict
        self.outcomes[verdict.outcome] += 1
        self.kept += len(verdict.kept)
        if known is None:
            self.ledger.admit(row)
        elif verdict.outcome == RowOutcome.CHANGED:
            self.ledger.change(row, known)
        elif verdict.said != known.said:
            self.ledger.remember(row, known)

    def _class_names(self) -> set[str]:
        """The classes the imported rows name."""
        name = RosterRow.values["student"]["class_name"].as_string()
        return set(
            db.session.scalars(
                sa.select(name)
                .distinct()
                .where(RosterRow.import_id == self.imported.id, name.is_not(None))
                .where(RosterRow.is_blocked.is_(False), RosterRow.is_left_out.is_(False))
            )
        )

    def finish(self) -> dict[str, Any]:
        left_out = _count_left_out(self.imported.id)
        passed = int(self.imported.counts.get("rows", 0)) - left_out - self.outcomes.total()
        self.outcomes[RowOutcome.UNCHANGED] += passed
        gone = count_gone(self.imported.id)
        counts = {
            "students": {
                **{str(kind): self.outcomes[kind] for kind in RowOutcome},
                "problem": left_out,
                "gone": gone,
            },
            **self.ledger.counts(self._class_names()),
            "kept": self.kept,
            "rows": self.imported.counts.get("rows", 0),
            "remarks": self.imported.counts.get("remarks", []),
        }
        if self.imported.options.get("archive_gone"):
            counts["archived"] = archive_gone(self.imported.id, self.ledger.batch)
        self.ledger.finish()
        return counts


def _send(act: Callable[[], None]) -> None:
    act()
    bulk.plan_for_many(db.session())


def _count_left_out(import_id: UUID) -> int:
    return (
        db.session.scalar(
            sa.select(sa.func.count())
            .select_from(RosterRow)
            .where(RosterRow.import_id == import_id)
            .where(sa.or_(RosterRow.is_blocked.is_(True), RosterRow.is_left_out.is_(True)))
        )
        or 0
    )


def _remember_columns(imported: RosterImport) -> None:
    """What each heading means here, for the school's next file."""
    memory = Mapping.from_json(imported.mapping).memory()
    known = {
        row.header: row
        for row in db.session.scalars(
            sa.select(ColumnMemory).where(ColumnMemory.header.in_(memory))
        )
    }
    for header, target in memory.items():
        if header in known:
            known[header].target = target
        else:
            db.session.add(ColumnMemory(header=header, target=target))


def _close(imported: RosterImport, change_set: ChangeSet, counts: dict[str, Any]) -> None:
    at = change_set.committed_at
    assert at is not None
    change_set.state = ChangeSetState.COMMITTED
    change_set.undo_until = at + timedelta(days=UNDO_DAYS)
    change_set.counts = counts
    imported.state = ImportState.COMMITTED
    imported.committed_at = at
    imported.change_set_id = change_set.id
    imported.counts = counts
    db.session.flush()
