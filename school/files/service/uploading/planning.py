"""The job that finishes an upload, planned by whoever brought its last byte."""

from __future__ import annotations

from uuid import UUID

from school.jobs.queue import enqueue

FINISH = "files.finish_upload"


def plan_finish(upload_id: UUID, *, wait_s: int) -> None:
    """In the caller's transaction. Done twice it is done once."""
    enqueue(FINISH, delay_s=wait_s, upload_id=str(upload_id), wait_s=wait_s)
