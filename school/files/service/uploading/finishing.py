"""All bytes are there: they go the way of every file, and the upload says what became of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import IO, BinaryIO, cast
from uuid import UUID

import sqlalchemy as sa
import structlog

from school import clock
from school.audit.actor import Actor, acting_as
from school.db import changes_one, db, transaction
from school.errors import Conflict, DomainError, Forbidden, Invalid, Unavailable
from school.files.models import File, Upload, UploadPart, UploadState
from school.files.queries import Content, find_person, get_file
from school.files.service import keeping, quotas
from school.files.service.sealing import opened
from school.files.service.shelf import Shelf, shelf
from school.files.service.uploading.ending import LIFETIME, leave, refuse
from school.files.service.uploading.finding import check_may_send, find_upload, list_pieces
from school.files.service.uploading.planning import plan_finish
from school.storage.errors import IntegrityError, NotFound, StorageError
from school.storage.hashing import BlockStream, CountingReader
from school.storage.hybrid import HybridStorage, members_of
from school.tenancy.scope import current_school_id

log = structlog.get_logger(__name__)
LEASE = timedelta(minutes=5)
LONGEST_WAIT_S = 3600
Tell = Callable[[float], None]


def finish(upload_id: UUID, *, tell: Tell = lambda _: None) -> int | None:
    """Let what arrived become a file, or be refused with the reason. Not inside a transaction.

    None: there is nothing more to do. Otherwise seconds after which to try again: the storage is
    away, or somebody else is at it. May be cut off anywhere and done again.
    """
    upload = _lease(upload_id)
    if upload is None:
        return _busy_for(upload_id)
    try:
        _keep(upload, tell)
    except (Unavailable, StorageError) as error:
        if not isinstance(error, IntegrityError | NotFound):
            log.warning("upload.waits", upload_id=str(upload_id), error=type(error).__name__)
            _wait(upload_id)
            return 1
        _refuse(upload, _damaged())
    except DomainError as error:
        _refuse(upload, error)
    return None


def try_later(upload_id: UUID, *, after_s: int, waited_s: int) -> None:
    """Plan the next try, ever more seldom. Opens its own transaction."""
    wait_s = min(max(after_s, 2 * waited_s), LONGEST_WAIT_S)
    with transaction():
        plan_finish(upload_id, wait_s=wait_s)


def _damaged() -> Invalid:
    return Invalid("Not all that was sent can be read again as it came. Send the file again.")


def _lease(upload_id: UUID) -> Upload | None:
    """The upload, ours for a while; None when it is not finishing or somebody else is at it."""
    now = clock.now()
    is_free = sa.or_(Upload.lease_until.is_(None), Upload.lease_until <= now)
    with transaction():
        is_ours = changes_one(
            sa.update(Upload)
            .where(Upload.id == upload_id, Upload.state == UploadState.FINISHING, is_free)
            .values(lease_until=now + LEASE)
        )
    upload = find_upload(upload_id) if is_ours else None
    if upload is not None:
        db.session.expunge(upload)
    db.session.rollback()  # no transaction stays open while the storage is asked
    return upload


def _busy_for(upload_id: UUID) -> int | None:
    upload = find_upload(upload_id)
    if upload is None or upload.state != UploadState.FINISHING or upload.lease_until is None:
        return None
    return max(1, int((upload.lease_until - clock.now()).total_seconds()) + 1)


def _wait(upload_id: UUID) -> None:
    """Nothing is lost because the storage is away for long: the upload does not grow old."""
    with transaction() as session:
        session.execute(
            sa.update(Upload)
            .where(Upload.id == upload_id, Upload.state == UploadState.FINISHING)
            .values(lease_until=None, expires_at=clock.now() + LIFETIME)
            .execution_options(synchronize_session=False)
        )


def _refuse(upload: Upload, error: DomainError) -> None:
    with transaction():
        refuse(upload, error)


def _keep(upload: Upload, tell: Tell) -> None:
    person = find_person(upload.user_id, current_school_id())
    if person is None:
        raise Forbidden("Whoever sent this file no longer has an account here.")
    with acting_as(Actor(name=person.display_name, user_id=person.user_id)):
        check_may_send(person, upload)
        pieces = list_pieces(upload.id)
        for piece in pieces:
            db.session.expunge(piece)
        db.session.rollback()
        stream = cast("IO[bytes]", BlockStream(_blocks(upload, pieces, tell)))
        with quotas.room_of_upload(upload.length_bytes):
            _keep_as(upload, stream)


def _keep_as(upload: Upload, stream: IO[bytes]) -> None:
    def also(file: File) -> None:
        _settle(upload, file)

    if upload.replaces_id is not None:
        file = get_file(upload.replaces_id)
        keeping.add_version(
            file,
            stream,
            filename=upload.filename,
            note=upload.note,
            size_hint=upload.length_bytes,
            expected_version=upload.replaces_version,
            also=also,
        )
        return
    keeping.keep_upload(
        stream,
        owner_kind=upload.owner_kind,
        owner_id=upload.owner_id,
        filename=upload.filename,
        purpose=upload.purpose,
        folder_id=upload.folder_id,
        size_hint=upload.length_bytes,
        also=also,
    )


def _settle(upload: Upload, file: File) -> None:
    """In the transaction in which the file begins to count: so there is never a second one."""
    if not leave(upload, UploadState.KEPT, only_from=(UploadState.FINISHING,), file_id=file.id):
        raise Conflict("This upload was given up meanwhile, so nothing was kept.")


def _blocks(
    upload: Upload, pieces: Sequence[UploadPart], tell: Tell
) -> Generator[bytes, None, None]:
    """The pieces as one, each compared with what was counted when it came. Raises StorageError."""
    at = 0
    for piece in pieces:
        size = piece.size_bytes or 0
        if piece.start_byte != at:
            raise IntegrityError("A piece is missing.", key=piece.key)
        with opened(_content_of(upload, piece), at=_place_of(piece)) as blocks:
            stream = cast("BinaryIO", BlockStream(blocks))
            reader = CountingReader(stream, size=size, sha256=piece.sha256)
            yield from reader.blocks()
        reader.check()
        at += size
        tell(at / upload.length_bytes)
    if at != upload.length_bytes:
        raise IntegrityError("The last piece is missing.")


def _content_of(upload: Upload, piece: UploadPart) -> Content:
    return Content(
        file_id=upload.id,
        number=0,
        name=upload.filename,
        purpose=upload.purpose,
        key=piece.key,
        size_bytes=piece.size_bytes or 0,
        sha256=piece.sha256 or "",
        content_type="application/octet-stream",
        blob_id=piece.id,
        envelope=piece.envelope,
    )


def _place_of(piece: UploadPart) -> Shelf:
    """Where the piece was put, first; files may be on their way to another place since."""
    here = shelf()
    members = sorted(members_of(here.provider), key=lambda one: one.name != piece.provider)
    return replace(here, provider=HybridStorage(*members))
