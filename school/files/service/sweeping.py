"""What crashes and slow providers leave behind is put right; only here are objects deleted.

Nothing is deleted inside a request: a `StorageTask` row is committed with the decision, and the
job carries it out until the provider says that the object is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
import structlog

from school import clock
from school.db import db, take_write_lock, transaction
from school.files.models import Blob, BlobLocation, BlobState, LocationState, StorageTask
from school.files.service.shelf import shelf
from school.jobs.models import Job, JobState
from school.jobs.queue import enqueue
from school.storage.errors import StorageError
from school.storage.protocol import StorageProvider
from school.tenancy.scope import current_school_id

log = structlog.get_logger(__name__)
SWEEP = "files.sweep"
AT_ONCE = 200
LONGEST_WAIT_S = 3600
SLACK = timedelta(minutes=1)
DELETE = "delete"


@dataclass(slots=True)
class Swept:
    """What one sweep did."""

    discarded: int = 0
    deleted: int = 0
    failed: int = 0
    waiting: int = 0

    def __add__(self, other: Swept) -> Swept:
        return Swept(
            self.discarded + other.discarded,
            self.deleted + other.deleted,
            self.failed + other.failed,
            self.waiting + other.waiting,
        )


def discard(blob_id: UUID) -> bool:
    """Decide, in the caller's transaction, that a pending blob is not wanted.

    False when it is pending no longer: settled, or already let go.
    """
    gone = db.session.execute(
        sa.update(Blob)
        .where(Blob.id == blob_id, Blob.state == BlobState.PENDING)
        .values(state=BlobState.DELETING, lease_until=None)
        .execution_options(synchronize_session=False)
    )
    if gone.rowcount != 1:  # type: ignore[attr-defined]
        return False
    locations = db.session.scalars(
        sa.select(BlobLocation)
        .where(BlobLocation.blob_id == blob_id)
        .execution_options(populate_existing=True)
    ).all()
    for location in locations:
        location.state = LocationState.DELETING
        delete_later(location.provider, location.key)
    return True


def delete_later(provider: str, key: str, *, after: timedelta = timedelta(0)) -> None:
    """Write down that an object must go, in the caller's transaction."""
    known = db.session.scalar(
        sa.select(StorageTask).where(
            StorageTask.operation == DELETE,
            StorageTask.provider == provider,
            StorageTask.key == key,
        )
    )
    if known is None:
        due = clock.now() + after
        db.session.add(StorageTask(operation=DELETE, provider=provider, key=key, next_at=due))
        db.session.flush()
    plan_sweep(after=after)


def keep_after_all(provider: str, key: str) -> bool:
    """Take a deletion back, in the caller's transaction. False when it has happened already."""
    taken = db.session.execute(
        sa.delete(StorageTask)
        .where(
            StorageTask.operation == DELETE,
            StorageTask.provider == provider,
            StorageTask.key == key,
        )
        .execution_options(synchronize_session=False)
    )
    return bool(taken.rowcount == 1)  # type: ignore[attr-defined]


def plan_sweep(*, after: timedelta) -> None:
    """See to it that a sweep of this school is waiting, so that a crash mends itself."""
    wanted = clock.now() + after + (SLACK if after else timedelta(0))
    waiting = db.session.scalar(
        sa.select(Job.id).where(
            Job.kind == SWEEP,
            Job.school_id == current_school_id(),
            Job.state == JobState.WAITING,
            Job.run_at <= wanted,
        )
    )
    if waiting is None:
        enqueue(SWEEP, delay_s=int((wanted - clock.now()).total_seconds()))


def sweep() -> Swept:
    """Put right what is due in the school in scope; opens its own transactions."""
    swept = Swept(discarded=_discard_expired())
    swept += _carry_out()
    with transaction():
        swept.waiting = _plan_next()
    return swept


def _discard_expired() -> int:
    """Pending blobs whose lease ran out: whoever wrote them is gone."""
    count = 0
    for blob_id in _expired():
        with transaction():
            count += discard(blob_id)
    return count


def _expired() -> list[UUID]:
    return list(
        db.session.scalars(
            sa.select(Blob.id)
            .where(Blob.state == BlobState.PENDING, Blob.lease_until < clock.now())
            .order_by(Blob.lease_until)
            .limit(AT_ONCE)
        )
    )


def _carry_out() -> Swept:
    provider = shelf().provider
    due = db.session.execute(
        sa.select(StorageTask.id, StorageTask.key, StorageTask.attempts)
        .where(
            StorageTask.operation == DELETE,
            StorageTask.provider == provider.name,
            StorageTask.next_at <= clock.now(),
        )
        .order_by(StorageTask.next_at)
        .limit(AT_ONCE)
    ).all()
    db.session.rollback()  # no transaction stays open while the provider is asked
    swept = Swept()
    for task_id, key, attempts in due:
        if _delete(provider, task_id, key, attempts):
            swept.deleted += 1
        else:
            swept.failed += 1
    return swept


def _delete(provider: StorageProvider, task_id: UUID, key: str, attempts: int) -> bool:
    try:
        provider.delete(key)
    except StorageError as error:
        log.warning("file.delete_failed", key=key, error=type(error).__name__)
        _postpone(task_id, attempts, error)
        return False
    with transaction() as session:
        take_write_lock(session)
        task = session.get(StorageTask, (current_school_id(), task_id))
        if task is not None:
            session.delete(task)
        _mark_gone(provider.name, key)
    return True


def _mark_gone(provider: str, key: str) -> None:
    """The place is no more; a blob without any place is deleted."""
    location = db.session.scalar(
        sa.select(BlobLocation).where(
            BlobLocation.provider == provider,
            BlobLocation.key == key,
            BlobLocation.state == LocationState.DELETING,
        )
    )
    if location is None:
        return  # a key that was given up for a newer one
    blob_id = location.blob_id
    db.session.delete(location)
    db.session.flush()
    left = db.session.scalar(sa.select(BlobLocation.id).where(BlobLocation.blob_id == blob_id))
    if left is None:
        blob = db.session.get_one(Blob, (current_school_id(), blob_id))
        blob.state = BlobState.DELETED


def _postpone(task_id: UUID, attempts: int, error: StorageError) -> None:
    """Try again later, ever more seldom, and never give up."""
    wait = timedelta(seconds=min(5 * 2**attempts, LONGEST_WAIT_S))
    with transaction() as session:
        session.execute(
            sa.update(StorageTask)
            .where(StorageTask.id == task_id)
            .values(
                attempts=StorageTask.attempts + 1,
                next_at=clock.now() + wait,
                last_error=f"{type(error).__name__}: {error}"[:500],
            )
            .execution_options(synchronize_session=False)
        )


def _plan_next() -> int:
    """A sweep for the next lease or task that comes due; how much is still to be done."""
    pending = db.session.execute(
        sa.select(sa.func.count(), sa.func.min(Blob.lease_until)).where(
            Blob.state == BlobState.PENDING
        )
    ).one()
    tasks = db.session.execute(sa.select(sa.func.count(), sa.func.min(StorageTask.next_at))).one()
    moments = [at for at in (pending[1], tasks[1]) if at is not None]
    if moments:
        plan_sweep(after=max(min(moments) - clock.now(), timedelta(seconds=1)))
    return int(pending[0] + tasks[0])
