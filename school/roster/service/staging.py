"""Read the file, judge every row, and lay the rows down for the preview. Nothing is imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingType
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa

from school import cache, clock
from school.audit.log import record
from school.db import db, take_write_lock, transaction
from school.errors import Conflict, DomainError, NotFound
from school.roster.models import ColumnMemory, ImportState, RosterImport, RosterRow, RowOutcome
from school.roster.service import bulk
from school.roster.service.directory import (
    Directory,
    GuardianBook,
    GuardianKey,
    guardian_key,
    own_fields,
)
from school.roster.service.rows import CHUNK_ROWS, COLUMNS, Matcher, Staged, read_back
from school.roster.service.verdict import GuardianChange
from school.roster.sheet.mapping import Mapping, memory_key, refuse_unless_target
from school.roster.sheet.rows import Remark, Roster, SchoolHints, read_roster
from school.roster.sheet.targets import Target
from school.students.models import Gender, Student
from school.tenancy.scope import current_school_id


class Tell(Protocol):
    """Told how far the work is; see `jobs.queue.progress`."""

    def __call__(self, fraction: float, sentence: str, **numbers: int) -> None: ...


# Our own column of reasons, as every language heads it, when a sheet of problems comes back
# repaired; a test holds it against the translations.
REASONS = ("What to repair", "Was zu berichtigen ist")
# In the import's options, while the file is read again: what people decided about its rows.
DECIDED = "decided"
_MOST_NAMED = 20
OPEN_STATES = (ImportState.UPLOADED, ImportState.READING, ImportState.PREVIEW)


def silent(fraction: float, sentence: str, **numbers: int) -> None:
    """Progress that nobody watches."""


def get_import(import_id: UUID) -> RosterImport:
    """Raises NotFound."""
    found = db.session.scalar(sa.select(RosterImport).where(RosterImport.id == import_id))
    if found is None:
        raise NotFound("There is no such import.")
    return found


def school_hints() -> SchoolHints:
    """What the reader must know of the school in scope."""
    genders = db.session.execute(sa.select(Gender.code, Gender.label).order_by(Gender.position))
    limit: Any = Student.__table__.c.family_name.type
    return SchoolHints(
        genders=dict(genders.all()),
        today=clock.today(),
        name_limit=limit.length,
        own=own_fields(db.session()),
    )


def remembered_columns() -> dict[str, str]:
    """{header: target}, as people of this school confirmed them before."""
    rows = db.session.execute(sa.select(ColumnMemory.header, ColumnMemory.target))
    reasons = {memory_key(heading): Target.IGNORE.value for heading in REASONS}
    return {**reasons, **dict(rows.all())}


def stage(
    import_id: UUID,
    path: Path,
    *,
    targets: MappingType[str, str] | None = None,
    tell: Tell = silent,
) -> RosterImport:
    """Read and judge the whole file. May be repeated: it begins afresh each time; what people
    decided about its rows waits for `repairing.lay_over`.

    Rows are committed by chunks, so that others can write meanwhile and memory stays bounded. A
    file that cannot be read leaves the import refused, with the reason in words.
    """
    with transaction():
        imported = _begin(import_id)
    try:
        roster = _understand(imported, path, targets or {})
        if roster.mapping.faults():
            faults = [str(one) for one in roster.mapping.faults()]
            return _finish(imported, {"faults": faults})
        with bulk.without_cycle_search(), bulk.with_little_memory(db.session()):
            counts = _stage_rows(imported, roster, tell)
    except _NotWanted:
        return imported
    except DomainError as error:
        return _refuse(imported, error)
    return _finish(imported, counts)


class _NotWanted(Exception):
    """Somebody discarded the import while its file was read."""


def _hold(imported: RosterImport) -> None:
    """Keep others from discarding it until the transaction ends. Raises _NotWanted if one has."""
    session = db.session()
    take_write_lock(session)
    state = session.scalar(
        sa.select(RosterImport.state)
        .where(RosterImport.id == imported.id)
        .with_for_update(read=True)
    )
    if state != ImportState.READING:
        session.expire(imported)
        raise _NotWanted


def _begin(import_id: UUID) -> RosterImport:
    imported = get_import(import_id)
    if imported.state not in OPEN_STATES:
        raise Conflict("This import was finished already.")
    take_write_lock(db.session())
    move(imported, ImportState.READING)
    decided = {**imported.options.get(DECIDED, {}), **_decisions(import_id)}
    if decided:
        imported.options = {**imported.options, DECIDED: decided}
    _delete_rows(import_id)
    return imported


def _decisions(import_id: UUID) -> dict[str, Any]:
    """{line: what people repaired or decided in it}; only of rows they touched."""
    rows = db.session.execute(
        sa.select(RosterRow.line, RosterRow.repairs, RosterRow.is_left_out, RosterRow.take)
        .where(RosterRow.import_id == import_id)
        .where(
            RosterRow.is_left_out.is_(True)
            | (sa.cast(RosterRow.repairs, sa.Text) != "{}")
            | (sa.cast(RosterRow.take, sa.Text) != "[]")
        )
    )
    return {
        str(line): {"repairs": repairs, "is_left_out": is_left_out, "take": take}
        for line, repairs, is_left_out, take in rows
    }


def forget_decisions(imported: RosterImport) -> None:
    """They are laid over the rows, or there are no rows any more."""
    imported.options = {key: value for key, value in imported.options.items() if key != DECIDED}


def _delete_rows(import_id: UUID) -> None:
    db.session.execute(
        sa.delete(RosterRow)
        .where(RosterRow.import_id == import_id)
        .execution_options(synchronize_session=False)
    )


def move(imported: RosterImport, state: ImportState) -> None:
    """Into another state, in the caller's transaction."""
    imported.state = state
    cache.forget(current_school_id(), "imports")


