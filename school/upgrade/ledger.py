"""What the target remembers of an upgrade, in a schema of its own, so that it can be gone on with
and nobody takes a half-filled database for a whole one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from school.upgrade.expressions import quoted
from school.upgrade.standing import SCHEMA as SCHEMA
from school.upgrade.target import Connection, run

_MADE = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.run (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  status text NOT NULL CHECK (status IN ('incomplete', 'complete')),
  source_name text NOT NULL, source_sha256 text NOT NULL, schema_name text NOT NULL,
  on_bad text NOT NULL, is_own boolean NOT NULL, phase text NOT NULL DEFAULT 'begun',
  started_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz, report jsonb);
CREATE TABLE IF NOT EXISTS {SCHEMA}.part (
  table_name text PRIMARY KEY, loaded bigint, rejected bigint NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS {SCHEMA}.definition (
  position integer PRIMARY KEY, stage text NOT NULL, table_name text NOT NULL, name text NOT NULL,
  sql text NOT NULL, is_done boolean NOT NULL DEFAULT false, left_out text);
CREATE TABLE IF NOT EXISTS {SCHEMA}.reject (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  table_name text NOT NULL, row_key text NOT NULL,
  column_name text NOT NULL, code text NOT NULL, row_json text NOT NULL, replayed json,
  UNIQUE (table_name, row_key));
GRANT USAGE ON SCHEMA {SCHEMA} TO PUBLIC;
GRANT SELECT (status) ON {SCHEMA}.run TO PUBLIC;
"""


@dataclass(frozen=True, slots=True)
class Run:
    status: str
    source_name: str
    source_sha256: str
    schema_name: str
    on_bad: str
    is_own: bool
    phase: str


@dataclass(frozen=True, slots=True)
class Definition:
    """A key, index or constraint that is made when the rows are there. `stage`: index,
    constraint (on such an index), check, foreign, or wall: what hides rows from their owner, too,
    and is put up when they have been read back."""

    stage: str
    table: str
    name: str
    sql: str
    # The key, index or check of the catalogue that it makes.
    of: object = None


def find_run(connection: Connection) -> Run | None:
    """The upgrade this database was begun with, if any."""
    there = run(connection, "SELECT to_regclass(%s)", f"{SCHEMA}.run").fetchone()
    if there is None or there[0] is None:
        return None
    row = run(
        connection,
        "SELECT status, source_name, source_sha256, schema_name, on_bad, is_own, phase"
        f" FROM {SCHEMA}.run",
    ).fetchone()
    return Run(*row) if row else None


def begin(connection: Connection, begun: Run, tables: Iterable[str]) -> None:
    """Mark the target as incomplete before anything is made in it."""
    with connection.transaction():
        for statement in _MADE.split(";\n"):
            if statement.strip():
                run(connection, statement)
        run(
            connection,
            f"INSERT INTO {SCHEMA}.run (status, source_name, source_sha256, schema_name, on_bad,"
            " is_own) VALUES ('incomplete', %s, %s, %s, %s, %s)",
            begun.source_name, begun.source_sha256, begun.schema_name, begun.on_bad, begun.is_own,
        )  # fmt: skip
        for table in tables:
            run(connection, f"INSERT INTO {SCHEMA}.part (table_name) VALUES (%s)", table)


