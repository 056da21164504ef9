"""Jobs: sending."""

from __future__ import annotations

from uuid import UUID

from school.jobs.queue import handler
from school.mail import service


@handler(service.JOB)
def send(message_id: str) -> None:
    """Send one message; what the mail server refuses is tried again by the queue."""
    service.send(UUID(message_id))