def _understand(imported: RosterImport, path: Path, targets: MappingType[str, str]) -> Roster:
    """The file with its columns: as a person said, as remembered, as found."""
    mapping = Mapping.from_json(imported.mapping) if imported.mapping else None
    for heading, target in targets.items():
        refuse_unless_target(target, heading)
    roster = read_roster(
        path,
        filename=imported.filename,
        mapping=mapping,
        remembered={**remembered_columns(), **targets},
        school=school_hints(),
    )
    with transaction():
        _hold(imported)
        imported.encoding = roster.encoding
        imported.mapping = roster.mapping.to_json()
    return roster


def _refuse(imported: RosterImport, error: DomainError) -> RosterImport:
    params = {
        name: value if isinstance(value, int | float) else str(value)
        for name, value in error.params.items()
    }
    with transaction():
        _hold(imported)
        _delete_rows(imported.id)
        forget_decisions(imported)
        move(imported, ImportState.REFUSED)
        imported.refusal = str(error)
        # For pages, which say it in the reader's language.
        imported.counts = {"refusal": {"message": error.message, "params": params}}
    return imported


def _finish(imported: RosterImport, counts: dict[str, Any]) -> RosterImport:
    with transaction():
        _hold(imported)
        imported.counts = counts
        move(imported, ImportState.PREVIEW)
    return imported


def _stage_rows(imported: RosterImport, roster: Roster, tell: Tell) -> dict[str, Any]:
    session = db.session()
    directory = Directory(session, current_school_id())
    matcher = Matcher(
        directory,
        roster.mapping,
        overwrite_edited=bool(imported.options.get("overwrite_edited")),
    )
    book = GuardianBook(session, is_empty=directory.is_empty)
    tally = Tally(book, directory.class_names())
    ids = (imported.school_id.hex, imported.id.hex)
    done, total = 0, roster.student_rows
    with bulk.Sender() as sender:
        for chunk in _chunks(roster):
            sender.wait()
            bulk.plan_for_many(session)
            matcher.match(chunk)
            tally.add(row for row in chunk if row.line not in matcher.undecided)
            sender.send(partial(_store, imported, [row.stored(*ids) for row in chunk]))
            done += len(chunk)
            tell(done / max(total, 1), "Read %(done)s of %(total)s rows", done=done, total=total)
    with transaction():
        _settle(imported, matcher, tally)
    remarks = [
        {"message": one.message, "params": one.params}
        for one in [*roster.remarks, *tally.remarks()]
    ]
    return {**tally.counts(), "rows": done, "remarks": remarks}


def _store(imported: RosterImport, rows: list[Any]) -> None:
    with transaction() as session:
        _hold(imported)
        bulk.insert(session, RosterRow, COLUMNS, rows)


def _chunks(roster: Roster) -> Iterator[list[Staged]]:
    rows = roster.rows()
    while chunk := [Staged.of(row) for row in islice(rows, CHUNK_ROWS)]:
        yield chunk


