"""Generated SQLite files: every kind of table, key and value that SQLite lets through."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.upgrade.reading import quote

DECLARED = [
    "", "INTEGER", "INT", "BIGINT", "SMALLINT", "TEXT", "VARCHAR(10)", "VARCHAR(36)", "CHAR(32)",
    "NVARCHAR(99999999999)", "BLOB", "REAL", "FLOAT", "DOUBLE PRECISION", "NUMERIC", "NUMERIC(10,2)",
    "NUMERIC(38,3)", "DECIMAL(3,9)", "NUMERIC(60,2)", "BOOLEAN", "DATE", "TIME", "DATETIME",
    "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "JSON", "JSONB", "UUID", "STRING", "MONEY", "POINT",
    "FLOATING POINT", "UNSIGNED BIG INT", "ENUM('a','b')", "character varying(5)", "geometry",
]  # fmt: skip
STRICT = ["INTEGER", "INT", "TEXT", "REAL", "BLOB", "ANY"]
NAMES = [
    "a", "b", "Id", "name", "select", "order", "user", "group", "table", "Größe", "with space",
    'with"quote', "it's", "semi;colon", "100%", "{0}", "rowid", "_rowid_", "oid", "x" * 70,
    "x" * 64 + "y", "%s", "date", "desc", "limit", "ctid", "x.y", "\\", "emoji😀", "row_key",
]  # fmt: skip

MOMENTS = [
    "0001-01-01", "9999-12-31", "0000-01-01", "0000-00-00", "2024-02-30", "2023-02-29", "2024-02-29",
    "2024-06-30 23:59:60", "2024-01-01T00:00:00Z", "2024-01-01 10:11:12+02:00",
    "2024-01-01 10:11:12.1", "2024-01-01 10:11:12.123456", "2024-01-01 10:11:12.123456789",
    "2024-01-01 10:11:12.12-03:30", "0001-01-01 00:00:00+14:00", "9999-12-31 23:59:59.999999",
    "9999-12-31T23:59:59-12:00", "2024-01-01 10:11", "2024-01-01 24:00:00", "10:11:12", "10:11",
    "23:59:59.999999", "24:00:00", "1900-01-01 00:00:00", "2024-01-01 ", " 2024-01-01", "now",
    "-0001-01-01", "12024-01-01", "2024-1-1", "20240101", "2024-01-01t10:11:12z", "2024-01-01 10",
]  # fmt: skip
JSONS = [
    "{}", "[]", "null", '{"a": 1}', '{"a":1,"a":2}', "[NaN]", "[Infinity]", "1e400", "1E5", "-0", "-0.0",
    "[1.50, 1.5]", '"\\u0000"', '"\\\\u0000"', '"\\ud800"', '"\\ud83d\\ude00"', "[" * 1200 + "]" * 1200,
    "123456789012345678901234567890.12345", '{"b":1,"a":{"d":[1,2],"c":null}}', "{", "1e999999999",
    ' {"a" : "x"} ', "0.1e-400", '{"":0}', "true", "[100000000000000000000]", "1.0", "0.00001", "[-1e3]",
    "[9007199254740993, 0.1234567890123456789]", "01", "'a'", '"\t"',
]  # fmt: skip
TEXTS = [
    "", "a", "A", "a\0b", "\0", "emoji 😀", "é", "e\u0301", "\ufeff", "\u202e", "NULL", "\\N", "\t\n\r\\", "'",
    '"', "true", "yes", "0", "1", "-0", "1.0", "9223372036854775808", "1e5", "0x10", " 1", "nan", "inf",
    "f47ac10b-58cc-4372-a567-0e02b2c3d479", "F47AC10B-58CC-4372-A567-0E02B2C3D479",
    "f47ac10b58cc4372a5670e02b2c3d479", "f47ac10b-58cc-4372-a567-0e02b2c3d47", "-" * 4 + "f" * 32,
    "f47ac10b 58cc4372a5670e02b2c3d47 ", "longer than ten letters", "x" * 3000,
]  # fmt: skip
NUMBERS: list[Any] = [
    0, 1, -1, 2, 2**31, -(2**31) - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 10**15,
    0.0, -0.0, 0.1, 0.1 + 0.2, 1.5, 12.34, 1e15, 1e16, 1e308, -1e308, 5e-324, float("inf"),
    float("-inf"), 1.7976931348623157e308, 123456789.125, 99999999.99, 1e22, 0.005,
]  # fmt: skip
BYTES = [b"", b"\0", b"\xff\xfe", b"abc", b"{}", bytes(range(256)), b"\x01{}"]


class Raw(bytes):
    """Bytes that are stored as text, whatever they are."""


INVALID = [Raw(b"\xff"), Raw(b"a\xc3"), Raw(b"\xed\xa0\x80"), Raw(b"\xc0\x80"), Raw(b"ok\xf5")]

values = st.one_of(
    st.none(), st.sampled_from(NUMBERS), st.sampled_from(TEXTS), st.sampled_from(MOMENTS),
    st.sampled_from(JSONS), st.sampled_from(BYTES), st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False), st.text(max_size=12).filter(lambda t: t.isascii() or _is_text(t)),
    st.datetimes().map(str), st.dates().map(str), st.times().map(str), st.uuids().map(str),
    st.binary(max_size=8), st.sampled_from(INVALID),
)  # fmt: skip


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_GOOD = {
    "INT": st.sampled_from([n for n in NUMBERS if isinstance(n, int)]),
    "CHAR": st.sampled_from(["a", "b", "", "é😀", "f47ac10b-58cc-4372-a567-0e02b2c3d479"]),
    "BLOB": st.binary(max_size=6), "REAL": st.floats(allow_nan=False),
    "FLOA": st.floats(allow_nan=False), "DOUB": st.floats(allow_nan=False),
    "NUMERIC(": st.sampled_from([0, 1, 12.34, -5.5, 99999999.99, 1.5, 7]),
    "BOOL": st.sampled_from([0, 1]), "DATETIME": st.datetimes().map(str),
    "TIMESTAMP WITH": st.datetimes().map(lambda m: f"{m}+01:00"),
    "TIMESTAMP": st.datetimes().map(lambda m: m.isoformat()), "DATE": st.dates().map(str),
    "TIME": st.times().map(str), "JSON": st.sampled_from(JSONS[:8]), "UUID": st.uuids().map(str),
}  # fmt: skip


def fitting(declared: str) -> st.SearchStrategy[Any]:
    """Values as the column promises them, now and then none."""
    for word, strategy in _GOOD.items():
        if word in declared.upper():
            return st.one_of(strategy, strategy, strategy, st.none())
    return st.one_of(st.sampled_from(["x", "y", "é"]), st.none())


@dataclass
class Drawn:
    """`statements`: what makes the file; `rows`: by table, what is tried to put in."""

    statements: list[str]
    rows: list[tuple[str, list[str], list[list[Any]]]]
    encoding: str = "UTF-8"


@st.composite
def databases(draw: st.DrawFn) -> Drawn:
    """One to three tables with everything that goes with them."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique_by=str.lower))
    drawn = Drawn([], [], draw(st.sampled_from(["UTF-8", "UTF-8", "UTF-8", "UTF-16le"])))
    made: list[tuple[str, list[str]]] = []
    for name in names:
        made.append((name, _table(draw, name, made, drawn)))
    return drawn


