"""A table of the source as a stream of batches."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_manager import Error as DriverError

from school.upgrade import conversion, measuring
from school.upgrade.catalogue import Column, Table
from school.upgrade.expressions import quoted
from school.upgrade.kinds import Kind
from school.upgrade.rules import TableRules
from school.upgrade.source import unreadable

_EXAMPLE = {"int64": "0", "double": "0.0", "string": "''", "binary": "x''"}
_EXACT_INTEGERS = 2**53
"""Up to here a double holds every integer."""


class TypesDiffer(Exception):
    """A column brings values of another storage than its type says."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one table is read: `watched` columns are asked for values that the expression for them
    would change. At first those are texts and blobs, which the driver mixes without a word; a
    number that is none it refuses, and the table is then watched in all columns."""

    table: Table
    columns: tuple[Column, ...]
    rows: int
    batch_rows: int
    watched: tuple[str, ...]
    is_close: bool = False

    @property
    def sql(self) -> str:
        """The first row is an example, so that the driver, which goes by it, knows every type."""
        examples = [_EXAMPLE[str(_key_type(self.table))]]
        wanted = [self.table.key]
        for column in self.columns:
            examples.append(_EXAMPLE[str(_stored(column))])
            wanted.append(_expression(column, is_close=self.is_close))
        examples += ["0"] * len(self.watched)
        wanted += [
            _oddity(column, is_close=self.is_close)
            for column in self.columns
            if column.name in self.watched
        ]
        # NOT INDEXED: every reading must bring the rows in the same order.
        return (
            f"SELECT {', '.join(examples)} UNION ALL"
            f" SELECT {', '.join(wanted)} FROM {quoted(self.table.name)} NOT INDEXED"
        )

    @property
    def unwatched(self) -> Plan:
        """For a second reading, when nothing odd was found in the first."""
        return replace(self, watched=()) if not self.is_close else self

    def only(self, columns: Collection[Column]) -> Plan:
        """The same for some of the columns."""
        names = {column.name for column in columns}
        return replace(
            self,
            columns=tuple(column for column in self.columns if column.name in names),
            watched=tuple(name for name in self.watched if name in names),
        )


def plan_table(
    table: Table,
    plain: sqlite3.Connection,
    file_bytes: int,
    *,
    is_close: bool = False,
    is_whole: bool = True,
) -> Plan:
    """How to read the table, given the size of the file; `is_whole` with the columns that the
    target works out itself, to compare them."""
    rows = measuring.count_rows(plain, table.name)
    columns = table.columns if is_whole else table.written
    watched = [column.name for column in columns if is_close or _is_mixed(column)]
    size = measuring.batch_rows([(c.name, c.type) for c in columns], rows, file_bytes)
    return Plan(table, columns, rows, size, tuple(watched), is_close)


def _is_mixed(column: Column) -> bool:
    """Whether the driver changes a value of another storage without a word: it does with texts and
    blobs, and with integers among reals unless SQLite made reals of them when they were stored
    (https://www.sqlite.org/datatype3.html §3.1)."""
    if _stored(column) == pa.float64():
        return re.search("REAL|FLOA|DOUB", column.declared.upper()) is None
    return _stored(column) in (pa.string(), pa.binary())


_NO_RULES = TableRules()


def _key_type(table: Table) -> pa.DataType:
    return pa.string() if table.key.startswith("json_array") else pa.int64()


def _stored(column: Column) -> pa.DataType:
    return conversion.STORAGE.get(column.type.kind, pa.string())


def _expression(column: Column, *, is_close: bool) -> str:
    name = quoted(column.name)
    if not is_close:
        return name
    if column.type.kind is Kind.TEXT:
        # A real is written so that the same real is read from it again, which CAST does not.
        return (
            f"CASE typeof({name}) WHEN 'blob' THEN NULL WHEN 'real' THEN quote({name})"
            f" ELSE CAST({name} AS TEXT) END"
        )
    kept = measuring.listed(measuring.stored_as(column.type))
    cast = name
    if _stored(column) == pa.float64() or column.type.kind is Kind.JSON:
        cast = f"CAST({name} AS {'TEXT' if column.type.kind is Kind.JSON else 'REAL'})"
    return f"CASE WHEN typeof({name}) IN ({kept}) THEN {cast} END"


def _oddity(column: Column, *, is_close: bool) -> str:
    """1 where the value is lost by the expression above."""
    at = quoted(column.name)
    if column.type.kind is Kind.TEXT and is_close:
        return f"typeof({at}) = 'blob'"
    if column.type.kind in {Kind.REAL, Kind.NUMERIC}:
        return (
            f"typeof({at}) IN ('text', 'blob') OR (typeof({at}) = 'integer'"
            f" AND {at} NOT BETWEEN -{_EXACT_INTEGERS} AND {_EXACT_INTEGERS})"
        )
    stored = measuring.stored_as(column.type)[: None if is_close else 1]
    return f"typeof({at}) NOT IN ({measuring.listed((*stored, 'null'))})"


@dataclass(slots=True)
class Batch:
    """`keys` of the rows, `values` by column as the target takes them, and what is wrong: by
    column, a code for each value (see conversion.FAULTS)."""

    keys: pa.Array
    values: list[pa.Array]
    codes: dict[str, pa.Array] = field(default_factory=dict)


def read(plan: Plan, connection: Any, rules: TableRules = _NO_RULES) -> Iterator[Batch]:
    """All rows in the order of the file, converted, without those the rules leave out."""
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": plan.batch_rows})
        cursor.execute(plan.sql)
        is_first = True
        for raw in _batches(cursor):
            rest = raw.slice(1) if is_first else raw
            is_first = False
            kept = _without(rest, rules.rejected)
            if kept.num_rows:
                yield _converted(plan, kept, rules)


def _without(raw: pa.RecordBatch, keys: Collection[Any]) -> pa.RecordBatch:
    if not keys or not raw.num_rows:
        return raw
    return raw.filter(pc.invert(_among(raw.column(0), keys)))


def _among(values: pa.Array, keys: Collection[Any]) -> pa.Array:
    return pc.is_in(values, value_set=pa.array(list(keys), values.type))


def _batches(cursor: Any) -> Iterator[pa.RecordBatch]:
    reader = cursor.fetch_record_batch()
    while True:
        try:
            yield reader.read_next_batch()
        except StopIteration:
            return
        except (pa.ArrowException, OSError, DriverError) as error:
            if "Type mismatch" in str(error):
                raise TypesDiffer from error
            raise unreadable(str(error)) from error


def _converted(plan: Plan, raw: pa.RecordBatch, rules: TableRules) -> Batch:
    batch = Batch(raw.column(0), [])
    count = len(plan.columns)
    odd = {name: raw.column(1 + count + at) for at, name in enumerate(plan.watched)}
    for at, column in enumerate(plan.columns):
        if raw.column(1 + at).type != _stored(column):
            raise TypesDiffer
        stored = _emptied(raw.column(1 + at), batch.keys, rules.emptied.get(column.name))
        made = conversion.convert(stored, column.type, fixes=rules.fixes)
        lost = None if rules.fixes else odd.get(column.name)
        codes = _with(made.codes, "other_storage", lost)
        if not column.is_nullable and made.values.null_count:
            codes = _with(codes, "empty", made.values.is_null())
        if codes is not None:
            batch.codes[column.name] = codes
        batch.values.append(made.values)
    return batch


def _with(codes: pa.Array | None, code: str, where: pa.Array | None) -> pa.Array | None:
    """The codes, with this one where the condition holds and none stands yet."""
    if where is None or not pc.any(where.cast(pa.bool_())).as_py():
        return codes
    more = pc.if_else(where.cast(pa.bool_()), code, pa.scalar(None, pa.string()))
    return more if codes is None else pc.coalesce(codes, more)


def _emptied(values: pa.Array, keys: pa.Array, emptied: Collection[Any] | None) -> pa.Array:
    if not emptied:
        return values
    return pc.if_else(_among(keys, emptied), pa.scalar(None, values.type), values)
