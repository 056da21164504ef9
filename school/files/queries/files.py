"""One file, its versions, and those of the same name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.db import db
from school.files.models import (
    Blob,
    File,
    FileVersion,
)
from school.files.queries.limits import PHOTO, file_gone
from school.search.words import fold


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version as a page shows it."""

    number: int
    name: str
    note: str | None
    size_bytes: int
    content_type: str
    sha256: str
    at: datetime
    by: str
    is_current: bool
    scan_state: str
    scan_reason: str | None
    # The version whose content this is, where an old one was brought back.
    brought_back: int | None
    # When its content was let go by a rule of retention.
    pruned_at: datetime | None = None


def get_file(file_id: UUID) -> File:
    """The file. Raises NotFound, for another school's too."""
    file = db.session.scalar(sa.select(File).where(File.id == file_id))
    if file is None:
        raise file_gone()
    return file


def list_versions(file: File) -> list[VersionRow]:
    """Every version, the newest first."""
    rows = db.session.execute(
        sa.select(
            FileVersion.number,
            FileVersion.name,
            FileVersion.note,
            Blob.size_bytes,
            Blob.content_type,
            Blob.sha256,
            FileVersion.created_at,
            FileVersion.created_by_name,
            FileVersion.blob_id,
            FileVersion.pruned_at,
            Blob.scan_state,
            Blob.scan_reason,
        )
        .join(
            Blob, sa.and_(Blob.school_id == FileVersion.school_id, Blob.id == FileVersion.blob_id)
        )
        .where(FileVersion.file_id == file.id)
        .order_by(FileVersion.number.desc())
    ).all()
    first: dict[UUID, int] = {}
    for row in reversed(rows):
        first.setdefault(row.blob_id, row.number)
    return [_as_version(row, file.current_version, first[row.blob_id]) for row in rows]


def _as_version(row: Any, current: int, first: int) -> VersionRow:
    return VersionRow(
        number=row.number,
        name=row.name,
        note=row.note,
        size_bytes=row.size_bytes,
        content_type=row.content_type,
        sha256=row.sha256,
        at=row.created_at,
        by=row.created_by_name,
        is_current=row.number == current,
        scan_state=row.scan_state,
        scan_reason=row.scan_reason,
        brought_back=first if first != row.number else None,
        pruned_at=row.pruned_at,
    )


def find_same_name(
    owner_kind: str,
    owner_id: UUID,
    *,
    name: str,
    purpose: str = "document",
    folder_id: UUID | None = None,
) -> File | None:
    """The owner's file of this name in this place, whose new version an upload then is. Big and
    small letters are the same."""
    alike = db.session.scalars(
        sa.select(File)
        .where(
            File.owner_kind == owner_kind,
            File.owner_id == owner_id,
            File.folder_id == folder_id,
            File.sort_name == fold(name),  # the index has no names
            File.purpose == purpose,
            File.archived_at.is_(None),
            File.trashed_at.is_(None),
        )
        .order_by(File.name != name, File.id.desc())
    )
    return next((file for file in alike if file.name.casefold() == name.casefold()), None)


def find_photo(owner_kind: str, owner_id: UUID) -> File | None:
    """The owner's photo, put away or not; one in use before one put away."""
    return db.session.scalars(
        sa.select(File)
        .where(File.owner_kind == owner_kind, File.owner_id == owner_id, File.purpose == PHOTO)
        .where(File.trashed_at.is_(None))
        .order_by(File.archived_at.is_not(None), File.id.desc())
    ).first()