def _table(
    draw: st.DrawFn, name: str, earlier: list[tuple[str, list[str]]], drawn: Drawn
) -> list[str]:
    is_strict = draw(st.integers(0, 6)) == 0
    columns = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique_by=str.lower))
    types = [draw(st.sampled_from(STRICT if is_strict else DECLARED)) for _ in columns]
    form = draw(st.sampled_from(["none", "rowid", "auto", "one", "desc", "all", "without"]))
    parts = []
    for at, (column, declared) in enumerate(zip(columns, types, strict=True)):
        words = [quote(column), declared]
        if at == 0 and form in {"rowid", "auto", "desc"}:
            types[0] = "INTEGER"
            ending = {"auto": " AUTOINCREMENT", "desc": " DESC"}.get(form, "")
            words = [quote(column), f"INTEGER PRIMARY KEY{ending}"]
        elif draw(st.integers(0, 7)) == 0:
            words.append(draw(st.sampled_from(_EXTRAS)))
        parts.append(" ".join(words))
    listed = ", ".join(quote(c) for c in columns)
    if form in {"one", "without"}:
        parts.append(f"PRIMARY KEY ({quote(columns[0])})")
    if form == "all":
        parts.append(f"PRIMARY KEY ({listed})")
    if draw(st.integers(0, 3)) == 0:
        parts.append(f"UNIQUE ({quote(columns[-1])})")
    if draw(st.integers(0, 5)) == 0:
        parts.append(f"CHECK ({quote(columns[-1].upper())} IS NOT 'never' OR \"none\" = 1)")
    if draw(st.integers(0, 2)) == 0:
        parent, referred = draw(st.sampled_from([(name, columns), *earlier]))
        parts.append(
            f"FOREIGN KEY ({quote(columns[-1])}) REFERENCES {quote(parent.upper())}"
            f"{draw(st.sampled_from(['', f'({quote(referred[0].upper())})']))}"
        )
    if draw(st.integers(0, 3)) == 0 and not is_strict:
        parts.insert(
            len(columns),
            f'"g" {draw(st.sampled_from(["", "TEXT", "INTEGER"]))} AS ({_generated(draw, columns)})'
            f" {draw(st.sampled_from(['VIRTUAL', 'STORED']))}",
        )
    endings = ["WITHOUT ROWID"] * (form == "without") + ["STRICT"] * is_strict
    drawn.statements.append(f"CREATE TABLE {quote(name)} ({', '.join(parts)}) {', '.join(endings)}")
    drawn.statements += _indexes(draw, name, columns)
    drawn.rows.append((name, columns, _rows(draw, types)))
    return columns


