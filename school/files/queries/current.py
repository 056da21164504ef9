"""A file and what its current version says."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from school.files.models import Blob, File, FileVersion


def with_current(query: sa.Select[*tuple[Any, ...]]) -> sa.Select[*tuple[Any, ...]]:
    """To each file of the query, its current version and that version's bytes."""
    return query.join(
        FileVersion,
        sa.and_(
            FileVersion.school_id == File.school_id,
            FileVersion.file_id == File.id,
            FileVersion.number == File.current_version,
        ),
    ).join(Blob, sa.and_(Blob.school_id == FileVersion.school_id, Blob.id == FileVersion.blob_id))
