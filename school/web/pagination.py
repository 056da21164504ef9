"""Keyset paging: a page is the rows beyond a place, so page 2,000 costs what page 1 does."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import sqlalchemy as sa

from school.errors import Invalid
from school.web.keepable import is_keepable

Row = TypeVar("Row")
PAGE_ROWS = 50
DAMAGED = "This page address is damaged. Start again from the first page."


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: the sort values of the row it comes after, or before."""

    values: tuple[Any, ...]
    backwards: bool = False

    def __str__(self) -> str:
        text = json.dumps([self.backwards, *self.values], separators=(",", ":"), default=str)
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _is_place(parts: Any) -> bool:
    return (
        isinstance(parts, list)
        and len(parts) > 1
        and isinstance(parts[0], bool)
        and all(isinstance(value, str | int | float | None) for value in parts[1:])
    )


def read_place(text: str | None) -> Place | None:
    """The place named in an address. Raises Invalid for one we did not make."""
    if not text:
        return None
    try:
        parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError, RecursionError):
        raise Invalid(DAMAGED) from None
    if not _is_place(parts):
        raise Invalid(DAMAGED)
    backwards, *values = parts
    return Place(tuple(values), backwards)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows in reading order, and where the neighbours begin (None: there is none)."""

    rows: Sequence[Row]
    before: str | None
    after: str | None


def take_page(
    fetch: Callable[[int], Sequence[Row]],
    *,
    place: Place | None,
    key: Callable[[Row], tuple[Any, ...]],
    size: int = PAGE_ROWS,
) -> Page[Row]:
    """Cut a page from `fetch(limit)`, which reads one row more than the page shows.

    `fetch` has already applied `after_place` and `in_direction`.
    """
    rows = list(fetch(size + 1))
    more = len(rows) > size
    rows = rows[:size]
    backwards = place is not None and place.backwards
    if backwards:
        rows.reverse()
    has_before = more if backwards else place is not None
    has_after = True if backwards else more
    return Page(
        rows,
        before=str(Place(key(rows[0]), backwards=True)) if rows and has_before else None,
        after=str(Place(key(rows[-1]))) if rows and has_after else None,
    )


def after_place(columns: Sequence[Any], place: Place | None, *, descending: bool = False) -> Any:
    """WHERE for the rows beyond a place, in the direction it is read.

    Ids and times may be text, as they are in addresses. Raises Invalid for a value that its
    column cannot hold.
    """
    if place is None:
        return sa.true()
    if len(place.values) != len(columns):
        raise Invalid(DAMAGED)
    types = [column.type for column in columns]
    values = [_fitted(value, kind) for value, kind in zip(place.values, types, strict=True)]
    left, right = sa.tuple_(*columns), sa.tuple_(*values, types=types)
    return left < right if place.backwards != descending else left > right


def _fitted(value: Any, kind: Any) -> Any:
    """A sort value as its column holds it; sort values are never null. Raises Invalid."""
    # A function, lower() for one, does not say its type: lists sort by texts of functions only.
    wanted = str if isinstance(kind, sa.types.NullType) else kind.python_type
    try:
        if isinstance(value, str) and wanted in {UUID, datetime, date}:
            value = wanted(value) if wanted is UUID else wanted.fromisoformat(value)
        fits = isinstance(value, wanted) and not isinstance(value, bool)
        if fits and wanted is datetime:
            fits, value = value.tzinfo is not None, value.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(DAMAGED) from None
    if isinstance(value, str):
        fits = fits and is_keepable(value)
    elif isinstance(value, int):
        fits = fits and -(2 ** _bits(kind)) <= value < 2 ** _bits(kind)
    if not fits:
        raise Invalid(DAMAGED)
    return value


def _bits(kind: Any) -> int:
    if isinstance(kind, sa.SmallInteger):
        return 15
    return 63 if isinstance(kind, sa.BigInteger) else 31


def in_direction(
    columns: Sequence[Any], place: Place | None, *, descending: bool = False
) -> list[Any]:
    """ORDER BY for reading forwards or backwards from a place."""
    backwards = place is not None and place.backwards
    return [c.desc() if backwards != descending else c.asc() for c in columns]
