"""Rows of both databases as Python reads them: sqlite3 here, psycopg there, and nothing of the
engine's own conversion between."""

from __future__ import annotations

import json
import sqlite3
import struct
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

# What PostgreSQL calls a type, by the number psycopg tells.
BYTEA, JSON, JSONB, UUID = 17, 114, 3802, 2950
BOOL, INT8, FLOAT8, NUMERIC = 16, 20, 701, 1700
DATE, TIME, TIMESTAMP, TIMESTAMPTZ = 1082, 1083, 1114, 1184


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def target_rows(url: str, table: str) -> tuple[dict[str, int], list[tuple[Any, ...]]]:
    """Types by column, and the rows."""
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        for name in ("json", "jsonb"):
            connection.adapters.register_loader(name, psycopg.types.string.TextLoader)
        cursor = connection.execute(f"SELECT * FROM {quote(table)}")
        types = {column.name: column.type_code for column in cursor.description}
        return types, cursor.fetchall()


def source_rows(path: Path, table: str, columns: Iterable[str]) -> list[tuple[Any, ...]]:
    """Text as bytes."""
    listed = ", ".join(f"typeof({quote(c)}), {quote(c)}" for c in columns)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        return connection.execute(f"SELECT {listed} FROM {quote(table)}").fetchall()


class Lost(Exception):
    """The target's type cannot hold such a value, so it should not be there."""


def _real(value: float) -> bytes:
    return struct.pack(">d", value)


def _text(kind: str, value: Any) -> str:
    if kind == "text":
        return value.decode()
    if kind == "integer":
        return str(value)
    raise Lost(kind, value)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("z", "Z"))


def _of_json(text: str) -> Any:
    value = json.loads(text, parse_float=_digits, parse_int=_digits, object_pairs_hook=_pairs)
    return json.dumps(value, sort_keys=True)


def _digits(text: str) -> Any:
    number = Decimal(text)
    return ["number", str(number.normalize()), number.is_signed()]


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise Lost(pairs)
    return dict(pairs)


def expected(type_code: int, kind: str, value: Any) -> Any:
    """What the target must show for a value of the source. Raises for one it cannot show."""
    if kind == "null":
        return None
    if type_code == BYTEA and kind == "blob":
        return value
    if kind == "blob":
        raise Lost(kind, value)
    if type_code == FLOAT8:
        if kind == "text" or float(value) != value:
            raise Lost(kind, value)
        return _real(float(value))
    if type_code == NUMERIC:
        return Decimal(repr(value)).normalize()
    if type_code in {INT8, BOOL}:
        if kind != "integer" or (type_code == BOOL and value not in {0, 1}):
            raise Lost(kind, value)
        return value
    return _OF_TEXT.get(type_code, str)(_text(kind, value)) if kind != "real" else ("real", value)


def _zoned(text: str) -> datetime:
    moment = _moment(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _naive(text: str) -> datetime:
    moment = _moment(text)
    if moment.tzinfo:
        raise Lost(text)
    return moment


_OF_TEXT: dict[int, Callable[[str], Any]] = {
    DATE: date.fromisoformat, TIME: time.fromisoformat, TIMESTAMP: _naive, TIMESTAMPTZ: _zoned,
    UUID: uuid.UUID, JSON: _of_json, JSONB: _of_json,
}  # fmt: skip


def shown(type_code: int, value: Any) -> Any:
    if value is None:
        return None
    if type_code == FLOAT8:
        return _real(value)
    if type_code == NUMERIC:
        return value.normalize()
    if type_code in {JSON, JSONB}:
        return _of_json(value)
    if type_code == TIMESTAMPTZ:
        return value.astimezone(UTC)
    return value


def differences(path: Path, url: str, table: str) -> list[str]:
    """What one has and the other does not, as sentences; none when every row is there."""
    types, found = target_rows(url, table)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        names = [r[1] for r in connection.execute(f"PRAGMA table_xinfo({quote(table)})")]
    columns = [types[name.encode()[:63].decode(errors="ignore")] for name in names]
    there = Counter(
        tuple(shown(code, value) for code, value in zip(columns, row, strict=True)) for row in found
    )
    here: Counter[tuple[Any, ...]] = Counter()
    for row in source_rows(path, table, names):
        pairs = zip(columns, row[::2], row[1::2], strict=True)
        here[tuple(_expected_as_shown(c, k.decode(), v) for c, k, v in pairs)] += 1
    if any(isinstance(v, tuple) for row in here for v in row):
        there = Counter(_with_reals(row, here) for row in there.elements())
    return [f"only here: {row}" for row in here - there] + [
        f"only there: {row}" for row in there - here
    ]


def _expected_as_shown(code: int, kind: str, value: Any) -> Any:
    return expected(code, kind, value)


def _with_reals(row: tuple[Any, ...], wanted: Iterable[tuple[Any, ...]]) -> tuple[Any, ...]:
    """A real in a column of texts is there when the same real is read from its text."""
    for other in wanted:
        if all(_is_same(one, two) for one, two in zip(row, other, strict=True)):
            return other
    return row


def _is_same(text: Any, wanted: Any) -> bool:
    if isinstance(wanted, tuple) and isinstance(text, str):
        try:
            return _real(float(text)) == _real(wanted[1])
        except ValueError:
            return False
    return text == wanted
