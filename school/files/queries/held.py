"""What the virus check holds back."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from school.db import db
from school.files.models import (
    Blob,
    BlobState,
    File,
    FileVersion,
    ScanState,
)
from school.files.queries.limits import MOST_LISTED


class HeldRow(NamedTuple):
    """One content nobody can open, by the newest version it is, and why."""

    id: UUID
    # None: not for this reader, whose file it is not.
    name: str | None
    number: int
    is_current: bool
    by: str
    scan_state: str
    scan_reason: str | None
    scanned_at: datetime | None


# Neither in the trash nor let go by a rule.
_IS_KEPT = (File.trashed_at.is_(None), FileVersion.pruned_at.is_(None))

_IS_HELD = (
    Blob.state == BlobState.STORED,
    Blob.scan_state.in_((ScanState.HELD, ScanState.INFECTED)),
)

# A content that was brought back is two versions of one file.
_newer = aliased(FileVersion)
_IS_NEWER_OF_SAME = sa.exists(
    sa.select(1).where(
        _newer.school_id == FileVersion.school_id,
        _newer.file_id == FileVersion.file_id,
        _newer.blob_id == FileVersion.blob_id,
        _newer.number > FileVersion.number,
    )
)


def list_held(seen: sa.ColumnElement[bool]) -> list[HeldRow]:
    """What the virus check holds back in the whole school; the worst first, MOST_LISTED at most.

    `seen`: the files whose names the reader may know (policy.seen_files).
    """
    is_current = FileVersion.number == File.current_version
    rows = db.session.execute(
        sa.select(
            File.id,
            sa.case((seen, FileVersion.name)).label("name"),
            FileVersion.number,
            is_current.label("is_current"),
            FileVersion.created_by_name,
            Blob.scan_state,
            Blob.scan_reason,
            Blob.scanned_at,
        )
        .join(
            FileVersion,
            sa.and_(FileVersion.school_id == File.school_id, FileVersion.file_id == File.id),
        )
        .join(
            Blob, sa.and_(Blob.school_id == FileVersion.school_id, Blob.id == FileVersion.blob_id)
        )
        .where(*_IS_HELD, *_IS_KEPT, ~_IS_NEWER_OF_SAME)
        .order_by(Blob.scan_state.desc(), FileVersion.created_at.desc())
        .limit(MOST_LISTED)
    )
    return [HeldRow(*row) for row in rows]


def count_held() -> int:
    """Contents nobody can open."""
    is_kept = sa.exists(
        sa.select(1)
        .select_from(FileVersion)
        .join(
            File, sa.and_(File.school_id == FileVersion.school_id, File.id == FileVersion.file_id)
        )
        .where(FileVersion.school_id == Blob.school_id, FileVersion.blob_id == Blob.id, *_IS_KEPT)
    )
    held = sa.select(sa.func.count()).select_from(Blob).where(*_IS_HELD, is_kept)
    return db.session.scalar(held) or 0
