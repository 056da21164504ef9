"""Where bytes lie, and the one door they go out by."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.db import db
from school.errors import Conflict
from school.files.models import (
    Blob,
    BlobLocation,
    BlobState,
    File,
    FileVersion,
    LocationState,
    ScanState,
)
from school.files.queries.current import with_current
from school.files.queries.limits import MOST_VERSIONS, PHOTO, file_gone


@dataclass(frozen=True, slots=True)
class Content:
    """What sending one version needs."""

    file_id: UUID
    number: int
    name: str
    purpose: str
    key: str
    size_bytes: int
    sha256: str
    content_type: str
    blob_id: UUID
    # The wrapped data key of what lies encrypted.
    envelope: str | None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file with its current version and what sending it needs; no content: no place has it, or
    it is held."""

    file: File
    number: int
    at: datetime
    content: Content | None
    is_held: bool = False


HELD_SENTENCES = {
    ScanState.HELD: "This file waits for the virus check, so nobody can open it yet.",
    ScanState.INFECTED: "A virus was found in this file, so nobody can open it. "
    "Ask whoever sent it for a clean copy.",
}

AVAILABLE = (ScanState.CLEAN, ScanState.UNSCANNED)
"""What may be handed out."""


class Held(Conflict):
    """The file is there, and its content is given to nobody for now."""

    code = "file_held"


def get_content(file: File, number: int | None = None) -> Content:
    """Where this version's bytes are; the current one by default. Raises NotFound, Held."""
    number = file.current_version if number is None else number
    if not 1 <= number <= MOST_VERSIONS:
        raise file_gone()
    row = db.session.execute(
        sa.select(FileVersion, Blob, BlobLocation)
        .join(
            Blob, sa.and_(Blob.school_id == FileVersion.school_id, Blob.id == FileVersion.blob_id)
        )
        .join(
            BlobLocation,
            sa.and_(BlobLocation.school_id == Blob.school_id, BlobLocation.blob_id == Blob.id),
        )
        .where(
            FileVersion.file_id == file.id,
            FileVersion.number == number,
            FileVersion.pruned_at.is_(None),
            Blob.state == BlobState.STORED,
            BlobLocation.state == LocationState.PRESENT,
        )
        .order_by(BlobLocation.id)
    ).first()
    if row is None:
        raise file_gone()
    check_available(row.Blob)
    return _content_of(file, *row)


def check_available(blob: Blob) -> None:
    """The one door content goes out by. Raises Held for what the scanner has not let through."""
    if blob.scan_state not in AVAILABLE:
        raise Held(HELD_SENTENCES[ScanState(blob.scan_state)])


def content_of_blob(blob_id: UUID) -> Content | None:
    """Where content lies, whatever the scanner says of it and whatever it is called; for the
    installation's own work, never to be handed out. None when it lies nowhere."""
    row = db.session.execute(
        sa.select(File, FileVersion, Blob, BlobLocation)
        .join(
            FileVersion,
            sa.and_(FileVersion.school_id == File.school_id, FileVersion.file_id == File.id),
        )
        .join(
            Blob, sa.and_(Blob.school_id == FileVersion.school_id, Blob.id == FileVersion.blob_id)
        )
        .join(
            BlobLocation,
            sa.and_(BlobLocation.school_id == Blob.school_id, BlobLocation.blob_id == Blob.id),
        )
        .where(
            Blob.id == blob_id,
            Blob.state == BlobState.STORED,
            BlobLocation.state == LocationState.PRESENT,
        )
        .order_by(BlobLocation.id)
    ).first()
    return _content_of(*row) if row else None


def _content_of(file: File, version: FileVersion, blob: Blob, location: BlobLocation) -> Content:
    # The current version goes by the file's own name; older ones by the name they came with.
    name = file.name if version.number == file.current_version else version.name
    return Content(
        file_id=file.id,
        number=version.number,
        name=name,
        purpose=file.purpose,
        key=location.key,
        size_bytes=blob.size_bytes or 0,
        sha256=blob.sha256 or "",
        content_type=blob.content_type or "application/octet-stream",
        blob_id=blob.id,
        envelope=blob.envelope,
    )


def list_stored(
    owner_kind: str,
    owner_id: UUID,
    *,
    archived: bool = False,
    ids: Collection[UUID] | None = None,
    also: sa.ColumnElement[bool] | None = None,
    limit: int,
) -> list[StoredFile]:
    """The owner's files without photos, by name, or those of these ids and those `also` is true
    of; each with its current content, in one query."""
    asked = sa.select(File.id).where(
        File.owner_kind == owner_kind,
        File.owner_id == owner_id,
        File.purpose != PHOTO,
        File.trashed_at.is_(None),
        File.archived_at.is_not(None) if archived else File.archived_at.is_(None),
    )
    if ids is not None:
        asked = asked.where(sa.or_(File.id.in_(ids), sa.false() if also is None else also))
    rows = db.session.execute(
        _places().where(File.id.in_(asked.order_by(File.name, File.id).limit(limit)))
    ).all()
    found: dict[UUID, StoredFile] = {}
    for file, version, blob, location in rows:
        is_held = blob.scan_state not in AVAILABLE
        is_given = location and not is_held
        content = _content_of(file, version, blob, location) if is_given else None
        stored = StoredFile(file, version.number, version.created_at, content, is_held)
        found.setdefault(file.id, stored)
    return list(found.values())


def _places() -> Any:
    """Files with their current version and every place it lies in: one row each, or one of none."""
    return (
        with_current(sa.select(File, FileVersion, Blob, BlobLocation))
        .outerjoin(
            BlobLocation,
            sa.and_(
                BlobLocation.school_id == Blob.school_id,
                BlobLocation.blob_id == Blob.id,
                BlobLocation.state == LocationState.PRESENT,
                Blob.state == BlobState.STORED,
            ),
        )
        .order_by(File.name, File.id, BlobLocation.id)
    )
