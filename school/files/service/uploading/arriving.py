"""Pieces arrive: each becomes one object at the storage, and the upload is so much further.

    1. TX1  the upload is leased, and a row says under which fresh key the piece will lie.
    2. put  the bytes go to the provider.
    3. TX2  the piece's size and checksum, and the upload's offset (by compare and swap).

Whatever stops in between leaves a row without size: its bytes do not count, its key is known, and
it goes when the upload does. Nothing here is inside the caller's transaction.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import IO, BinaryIO, Protocol, cast
from uuid import UUID

import sqlalchemy as sa
import structlog

from school import clock
from school.db import changes_one, db, new_id, take_write_lock, transaction
from school.errors import Conflict, DomainError, TooLarge, Unavailable
from school.files.models import Upload, UploadPart, UploadState
from school.files.service.families import MIB, PURPOSES
from school.files.service.outbox import delete_later
from school.files.service.shelf import shelf
from school.files.service.uploading.ending import (
    LIFETIME,
    PIECES,
    drop_pieces,
    take_room,
    too_old,
)
from school.files.service.uploading.finding import (
    check_may_send,
    find_upload,
    get_upload,
    upload_gone,
)
from school.files.service.uploading.planning import plan_finish
from school.permissions import Person
from school.storage.container import Envelope, encrypt, new_data_key, sealed_size
from school.storage.errors import OutcomeUnknown, StorageError
from school.storage.hybrid import member_named
from school.storage.keys import new_key

log = structlog.get_logger(__name__)
PIECE_BYTES = 8 * MIB
LEASE = timedelta(minutes=2)
INLINE_S = 60
"""What is small is finished at once; after so many seconds a job does it, if nobody could."""
_BLOCK = 256 * 1024
_IN_MEMORY_BYTES = MIB


class WrongOffset(Conflict):
    """The piece does not begin where the upload stands."""

    code = "wrong_offset"


class Busy(DomainError):
    """Another request is bringing a piece of this upload at this moment."""

    status = 423
    code = "upload_busy"


class _Readable(Protocol):
    def read(self, count: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Piece:
    """What one request brought: at hand, counted and hashed (hex)."""

    stream: IO[bytes]
    size_bytes: int
    sha256: str


@contextmanager
def spooled(stream: _Readable) -> Iterator[Piece]:
    """Read what comes, in bounded memory. Raises TooLarge beyond PIECE_BYTES."""
    digest, size = sha256(), 0
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as copy:
        while block := stream.read(_BLOCK):
            size += len(block)
            if size > PIECE_BYTES:
                raise piece_too_large()
            digest.update(block)
            copy.write(block)
        copy.seek(0)
        yield Piece(cast("IO[bytes]", copy), size, digest.hexdigest())


def piece_too_large() -> TooLarge:
    return TooLarge(
        "Send this file in pieces of %(limit_mib)s MB at most.", limit_mib=PIECE_BYTES // MIB
    )


def is_small(upload: Upload) -> bool:
    """Checked while the person waits; what is larger is checked by a job."""
    return upload.length_bytes <= PIECE_BYTES


def append(person: Person, upload_id: UUID, piece: Piece, *, offset: int) -> Upload:
    """Take the piece that begins at `offset`. Returns the upload as it is then.

    Raises WrongOffset, Busy, Gone, TooLarge (NoRoom), Unavailable, and what `check_may_send`
    raises.
    """
    check_may_send(person, get_upload(person, upload_id))
    row = _lease(upload_id, piece, offset)
    if row is not None:
        _store(row, piece)
        _count(row, piece)
    return get_upload(person, upload_id)


def _lease(upload_id: UUID, piece: Piece, offset: int) -> UploadPart | None:
    """The row of the piece, with the upload leased; None for a piece of nothing."""
    with transaction() as session:
        take_write_lock(session)
        upload = held_open(upload_id)
        if upload.lease_until is not None and upload.lease_until > clock.now():
            raise Busy("This file is being sent from another place at this moment.")
        if upload.offset_bytes != offset:
            raise WrongOffset(
                "This piece begins at byte %(offset)s, but %(here)s bytes are here.",
                offset=offset,
                here=upload.offset_bytes,
            )
        if offset + piece.size_bytes > upload.length_bytes:
            raise TooLarge("This is more than was announced.")
        if not piece.size_bytes:
            return None
        take_room(upload)
        upload.lease_until = clock.now() + LEASE
        row = new_part(upload, start=offset, key=new_key(PIECES))
        session.add(row)
    return row


def held_open(upload_id: UUID) -> Upload:
    """The upload, held until the transaction ends. Raises NotFound, Gone, or Conflict once all
    its bytes are there."""
    upload = find_upload(upload_id, held=True)
    if upload is None:
        raise upload_gone()
    if upload.state == UploadState.ENDED or upload.expires_at < clock.now():
        raise too_old()
    if upload.state != UploadState.OPEN:
        raise Conflict("All of this file has arrived already.")
    return upload


def new_part(upload: Upload, *, start: int, key: str, declared: str | None = None) -> UploadPart:
    """A piece that is on its way; of a sensitive file it will lie encrypted."""
    part_id = new_id()
    envelope = None
    if PURPOSES[upload.purpose].is_sensitive:
        envelope = shelf().keys.wrap(new_data_key(), part_id).to_text()
    return UploadPart(
        id=part_id,
        upload_id=upload.id,
        start_byte=start,
        sha256=declared,
        provider=shelf().provider.name,
        key=key,
        envelope=envelope,
    )


def _store(row: UploadPart, piece: Piece) -> None:
    """Raises Unavailable when the provider does not take it: nothing of it counts then."""
    try:
        _put(row, piece)
    except StorageError as error:
        log.warning("upload.write_failed", upload_id=str(row.upload_id), error=type(error).__name__)
        with transaction() as session:
            take_write_lock(session)
            drop_pieces(row.upload_id, only=row.id, late=isinstance(error, OutcomeUnknown))
            _end_lease(row.upload_id)
        raise Unavailable(
            "The file store does not answer. What was sent before is kept; try again in a minute.",
            retry_after_s=10,
        ) from error


def _put(row: UploadPart, piece: Piece) -> None:
    stream, size, checksum = cast("BinaryIO", piece.stream), piece.size_bytes, piece.sha256
    # Where the row says, which knows what is to be deleted, although the order may have changed.
    place = member_named(shelf().provider, row.provider)
    if row.envelope is None:
        place.put(row.key, stream, size=size, sha256=checksum)
        return
    data_key = shelf().keys.unwrap(Envelope.from_text(row.envelope), row.id)
    sealed = encrypt(stream, object_id=row.id, data_key=data_key, size=size)
    place.put(row.key, sealed, size=sealed_size(size))


def _count(row: UploadPart, piece: Piece) -> None:
    """Raises WrongOffset when somebody else was faster; this piece goes then."""
    with transaction() as session:
        take_write_lock(session)
        is_counted = advance(row, piece.size_bytes, piece.sha256)
        if not is_counted:
            drop_pieces(row.upload_id, only=row.id, late=False)
            # Its row may be gone, and its object taken away before it landed.
            delete_later(row.provider, row.key)
    if not is_counted:
        raise WrongOffset("Somebody else sent this piece, or the upload was given up.")


def advance(row: UploadPart, size_bytes: int, checksum: str) -> bool:
    """The piece lies there and counts, in the caller's transaction; by compare and swap. False
    when the upload does not stand where the piece begins."""
    upload = find_upload(row.upload_id, held=True)
    if upload is None or upload.state != UploadState.OPEN or upload.offset_bytes != row.start_byte:
        return False
    is_counted = changes_one(
        sa.update(UploadPart)
        .where(UploadPart.id == row.id, UploadPart.size_bytes.is_(None))
        .values(size_bytes=size_bytes, sha256=checksum)
    )
    if not is_counted:
        return False
    upload.offset_bytes += size_bytes
    upload.lease_until = None
    upload.expires_at = clock.now() + LIFETIME
    if upload.offset_bytes == upload.length_bytes:
        upload.state = UploadState.FINISHING
        plan_finish(upload.id, wait_s=INLINE_S if is_small(upload) else 0)
    return True


def _end_lease(upload_id: UUID) -> None:
    db.session.execute(
        sa.update(Upload)
        .where(Upload.id == upload_id)
        .values(lease_until=None)
        .execution_options(synchronize_session=False)
    )
