"""What must still happen at a provider: written down with the decision, carried out by a job.

Nothing is deleted or copied inside a request. A `StorageTask` row is committed with whatever made
it necessary, and tried again, ever more seldom and without giving up, until the provider has
done it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.db import changes_one, db, transaction
from school.files.models import Blob, BlobLocation, StorageTask
from school.jobs.queue import enqueue_within
from school.storage.errors import StorageError, describe

SWEEP = "files.sweep"
DELETE, COPY = "delete", "copy"
AT_ONCE = 200
LONGEST_WAIT_S = 3600
SLACK = timedelta(minutes=1)
LATE_WRITE = timedelta(hours=24)
"""So long after nobody knew, a write may still land."""
NO_WAIT = timedelta(0)


class Task(NamedTuple):
    """A task as it stands, without the row."""

    id: UUID
    operation: str
    provider: str
    key: str
    attempts: int


_TASK = (
    StorageTask.id,
    StorageTask.operation,
    StorageTask.provider,
    StorageTask.key,
    StorageTask.attempts,
)


def delete_later(provider: str, key: str, *, after: timedelta = NO_WAIT) -> None:
    """An object must go."""
    _add(DELETE, provider, key, after=after)


def copy_later(provider: str, key: str) -> None:
    """An object must come to lie at this provider too."""
    _add(COPY, provider, key, after=NO_WAIT)


def _add(operation: str, provider: str, key: str, *, after: timedelta) -> None:
    """In the caller's transaction; written down once, however often it is asked for."""
    known = db.session.scalar(sa.select(StorageTask.id).where(_is(operation, provider, key)))
    if known is None:
        due = clock.now() + after
        db.session.add(StorageTask(operation=operation, provider=provider, key=key, next_at=due))
        db.session.flush()
    plan_sweep(after=after)


def tasks_later(
    operation: str, provider: str, keys: Sequence[str], *, after: timedelta = NO_WAIT
) -> None:
    """Many at once, AT_ONCE at most."""
    if not keys:
        return
    known = db.session.scalars(
        sa.select(StorageTask.key).where(
            StorageTask.operation == operation,
            StorageTask.provider == provider,
            StorageTask.key.in_(keys),
        )
    )
    due = clock.now() + after
    for key in sorted(set(keys) - set(known)):
        db.session.add(StorageTask(operation=operation, provider=provider, key=key, next_at=due))
    db.session.flush()
    plan_sweep(after=after)


def keep_after_all(provider: str, key: str) -> bool:
    """Take a deletion back, in the caller's transaction. False when it has happened already."""
    return forget(DELETE, provider, key)


def forget(operation: str, provider: str, key: str) -> bool:
    """The task is done or no longer wanted, in the caller's transaction; False if there is none."""
    return changes_one(sa.delete(StorageTask).where(_is(operation, provider, key)))


def forget_all(operation: str, provider: str, keys: Collection[str]) -> None:
    """As `forget`, for many."""
    db.session.execute(
        sa.delete(StorageTask)
        .where(StorageTask.operation == operation, StorageTask.provider == provider)
        .where(StorageTask.key.in_(keys))
        .execution_options(synchronize_session=False)
    )


def _is(operation: str, provider: str, key: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        StorageTask.operation == operation,
        StorageTask.provider == provider,
        StorageTask.key == key,
    )


def plan_sweep(*, after: timedelta) -> None:
    """See to it that a sweep of this school is waiting, so that a crash mends itself."""
    enqueue_within(SWEEP, after + SLACK if after else after)


def due_tasks(providers: Sequence[str]) -> list[Task]:
    """What is to be done now at these providers, the longest waiting first."""
    rows = db.session.execute(
        sa.select(*_TASK)
        .where(StorageTask.provider.in_(providers), StorageTask.next_at <= clock.now())
        .order_by(StorageTask.next_at)
        .limit(AT_ONCE)
    )
    return [Task(*row) for row in rows]


def open_tasks(operation: str, provider: str, *, behind: UUID | None) -> list[Task]:
    """What is to be done at this provider, due or not, in the order it was asked for."""
    query = sa.select(*_TASK).where(
        StorageTask.operation == operation, StorageTask.provider == provider
    )
    if behind is not None:
        query = query.where(StorageTask.id > behind)
    return [Task(*row) for row in db.session.execute(query.order_by(StorageTask.id).limit(AT_ONCE))]


class Waiting(NamedTuple):
    """What waits at one provider."""

    operation: str
    provider: str
    objects: int
    bytes: int
    since: datetime
    last_error: str | None


def waiting() -> list[Waiting]:
    """The backlog of the school in scope, the oldest first; not what is put off on purpose."""
    is_late = sa.or_(StorageTask.attempts > 0, StorageTask.next_at <= clock.now())
    rows = db.session.execute(
        sa.select(
            StorageTask.operation,
            StorageTask.provider,
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(Blob.size_bytes), 0),
            sa.func.min(StorageTask.created_at),
            sa.func.max(StorageTask.last_error),
        )
        .outerjoin(
            BlobLocation,
            (BlobLocation.school_id == StorageTask.school_id)
            & (BlobLocation.provider == StorageTask.provider)
            & (BlobLocation.key == StorageTask.key),
        )
        .outerjoin(
            Blob, (Blob.school_id == BlobLocation.school_id) & (Blob.id == BlobLocation.blob_id)
        )
        .where(is_late)
        .group_by(StorageTask.operation, StorageTask.provider)
        .order_by(sa.func.min(StorageTask.created_at))
    )
    return [Waiting(row[0], row[1], row[2], int(row[3] or 0), row[4], row[5]) for row in rows]


def postpone(task: Task, error: StorageError) -> None:
    """Try again later. Opens its own transaction."""
    wait = timedelta(seconds=min(5 * 2**task.attempts, LONGEST_WAIT_S))
    with transaction() as session:
        session.execute(
            sa.update(StorageTask)
            .where(StorageTask.id == task.id)
            .values(
                attempts=StorageTask.attempts + 1,
                next_at=clock.now() + wait,
                last_error=describe(error)[:500],
            )
            .execution_options(synchronize_session=False)
        )
