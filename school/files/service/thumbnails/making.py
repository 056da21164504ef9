"""One thumbnail: drawn from the stored content, written like any other, noted beside it.

It lies encrypted where its picture does, and both places have it where both must. What cannot be
drawn is noted too, so that nobody tries twice.
"""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO, BinaryIO, cast
from uuid import UUID

import sqlalchemy as sa
import structlog

from school import cache
from school.db import db, take_write_lock, transaction
from school.errors import Conflict, DomainError, Unavailable
from school.files.models import Blob, BlobDerivative, BlobState, DerivativeKind
from school.files.queries import AVAILABLE, PHOTO, Content, content_of_blob
from school.files.service.content import Refused
from school.files.service.drawing import drawn
from school.files.service.families import KINDS
from school.files.service.pictures import opened, shrunk
from school.files.service.quotas import NoRoom
from school.files.service.sealing import opened as stored
from school.files.service.staging import Staged
from school.files.service.writing import give_up, settle, write
from school.tenancy.scope import current_school_id

log = structlog.get_logger(__name__)
LARGEST_SIDE = 320
QUALITY = 80


class StoreAway(Exception):
    """The store does not answer: the job is to be tried again."""


def make_thumbnail(blob_id: UUID) -> bool:
    """Make the thumbnail of this content, unless it has one, or may not be handed out.

    Opens its own transactions; may be run again after a crash at any point. False when none was
    made. Raises StorageError or StoreAway.
    """
    content = content_of_blob(blob_id) if _is_wanted(blob_id) else None
    db.session.rollback()  # no transaction stays open while the store is asked
    if content is None or content.purpose == PHOTO:
        return False
    picture = _draw(content)
    if picture is None:
        with transaction():
            _note(blob_id, None)
        return False
    return _keep(content, picture)


def _is_wanted(blob_id: UUID) -> bool:
    """Whether there is a picture that may be handed out, and nobody has tried. Held so until the
    transaction ends."""
    tried = sa.select(BlobDerivative.blob_id).where(BlobDerivative.blob_id == blob_id)
    wanted = db.session.scalar(
        sa.select(Blob.id)
        .where(Blob.id == blob_id, Blob.state == BlobState.STORED)
        .where(Blob.scan_state.in_(AVAILABLE), Blob.id.not_in(tried))
        .with_for_update()
    )
    return wanted is not None


def _draw(content: Content) -> bytes | None:
    """None when nothing can be drawn of it. Raises StorageError."""
    with TemporaryFile() as picture:
        with stored(content) as blocks:
            picture.writelines(blocks)
        try:
            with drawn(draw_thumbnail, picture) as sheet:
                return sheet.read()
        except Refused as refused:
            log.info("file.no_thumbnail", blob_id=str(content.blob_id), reason=refused.reason)
            return None


def draw_thumbnail(stream: IO[bytes], sheet: BinaryIO) -> None:
    """A way to draw (see `drawing`)."""
    with opened(stream) as (sent, _):
        mode = "RGBA" if sent.has_transparency_data else "RGB"
        shrunk(sent, LARGEST_SIDE).convert(mode).save(
            sheet, format="WEBP", quality=QUALITY, exif=b"", xmp=b"", icc_profile=None
        )


def _keep(content: Content, picture: bytes) -> bool:
    staged = Staged(
        cast("IO[bytes]", BytesIO(picture)),
        KINDS["webp"],
        len(picture),
        sha256(picture).hexdigest(),
        "thumbnail.webp",
    )
    try:
        written = write(staged, purpose=content.purpose)
    except NoRoom:
        return False
    except Unavailable as error:
        raise StoreAway(str(error)) from error
    try:
        with transaction() as session:
            take_write_lock(session)
            if not _is_wanted(content.blob_id):
                raise Conflict("This picture has a thumbnail by now, or is gone.")
            settle(written)
            _note(content.blob_id, written.blob_id)
    except DomainError:
        give_up(written.blob_id)
        return False
    return True


def _note(blob_id: UUID, derived_id: UUID | None) -> None:
    kind = DerivativeKind.THUMBNAIL
    db.session.add(BlobDerivative(blob_id=blob_id, kind=kind, derived_id=derived_id))
    cache.forget(current_school_id(), "files")
