"""What time it is. Everything asks here, so that the demo's history and the tests can set it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import available_timezones

from babel.dates import LOCALTZ

_set: ContextVar[datetime | None] = ContextVar("clock", default=None)


def now() -> datetime:
    """This instant, timezone-aware, UTC."""
    return _set.get() or datetime.now(UTC)


def today(zone: tzinfo = UTC) -> date:
    """The date on the wall in `zone`."""
    return now().astimezone(zone).date()


@contextlib.contextmanager
def set_to(at: datetime) -> Iterator[None]:
    """Inside, it is `at`."""
    token = _set.set(at.astimezone(UTC))
    try:
        yield
    finally:
        _set.reset(token)


def zone_of_machine() -> str:
    """The time zone this machine is set to, such as "Europe/London"; "UTC" if it does not say."""
    zone = getattr(LOCALTZ, "zone", None) or getattr(LOCALTZ, "key", None)
    return str(zone) if zone in available_timezones() else "UTC"
