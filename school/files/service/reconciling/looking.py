"""The provider's list beside the rows of every school, window by window.

Both sides come in the order of their keys, so a merge needs neither in memory: `WINDOW` objects
are read from the list, and each school in turn is asked for its rows between the window's ends
(one range of an index; row-level security lets a query see one school only). That is
schools × objects / WINDOW queries: 200 for a million objects of one school, 20,000 small ones for a
hundred schools; asking the provider for each row instead would be a million requests.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime, timedelta
from itertools import islice, pairwise
from typing import TypeVar
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.db import db, transaction
from school.files.models import Blob, BlobLocation, LocationState, StrayObject
from school.files.service.outbox import LATE_WRITE
from school.files.service.reconciling.known import (
    AT_ONCE,
    FILES,
    is_ours,
    wanted_here,
    wanted_outside,
)
from school.files.service.reconciling.outcome import (
    MOST_ACTS,
    Kind,
    Mode,
    Outcome,
    Place,
    Seen,
    Stop,
    Stray,
)
from school.files.service.reconciling.schools import inside
from school.files.service.writing import LEASE
from school.storage.errors import NotFound, StorageError, describe
from school.storage.keys import LONGEST
from school.storage.protocol import ObjectInfo, StorageProvider

T = TypeVar("T")
WINDOW = 5_000
OLD_ENOUGH = max(LEASE, LATE_WRITE)
ASIDE = "lost-and-found/"
KEPT_ASIDE = timedelta(days=30)


class Look:
    """One look through one provider. Writes nothing but which objects nobody knew (and that only
    where things may be put right)."""

    def __init__(
        self,
        provider: StorageProvider,
        schools: list[UUID],
        outcome: Outcome,
        tell: Callable[[int], None],
    ) -> None:
        self.seen = Seen()
        self._provider = provider
        self._schools = schools
        self._outcome = outcome
        self._tell = tell

    def through(self) -> Seen:
        """All of it. A list that breaks off, or is in no order, stops the run."""
        low = ""
        try:
            for window in _windows(self._provider):
                if not _is_ordered(low, window):
                    self._outcome.stop(Stop.UNORDERED)
                    return self.seen
                self._compare(window, low, window[-1].key)
                low = window[-1].key
                self._tell(self._outcome.counts["objects"])
            self._compare([], low, None)
        except StorageError as error:
            self._outcome.stop(Stop.UNREADABLE, detail=describe(error)[:200])
        return self.seen

    def _compare(self, window: list[ObjectInfo], low: str, high: str | None) -> None:
        objects = {info.key: info for info in window}
        unknown = self._count(window)
        doubtful: list[Place] = []
        for school_id in self._schools:
            with inside(school_id):
                for place in places_between(self._provider.name, low, high):
                    unknown.discard(place.key)
                    self._judge(place, objects.get(place.key), doubtful)
        unknown = still_unknown(self._provider.name, unknown, self._schools)
        for place in doubtful:
            self._ask_again(place)
        self._note_unknown([objects[key] for key in sorted(unknown)], low, high)

    def _count(self, window: list[ObjectInfo]) -> set[str]:
        """Count a window's objects; the keys that somebody should know."""
        ours = set()
        for info in window:
            self._outcome.count("objects")
            self._outcome.count("bytes", info.size_bytes)
            if info.key.startswith(ASIDE):
                self._look_aside(info)
            elif is_ours(info.key) and len(info.key) <= LONGEST:
                ours.add(info.key)
            else:
                self._outcome.count("foreign")
        return ours

    def _look_aside(self, info: ObjectInfo) -> None:
        self._outcome.count("aside")
        since = _put_aside_on(info.key) or info.modified_at.date()
        if since <= (self._outcome.started_at - KEPT_ASIDE).date():
            self._outcome.count("old")
            self._outcome.tell(Kind.OLD, info.key, since=since.isoformat())
            _add(self.seen.old, info.key)

    def _judge(self, place: Place, info: ObjectInfo | None, doubtful: list[Place]) -> None:
        self._outcome.count("rows")
        self.seen.newest_row = _later(self.seen.newest_row, place.created_at)
        if place.state not in {LocationState.PRESENT, LocationState.MISSING}:
            return  # being written or deleted: the sweep's business
        if info is None:
            if len(doubtful) < MOST_ACTS:
                doubtful.append(place)
            else:
                self._miss(place)
        elif info.size_bytes != place.size_bytes:
            self.damage(place)
        elif place.state == LocationState.MISSING:
            _add(self.seen.returned, place)

    def _ask_again(self, place: Place) -> None:
        """A list may be older than the row: only the object itself tells."""
        if len(self.seen.missing) >= MOST_ACTS:
            self._miss(place)
            return
        try:
            info = self._provider.stat(place.key)
        except NotFound:
            self._miss(place)
            return
        if info.size_bytes != place.size_bytes:
            self.damage(place)
        elif place.state == LocationState.MISSING:
            _add(self.seen.returned, place)

    def _miss(self, place: Place) -> None:
        self._outcome.count("missing")
        self.seen.newly_missing += place.state == LocationState.PRESENT
        _add(self.seen.missing, place)

    def damage(self, place: Place) -> None:
        """Other bytes lie there than were stored."""
        self._outcome.count("damaged")
        _add(self.seen.damaged, place)

    def _note_unknown(self, unknown: list[ObjectInfo], low: str, high: str | None) -> None:
        self._outcome.count("unknown", len(unknown))
        for info in unknown:
            if info.key.startswith(FILES):
                self.seen.unknown_files += 1
                self.seen.newest_unknown = _later(self.seen.newest_unknown, info.modified_at)
        limit = self._outcome.started_at - OLD_ENOUGH
        old = {info.key for info in unknown if info.modified_at <= limit}
        before = _seen_before(self._provider.name, low, high)
        for key in sorted(old & set(before)):
            if before[key] < self._outcome.started_at:
                self.seen.movable += 1
                _add(self.seen.strays, Stray(key, before[key]))
        if self._outcome.mode == Mode.MEND:
            _remember(self._provider.name, new=old - set(before), gone=set(before) - old)