def forget(connection: Connection) -> None:
    """Drop what was remembered."""
    run(connection, f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


def clear(connection: Connection, schema: str) -> None:
    """Drop what an unfinished upgrade made, and what is remembered of it; in one transaction."""
    with connection.transaction():
        for (table,) in run(connection, f"SELECT table_name FROM {SCHEMA}.part").fetchall():
            run(connection, f"DROP TABLE IF EXISTS {quoted(schema)}.{quoted(table)} CASCADE")
        forget(connection)


def set_phase(connection: Connection, phase: str) -> None:
    run(connection, f"UPDATE {SCHEMA}.run SET phase = %s", phase)


def remember_definitions(connection: Connection, definitions: Iterable[Definition]) -> None:
    """Before they are taken off, or instead of making them at once."""
    for position, one in enumerate(definitions):
        run(
            connection,
            f"INSERT INTO {SCHEMA}.definition (position, stage, table_name, name, sql)"
            " VALUES (%s, %s, %s, %s, %s)",
            position, one.stage, one.table, one.name, one.sql,
        )  # fmt: skip


def list_definitions(connection: Connection, stage: str) -> list[Definition]:
    """Those of a stage that are not made yet."""
    rows = run(
        connection,
        f"SELECT stage, table_name, name, sql FROM {SCHEMA}.definition"
        " WHERE stage = %s AND NOT is_done AND left_out IS NULL ORDER BY position",
        stage,
    )
    return [Definition(*row) for row in rows]


def list_names(connection: Connection) -> set[tuple[str, str]]:
    """(table, name) of all that was ever remembered."""
    rows = run(connection, f"SELECT table_name, name FROM {SCHEMA}.definition")
    return {(table, name) for table, name in rows}


def mark_done(connection: Connection, one: Definition) -> None:
    _change(connection, one, "is_done = true")


def leave_out(connection: Connection, one: Definition, why: str) -> None:
    """It will not be made, and the report says so."""
    _change(connection, one, "left_out = %s", why)


def list_left_out(connection: Connection) -> list[str]:
    """Why each of those is not there."""
    rows = run(
        connection,
        f"SELECT left_out FROM {SCHEMA}.definition WHERE left_out IS NOT NULL ORDER BY position",
    )
    return [row[0] for row in rows]


def _change(connection: Connection, one: Definition, change: str, *values: str) -> None:
    run(
        connection,
        f"UPDATE {SCHEMA}.definition SET {change} WHERE stage = %s AND table_name = %s"
        " AND name = %s",
        *values, one.stage, one.table, one.name,
    )  # fmt: skip


def mark_replayed(connection: Connection, table: str, key: str, made: str) -> bool:
    """Remember the row as it went in; False where none is waiting under that key."""
    done = run(
        connection,
        f"UPDATE {SCHEMA}.reject SET replayed = %s WHERE table_name = %s AND row_key = %s"
        " AND replayed IS NULL",
        made, table, key,
    )  # fmt: skip
    run(
        connection,
        f"UPDATE {SCHEMA}.part SET rejected = rejected - 1 WHERE table_name = %s", table,
    )  # fmt: skip
    return done.rowcount == 1


def count_replayed(connection: Connection) -> dict[str, int]:
    """By table: rows that were rejected, repaired and brought in afterwards."""
    rows = run(
        connection,
        f"SELECT table_name, count(*) FROM {SCHEMA}.reject WHERE replayed IS NOT NULL"
        " GROUP BY table_name",
    )
    return dict(rows.fetchall())


def loaded_rows(connection: Connection) -> dict[str, int]:
    """How many rows each table took that is loaded whole."""
    rows = run(connection, f"SELECT table_name, loaded FROM {SCHEMA}.part WHERE loaded IS NOT NULL")
    return dict(rows.fetchall())


def mark_loaded_sql(table: str, rows: int) -> str:
    """To be run in the transaction that brought the rows."""
    name = "'" + table.replace("'", "''") + "'"
    return f"UPDATE {SCHEMA}.part SET loaded = {rows} WHERE table_name = {name}"


def keep_rejects(
    connection: Connection, table: str, rows: Iterable[tuple[str, str, str, str]]
) -> None:
    """(key, column, code, the row as JSON); the same row twice is kept once."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {SCHEMA}.reject (table_name, row_key, column_name, code, row_json)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (table_name, row_key) DO NOTHING",
            [(table, *row) for row in rows],
        )
        cursor.execute(
            f"UPDATE {SCHEMA}.part SET rejected = (SELECT count(*) FROM {SCHEMA}.reject"
            " WHERE table_name = %s AND replayed IS NULL) WHERE table_name = %s",
            (table, table),
        )


def finish(connection: Connection, report: dict[str, Any], *, is_complete: bool) -> None:
    """Say how it ended; only a complete one may be served. Its walls are put up with that."""
    if is_complete:
        for wall in list_definitions(connection, "wall"):
            run(connection, wall.sql)
            mark_done(connection, wall)
    run(
        connection,
        f"UPDATE {SCHEMA}.run SET status = %s, finished_at = now(), report = %s",
        "complete" if is_complete else "incomplete",
        json.dumps(report),
    )
