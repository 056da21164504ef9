"""What crashes and slow providers leave behind is put right; only here are objects deleted."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
import structlog

from school import clock
from school.db import changes_one, db, take_write_lock, transaction
from school.files.models import (
    Blob,
    BlobDerivative,
    BlobLocation,
    BlobState,
    FileVersion,
    LocationState,
    StorageTask,
)
from school.files.service import copying, quotas
from school.files.service.outbox import (
    AT_ONCE,
    COPY,
    DELETE,
    NO_WAIT,
    Task,
    delete_later,
    due_tasks,
    forget,
    plan_sweep,
    postpone,
)
from school.files.service.shelf import shelf
from school.files.service.uploading.ending import end_old, next_end, release_idle
from school.storage.errors import StorageError
from school.storage.hybrid import members_of
from school.storage.protocol import StorageProvider
from school.tenancy.scope import current_school_id

log = structlog.get_logger(__name__)
BACKUPS_KEPT = timedelta(days=7)
"""How old a backup of the database may be whose files are all still there when it is restored."""


@dataclass(slots=True)
class Swept:
    """What one sweep did."""

    discarded: int = 0
    copied: int = 0
    deleted: int = 0
    failed: int = 0
    waiting: int = 0

    def __add__(self, other: Swept) -> Swept:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Swept(*(one + two for one, two in pairs))


def discard(blob_id: UUID) -> bool:
    """Decide, in the caller's transaction, that a pending blob is not wanted.

    False when it is pending no longer: settled, or already let go.
    """
    return _condemn(blob_id, BlobState.PENDING, after=NO_WAIT)


def let_go(blob_id: UUID) -> bool:
    """Decide, in the caller's transaction, that stored content is not needed any more.

    False while a version has it. Its objects stay for as long as a backup of the database may be
    restored that still names them.
    """
    # Whoever is about to make a version of it goes first, or waits for us and finds it gone.
    db.session.execute(sa.select(Blob.id).where(Blob.id == blob_id).with_for_update())
    needed = sa.select(FileVersion.id).where(
        FileVersion.blob_id == blob_id, FileVersion.pruned_at.is_(None)
    )
    if db.session.scalar(needed.limit(1)) is not None:
        return False
    return _condemn(blob_id, BlobState.STORED, after=BACKUPS_KEPT)


def _condemn(blob_id: UUID, state: BlobState, *, after: timedelta) -> bool:
    """The one way a blob begins to be deleted: by compare and swap, with what was made of it."""
    is_condemned = changes_one(
        sa.update(Blob)
        .where(Blob.id == blob_id, Blob.state == state)
        .values(state=BlobState.DELETING, lease_until=None)
    )
    if not is_condemned:
        return False
    quotas.discount_blobs([blob_id])
    locations = db.session.scalars(
        sa.select(BlobLocation)
        .where(BlobLocation.blob_id == blob_id)
        .execution_options(populate_existing=True)
    ).all()
    for location in locations:
        location.state = LocationState.DELETING
        delete_later(location.provider, location.key, after=after)
    for derived_id in _derived_from(blob_id):
        _condemn(derived_id, BlobState.STORED, after=after)
    return True


def _derived_from(blob_id: UUID) -> list[UUID]:
    found = db.session.scalars(
        sa.select(BlobDerivative.derived_id).where(BlobDerivative.blob_id == blob_id)
    )
    return [derived_id for derived_id in found if derived_id is not None]


def sweep() -> Swept:
    """Put right what is due in the school in scope; opens its own transactions."""
    swept = Swept(discarded=_discard_expired() + end_old())
    release_idle()
    copying.plan_missing_copies()
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
    members = {member.name: member for member in members_of(shelf().provider)}
    tasks = due_tasks(list(members))
    db.session.rollback()  # no transaction stays open while the provider is asked
    swept = Swept()
    for task in tasks:
        try:
            if task.operation == COPY:
                copying.carry_out(task, members[task.provider])
                swept.copied += 1
            else:
                _delete(task, members[task.provider])
                swept.deleted += 1
        except StorageError as error:
            db.session.rollback()
            log.warning(
                "file.task_failed",
                operation=task.operation,
                key=task.key,
                error=type(error).__name__,
            )
            postpone(task, error)
            swept.failed += 1
    return swept


def _delete(task: Task, provider: StorageProvider) -> None:
    provider.delete(task.key)
    with transaction() as session:
        take_write_lock(session)
        forget(DELETE, task.provider, task.key)
        _mark_gone(task.provider, task.key)


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


def _plan_next() -> int:
    """A sweep for the next lease or task that comes due; how much is still to be done."""
    pending = db.session.execute(
        sa.select(sa.func.count(), sa.func.min(Blob.lease_until)).where(
            Blob.state == BlobState.PENDING
        )
    ).one()
    tasks = db.session.execute(sa.select(sa.func.count(), sa.func.min(StorageTask.next_at))).one()
    moments = [at for at in (pending[1], tasks[1], next_end()) if at is not None]
    if moments:
        plan_sweep(after=max(min(moments) - clock.now(), timedelta(seconds=1)))
    return int(pending[0] + tasks[0])