def still_unknown(provider: str, keys: set[str], schools: list[UUID]) -> set[str]:
    """Those of the keys that no school's rows or tasks and no other domain names."""
    unknown = set(keys)
    for school_id in schools:
        if unknown:
            with inside(school_id):
                unknown -= wanted_here(provider, unknown)
    unknown -= wanted_outside(unknown)
    db.session.remove()  # no transaction stays open while the provider is asked
    return unknown


def places_between(provider: str, low: str, high: str | None) -> Iterator[Place]:
    """Rows of the school in scope with keys behind `low` up to `high`, in their order."""
    while True:
        query = sa.select(*PLACE).join(Blob, BLOB_OF_PLACE)
        query = query.where(BlobLocation.provider == provider, BlobLocation.key > low)
        if high is not None:
            query = query.where(BlobLocation.key <= high)
        rows = db.session.execute(query.order_by(BlobLocation.key).limit(WINDOW)).all()
        for row in rows:
            yield Place(*row)
        if len(rows) < WINDOW:
            return
        low = rows[-1].key


PLACE = (
    BlobLocation.school_id,
    BlobLocation.id,
    BlobLocation.blob_id,
    BlobLocation.key,
    BlobLocation.state,
    # Of the bytes as they lie there: encrypted content is longer, with a checksum of its own.
    sa.func.coalesce(Blob.stored_bytes, Blob.size_bytes),
    sa.case((Blob.envelope.is_(None), Blob.sha256), else_=Blob.stored_sha256),
    BlobLocation.created_at,
)
BLOB_OF_PLACE = (Blob.school_id == BlobLocation.school_id) & (Blob.id == BlobLocation.blob_id)


def _windows(provider: StorageProvider) -> Iterator[list[ObjectInfo]]:
    objects = provider.list("")
    while window := list(islice(objects, WINDOW)):
        yield window


def _is_ordered(low: str, window: list[ObjectInfo]) -> bool:
    keys = [low, *(info.key for info in window)]
    return all(first < second for first, second in pairwise(keys))


def _seen_before(provider: str, low: str, high: str | None) -> dict[str, datetime]:
    query = sa.select(StrayObject.key, StrayObject.first_seen_at).where(
        StrayObject.provider == provider, StrayObject.key > low
    )
    if high is not None:
        query = query.where(StrayObject.key <= high)
    # What lies between two windows cannot be more than was once written down of them.
    found = {row.key: row.first_seen_at for row in db.session.execute(query.limit(WINDOW * 4))}
    db.session.remove()
    return found


def _remember(provider: str, *, new: Collection[str], gone: Collection[str]) -> None:
    if not new and not gone:
        return
    rows = [{"provider": provider, "key": key, "first_seen_at": clock.now()} for key in sorted(new)]
    with transaction() as session:
        if rows:
            session.execute(sa.insert(StrayObject), rows)
        forget_strays(provider, gone)
    db.session.remove()


def forget_strays(provider: str, keys: Collection[str]) -> None:
    """They are gone, or known after all. In the caller's transaction."""
    rest = iter(sorted(keys))
    while some := list(islice(rest, AT_ONCE)):
        db.session.execute(
            sa.delete(StrayObject)
            .where(StrayObject.provider == provider, StrayObject.key.in_(some))
            .execution_options(synchronize_session=False)
        )


def _put_aside_on(key: str) -> date | None:
    try:
        return date.fromisoformat(key.removeprefix(ASIDE).partition("/")[0])
    except ValueError:
        return None


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def _add(where: list[T], what: T) -> None:
    if len(where) < MOST_ACTS:
        where.append(what)
