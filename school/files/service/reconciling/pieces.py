"""Pieces of uploads under way that are not where their rows say.

Few lie anywhere at a time, so each is asked for by itself.
"""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from school.db import db
from school.files.models import UNDER_WAY, Upload, UploadPart
from school.files.service.reconciling.outcome import Kind, Outcome
from school.files.service.reconciling.schools import inside
from school.storage.errors import NotFound
from school.storage.protocol import StorageProvider

MOST_ASKED = 5_000
"""In one school; who sends more at once is looked at the next time."""


def look_for_pieces(provider: StorageProvider, schools: list[UUID], outcome: Outcome) -> None:
    """Tell of those that are gone. Nothing is put right: the upload itself will say so to whoever
    sends it. Raises StorageError."""
    for school_id in schools:
        for key in _keys(provider.name, school_id):
            try:
                provider.stat(key)
            except NotFound:
                _miss(provider.name, school_id, key, outcome)


def _keys(provider: str, school_id: UUID) -> list[str]:
    with inside(school_id):
        return list(db.session.scalars(_wanted(provider).limit(MOST_ASKED)))


def _wanted(provider: str) -> sa.Select[str]:
    return (
        sa.select(UploadPart.key)
        .join(
            Upload,
            (Upload.school_id == UploadPart.school_id) & (Upload.id == UploadPart.upload_id),
        )
        .where(
            UploadPart.provider == provider,
            UploadPart.size_bytes.is_not(None),
            Upload.state.in_(UNDER_WAY),
        )
        .order_by(UploadPart.key)
    )


def _miss(provider: str, school_id: UUID, key: str, outcome: Outcome) -> None:
    with inside(school_id):
        still = db.session.scalar(_wanted(provider).where(UploadPart.key == key))
    if still is not None:  # else the upload ended while it was asked for
        outcome.count("pieces")
        outcome.tell(Kind.PIECE, key, school_id=school_id)
