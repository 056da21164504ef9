"""The places in the side bar: each domain names its own, a person sees those they may open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import request, url_for

from school.permissions import Permission, Person


@dataclass(frozen=True, slots=True)
class Place:
    """One entry. `order` sorts within its group; `prefix` marks it current for pages below it."""

    label: Any
    endpoint: str
    icon: str
    permission: Permission | None
    group: str = "main"  # main | manage | platform
    order: int = 50
    on_phone: bool = False
    badge: Callable[[], int] | None = None
    staff_only: bool = False


_places: dict[str, Place] = {}


def add_place(place: Place) -> None:
    """Called where a domain's pages are defined; naming a place twice replaces it."""
    _places[place.endpoint] = place


@dataclass(frozen=True, slots=True)
class Item:
    label: str
    url: str
    icon: str
    current: bool
    badge: int | None = None


@dataclass(slots=True)
class Navigation:
    main: list[Item] = field(default_factory=list)
    manage: list[Item] = field(default_factory=list)
    platform: list[Item] = field(default_factory=list)
    phone: list[Item] = field(default_factory=list)


def navigation_for(person: Person | None) -> Navigation:
    """What this person may open, in order."""
    nav = Navigation()
    if person is None:
        return nav
    for place in sorted(_places.values(), key=lambda p: p.order):
        if not _may_open(person, place):
            continue
        item = _item(place)
        getattr(nav, place.group).append(item)
        if place.on_phone:
            nav.phone.append(item)
    return nav


def _may_open(person: Person, place: Place) -> bool:
    if place.group != "platform" and person.school_id is None:
        return False
    if place.staff_only and not person.is_staff:
        return False
    return place.permission is None or person.may(place.permission)


def _item(place: Place) -> Item:
    blueprint = place.endpoint.partition(".")[0]
    current = request.endpoint == place.endpoint or (
        request.blueprint == blueprint and _is_nearest(place)
    )
    badge = place.badge() if place.badge else None
    return Item(str(place.label), url_for(place.endpoint), place.icon, current, badge or None)


def _is_nearest(place: Place) -> bool:
    """Of the blueprint's places, the one whose address begins like this page's, the longest."""
    blueprint = place.endpoint.partition(".")[0]
    mates = [p for p in _places.values() if p.endpoint.partition(".")[0] == blueprint]
    fitting = [p for p in mates if request.path.startswith(url_for(p.endpoint))]
    return bool(fitting) and max(fitting, key=lambda p: len(url_for(p.endpoint))) is place
