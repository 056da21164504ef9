"""What a column holds, as both databases can say it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    INTEGER = "integer"
    REAL = "real"
    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    # A moment with its zone; text without one is read as UTC.
    INSTANT = "instant"
    UUID = "uuid"
    JSON = "json"
    TEXT = "text"
    BLOB = "blob"


@dataclass(frozen=True, slots=True)
class Type:
    """`length`: characters of a text, None without a limit. `bits`: of an integer (16, 32, 64) or a
    real (32, 64). `precision`, `scale`: digits of a numeric. `is_binary`: a JSON kept parsed."""

    kind: Kind
    length: int | None = None
    bits: int = 64
    precision: int = 0
    scale: int = 0
    is_binary: bool = True

    @property
    def sql(self) -> str:
        """As PostgreSQL writes it in CREATE TABLE."""
        if self.kind is Kind.TEXT and self.length:
            return f"varchar({self.length})"
        if self.kind is Kind.NUMERIC:
            return f"numeric({self.precision},{self.scale})"
        if self.kind is Kind.JSON and not self.is_binary:
            return "json"
        return _SQL.get((self.kind, self.bits), _SQL.get((self.kind, 64), ""))


_SQL = {
    (Kind.INTEGER, 16): "smallint", (Kind.INTEGER, 32): "integer", (Kind.INTEGER, 64): "bigint",
    (Kind.REAL, 32): "real", (Kind.REAL, 64): "double precision", (Kind.BOOLEAN, 64): "boolean",
    (Kind.DATE, 64): "date", (Kind.TIME, 64): "time", (Kind.TIMESTAMP, 64): "timestamp",
    (Kind.INSTANT, 64): "timestamptz", (Kind.UUID, 64): "uuid", (Kind.JSON, 64): "jsonb",
    (Kind.TEXT, 64): "text", (Kind.BLOB, 64): "bytea",
}  # fmt: skip

_MOST_DIGITS = 38
"""A 128-bit decimal holds no more."""
_MOST_LETTERS = 10_485_760
"""The most a varchar may ask for."""

# The first that fits decides. Names as SQLAlchemy, Django, Rails, Access and SQLite's own rules
# (https://www.sqlite.org/datatype3.html §3.1) write them.
_DECLARED: tuple[tuple[str, Kind], ...] = (
    (r"BOOL", Kind.BOOLEAN),
    (r"TIMESTAMPTZ|TIMESTAMP WITH TIME ZONE", Kind.INSTANT),
    (r"DATETIME|TIMESTAMP", Kind.TIMESTAMP),
    (r"^DATE$", Kind.DATE),
    (r"^TIME$", Kind.TIME),
    (r"JSON", Kind.JSON),
    (r"UUID|GUID|UNIQUEIDENTIFIER", Kind.UUID),
    (r"INT|SERIAL", Kind.INTEGER),
    (r"CHAR|CLOB|TEXT|STRING|ENUM", Kind.TEXT),
    (r"BLOB|BINARY|BYTEA|IMAGE", Kind.BLOB),
    (r"REAL|FLOA|DOUB", Kind.REAL),
    (r"NUMERIC|DECIMAL|MONEY|^NUMBER|^DEC", Kind.NUMERIC),
)


def declared_type(declared: str) -> Type | None:
    """What the CREATE TABLE of the source promises; None where it promises nothing."""
    name = re.sub(r"\s*\(.*\)", "", declared).strip().upper()
    kind = next((kind for pattern, kind in _DECLARED if re.search(pattern, name)), None)
    if kind is None:
        return None
    sizes = [int(size) for size in re.findall(r"\d+", declared.partition("(")[2])]
    if kind is Kind.TEXT:
        is_limited = bool(sizes) and "CHAR" in name and 0 < sizes[0] <= _MOST_LETTERS
        return Type(kind, length=sizes[0] if is_limited else None)
    if kind is Kind.NUMERIC:
        return _numeric(sizes)
    return Type(kind)


def _numeric(sizes: list[int]) -> Type:
    """A numeric without a size, or one larger than 38 digits, is kept as double precision, the
    form in which SQLite itself keeps it."""
    if not sizes or not 0 < sizes[0] <= _MOST_DIGITS:
        return Type(Kind.REAL)
    scale = sizes[1] if len(sizes) > 1 else 0
    if scale > sizes[0]:
        return Type(Kind.REAL)
    return Type(Kind.NUMERIC, precision=sizes[0], scale=scale)


_POSTGRES = {
    "smallint": Type(Kind.INTEGER, bits=16), "integer": Type(Kind.INTEGER, bits=32),
    "bigint": Type(Kind.INTEGER), "real": Type(Kind.REAL, bits=32),
    "double precision": Type(Kind.REAL), "boolean": Type(Kind.BOOLEAN), "date": Type(Kind.DATE),
    "time without time zone": Type(Kind.TIME),
    "timestamp without time zone": Type(Kind.TIMESTAMP),
    "timestamp with time zone": Type(Kind.INSTANT), "uuid": Type(Kind.UUID),
    "jsonb": Type(Kind.JSON), "json": Type(Kind.JSON, is_binary=False),
    "bytea": Type(Kind.BLOB), "text": Type(Kind.TEXT), "character varying": Type(Kind.TEXT),
}  # fmt: skip


def postgres_type(name: str) -> Type:
    """The type that PostgreSQL's format_type() names. Raises KeyError for one we cannot fill."""
    base, _, sizes = name.partition("(")
    numbers = [int(size) for size in re.findall(r"\d+", sizes)]
    if base == "character varying" and numbers:
        return Type(Kind.TEXT, length=numbers[0])
    if base == "numeric" and numbers:
        return Type(Kind.NUMERIC, precision=numbers[0], scale=numbers[1])
    return _POSTGRES[base]
