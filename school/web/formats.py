"""How pages say dates, times, sizes and names of people."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Flask, g
from flask_babel import (
    format_date,
    format_datetime,
    format_decimal,
    format_time,
    get_translations,
    gettext,
    ngettext,
    to_user_timezone,
)

from school import clock


def init_formats(app: Flask) -> None:
    """Make the filters known to every template."""
    app.jinja_env.install_gettext_callables(_gettext, _ngettext, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.filters.update(
        day=day,
        moment=moment,
        last_day=last_day,
        size=size,
        initials=initials,
        tint=tint,
        age=age,
    )


def _gettext(text: str) -> str:
    return str(_translations().ugettext(text))


def _ngettext(singular: str, plural: str, count: int) -> str:
    return str(_translations().ungettext(singular, plural, count))


def _translations() -> Any:
    """The request's catalogue, looked up once: a list asks for some two hundred words."""
    found = g.get("translations")
    if found is None:
        found = g.translations = get_translations()
    return found


def day(value: date | None) -> str:
    """'Today', 'Yesterday', 'Friday 20 November'; the year only if it is another."""
    if value is None:
        return ""
    today = _local(clock.now()).date()
    distance = (today - value).days
    if distance == 0:
        return str(gettext("Today"))
    if distance == 1:
        return str(gettext("Yesterday"))
    # The pattern is a translator's to write: "EEEE, d. MMMM" gives 'Freitag, 20. November'.
    is_near = value.year == today.year and abs(distance) < 300
    return str(format_date(value, gettext("EEEE d MMMM") if is_near else gettext("d MMMM yyyy")))


def moment(value: datetime | None) -> str:
    """'Today, 08:20'."""
    if value is None:
        return ""
    local = _local(value)
    return f"{day(local.date())}, {format_time(local, 'HH:mm', rebase=False)}"


def last_day(end: datetime | None) -> str:
    """'Monday 30 November' for what ends with that day, at midnight after it."""
    return day(_local(end - timedelta(seconds=1)).date()) if end else ""


def iso(value: datetime) -> str:
    return str(format_datetime(value, "yyyy-MM-dd'T'HH:mm:ssxxx"))


def _local(value: datetime) -> datetime:
    local: datetime = to_user_timezone(value)
    return local


def size(size_bytes: int | None) -> str:
    """'3.4 MB', as people and operating systems write it (1 MB = 1,000,000 bytes)."""
    amount = float(size_bytes or 0)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            if unit == "bytes":
                return str(ngettext("%(num)s byte", "%(num)s bytes", int(amount)))
            return f"{format_decimal(amount, '0.0')} {unit}"
        amount /= 1000
    return ""


def initials(name: str) -> str:
    """First letters of the first and last word; 'ZD' for Zofia Dąbrowska."""
    words = [word for word in name.split() if word[0].isalnum()] or ["?"]
    first, last = words[0][0], words[-1][0] if len(words) > 1 else ""
    return (first + last).upper()


def tint(key: UUID | str | Any) -> str:
    """One of six quiet tints for a person, always the same one: 'p1' … 'p6'."""
    return f"p{hashlib.md5(str(key).encode(), usedforsecurity=False).digest()[0] % 6 + 1}"


def age(birth_date: date | None) -> int | None:
    """Whole years today; None without a birth date."""
    if birth_date is None:
        return None
    today = _local(clock.now()).date()
    return (
        today.year
        - birth_date.year
        - ((today.month, today.day) < (birth_date.month, birth_date.day))
    )