_EXTRAS = [
    "NOT NULL", "DEFAULT 0", "DEFAULT 'x''y'", "DEFAULT CURRENT_TIMESTAMP", "DEFAULT (random())",
    "UNIQUE", "COLLATE NOCASE", "DEFAULT NULL", "DEFAULT -1.5", "DEFAULT x'00'", "DEFAULT TRUE",
    "UNIQUE COLLATE NOCASE", "DEFAULT (datetime('now'))",
]  # fmt: skip


def _generated(draw: st.DrawFn, columns: list[str]) -> str:
    first = quote(columns[0])
    return draw(st.sampled_from([
        f"{first} || 'x'", f"length({first})", f"{first} + 1", f"upper({first})", f"{first} / 2",
        f"typeof({first})", f"coalesce({first}, 0)", f"{first} IS NULL", f"hex({first})",
    ]))  # fmt: skip


def _indexes(draw: st.DrawFn, name: str, columns: list[str]) -> list[str]:
    at, first, last = quote(name), quote(columns[0]), quote(columns[-1])
    every = [
        f"CREATE INDEX {quote('ix ' + name)} ON {at} ({last} DESC)",
        f"CREATE INDEX {quote('pk_' + name)} ON {at} (lower({last}))",
        f"CREATE UNIQUE INDEX {quote('u' + name)} ON {at} ({first}, {last}) WHERE {last} > 'm'",
        f"CREATE INDEX {quote('e' + name)} ON {at} ({first} || 'a', {last})",
        f"CREATE VIEW {quote('v ' + name)} AS SELECT * FROM {at}",
        f"CREATE TRIGGER {quote('t ' + name)} AFTER DELETE ON {at} BEGIN SELECT 1; END",
        f"CREATE VIRTUAL TABLE {quote('fts ' + name)} USING fts5(body)",
    ]
    return draw(st.lists(st.sampled_from(every), max_size=2, unique=True))


def _rows(draw: st.DrawFn, types: list[str]) -> list[list[Any]]:
    is_wild = [draw(st.integers(0, 3)) == 0 for _ in types]
    row = st.tuples(*(
        values if wild else fitting(declared)
        for wild, declared in zip(is_wild, types, strict=True)
    ))  # fmt: skip
    return [list(one) for one in draw(st.lists(row, max_size=8))]


def make(drawn: Drawn, path: Path) -> None:
    """Write the file; a statement or row that SQLite itself refuses is left out."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA encoding = '{drawn.encoding}'")
        for statement in drawn.statements:
            _try(connection, statement)
        for table, columns, rows in drawn.rows:
            listed = ", ".join(quote(c) for c in columns)
            for row in rows:
                places = ", ".join(
                    "CAST(? AS TEXT)" if isinstance(value, Raw) else "?" for value in row
                )
                sql = f"INSERT INTO {quote(table)} ({listed}) VALUES ({places})"
                _try(connection, sql, [bytes(v) if isinstance(v, Raw) else v for v in row])
        connection.commit()


def _try(connection: sqlite3.Connection, sql: str, given: Any = ()) -> None:
    try:
        connection.execute(sql, given)
    except (sqlite3.Error, OverflowError):
        return
