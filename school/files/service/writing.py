"""How bytes come to rest: a row first, then the bytes, then the row says they are there.

    1. TX1  Blob(pending) and BlobLocation(writing) under a fresh random key are committed; from
            here on it counts towards its sender's and the school's space (see `quotas`).
    2. put  the bytes go to the provider, which counts and hashes them on the way.
    3. TX2  the caller's transaction: `settle` turns the blob to stored (only from pending, by
            compare and swap) beside whatever refers to it, and plans its copies.

Whatever stops in between leaves a pending row that names its key, so nothing is ever an orphan:
`sweeping` removes it after the lease. A time-out means "nobody knows": the write is tried again
under a new key, and the old key is deleted later, when a late write can no longer land.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
import structlog

from school import clock
from school.db import changes_one, db, new_id, transaction
from school.errors import Unavailable
from school.files.models import Blob, BlobLocation, BlobState
from school.files.service import quotas
from school.files.service.clamd import Scan, Verdict
from school.files.service.copying import Copied, mark_present, plan_copies, put_copy
from school.files.service.families import PURPOSES
from school.files.service.outbox import LATE_WRITE, delete_later, plan_sweep
from school.files.service.scanning import plan_scan, scan_values
from school.files.service.sealing import Outgoing, outgoing
from school.files.service.shelf import shelf
from school.files.service.staging import Staged
from school.files.service.sweeping import discard
from school.storage.errors import OutcomeUnknown, StorageError
from school.storage.hybrid import keepers_of
from school.storage.keys import new_key
from school.storage.protocol import ObjectInfo, StorageProvider

log = structlog.get_logger(__name__)
LEASE = timedelta(hours=1)
TRIES = 2


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes that lie at the provider but count only once `settle` has been committed."""

    blob_id: UUID
    provider: str
    key: str
    etag: str | None
    # Of the encrypted bytes, where they are.
    stored_sha256: str | None = None
    # Where copies lie already, because this purpose waits for them.
    copied: tuple[str, ...] = ()
    # The scanner did not look into it throughout.
    is_held: bool = False


def write(
    content: Staged, *, purpose: str, scan: Scan | None = None, sent_by: UUID | None = None
) -> Written:
    """Put content to rest (steps 1 and 2); `scan` is what the scanner said of it.

    `sent_by` is whose space it takes beside the school's; None for what nobody sent, such as a
    smaller picture of a file. Raises NoRoom; Unavailable when the provider cannot take it, or a
    copy cannot be made that this purpose waits for.

    Not inside a transaction: the pending row must be true before the first byte leaves.
    """
    if db.session().info.get("depth", 0):
        raise RuntimeError("A file is written outside any transaction; see files/service/writing.")
    provider = shelf().provider
    blob_id, key = new_id(), new_key()
    leaving = outgoing(content, blob_id, is_sensitive=PURPOSES[purpose].is_sensitive)
    _begin(leaving, key, provider, scan, sent_by)
    try:
        key, info = _send(leaving, key, provider)
        copied = _copy_now(leaving, key, info, provider) if purpose in shelf().both_for else ()
    except StorageError as error:
        log.warning("file.write_failed", blob_id=str(blob_id), error=type(error).__name__)
        give_up(blob_id)
        raise Unavailable(
            "The file store does not answer, so nothing was kept. Try again in a minute.",
            retry_after_s=60,
        ) from error
    stored_sha256 = info.sha256 if leaving.data_key is not None else None
    is_held = scan is not None and scan.verdict is Verdict.UNSURE
    return Written(blob_id, provider.name, key, info.etag, stored_sha256, copied, is_held)


def _copy_now(
    leaving: Outgoing, key: str, info: ObjectInfo, first: StorageProvider
) -> tuple[str, ...]:
    """Copies everywhere else, before the file counts."""
    blob_id, content = leaving.blob_id, leaving.content
    known = Copied(
        blob_id, leaving.size_bytes, info.sha256 or content.sha256, content.kind.content_type
    )
    copies = [one for one in keepers_of(shelf().provider) if one.name != first.name]
    for member in copies:
        with transaction() as session:
            session.add(BlobLocation(blob_id=blob_id, provider=member.name, key=key))
        try:
            put_copy(member, key, known)
        except OutcomeUnknown:
            with transaction():
                delete_later(member.name, key, after=LATE_WRITE)
            raise
    return tuple(member.name for member in copies)


def settle(written: Written) -> None:
    """Step 3, inside the caller's transaction: from now on the bytes count."""
    is_stored = changes_one(
        sa.update(Blob)
        .where(Blob.id == written.blob_id, Blob.state == BlobState.PENDING)
        .values(state=BlobState.STORED, lease_until=None, stored_sha256=written.stored_sha256)
    )
    if not is_stored:
        # The lease ran out and the sweep was faster.
        raise Unavailable(
            "Sending this file took too long, so nothing was kept. Send it again.",
            retry_after_s=1,
        )
    mark_present(written.blob_id, written.provider, written.etag)
    for name in written.copied:
        mark_present(written.blob_id, name, None)
    plan_copies(written.blob_id, written.key, done=(written.provider, *written.copied))
    if written.is_held:
        plan_scan()


def give_up(blob_id: UUID) -> None:
    """Let go of a blob that was not settled. If it was after all, nothing happens."""
    with transaction():
        discard(blob_id)


def _begin(
    leaving: Outgoing,
    key: str,
    provider: StorageProvider,
    scan: Scan | None,
    sent_by: UUID | None,
) -> None:
    content, envelope = leaving.content, leaving.envelope
    with transaction() as session:
        quotas.count(content.size_bytes, sent_by=sent_by)
        session.add(
            Blob(
                id=leaving.blob_id,
                sha256=content.sha256,
                size_bytes=content.size_bytes,
                content_type=content.kind.content_type,
                envelope=envelope,
                stored_bytes=leaving.size_bytes if envelope else None,
                lease_until=clock.now() + LEASE,
                sent_by=sent_by,
                **scan_values(scan),
            )
        )
        session.flush()
        session.add(BlobLocation(blob_id=leaving.blob_id, provider=provider.name, key=key))
        plan_sweep(after=LEASE)


def _send(leaving: Outgoing, key: str, provider: StorageProvider) -> tuple[str, ObjectInfo]:
    """The key under which the bytes lie in the end, and what the provider says of them."""
    for _ in range(TRIES - 1):
        try:
            return key, _put(key, provider, leaving)
        except OutcomeUnknown:
            key = _take_new_key(leaving.blob_id, key, provider)
    try:
        return key, _put(key, provider, leaving)
    except OutcomeUnknown:
        _take_new_key(leaving.blob_id, key, provider)
        raise


def _put(key: str, provider: StorageProvider, leaving: Outgoing) -> ObjectInfo:
    return provider.put(
        key,
        leaving.stream(),
        size=leaving.size_bytes,
        content_type=leaving.content.kind.content_type,
        sha256=leaving.sha256,
    )


def _take_new_key(blob_id: UUID, old: str, provider: StorageProvider) -> str:
    """A fresh key for the same blob; the old one is deleted when a late write must have landed."""
    key = new_key()
    with transaction() as session:
        session.execute(
            sa.update(BlobLocation)
            .where(BlobLocation.blob_id == blob_id, BlobLocation.provider == provider.name)
            .values(key=key)
            .execution_options(synchronize_session=False)
        )
        delete_later(provider.name, old, after=LATE_WRITE)
    return key
