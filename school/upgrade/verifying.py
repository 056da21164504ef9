"""Reading the target back and comparing every column with the source."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from school.upgrade import ledger, streams
from school.upgrade.catalogue import Catalogue, Column, Table
from school.upgrade.checksums import Checksum, RowSums
from school.upgrade.errors import Problem
from school.upgrade.expressions import cut, quoted
from school.upgrade.kinds import Kind
from school.upgrade.rules import TableRules
from school.upgrade.streams import Plan
from school.upgrade.target import Connection, run

_AS_SENT = {Kind.NUMERIC: "{}::text", Kind.UUID: "uuid_send({})", Kind.JSON: "{}::text"}
_BATCH_BYTES = 2 << 20


def read_back(table: str, columns: Sequence[Column], target: Any) -> tuple[int, dict[str, str]]:
    """The rows of the target's table and the checksum of each column, in the order in which the
    rows lie, which is the order in which they came. The transaction stays open."""
    sums = [Checksum(column.type) for column in columns]
    rows = 0
    for batch in _batches(table_sql(table, columns), target):
        rows += batch.num_rows
        for checksum, values in zip(sums, batch.columns, strict=False):
            checksum.add(values)
    named = zip(columns, sums, strict=True)
    return rows, {column.name: checksum.hexdigest() for column, checksum in named}


@contextlib.contextmanager
def past_wall(target: Any, table: str, *, is_walled: bool) -> Iterator[None]:
    """See the rows that row-level security hides from their owner, too; nothing stays of it. An
    error that names no column says which table it met."""
    if is_walled:
        with target.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {quoted(table)} NO FORCE ROW LEVEL SECURITY")
    yield
    target.rollback()


def table_sql(table: str, columns: Sequence[Column]) -> str:
    return f"SELECT {_wanted(columns)} FROM {quoted(table)}"


def replayed_sql(table: str, columns: Sequence[Column]) -> str:
    """The rows that were brought in after they had been repaired, as they were then."""
    name = "'" + table.replace("'", "''") + "'"
    return (
        f"SELECT {_wanted(columns)} FROM"
        f" (SELECT (json_populate_record(NULL::{quoted(table)}, replayed)).*"
        f" FROM {ledger.SCHEMA}.reject WHERE table_name = {name} AND replayed IS NOT NULL) AS one"
    )


def _wanted(columns: Sequence[Column]) -> str:
    return ", ".join(_expression(column) for column in columns) or "1"


def _batches(sql: str, target: Any) -> Iterator[pa.RecordBatch]:
    with target.cursor() as cursor:
        cursor.adbc_statement.set_options(
            **{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)}
        )
        cursor.execute(sql)
        yield from cursor.fetch_record_batch()


def differing_columns(
    plan: Plan, source: Any, target: Any, rules: TableRules, *, has_replayed: bool
) -> tuple[str, ...]:
    """Compare the rows whatever order they lie in: no column when they are the same ones, else
    those that differ. For rows that were moved, replayed or changed since."""
    columns = plan.columns
    types = [column.type for column in columns]
    key = [at for at, column in enumerate(columns) if column.name in plan.table.primary_key]

    def differences(sets: Sequence[Sequence[int]]) -> list[int]:
        sums = RowSums(types, sets)
        for batch in streams.read(plan, source, rules):
            sums.add(batch.values)
        for batch in (
            _batches(replayed_sql(plan.table.name, columns), target) if has_replayed else ()
        ):
            sums.add(batch.columns)
        for batch in _batches(table_sql(plan.table.name, columns), target):
            sums.take_away(batch.columns)
        return [at for at, left in enumerate(sums.totals) if left]

    everything = range(len(columns))
    if not differences([everything]):
        return ()
    # A value belongs to its row: two that changed places are two that differ.
    unequal = differences([sorted({*key, at}) for at in everything])
    return tuple(columns[at].name for at in unequal or everything)


def find_unproven(
    connection: Connection, catalogue: Catalogue, highest: Mapping[str, int]
) -> list[Problem]:
    """Keys and constraints that are not there, and numbering that would give a number twice.

    `highest`: by table, the highest number that the source ever gave."""
    problems = [
        Problem("not_made", f"“{table}”: {name} is missing.", table=table)
        for table, name in _missing(connection)
    ]
    for table in catalogue.tables:
        for name in _empty_ones(connection, table):
            told = f"“{table.name}.{name}” may be empty in the target, and may not in the source."
            problems.append(Problem("not_made", told, table=table.name, column=name))
        for column in table.columns:
            if column.is_identity and _gives_twice(
                connection, table.name, column.name, highest.get(table.name, 0)
            ):
                told = f"“{table.name}.{column.name}” would give a number twice."
                problems.append(Problem("numbering", told, table=table.name, column=column.name))
    return problems


def _missing(connection: Connection) -> list[tuple[Any, ...]]:
    """(table, name) of what the ledger names and the target does not have, or has not proven."""
    return run(
        connection,
        f"SELECT DISTINCT d.table_name, d.name FROM {ledger.SCHEMA}.definition d"
        " WHERE left_out IS NULL AND stage <> 'wall' AND (NOT is_done"
        " OR (stage IN ('constraint', 'check', 'foreign') AND NOT EXISTS"
        " (SELECT FROM pg_constraint k WHERE k.conrelid = to_regclass(quote_ident(d.table_name))"
        " AND k.conname::text = d.name AND k.convalidated))"
        " OR (stage = 'index' AND NOT EXISTS"
        " (SELECT FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indisvalid"
        " AND x.indrelid = to_regclass(quote_ident(d.table_name)) AND i.relname::text = d.name)))"
        " ORDER BY 1, 2",
    ).fetchall()


def _empty_ones(connection: Connection, table: Table) -> list[str]:
    """Columns that lost their NOT NULL."""
    rows = run(
        connection,
        "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnotnull",
        quoted(table.name),
    )
    kept = {row[0] for row in rows}
    return [c.name for c in table.columns if not c.is_nullable and cut(c.name) not in kept]


def _gives_twice(connection: Connection, table: str, column: str, highest: int) -> bool:
    sequence = _sequence(connection, table, column)
    if not sequence:
        return True
    row = run(
        connection,
        f"SELECT greatest(coalesce(max({quoted(column)}), 0), {highest:d})::numeric >="
        " (SELECT CASE WHEN"
        " is_called THEN last_value::numeric + 1 ELSE last_value END"
        f" FROM {sequence}) FROM {quoted(table)}",
    ).fetchone()
    return bool(row and row[0])


def _sequence(connection: Connection, table: str, column: str) -> str:
    row = run(
        connection, "SELECT pg_get_serial_sequence(%s, %s)", quoted(table), cut(column)
    ).fetchone()
    return str(row[0]) if row and row[0] else ""


def _expression(column: Column) -> str:
    return _AS_SENT.get(column.type.kind, "{}").format(quoted(column.name))
