"""Where a file's thumbnail lies. What may not be handed out large is not handed out small."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from school.db import db
from school.files.models import (
    Blob,
    BlobDerivative,
    BlobLocation,
    BlobState,
    DerivativeKind,
    File,
    FileVersion,
    LocationState,
)
from school.files.queries import Content, check_available, file_gone


def find_thumbnail(file: File) -> Content:
    """That of the current version. Raises NotFound where there is none, Held."""
    source, small = aliased(Blob), aliased(Blob)
    row = db.session.execute(
        sa.select(source, small, BlobLocation.key)
        .select_from(FileVersion)
        .join(source, _same(source.school_id, source.id, FileVersion.blob_id))
        .join(BlobDerivative, _same(BlobDerivative.school_id, BlobDerivative.blob_id, source.id))
        .join(small, _same(small.school_id, small.id, BlobDerivative.derived_id))
        .join(BlobLocation, _same(BlobLocation.school_id, BlobLocation.blob_id, small.id))
        .where(
            FileVersion.file_id == file.id,
            FileVersion.number == file.current_version,
            BlobDerivative.kind == DerivativeKind.THUMBNAIL,
            source.state == BlobState.STORED,
            small.state == BlobState.STORED,
            BlobLocation.state == LocationState.PRESENT,
        )
        .order_by(BlobLocation.id)
    ).first()
    if row is None:
        raise file_gone()
    check_available(row[0])
    return _content(file, row[1], row[2])


def _same(school_id: Any, mine: Any, theirs: Any) -> sa.ColumnElement[bool]:
    return sa.and_(school_id == FileVersion.school_id, mine == theirs)


def _content(file: File, small: Blob, key: str) -> Content:
    return Content(
        file_id=file.id,
        number=file.current_version,
        name=file.name,
        purpose=file.purpose,
        key=key,
        size_bytes=small.size_bytes or 0,
        sha256=small.sha256 or "",
        content_type=small.content_type or "application/octet-stream",
        blob_id=small.id,
        envelope=small.envelope,
    )
