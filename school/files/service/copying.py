"""The same bytes in a second place: planned with the write, carried out by the sweep.

Copies lie under the same key. Until a copy lies there, its `BlobLocation` says "writing"; reading
falls through to whichever place has the object.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import BinaryIO, NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from school.db import db, take_turn, take_write_lock, transaction
from school.files.models import Blob, BlobLocation, BlobState, LocationState
from school.files.service.moving.following import MovingStorage
from school.files.service.outbox import (
    AT_ONCE,
    COPY,
    NO_WAIT,
    Task,
    copy_later,
    forget,
    forget_all,
    plan_sweep,
    tasks_later,
)
from school.files.service.shelf import shelf
from school.storage.errors import AlreadyExists, IntegrityError
from school.storage.hashing import BlockStream, CountingReader
from school.storage.hybrid import HybridStorage, keepers_of, members_of
from school.storage.protocol import StorageProvider
from school.tenancy.scope import current_school_id

_SOON = timedelta(seconds=1)


class Copied(NamedTuple):
    """What is known of the bytes to copy."""

    blob_id: UUID
    size_bytes: int
    sha256: str
    content_type: str


def plan_copies(blob_id: UUID, key: str, *, done: Iterable[str] = ()) -> None:
    """In the transaction that makes a blob count: copies everywhere but where they lie already."""
    for member in keepers_of(shelf().provider):
        if member.name not in done:
            db.session.add(BlobLocation(blob_id=blob_id, provider=member.name, key=key))
            copy_later(member.name, key)


def plan_missing_copies() -> None:
    """Plan copies of what was written before there was a place for copies, a batch at a time.

    While files move to another storage that is the move's business, at its own speed.
    """
    provider = shelf().provider
    if isinstance(provider, MovingStorage):
        return
    primary, *others = keepers_of(provider)
    for member in others:
        with transaction():
            if plan_copies_from(primary.name, member.name) is not None:
                plan_sweep(after=_SOON)


def plan_copies_from(
    source: str, target: str, *, behind: str = "", wait: timedelta = NO_WAIT
) -> str | None:
    """Plan a batch of copies that the target lacks, in the order of their keys, beginning behind
    one. Returns the key to go on behind; None when these were the last. In the caller's
    transaction; the sweep leaves them alone for so long as `wait` says."""
    take_turn(db.session(), f"copies:{current_school_id()}:{target}")
    rows = _without_copy(source, target, behind)
    for blob_id, key in rows:
        db.session.add(BlobLocation(blob_id=blob_id, provider=target, key=key))
    tasks_later(COPY, target, [key for _, key in rows], after=wait)
    return rows[-1][1] if len(rows) == AT_ONCE else None


def _without_copy(primary: str, name: str, behind: str) -> list[tuple[UUID, str]]:
    here, there = aliased(BlobLocation), aliased(BlobLocation)
    is_there = sa.exists(
        sa.select(1).where(
            there.school_id == here.school_id,
            there.blob_id == here.blob_id,
            there.provider == name,
        )
    )
    found = db.session.execute(
        sa.select(here.blob_id, here.key)
        .join(Blob, (Blob.school_id == here.school_id) & (Blob.id == here.blob_id))
        .where(here.provider == primary, here.state == LocationState.PRESENT)
        .where(Blob.state == BlobState.STORED, ~is_there, here.key > behind)
        .order_by(here.key)
        .limit(AT_ONCE)
    )
    return [(row[0], row[1]) for row in found]


def carry_out(task: Task, target: StorageProvider) -> int:
    """Copy one object over and note that it lies there. Returns its bytes. Raises StorageError."""
    copied = find_wanted(task.provider, [task.key]).get(task.key)
    etag = None
    if copied is not None:
        etag = put_copy(target, task.key, copied)
    with transaction():
        if copied is not None:
            mark_present(copied.blob_id, target.name, etag)
        forget(COPY, task.provider, task.key)
    return 0 if copied is None else copied.size_bytes


def put_copy(target: StorageProvider, key: str, copied: Copied) -> str | None:
    """The bytes from whoever has them, counted and hashed on the way. Returns the etag."""
    members = [one for one in members_of(shelf().provider) if one.name != target.name]
    try:
        with HybridStorage(*members).open(key) as blocks:
            return target.put(
                key,
                cast("BinaryIO", BlockStream(blocks)),
                size=copied.size_bytes,
                sha256=copied.sha256,
                content_type=copied.content_type,
            ).etag
    except AlreadyExists:
        _compare(target, key, copied)  # an earlier try landed after all
        return None


def _compare(target: StorageProvider, key: str, copied: Copied) -> None:
    """Raises IntegrityError when what lies there is something else."""
    with target.open(key) as blocks:
        stream = cast("BinaryIO", BlockStream(blocks))
        reader = CountingReader(stream, size=copied.size_bytes, sha256=copied.sha256)
        for _ in reader.blocks():
            pass
    try:
        reader.check()
    except IntegrityError as error:
        raise IntegrityError(f"The copy that lies there is another: {error}", key=key) from error


def mark_present(blob_id: UUID, provider: str, etag: str | None) -> None:
    """In the caller's transaction. What was hashed on its way counts as read when its row was made:
    whoever wants to know asks whether it was read again since."""
    db.session.execute(
        sa.update(BlobLocation)
        .where(BlobLocation.blob_id == blob_id, BlobLocation.provider == provider)
        .where(BlobLocation.state == LocationState.WRITING)
        .values(state=LocationState.PRESENT, etag=etag, verified_at=BlobLocation.created_at)
        .execution_options(synchronize_session=False)
    )


def note_copies(provider: str, etags: Mapping[str, str | None], *, done: Collection[str]) -> None:
    """In the caller's transaction: these keys lie there (`etags`), and the tasks `done` are over.
    What `mark_present` and `forget` do for one."""
    take_write_lock(db.session())
    rows = db.session.scalars(
        sa.select(BlobLocation)
        .where(BlobLocation.provider == provider, BlobLocation.key.in_(list(etags)))
        .where(BlobLocation.state == LocationState.WRITING)
        .order_by(BlobLocation.key)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for row in rows:
        row.state, row.etag = LocationState.PRESENT, etags[row.key]
        row.verified_at = row.created_at
    db.session.flush()
    forget_all(COPY, provider, done)


def find_wanted(provider: str, keys: Collection[str]) -> dict[str, Copied]:
    """What is known of those of these keys whose copy is still wanted at the provider."""
    rows = db.session.execute(
        sa.select(
            BlobLocation.key,
            Blob.id,
            sa.func.coalesce(Blob.stored_bytes, Blob.size_bytes),
            sa.func.coalesce(Blob.stored_sha256, Blob.sha256),
            Blob.content_type,
        )
        .join(
            BlobLocation,
            (BlobLocation.school_id == Blob.school_id) & (BlobLocation.blob_id == Blob.id),
        )
        .where(BlobLocation.provider == provider, BlobLocation.key.in_(keys))
        .where(BlobLocation.state == LocationState.WRITING, Blob.state == BlobState.STORED)
    )
    found = {key: Copied(*cast("tuple[UUID, int, str, str]", tuple(row))) for key, *row in rows}
    db.session.rollback()  # no transaction stays open while the provider is asked
    return found
