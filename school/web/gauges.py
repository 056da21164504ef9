"""How full something is, in words and as a bar; domains put theirs on a person's account page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask_babel import gettext as _

from school.permissions import Person
from school.web.formats import size

NEARLY, FULL = 85, 98
"""Percent from which a gauge warns, and from which it says that there is no more room."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """`percent` is None where there is no limit: then only the sentence is shown."""

    title: str
    sentence: str
    percent: float | None
    kind: str  # "" | warn | bad


def space_gauge(title: str, used_bytes: int, limit_bytes: int) -> Gauge:
    """Space used of a limit; 0: there is none."""
    if not limit_bytes:
        return Gauge(title, _("%(used)s used", used=size(used_bytes)), None, "")
    percent = round(min(100.0, 100 * used_bytes / limit_bytes), 1)
    kind = "bad" if percent >= FULL else "warn" if percent >= NEARLY else ""
    words = _("%(used)s of %(limit)s used", used=size(used_bytes), limit=size(limit_bytes))
    return Gauge(title, words, percent, kind)


Make = Callable[[Person], Gauge | None]
_makers: dict[str, Make] = {}


def add_account_gauge(name: str, make: Make) -> None:
    """Called where a domain's pages are defined; `make` answers None where there is nothing to
    show to this person."""
    _makers[name] = make


def account_gauges_for(person: Person) -> list[Gauge]:
    """What this person's account page shows, in the order in which it was named."""
    made = [make(person) for make in _makers.values()]
    return [gauge for gauge in made if gauge is not None]
