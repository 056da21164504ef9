"""Every night the counters of used space are compared with what they count, and put right."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
import structlog

from school import cache, clock
from school.audit.log import facts, record_change
from school.db import db, take_write_lock, transaction
from school.files.models import UNDER_WAY, Blob, File, HolderKind, StorageUsage, Upload, UsageDay
from school.files.service import quotas
from school.jobs.queue import enqueue, find_unfinished
from school.tenancy.scope import current_school_id

log = structlog.get_logger(__name__)
COUNT = "files.count"
Holder = tuple[HolderKind, UUID]
FACTS = ("holder_kind", "holder_id", "used_bytes")


class Drift(NamedTuple):
    """A counter that does not say what it counts."""

    kind: HolderKind
    holder_id: UUID
    counted_bytes: int
    actual_bytes: int


def recount(*, dry_run: bool = False) -> list[Drift]:
    """What had drifted in the school in scope; put right and audited, unless `dry_run`.

    Opens its own transaction. The first look holds nobody up; only when it finds something the
    school's counting is held while it looks again, because the first may have seen an upload
    half begun.
    """
    first = _compare()
    db.session.rollback()
    if not first:
        return []
    with transaction():
        # Whoever counts anything takes the school's row first.
        quotas.hold(HolderKind.SCHOOL, current_school_id())
        drifts = _compare()
        if not dry_run:
            for drift in drifts:
                _mend(drift)
    return drifts


def _mend(drift: Drift) -> None:
    row = quotas.hold(drift.kind, drift.holder_id)
    before = facts(row, FACTS)
    row.used_bytes = drift.actual_bytes
    db.session.flush()
    record_change("storage.recounted", "storage_usage", row, before=before, after=facts(row, FACTS))
    log.warning("storage.drift", counted=drift.counted_bytes, actual=drift.actual_bytes)
    cache.forget(current_school_id(), quotas.TOPIC)


def _compare() -> list[Drift]:
    actual, counted = _actual(), _counted()
    holders = sorted(actual.keys() | counted.keys(), key=str)
    return [
        Drift(*holder, counted.get(holder, 0), actual.get(holder, 0))
        for holder in holders
        if counted.get(holder, 0) != actual.get(holder, 0)
    ]


def _counted() -> dict[Holder, int]:
    rows = db.session.execute(
        sa.select(StorageUsage.holder_kind, StorageUsage.holder_id, StorageUsage.used_bytes)
    )
    return {(HolderKind(kind), holder_id): used for kind, holder_id, used in rows}


def _actual() -> dict[Holder, int]:
    """What the definition says, read from what it speaks of."""
    found: dict[Holder, int] = {}
    for sent_by, size_bytes in [*_blobs(), *_uploads()]:
        for holder in quotas.holders(sent_by):
            found[holder] = found.get(holder, 0) + int(size_bytes or 0)
    return found


def _blobs() -> list[tuple[UUID | None, int | None]]:
    rows = db.session.execute(
        sa.select(Blob.sent_by, sa.func.sum(Blob.size_bytes))
        .where(Blob.state.in_(quotas.COUNTED))
        .group_by(Blob.sent_by)
    )
    return [(sent_by, total) for sent_by, total in rows]


def _uploads() -> list[tuple[UUID | None, int | None]]:
    rows = db.session.execute(
        sa.select(Upload.user_id, sa.func.sum(Upload.room_bytes))
        .where(Upload.state.in_(UNDER_WAY))
        .group_by(Upload.user_id)
    )
    return [(user_id, total) for user_id, total in rows]


def note_day() -> None:
    """Write down what the school takes up today, for the chart; later the same day it says more.

    Opens its own transaction.
    """
    today = clock.today()
    used = quotas.list_standings(None)[0].used_bytes
    files = db.session.scalar(sa.select(sa.func.count()).select_from(File)) or 0
    with transaction() as session:
        take_write_lock(session)
        row = session.scalar(sa.select(UsageDay).where(UsageDay.day == today))
        if row is None:
            session.add(UsageDay(day=today, used_bytes=used, files=files))
        else:
            row.used_bytes, row.files = used, files
    cache.forget(current_school_id(), quotas.TOPIC)


def plan_count() -> bool:
    """A night's work for the school in scope, one at a time. Opens its own transaction."""
    with transaction():
        if find_unfinished(COUNT) is not None:
            return False
        enqueue(COUNT)
    return True


def keep_count() -> int:
    """Recount, then note the day; how many counters had drifted. Opens its own transactions."""
    drifts = recount()
    note_day()
    return len(drifts)
