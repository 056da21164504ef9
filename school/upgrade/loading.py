"""Rows from the source into the target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from adbc_driver_manager import Error as DriverError

from school.upgrade import ledger, streams, verifying
from school.upgrade.catalogue import Column
from school.upgrade.expressions import cut, quoted
from school.upgrade.kinds import Kind, Type
from school.upgrade.rules import TableRules
from school.upgrade.streams import Plan

_ARROW: dict[Kind, pa.DataType] = {
    Kind.BOOLEAN: pa.bool_(), Kind.DATE: pa.date32(), Kind.TIME: pa.time64("us"),
    Kind.TIMESTAMP: pa.timestamp("us"), Kind.INSTANT: pa.timestamp("us", "UTC"),
    Kind.UUID: pa.binary(16), Kind.TEXT: pa.string(), Kind.BLOB: pa.binary(),
}  # fmt: skip
_SERVER_ITSELF = ("08", "53", "55", "57")
"""Beginnings of SQLSTATEs that say nothing of the rows."""


def load_table(
    plan: Plan,
    schema: str,
    source: Any,
    target: Any,
    *,
    rules: TableRules,
    checksums: Mapping[str, str],
    told: Callable[[int], None] = lambda _rows: None,
) -> str:
    """Fill the empty table in one transaction, which also marks it as loaded.

    `source`, `target`: connections for batches. `checksums`: of the source, by column; columns that
    PostgreSQL works out otherwise than the source become ordinary ones, which the sentence that is
    returned says. `told` hears of every batch's rows.
    """
    computed = [column for column in plan.columns if column.generated]
    try:
        rows = _fill(plan.only(plan.table.written), schema, source, target, rules=rules, told=told)
        is_same = not computed or _is_same(plan, computed, target, checksums)
    except DriverError as error:
        if not computed or (error.sqlstate or "08").startswith(_SERVER_ITSELF):
            raise
        target.rollback()
        is_same = False
    if not is_same:
        _make_ordinary(plan.table.name, computed, target)
        rows = _fill(plan, schema, source, target, rules=rules, told=told)
    with target.cursor() as cursor:
        cursor.execute(ledger.mark_loaded_sql(plan.table.name, rows))
    target.commit()
    return "" if is_same else computed_note(plan.table.name)


def computed_note(table: str) -> str:
    return (
        f"PostgreSQL works out columns of “{table}” otherwise than SQLite; they become ordinary"
        " ones with the values of the source."
    )


def _fill(
    plan: Plan,
    schema: str,
    source: Any,
    target: Any,
    *,
    rules: TableRules,
    told: Callable[[int], None],
) -> int:
    """The rows it took."""
    wanted = arrow_schema(plan.columns)
    batches = _Batches(plan, source, rules, wanted, told)
    with target.cursor() as cursor:
        # Emptied in the same transaction, it takes rows one behind another, never into gaps: the
        # order in which they lie is the order of the source.
        cursor.execute(f"TRUNCATE ONLY {quoted(plan.table.name)}")
        if plan.rows:
            reader = pa.RecordBatchReader.from_batches(wanted, batches.read())
            try:
                name = cut(plan.table.name)
                cursor.adbc_ingest(name, reader, mode="append", db_schema_name=schema)
            except (DriverError, pa.ArrowException, OSError) as error:
                # On its way through the driver an error of the source loses its kind.
                raise (batches.failure or error) from None
    return batches.rows


class _Batches:
    """What the target takes, counted."""

    def __init__(
        self,
        plan: Plan,
        source: Any,
        rules: TableRules,
        schema: pa.Schema,
        told: Callable[[int], None],
    ) -> None:
        self._parts = plan, source, rules
        self._schema = schema
        self._told = told
        self.rows = 0
        self.failure: Exception | None = None

    def read(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in streams.read(*self._parts):
                self.rows += len(batch.keys)
                self._told(len(batch.keys))
                yield pa.RecordBatch.from_arrays(batch.values, schema=self._schema)
        except Exception as error:
            self.failure = error
            raise


def _is_same(
    plan: Plan, computed: Sequence[Column], target: Any, checksums: Mapping[str, str]
) -> bool:
    _rows, sums = verifying.read_back(plan.table.name, computed, target)
    return all(checksums.get(name) == one for name, one in sums.items())


def _make_ordinary(table: str, computed: Sequence[Column], target: Any) -> None:
    with target.cursor() as cursor:
        for column in computed:
            cursor.execute(
                f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(column.name)} DROP EXPRESSION"
            )


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    return pa.schema([(cut(column.name), arrow_type(column.type)) for column in columns])


def arrow_type(type_: Type) -> pa.DataType:
    """What goes over the wire in PostgreSQL's binary form of the type."""
    if type_.kind is Kind.INTEGER:
        return getattr(pa, f"int{type_.bits}")()
    if type_.kind is Kind.REAL:
        return pa.float64() if type_.bits == 64 else pa.float32()
    if type_.kind is Kind.NUMERIC:
        return pa.decimal128(type_.precision, type_.scale)
    if type_.kind is Kind.JSON:
        return pa.binary() if type_.is_binary else pa.string()
    return _ARROW[type_.kind]
