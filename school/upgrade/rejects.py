"""Rows that were kept out: listed with their reason, and brought in when they are repaired."""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg

from school.upgrade import ledger
from school.upgrade.catalogue import Table
from school.upgrade.errors import Problem, stop
from school.upgrade.expressions import quoted
from school.upgrade.target import Connection, Target, run


def as_rows(
    plain: sqlite3.Connection, table: Table, found: Mapping[Any, tuple[str, str]]
) -> Iterator[tuple[str, str, str, str]]:
    """(key, column, code, the row as JSON) of each."""
    names = [column.name for column in table.written]
    listed = ", ".join(quoted(name) for name in names)
    sql = f"SELECT {listed} FROM {quoted(table.name)} WHERE {table.key} = ?"
    plain.text_factory = lambda data: data.decode(errors="surrogateescape")
    for key, (column, code) in found.items():
        # Two builds of SQLite may write a real in a key in two ways: then only the key is told.
        row = plain.execute(sql, (key,)).fetchone()
        pairs = zip(names, row, strict=True) if row else ()
        values = {name: _as_json(value) for name, value in pairs}
        yield str(key), column, code, json.dumps(values)


def _as_json(value: Any) -> Any:
    """Bytes as {"base64": …}, which JSON has no other word for."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return value


def write_file(connection: Connection, path: Path) -> int:
    """All rejects of the target, one JSON object a line; how many."""
    rows = run(
        connection,
        f"SELECT table_name, row_key, column_name, code, row_json FROM {ledger.SCHEMA}.reject"
        " WHERE replayed IS NULL ORDER BY id",
    ).fetchall()
    lines = [
        json.dumps({"table": t, "key": key, "column": c, "reason": code, "row": json.loads(row)})
        for t, key, c, code, row in rows
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines)


def replay(target: Target, path: Path) -> tuple[int, list[Problem]]:
    """Insert the rows of a repaired file, each by itself; how many went in, and what did not."""
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    waiting = [(number, line) for number, line in lines if line.strip()]
    problems: list[Problem] = []
    total = len(waiting)
    with target.connect() as connection:
        _check_is_loaded(connection)
        # A row may name one that comes later in the file: as long as some go in, others may follow.
        before = total + 1
        while 0 < len(waiting) < before:
            before = len(waiting)
            waiting, problems = _try_all(connection, path, waiting)
    return total - len(waiting), problems


def _check_is_loaded(connection: Connection) -> None:
    begun = ledger.find_run(connection)
    if begun is None:
        raise stop("not_begun", "This database was not filled by an upgrade.")
    if begun.status != "complete":
        raise stop(
            "unfinished",
            "The upgrade into this database is not finished.",
            "Run it again with --resume, then replay the file.",
        )


def _try_all(
    connection: Connection, path: Path, waiting: list[tuple[int, str]]
) -> tuple[list[tuple[int, str]], list[Problem]]:
    """Those that did not go in, and why."""
    left, problems = [], []
    for number, line in waiting:
        try:
            with connection.transaction():
                _insert(connection, json.loads(line))
        except _OF_THE_LINE as error:
            left.append((number, line))
            problems.append(_refused(path, number, error))
    return left, problems


_OF_THE_LINE = (
    psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.NotSupportedError,
    ValueError, KeyError, TypeError, AttributeError,
)  # fmt: skip


def _insert(connection: Connection, reject: dict[str, Any]) -> None:
    """Raises ValueError for a line that is in no list of rejects, or went in before."""
    table = quoted(reject["table"]).replace("%", "%%")
    values = {name: _from_json(value) for name, value in reject["row"].items()}
    listed = ", ".join(quoted(name).replace("%", "%%") for name in values)
    places = ", ".join(["%s"] * len(values))
    sql = f"INSERT INTO {table} AS made ({listed}) VALUES ({places}) RETURNING to_json(made)::text"
    with _past_wall(connection, reject["table"]):
        made = run(connection, sql, *values.values()).fetchone()
    if not ledger.mark_replayed(
        connection, reject["table"], reject["key"], made[0] if made else ""
    ):
        raise ValueError("there is no such row in the list of rejects, or it went in before")


@contextlib.contextmanager
def _past_wall(connection: Connection, table: str) -> Iterator[None]:
    """Inside a transaction: let the owner write where row-level security binds it, too."""
    asked = "SELECT relforcerowsecurity FROM pg_class WHERE oid = to_regclass(%s)"
    row = run(connection, asked, quoted(table)).fetchone()
    if not (row and row[0]):
        yield
        return
    run(connection, f"ALTER TABLE {quoted(table)} NO FORCE ROW LEVEL SECURITY")
    yield
    run(connection, f"ALTER TABLE {quoted(table)} FORCE ROW LEVEL SECURITY")


def _from_json(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"base64"}:
        return base64.b64decode(value["base64"])
    return value if value is None or isinstance(value, bytes) else str(value)


def _refused(path: Path, number: int, error: Exception) -> Problem:
    told = str(error).strip().splitlines()
    return Problem(
        "replay_refused",
        f"{path.name}, line {number}: {told[0] if told else 'it is no JSON object'}",
        "Repair the line and replay the file again; what went in is not in the list any more.",
    )