def _settle(imported: RosterImport, matcher: Matcher, tally: Tally) -> None:
    """Rows without a known number whose name and birth date the school knows."""
    if not matcher.undecided:
        return
    ids = (imported.school_id.hex, imported.id.hex)
    lines = list(matcher.undecided)
    for start in range(0, len(lines), CHUNK_ROWS):
        rows = db.session.scalars(
            sa.select(RosterRow)
            .where(RosterRow.import_id == imported.id)
            .where(RosterRow.line.in_(lines[start : start + CHUNK_ROWS]))
        ).all()
        for row in rows:
            staged = read_back(row)
            staged.verdict.said = {}
            has_changed = matcher.settle(staged)
            tally.add([staged])
            if has_changed or staged.shared:
                save_row(staged, *ids)


def save_row(row: Staged, school_id: str, import_id: str) -> None:
    """Write one staged row over what was stored."""
    columns = COLUMNS[3:]
    stored = row.stored(school_id, import_id)
    bulk.update(
        db.session(),
        RosterRow,
        keys=COLUMNS[:3],
        columns=columns,
        rows=[(*stored[3:], *stored[:3])],
    )


class Tally:
    """What would come of the rows, counted while they pass."""

    def __init__(self, book: GuardianBook, class_names: set[str]) -> None:
        self.outcomes: Counter[str] = Counter()
        self.guardians = Counter({"new": 0, "merged": 0})
        self._book = book
        self._class_names = class_names
        self._classes: set[str] = set()
        self._written_classes: set[str] = set()
        # Whom the file brings: the row that named them first, and their e-mail there.
        self._met: dict[GuardianKey, tuple[int, str | None]] = {}
        # What the file says anew of the school's guardians, where it says so first.
        self._told: dict[tuple[str, str], Any] = {}
        # Rows that say something else of a guardian than an earlier one, which is kept.
        self.differing: list[int] = []

    def add(self, rows: Iterable[Staged]) -> None:
        for row in rows:
            self.outcomes[row.verdict.outcome] += 1
            if row.is_blocked:
                continue
            is_new = row.verdict.outcome == RowOutcome.NEW
            name = row.student.get("class_name")
            if name:
                self._classes.add(name)
                if is_new or "class_name" in row.verdict.changes:
                    self._written_classes.add(name)
            named = enumerate(row.guardians, start=1) if is_new else row.verdict.guardians_added
            self._meet(row, named)
            for change in row.verdict.guardian_changes:
                self._hear(row, change)

    def _meet(self, row: Staged, named: Iterable[tuple[int, dict[str, Any]]]) -> None:
        """Who of the guardians is new, and who is somebody met before."""
        for place, entry in named:
            key = guardian_key(entry["name"], entry["phone"], entry["email"])
            if key is not None and key in self._book.ids:
                self.guardians["merged"] += 1
                line, email = self._met.get(key, (0, entry["email"]))
                if line != row.line:
                    row.shared[str(place)] = line
                if entry["email"] and entry["email"] != email:
                    self.differing.append(row.line)
            else:
                self.guardians["new"] += 1
                if key is not None:
                    self._book.ids[key] = ""
                    self._met[key] = row.line, entry["email"]

    def _hear(self, row: Staged, change: GuardianChange) -> None:
        for name, (_old, new) in change.fields.items():
            if self._told.setdefault((change.known.id, name), new) != new:
                self.differing.append(row.line)

    def remarks(self) -> list[Remark]:
        """What is worth saying of all rows together."""
        if not self.differing:
            return []
        lines = ", ".join(map(str, self.differing[:_MOST_NAMED]))
        more = "" if len(self.differing) <= _MOST_NAMED else ", …"
        return [
            Remark(
                "guardian_differs",
                "Some rows say another e-mail, telephone or name of a guardian than an earlier "
                "row; the earlier one is kept. Rows: %(rows)s",
                {"rows": lines + more},
            )
        ]

    def counts(self) -> dict[str, Any]:
        return {
            "students": {str(kind): self.outcomes[kind] for kind in RowOutcome},
            "guardians": dict(self.guardians),
            "classes": {
                "new": len(self._written_classes - self._class_names),
                "existing": len(self._classes & self._class_names),
            },
        }


def discard(import_id: UUID) -> None:
    """Keep nothing of an import that was not committed."""
    imported = get_import(import_id)
    if imported.state not in (*OPEN_STATES, ImportState.REFUSED):
        raise Conflict("This import was finished already.")
    before = {"filename": imported.filename, "state": imported.state}
    move(imported, ImportState.DISCARDED)
    record("roster_import.discarded", "roster_import", imported.id, before=before)
    forget_decisions(imported)
    _delete_rows(import_id)
