"""Keys, indexes and checks, made when the rows are there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

import psycopg

from school.upgrade import ledger
from school.upgrade.catalogue import Table
from school.upgrade.errors import Problem
from school.upgrade.expressions import cut, quoted
from school.upgrade.ledger import Definition
from school.upgrade.target import Connection, Target, run
from school.upgrade.threads import share_out

STAGES = ("index", "constraint", "check", "foreign")
"""Each needs those before it."""

_MEMORY = "256MB"


def build(
    target: Target,
    sizes: dict[str, int],
    jobs: int,
    told: Callable[[str], None],
    *,
    is_own: bool = False,
) -> list[Problem]:
    """Make everything the ledger still names, `jobs` at a time; what the rows do not allow.

    `sizes`: rows by table, the largest first. Foreign keys come last, for they need the others.
    """
    with ExitStack() as open_ones:
        connections = [open_ones.enter_context(target.connect()) for _ in range(jobs)]
        for connection in connections:
            run(connection, f"SET maintenance_work_mem = '{_MEMORY}'")
        make_all = partial(_make_all, is_own=is_own)
        problems: list[Problem] = []
        for stage in STAGES:
            told(stage)
            found = ledger.list_definitions(connections[0], stage)
            found.sort(key=lambda one: -sizes.get(one.table, 0))
            groups = [[one] for one in found] if stage == "index" else _by_table(found)
            for some in share_out(groups, connections, make_all):
                problems += some
        return problems


def _by_table(found: Sequence[Definition]) -> list[list[Definition]]:
    """Constraints of one table lock it, each for itself."""
    groups: dict[str, list[Definition]] = {}
    for one in found:
        groups.setdefault(one.table, []).append(one)
    return list(groups.values())


def _make_all(some: Sequence[Definition], connection: Connection, *, is_own: bool) -> list[Problem]:
    return [problem for one in some if (problem := _make(one, connection, is_own=is_own))]


def _make(one: Definition, connection: Connection, *, is_own: bool) -> Problem | None:
    try:
        with connection.transaction():
            for statement in _statements(one):
                run(connection, statement)
            ledger.mark_done(connection, one)
    except _OF_THE_ROWS as error:
        if _is_dispensable(one) and not is_own:
            why = f"“{one.name}” of “{one.table}” stays behind: {_detail(error)}."
            ledger.leave_out(connection, one, why)
            return None
        return Problem(
            f"{one.stage}_refused",
            f"“{one.table}”: {one.name} could not be made: {_detail(error)}.",
            "Repair these rows in the source, then run the command again with an empty database.",
            table=one.table,
        )
    return None


_OF_THE_ROWS = (
    psycopg.IntegrityError, psycopg.DataError, psycopg.ProgrammingError,
    psycopg.errors.ProgramLimitExceeded, psycopg.NotSupportedError,
)  # fmt: skip


def _is_dispensable(one: Definition) -> bool:
    """Whether no promise about the rows is lost with it: an index that is only for speed, and a
    check, whose words mean something else in the two databases when its rows are good in one."""
    return one.stage == "check" or one.sql.startswith("CREATE INDEX")


def _statements(one: Definition) -> list[str]:
    if one.stage in {"index", "constraint"}:
        return [one.sql]
    # Without a look at the rows it locks for a moment only; looking lets others read and write.
    return [
        f"{one.sql} NOT VALID",
        f"ALTER TABLE {quoted(one.table)} VALIDATE CONSTRAINT {quoted(one.name)}",
    ]


def _detail(error: psycopg.Error) -> str:
    return (error.diag.message_detail or error.diag.message_primary or str(error)).rstrip(".")


def highest_number(plain: sqlite3.Connection, table: Table) -> int:
    """The highest row number the table has, or ever gave away; 0 without one."""
    column = next((column for column in table.columns if column.is_identity), None)
    if column is None:
        return 0
    asked = f"SELECT max({quoted(column.name)}) FROM {quoted(table.name)}"
    highest = plain.execute(asked).fetchone()[0] or 0
    if plain.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
        counted = plain.execute(
            "SELECT max(CAST(seq AS INTEGER)) FROM sqlite_sequence WHERE name = ?", (table.name,)
        ).fetchone()[0]
        highest = max(highest, counted or 0)
    return max(int(highest), 0)


def number_on(connection: Connection, table: Table, highest: int) -> None:
    """Let the identity go on after the highest number that was ever given."""
    for column in table.columns:
        if column.is_identity:
            run(
                connection,
                "SELECT setval(pg_get_serial_sequence(%s, %s), %s, %s)",
                quoted(table.name), cut(column.name), max(highest, 1), highest > 0,
            )  # fmt: skip


def analyze(connection: Connection, table: Table) -> None:
    run(connection, f"ANALYZE {quoted(table.name)}")
