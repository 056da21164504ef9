"""What time it is. Everything asks here, so that a test can set the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo


def now() -> datetime:
    """This instant, timezone-aware, UTC."""
    return datetime.now(UTC)


def today(zone: tzinfo = UTC) -> date:
    """The date on the wall in `zone`."""
    return now().astimezone(zone).date()
