"""What pages that tell who changed what have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flask_babel import lazy_gettext

from school.audit import history as audit
from school.audit.models import AuditEvent
from school.errors import Invalid
from school.web.pagination import DAMAGED

SHARED_TITLES: dict[str, Any] = {
    "file.moved": lazy_gettext("File moved"),
    "folder.moved": lazy_gettext("Folder moved"),
    "legal_hold.placed": lazy_gettext("Legal hold placed"),
    "legal_hold.lifted": lazy_gettext("Legal hold lifted"),
}
"""Acts told on the pages of several kinds of things."""


def page_of(
    subject_id: UUID, entity: str, also: Iterable[tuple[str, UUID]], before: str | None
) -> tuple[list[AuditEvent], UUID | None]:
    """One page of events, and where the older ones begin. Raises Invalid for a damaged address."""
    try:
        edge = UUID(before) if before else None
    except ValueError:
        raise Invalid(DAMAGED) from None
    events = audit.list_events(
        subject_id, entity=entity, also=also, before=edge, limit=audit.PAGE_EVENTS + 1
    )
    page = events[: audit.PAGE_EVENTS]
    return page, page[-1].id if len(events) > len(page) else None
