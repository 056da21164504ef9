"""What the columns of a source really hold: SQLite lets any value into any column."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from school.upgrade.expressions import quoted
from school.upgrade.kinds import Kind, Type

STORED: dict[Kind, tuple[str, ...]] = {
    Kind.INTEGER: ("integer",),
    Kind.REAL: ("real", "integer"),
    Kind.NUMERIC: ("real", "integer"),
    Kind.BOOLEAN: ("integer",),
    Kind.BLOB: ("blob",),
    # SQLite makes a number of a text that is one, in a column it does not know as text.
    Kind.JSON: ("text", "integer"),
}
"""How SQLite stores values of a kind; all other kinds are text."""

_BATCH_BYTES = 2 << 20
_MOST_ROWS = 65_536
_COLUMNS_AT_ONCE = 400
"""SQLite answers with no more than 2,000 values a row."""
_ZONED = (
    "(length({0}) > 16 AND (substr({0}, -6, 1) IN ('+', '-') OR substr({0}, -1) IN ('Z', 'z')))"
)
"""Whether a moment ends in Z or +hh:mm (RFC 3339 §5.6); what is shorter has no time of day."""
_UUID_36 = (
    "length({0}) = 36 AND {0} = lower({0})"
    " AND {0} GLOB '????????-????-[1-8]???-[89ab]???-????????????'"
    " AND {0} NOT GLOB '*[^0-9a-f-]*'"
)
_UUID_32 = (
    "length({0}) = 32 AND {0} = lower({0}) AND {0} GLOB '????????????[1-8]???[89ab]*'"
    " AND {0} NOT GLOB '*[^0-9a-f]*'"
)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many values of a column are stored as what, NULL left out."""

    integer: int = 0
    real: int = 0
    text: int = 0
    blob: int = 0

    @property
    def total(self) -> int:
        return self.integer + self.real + self.text + self.blob

    def of(self, storage: Sequence[str]) -> int:
        return sum(getattr(self, name) for name in storage)


def count_rows(plain: sqlite3.Connection, table: str) -> int:
    rows: int = plain.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()[0]
    return rows


def count_storage(plain: sqlite3.Connection, table: str, columns: Sequence[str]) -> list[Counts]:
    """One pass over the table for every so many columns."""
    some, rest = columns[:_COLUMNS_AT_ONCE], columns[_COLUMNS_AT_ONCE:]
    if not some:
        return []
    sums = ", ".join(
        f"coalesce(sum(typeof({quoted(column)}) = '{storage}'), 0)"
        for column in some
        for storage in ("integer", "real", "text", "blob")
    )
    found = plain.execute(f"SELECT {sums} FROM {quoted(table)}").fetchone()
    counted = [Counts(*found[start : start + 4]) for start in range(0, len(found), 4)]
    return counted + count_storage(plain, table, rest)


@dataclass(frozen=True, slots=True)
class Seen:
    """`is_odd`: some value is stored otherwise than the promised type is. `zoned`, `unzoned`: of
    moments, whether some name a zone and some do not."""

    is_odd: bool
    zoned: bool = False
    unzoned: bool = False


def survey(
    plain: sqlite3.Connection, table: str, columns: Sequence[tuple[str, Type]]
) -> dict[str, Seen]:
    """Look at every value of these columns once."""
    some, rest = columns[:_COLUMNS_AT_ONCE], columns[_COLUMNS_AT_ONCE:]
    if not some:
        return {}
    tests = [test for name, type_ in some for test in _tests(quoted(name), type_)]
    sums = ", ".join(f"coalesce(max({test}), 0)" for test in tests)
    found = iter(plain.execute(f"SELECT {sums} FROM {quoted(table)}").fetchone())
    seen = {
        name: Seen(*(bool(next(found)) for _ in _tests(quoted(name), type_)))
        for name, type_ in some
    }
    return seen | survey(plain, table, rest)


def _tests(name: str, type_: Type) -> list[str]:
    odd = f"typeof({name}) NOT IN ({listed((*stored_as(type_), 'null'))})"
    if type_.kind is not Kind.TIMESTAMP:
        return [odd]
    zoned = _ZONED.format(name)
    return [odd, zoned, f"NOT {zoned}"]


def listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def stored_as(type_: Type) -> tuple[str, ...]:
    return STORED.get(type_.kind, ("text",))


def actual_type(counts: Counts) -> Type | None:
    """What the values themselves say; None where they do not agree."""
    if counts.total == counts.integer:
        return Type(Kind.INTEGER)
    if counts.total == counts.integer + counts.real:
        return Type(Kind.REAL)
    if counts.total == counts.text:
        return Type(Kind.TEXT)
    return Type(Kind.BLOB) if counts.total == counts.blob else None


def holds_uuids(plain: sqlite3.Connection, table: str, column: str, length: int) -> bool:
    """Whether every value is a UUID (RFC 9562), written in small letters; False without values."""
    test = (_UUID_32 if length == 32 else _UUID_36).format(quoted(column))
    good, bad = plain.execute(
        f"SELECT count(*) FILTER (WHERE {test}), count(*) FILTER (WHERE NOT ({test}))"
        f" FROM {quoted(table)} WHERE {quoted(column)} IS NOT NULL"
    ).fetchone()
    return bool(good) and not bad


def batch_rows(columns: Sequence[tuple[str, Type]], rows: int, file_bytes: int) -> int:
    """So many rows at a time that a batch stays near 2 MiB, whatever they hold.

    No row can be larger on average than the whole file shared out among the rows of one table.
    """
    is_wide = any(t.kind in {Kind.BLOB, Kind.JSON} or t == Type(Kind.TEXT) for _, t in columns)
    average = file_bytes / max(rows, 1) if is_wide else 0
    narrow = sum(8 + min(t.length or 0, 64) for _, t in columns) + 16
    return max(1, min(_MOST_ROWS, int(_BATCH_BYTES / max(average, narrow))))
