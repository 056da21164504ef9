"""One school's objects on their way: brought over, read again, let go. Every act may be cut off and
done again; each needs only what the rows say.

The mechanism is that of copies (copying, outbox, sweeping): rows before bytes, one task per object.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from school import clock
from school.db import db, take_write_lock, transaction
from school.files.models import (
    Blob,
    BlobLocation,
    BlobState,
    LocationState,
    StorageTask,
    UploadPart,
)
from school.files.service.copying import (
    find_wanted,
    note_copies,
    plan_copies_from,
    put_copy,
)
from school.files.service.families import MIB
from school.files.service.moving.books import MOST_PROBLEMS, Books, Problem
from school.files.service.outbox import (
    AT_ONCE,
    COPY,
    DELETE,
    Task,
    forget_all,
    open_tasks,
    postpone,
    tasks_later,
)
from school.files.service.reconciling.looking import BLOB_OF_PLACE, PLACE
from school.files.service.reconciling.outcome import Place
from school.files.service.reconciling.verifying import read_through
from school.files.service.sweeping import sweep
from school.storage.errors import IntegrityError, NotFound, StorageError, describe
from school.storage.protocol import StorageProvider
from school.tenancy.scope import current_school_id

# The sweep leaves what the move has planned alone for so long; after a crash it goes on there.
HANDS_OFF = timedelta(minutes=15)
# In a row: the place is away, and asking it about thousands of objects more helps nobody.
MOST_FAILURES = 5
# Copies whose rows are written in one transaction: so many, or as soon as so much has gone over.
TOGETHER = 50
TOGETHER_BYTES = 32 * MIB


class Away(Exception):
    """A place failed again and again."""


class Way(NamedTuple):
    """From where to where."""

    leave: StorageProvider
    keep: StorageProvider
    # What was read at the keeper longer ago proves nothing.
    read_since: datetime

    @property
    def is_good(self) -> sa.ColumnElement[bool]:
        """A location at the keeper holds what was stored: it was read again since it was made."""
        return sa.and_(
            BlobLocation.state == LocationState.PRESENT,
            BlobLocation.verified_at > BlobLocation.created_at,
            BlobLocation.verified_at >= self.read_since,
        )


class Pace:
    """Waits so that no more than `mib_per_s` go over; 0: as fast as it goes."""

    def __init__(self, mib_per_s: float = 0) -> None:
        self._bytes_per_s = mib_per_s * MIB
        self._free_at = time.monotonic()

    def wait(self, size_bytes: int) -> None:
        if self._bytes_per_s:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + size_bytes / self._bytes_per_s
            time.sleep(self._free_at - now)


class Failures:
    """Counts them in a row. Raises Away when it is enough."""

    def __init__(self) -> None:
        self._number = 0

    def none(self) -> None:
        self._number = 0

    def one(self, error: StorageError) -> None:
        self._number += 1
        if self._number >= MOST_FAILURES:
            raise Away(describe(error)) from error


_SIZE = sa.func.coalesce(Blob.stored_bytes, Blob.size_bytes)


class Sums(NamedTuple):
    """How much of a school is where."""

    objects: int = 0
    bytes: int = 0
    present: int = 0
    present_bytes: int = 0
    good: int = 0
    good_bytes: int = 0

    def plus(self, other: Sums) -> Sums:
        return Sums(*(one + two for one, two in zip(self, other, strict=True)))


def sum_up(way: Way, *, before: datetime | None = None) -> Sums:
    """Of what counted `before` then (now)."""
    present = BlobLocation.state == LocationState.PRESENT
    query = (
        sa.select(
            sa.func.count(Blob.id),
            sa.func.sum(_SIZE),
            sa.func.sum(sa.case((present, 1), else_=0)),
            sa.func.sum(sa.case((present, _SIZE), else_=0)),
            sa.func.sum(sa.case((way.is_good, 1), else_=0)),
            sa.func.sum(sa.case((way.is_good, _SIZE), else_=0)),
        )
        .outerjoin(BlobLocation, BLOB_OF_PLACE & (BlobLocation.provider == way.keep.name))
        .where(Blob.state == BlobState.STORED)
    )
    if before is not None:
        query = query.where(Blob.created_at < before)
    row = db.session.execute(query).one()
    db.session.rollback()
    return Sums(*(int(value or 0) for value in row))


def list_unfinished(way: Way, *, before: datetime) -> list[tuple[str, str]]:
    """(key, state at the keeper) of some that are not safely there."""
    there = aliased(BlobLocation)
    rows = db.session.execute(
        sa.select(there.key, sa.func.max(sa.case((there.provider == way.keep.name, there.state))))
        .join(Blob, (Blob.school_id == there.school_id) & (Blob.id == there.blob_id))
        .where(Blob.state == BlobState.STORED, Blob.created_at < before)
        .where(
            ~sa.exists(
                sa.select(1).where(
                    BLOB_OF_PLACE, BlobLocation.provider == way.keep.name, way.is_good
                )
            )
        )
        .group_by(there.key)
        .order_by(there.key)
        .limit(MOST_PROBLEMS)
    ).all()
    db.session.rollback()
    return [(row[0], row[1] or "nowhere") for row in rows]


def bring_over(way: Way, books: Books, pace: Pace) -> None:
    """Plan and make every copy that the keeper lacks, each tried once. Raises Away."""
    failures = Failures()
    behind: str | None = ""
    last: UUID | None = None
    while behind is not None:
        with transaction():
            behind = plan_copies_from(way.leave.name, way.keep.name, behind=behind, wait=HANDS_OFF)
        while tasks := _copies_behind(way, last):
            last = tasks[-1].id
            while tasks:
                tasks = tasks[_carry(tasks, way, books, pace, failures) :]


def _copies_behind(way: Way, last: UUID | None) -> list[Task]:
    tasks = open_tasks(COPY, way.keep.name, behind=last)
    db.session.rollback()
    return tasks


def _carry(tasks: list[Task], way: Way, books: Books, pace: Pace, failures: Failures) -> int:
    """Copy the first of these and note them together. Returns how many it came to.

    A crash before they are noted loses nothing: they lie there, and are compared the next time.
    """
    wanted = find_wanted(way.keep.name, [task.key for task in tasks[:TOGETHER]])
    etags: dict[str, str | None] = {}
    done: list[str] = []
    number, size_bytes = 0, 0
    try:
        while number < min(len(tasks), TOGETHER) and size_bytes < TOGETHER_BYTES:
            task, number = tasks[number], number + 1
            copied = wanted.get(task.key)
            if copied is not None:
                try:
                    etags[task.key] = put_copy(way.keep, task.key, copied)
                except StorageError as error:
                    _not_copied(task, error, books, failures)
                    continue
                failures.none()
                books.moved(copied.size_bytes)
                pace.wait(copied.size_bytes)
                size_bytes += copied.size_bytes
            done.append(task.key)
    finally:
        with transaction():
            note_copies(way.keep.name, etags, done=done)
    return number


def _not_copied(task: Task, error: StorageError, books: Books, failures: Failures) -> None:
    """Raises Away when it is enough."""
    db.session.rollback()
    postpone(task, error)
    books.trouble(
        Problem.NOT_COPIED, task.key, school_id=current_school_id(), detail=describe(error)
    )
    failures.one(error)


def read_again(way: Way, books: Books, pace: Pace, *, only_left: bool = False) -> None:
    """Read at the keeper what was not read there since it was written. What is not as stored is
    marked missing: nobody counts on it, and the reconciler mends it. Raises Away.

    `only_left`: only what lies at the place that is left, too.
    """
    failures = Failures()
    for places in _unread(way, only_left=only_left):
        read: list[UUID] = []
        try:
            for place in places:
                if _read(place, way, books, failures):
                    read.append(place.id)
                pace.wait(place.size_bytes or 0)
        finally:
            _note(read, state=LocationState.PRESENT)


def _unread(way: Way, *, only_left: bool) -> Iterator[list[Place]]:
    query, behind = _places_unread(way, only_left=only_left), ""
    while rows := db.session.execute(query.where(BlobLocation.key > behind)).all():
        db.session.rollback()  # no transaction stays open while they are read
        yield [Place(*row) for row in rows]
        behind = rows[-1].key
    db.session.rollback()


def _places_unread(way: Way, *, only_left: bool) -> sa.Select[Any]:
    """A batch, in the order of the keys."""
    left = aliased(BlobLocation)
    is_left = (
        (left.school_id == BlobLocation.school_id)
        & (left.blob_id == BlobLocation.blob_id)
        & (left.provider == way.leave.name)
    )
    query = sa.select(*PLACE).join(Blob, BLOB_OF_PLACE)
    if only_left:
        query = query.join(left, is_left)
    return (
        query.where(
            BlobLocation.provider == way.keep.name,
            BlobLocation.state == LocationState.PRESENT,
            Blob.state == BlobState.STORED,
            ~sa.func.coalesce(way.is_good, sa.false()),
        )
        .order_by(BlobLocation.key)
        .limit(AT_ONCE)
    )


def _read(place: Place, way: Way, books: Books, failures: Failures) -> bool:
    try:
        read_through(way.keep, place)
    except (IntegrityError, NotFound) as error:
        is_gone = isinstance(error, NotFound)
        _note([place.id], state=LocationState.MISSING)
        kind = Problem.GONE if is_gone else Problem.DAMAGED
        books.trouble(kind, place.key, school_id=place.school_id, detail=str(error))
        return False
    except StorageError as error:
        books.trouble(Problem.UNSEEN, place.key, school_id=place.school_id, detail=describe(error))
        failures.one(error)
        return False
    failures.none()
    books.moved(place.size_bytes or 0)
    return True


def _note(ids: list[UUID], *, state: LocationState) -> None:
    """They were read again, or found missing."""
    if not ids:
        return
    with transaction() as session:
        session.execute(
            sa.update(BlobLocation)
            .where(BlobLocation.id.in_(ids), BlobLocation.state == LocationState.PRESENT)
            .values(state=state, verified_at=clock.now())
            .execution_options(synchronize_session=False)
        )


def let_go(way: Way, books: Books) -> None:
    """Empty the place that is left of everything that lies safely at the keeper."""
    while keys := _decide(way):
        _delete(keys, way, books)
    while swept := sweep().deleted:
        books.done += swept


def _delete(keys: list[str], way: Way, books: Books) -> None:
    before = books.done
    while _left_of(way, keys) and sweep().deleted:
        books.done = before + len(keys) - _left_of(way, keys)
        books.save()


def _left_of(way: Way, keys: list[str]) -> int:
    number = db.session.scalar(
        sa.select(sa.func.count())
        .select_from(BlobLocation)
        .where(BlobLocation.provider == way.leave.name, BlobLocation.key.in_(keys))
    )
    db.session.rollback()
    return int(number or 0)


_TO_GO = (LocationState.PRESENT, LocationState.MISSING, LocationState.WRITING)


def _decide(way: Way) -> list[str]:
    """A batch: in one transaction the rows are to be deleted, and the tasks are written down."""
    with transaction() as session:
        take_write_lock(session)
        rows = session.execute(_to_go(way)).all()
        if not rows:
            return []
        session.execute(
            sa.update(BlobLocation)
            .where(BlobLocation.id.in_([row.id for row in rows]), BlobLocation.state.in_(_TO_GO))
            .values(state=LocationState.DELETING)
            .execution_options(synchronize_session=False)
        )
        keys = [row.key for row in rows]
        forget_all(COPY, way.leave.name, keys)
        tasks_later(DELETE, way.leave.name, keys)
    return keys


def _to_go(way: Way) -> sa.Select[UUID, str]:
    left = aliased(BlobLocation)
    return (
        sa.select(left.id, left.key)
        .join(Blob, (Blob.school_id == left.school_id) & (Blob.id == left.blob_id))
        .join(BlobLocation, BLOB_OF_PLACE & (BlobLocation.provider == way.keep.name) & way.is_good)
        .where(left.provider == way.leave.name, left.state.in_(_TO_GO))
        .where(Blob.state == BlobState.STORED)
        .order_by(left.key)
        .limit(AT_ONCE)
        # While it is decided nobody finds the other one missing.
        .with_for_update(of=BlobLocation)
    )


def count_left(way: Way) -> int:
    """Rows that still name the place that is left."""
    return count_rows(way.leave.name)


def count_rows(name: str) -> int:
    """Rows of the school in scope that use this name for a place: objects, pieces of uploads, open
    tasks."""
    count = 0
    for table in (BlobLocation, UploadPart, StorageTask):
        query = sa.select(sa.func.count()).select_from(table).where(table.provider == name)
        count += db.session.scalar(query) or 0
    db.session.rollback()
    return count


def list_failed(way: Way) -> list[tuple[str, str]]:
    """(key, why) of deletions at the place that is left which were tried in vain."""
    rows = db.session.execute(
        sa.select(StorageTask.key, StorageTask.last_error)
        .where(StorageTask.provider == way.leave.name, StorageTask.attempts > 0)
        .order_by(StorageTask.key)
        .limit(MOST_PROBLEMS)
    ).all()
    db.session.rollback()
    return [(row[0], row[1] or "") for row in rows]
