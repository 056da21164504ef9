"""Putting right what was found. Nothing is deleted that does not lie somewhere else by then.

Every step may be cut off and done again: a copy that lies there already is compared and kept, the
original goes only after it, and rows change only from the state they were seen in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import TypeVar
from uuid import UUID

import sqlalchemy as sa
import structlog

from school import clock
from school.db import changes_one, db, transaction
from school.files.models import Blob, BlobLocation, BlobState, LocationState
from school.files.service.outbox import copy_later
from school.files.service.reconciling.known import AT_ONCE
from school.files.service.reconciling.looking import ASIDE, forget_strays, still_unknown
from school.files.service.reconciling.outcome import (
    MOST_FINDINGS,
    Kind,
    Outcome,
    Place,
    Seen,
    Stray,
)
from school.files.service.reconciling.verifying import read_through
from school.storage.errors import (
    AlreadyExists,
    Denied,
    IntegrityError,
    NotFound,
    PreconditionFailed,
    StorageError,
)
from school.storage.protocol import StorageProvider
from school.tenancy.scope import school_scope

T = TypeVar("T", str, Place, Stray)
log = structlog.get_logger(__name__)
# The provider answered, and about this object alone: the others may still be put right.
ABOUT_ONE = (AlreadyExists, Denied, IntegrityError, NotFound, PreconditionFailed)


class Mender:
    """Acts on one provider; `others` are the places copies may come from."""

    def __init__(
        self, provider: StorageProvider, others: Sequence[StorageProvider], outcome: Outcome
    ) -> None:
        self._provider = provider
        self._others = {one.name: one for one in others}
        self._outcome = outcome

    def mend(self, seen: Seen, schools: list[UUID]) -> None:
        """Raises StorageError when the provider stops answering."""
        self._each(seen.returned, self._take_back)
        self._each(seen.missing, self._replace_missing)
        self._each(seen.damaged, self._replace_damaged)
        for some in _batches(seen.strays):
            self._each(self._still_unknown(some, schools), self._put_aside)

    def report(self, seen: Seen) -> None:
        """Tell what would be done, and do nothing."""
        for place in seen.returned:
            self._tell(Kind.RETURNED, place)
        # Each is asked for elsewhere: where it is the wrong bucket anyway, some say enough.
        most = MOST_FINDINGS if self._outcome.stopped else None
        for place in seen.missing[:most]:
            self._tell_loss(Kind.LOST, place)
        for place in seen.damaged[:most]:
            self._tell_loss(Kind.DAMAGED, place)
        for stray in seen.strays:
            self._outcome.tell(Kind.STRAY, stray.key)

    def empty_aside(self, keys: Iterable[str]) -> None:
        """Delete what was put aside long ago."""
        self._each(list(keys), self._delete_aside)

    def _each(self, things: Sequence[T], act: Callable[[T], None]) -> None:
        for thing in things:
            try:
                act(thing)
            except ABOUT_ONE as error:
                key = thing if isinstance(thing, str) else thing.key
                self._outcome.count("failed")
                self._outcome.tell(Kind.FAILED, key, detail=type(error).__name__)

    def _take_back(self, place: Place) -> None:
        """It was missing; whatever lies there now is read before it counts again."""
        try:
            read_through(self._provider, place)
        except IntegrityError:
            self._replace_damaged(place)
            return
        if _move(place, LocationState.MISSING, LocationState.PRESENT):
            self._outcome.count("returned")
            self._tell(Kind.RETURNED, place)

    def _replace_missing(self, place: Place) -> None:
        if self._holder_of(place) is False:
            self._give_up(place, Kind.LOST)
        elif _move(place, place.state, LocationState.WRITING, self._provider.name):
            self._outcome.count("repaired")
            self._tell(Kind.REPAIRED, place)

    def _replace_damaged(self, place: Place) -> None:
        """The wrong bytes go aside first: keys are written once. Without a good copy elsewhere
        they stay where they are, for a person to look at."""
        has_copy = self._holder_of(place)
        if has_copy is False:
            self._give_up(place, Kind.DAMAGED)
        elif has_copy:
            self._move_aside(place.key, clock.today())
            if _move(place, place.state, LocationState.WRITING, self._provider.name):
                self._outcome.count("repaired")
                self._tell(Kind.REPAIRED, place)

    def _give_up(self, place: Place, kind: Kind) -> None:
        if _move(place, place.state, LocationState.MISSING):
            self._outcome.count("lost")
            self._tell(kind, place)
            log.error("file.object_lost", kind=kind, provider=self._provider.name, key=place.key)

    def _tell_loss(self, kind: Kind, place: Place) -> None:
        if self._holder_of(place) is False:
            self._outcome.count("lost")
            self._tell(kind, place)
        else:
            self._tell(Kind.REPAIRED, place)

    def _tell(self, kind: Kind, place: Place) -> None:
        self._outcome.tell(kind, place.key, school_id=place.school_id)

    def _holder_of(self, place: Place) -> bool | None:
        """Whether another place has the object; None when that one cannot be asked now."""
        answers = [_has(self._others[name], place) for name in self._names(place)]
        if any(answers):
            return True
        return None if None in answers else False

    def _names(self, place: Place) -> list[str]:
        with school_scope(place.school_id):
            return list(
                db.session.scalars(
                    sa.select(BlobLocation.provider).where(
                        BlobLocation.blob_id == place.blob_id,
                        BlobLocation.provider.in_(self._others),
                        BlobLocation.state == LocationState.PRESENT,
                    )
                )
            )

    def _still_unknown(self, strays: Sequence[Stray], schools: list[UUID]) -> list[Stray]:
        """Asked once more, key by key: the list may have lied, and time has passed."""
        keys = {stray.key for stray in strays}
        unknown = still_unknown(self._provider.name, keys, schools)
        return [stray for stray in strays if stray.key in unknown]

    def _put_aside(self, stray: Stray) -> None:
        # The day it was first seen, so that a run that was cut off finds its own copy again.
        self._move_aside(stray.key, stray.first_seen_at.date())
        with transaction():
            forget_strays(self._provider.name, [stray.key])
        self._outcome.count("moved")
        self._outcome.tell(Kind.STRAY, stray.key)

    def _move_aside(self, key: str, day: date) -> None:
        target = f"{ASIDE}{day.isoformat()}/{key}"
        try:
            self._provider.copy(key, target)
        except AlreadyExists:
            if self._provider.stat(target).size_bytes != self._provider.stat(key).size_bytes:
                raise
        self._provider.delete(key)

    def _delete_aside(self, key: str) -> None:
        if self._provider.delete(key):
            self._outcome.count("emptied")


def _has(provider: StorageProvider, place: Place) -> bool | None:
    try:
        return provider.stat(place.key).size_bytes == place.size_bytes
    except NotFound:
        return False
    except StorageError:
        return None


def _move(place: Place, before: str, after: LocationState, copy_to: str | None = None) -> bool:
    """Change the row, if it still stands as it was seen. `copy_to`: and plan the copy there."""
    with school_scope(place.school_id), transaction():
        is_moved = changes_one(
            sa.update(BlobLocation)
            .where(BlobLocation.id == place.id, BlobLocation.key == place.key)
            .where(BlobLocation.state == before, _is_wanted(place))
            .values(state=after, updated_at=clock.now())
        )
        if is_moved and copy_to:
            copy_later(copy_to, place.key)
    return is_moved


def _is_wanted(place: Place) -> sa.ColumnElement[bool]:
    """The blob is not being deleted."""
    query = sa.select(Blob.id).where(Blob.id == place.blob_id, Blob.state == BlobState.STORED)
    return BlobLocation.blob_id.in_(query)


def _batches(strays: list[Stray]) -> Iterable[list[Stray]]:
    for start in range(0, len(strays), AT_ONCE):
        yield strays[start : start + AT_ONCE]
