"""Reading again, in turn, what has not been read for longest: a thirtieth of it a day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from math import ceil
from typing import BinaryIO, NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.db import db, transaction
from school.files.models import Blob, BlobLocation, LocationState
from school.files.service.reconciling.looking import BLOB_OF_PLACE, PLACE, Look
from school.files.service.reconciling.outcome import Outcome, Place
from school.files.service.reconciling.schools import inside
from school.storage.errors import IntegrityError, NotFound
from school.storage.hashing import BlockStream, CountingReader
from school.storage.protocol import StorageProvider

DAYS = 30
MOST_BYTES = 20 * 1024**3
BATCH = 200


class _Share(NamedTuple):
    """How much of one school is to be read today, and since when the oldest of it was not."""

    oldest: datetime
    school_id: UUID
    objects: int


def verify(provider: StorageProvider, schools: list[UUID], look: Look, outcome: Outcome) -> None:
    """Read today's share of this provider; what is wrong joins what `look` saw. The school that
    has waited longest begins, so that the bound on bytes hits each in turn. Raises StorageError."""
    for share in sorted(_shares(provider.name, schools)):
        for places in _longest_unread(provider.name, share, before=outcome.started_at):
            _read_some(provider, places, look, outcome)
            if outcome.counts["verified_bytes"] >= MOST_BYTES:
                return


def _read_some(
    provider: StorageProvider, places: list[Place], look: Look, outcome: Outcome
) -> None:
    """As many as the bound allows; noted together, even when the provider stops answering."""
    done: list[UUID] = []
    try:
        for place in places:
            if outcome.counts["verified_bytes"] >= MOST_BYTES:
                break
            _read(provider, place, look, outcome)
            done.append(place.id)
    finally:
        _note_read(places[0].school_id, done)


def _shares(provider: str, schools: list[UUID]) -> list[_Share]:
    shares = []
    for school_id in schools:
        with inside(school_id):
            _date_undated(provider)
            number, oldest = db.session.execute(
                sa.select(sa.func.count(), sa.func.min(BlobLocation.verified_at)).where(
                    *_present(provider)
                )
            ).one()
        if oldest is not None:
            shares.append(_Share(oldest, school_id, ceil(number / DAYS)))
    return shares


def _date_undated(provider: str) -> None:
    """Whoever wrote a place without saying when it was read last read it when writing it."""
    with transaction() as session:
        session.execute(
            sa.update(BlobLocation)
            .where(*_present(provider), BlobLocation.verified_at.is_(None))
            .values(verified_at=BlobLocation.created_at)
            .execution_options(synchronize_session=False)
        )


def _present(provider: str) -> tuple[sa.ColumnElement[bool], ...]:
    # As text, so that the partial index is seen to fit.
    return (BlobLocation.provider == provider, sa.text("blob_location.state = 'present'"))  # type: ignore[return-value]


def _longest_unread(provider: str, share: _Share, *, before: datetime) -> Iterator[list[Place]]:
    """Batch by batch: what was read moves to the end of the line."""
    left = share.objects
    while left > 0:
        with inside(share.school_id):
            rows = db.session.execute(
                sa.select(*PLACE)
                .join(Blob, BLOB_OF_PLACE)
                .where(*_present(provider), BlobLocation.verified_at < before)
                .order_by(BlobLocation.verified_at)
                .limit(min(left, BATCH))
            ).all()
        if not rows:
            return
        yield [Place(*row) for row in rows]
        left -= len(rows)


def _read(provider: StorageProvider, place: Place, look: Look, outcome: Outcome) -> None:
    try:
        read_through(provider, place)
    except IntegrityError:
        look.damage(place)
    except NotFound:
        return  # taken away since the look; the next one will tell
    outcome.count("verified")
    outcome.count("verified_bytes", place.size_bytes or 0)


def read_through(provider: StorageProvider, place: Place) -> None:
    """Raises IntegrityError when these are not the bytes that were stored."""
    with provider.open(place.key) as blocks:
        stream = cast("BinaryIO", BlockStream(blocks))
        reader = CountingReader(stream, size=place.size_bytes, sha256=place.sha256)
        for _ in reader.blocks():
            pass
    reader.check()


def _note_read(school_id: UUID, ids: list[UUID]) -> None:
    with inside(school_id), transaction() as session:
        session.execute(
            sa.update(BlobLocation)
            .where(BlobLocation.id.in_(ids), BlobLocation.state == LocationState.PRESENT)
            .values(verified_at=clock.now())
            .execution_options(synchronize_session=False)
        )
