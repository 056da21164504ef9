"""That a thumbnail is to be made; `making` does it."""

from __future__ import annotations

from uuid import UUID

from school.files.service.families import BY_CONTENT_TYPE
from school.jobs.queue import enqueue

THUMBNAIL = "files.thumbnail"


def plan_thumbnail(blob_id: UUID, content_type: str | None) -> None:
    """In the transaction in which content may be handed out; only for pictures."""
    kind = BY_CONTENT_TYPE.get(content_type or "")
    if kind is not None and kind.family == "image":
        enqueue(THUMBNAIL, blob_id=str(blob_id))
