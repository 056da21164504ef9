"""Reads: a person's uploads, and what has arrived of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.db import db
from school.errors import NotFound
from school.files.models import UNDER_WAY, Upload, UploadPart, UploadState
from school.files.policy import check_edit, check_fill
from school.files.queries import Spot, get_file
from school.permissions import Person

MOST_OPEN = 50
"""So many uploads a person has under way at most."""


class UploadRow(NamedTuple):
    """An upload as a list shows it."""

    id: UUID
    filename: str
    purpose: str
    folder_id: UUID | None
    length_bytes: int
    offset_bytes: int
    state: str
    problem: dict[str, Any] | None
    expires_at: datetime

    @property
    def percent(self) -> int:
        """0–100, rounded down: 100 only when all is there."""
        return self.offset_bytes * 100 // self.length_bytes if self.length_bytes else 100


def upload_gone() -> NotFound:
    """The one answer for an upload that is not there, somebody else's, or another school's."""
    return NotFound("This upload is not here.")


def get_upload(person: Person, upload_id: UUID) -> Upload:
    """The person's own upload as it is now. Raises NotFound, for everybody else's too."""
    upload = find_upload(upload_id)
    if upload is None or upload.user_id != person.user_id:
        raise upload_gone()
    return upload


def find_upload(upload_id: UUID, *, held: bool = False) -> Upload | None:
    """As it is now; `held`: until the transaction ends nobody else changes it."""
    query = sa.select(Upload).where(Upload.id == upload_id)
    if held:
        query = query.with_for_update()
    return db.session.scalar(query.execution_options(populate_existing=True))


def check_may_send(person: Person, upload: Upload) -> None:
    """As for any file: may add it here, or change the one it replaces. Asked again at each step.
    Raises NotFound, Forbidden, Conflict."""
    if upload.replaces_id is not None:
        check_edit(person, get_file(upload.replaces_id))
    else:
        spot = Spot(upload.owner_kind, upload.owner_id, upload.folder_id)
        check_fill(person, spot, purpose=upload.purpose)


def list_unfinished(
    person: Person, spot: Spot, *, replaces_id: UUID | None = None
) -> list[UploadRow]:
    """What this person is sending here, or was refused; the oldest first. With `replaces_id` new
    versions of that file, otherwise files beside the others."""
    rows = db.session.execute(
        sa.select(
            Upload.id,
            Upload.filename,
            Upload.purpose,
            Upload.folder_id,
            Upload.length_bytes,
            Upload.offset_bytes,
            Upload.state,
            Upload.problem,
            Upload.expires_at,
        )
        .where(
            Upload.user_id == person.user_id,
            Upload.state.in_((*UNDER_WAY, UploadState.REFUSED)),
            Upload.owner_kind == spot.owner_kind,
            Upload.owner_id == spot.owner_id,
            Upload.folder_id == spot.folder_id,
            Upload.replaces_id == replaces_id,
            sa.or_(Upload.state != UploadState.OPEN, Upload.expires_at > clock.now()),
        )
        .order_by(Upload.created_at, Upload.id)
        .limit(MOST_OPEN)
    )
    return [UploadRow(*row) for row in rows]


def count_under_way(user_id: UUID) -> int:
    query = sa.select(sa.func.count()).select_from(Upload)
    query = query.where(Upload.user_id == user_id, Upload.state.in_(UNDER_WAY))
    return db.session.scalar(query) or 0


def list_pieces(upload_id: UUID) -> Sequence[UploadPart]:
    """Those whose bytes count, in their order."""
    return db.session.scalars(
        sa.select(UploadPart)
        .where(UploadPart.upload_id == upload_id, UploadPart.size_bytes.is_not(None))
        .order_by(UploadPart.start_byte)
    ).all()


def problem_of(upload: Upload | UploadRow) -> tuple[str, dict[str, Any]] | None:
    """Why it was refused: the sentence, and what fills its places."""
    if upload.problem is None:
        return None
    return str(upload.problem["message"]), dict(upload.problem.get("params") or {})
