"""Everything that can be known before anything is written."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pyarrow as pa

from school.upgrade import streams
from school.upgrade.catalogue import Catalogue, ForeignKey, Table
from school.upgrade.checksums import Checksum, canonical
from school.upgrade.conversion import FAULTS
from school.upgrade.errors import Problem, stop
from school.upgrade.expressions import quoted
from school.upgrade.kinds import Kind, Type
from school.upgrade.rules import OnBad, Rules, TableRules
from school.upgrade.source import Source
from school.upgrade.streams import Plan, TypesDiffer
from school.upgrade.threads import share_out

_EXAMPLES = 5
_HINT = "Repair it in the source, or choose --on-bad reject or --on-bad fix."
Closer = Callable[[sqlite3.Connection, str], tuple[Table, list[str]]]


@dataclass(slots=True)
class Scan:
    """What reading one table brought: rows kept, the checksum of each column over them, and the
    faults as (key, column, code)."""

    plan: Plan
    rows: int = 0
    checksums: dict[str, str] = field(default_factory=dict)
    faults: list[tuple[Any, str, str]] = field(default_factory=list)


def check_integrity(plain: sqlite3.Connection, path: Path) -> None:
    """Raises UpgradeStopped for a damaged file."""
    for (found,) in plain.execute(f"PRAGMA quick_check({_MOST_FINDINGS})"):
        # What a row holds against its table's promises is found, counted and told later.
        if found != "ok" and not _OF_A_ROW.search(found):
            raise stop(
                "damaged_source",
                f"{path.name} is damaged: {' '.join(found.split())[:200]}.",
                "Take a backup of it, or repair it with sqlite3's .recover, then try again.",
            )


_MOST_FINDINGS = 10_000
_OF_A_ROW = re.compile(r"^(NULL|TEXT|BLOB|INTEGER|REAL|NUMERIC|non-\w+) value in|^CHECK constraint")


def scan_all(source: Source, catalogue: Catalogue, closer: Closer | None) -> list[Scan]:
    """Read every table once. A table whose values are not what its types say is read again with
    the types `closer` finds by looking; without one, as it is, closely."""
    size = source.path.stat().st_size
    tools = list(zip(source.plain, source.arrow, strict=True))
    # What a given layout works out itself the source need not have.
    is_whole = closer is not None

    def one(table: Table, tool: tuple[sqlite3.Connection, Any]) -> tuple[Scan, list[str]]:
        plain, arrow = tool
        try:
            found = scan(streams.plan_table(table, plain, size, is_whole=is_whole), arrow)
            if not found.faults:
                return found, []
        except TypesDiffer:
            pass
        closely, notes = closer(plain, table.name) if closer else (table, [])
        plan = streams.plan_table(closely, plain, size, is_close=True, is_whole=is_whole)
        return scan(plan, arrow), notes

    found = share_out(catalogue.tables, tools, one)
    catalogue.tables = [scanned.plan.table for scanned, _ in found]
    catalogue.notes += [note for _, notes in found for note in notes]
    return [scanned for scanned, _ in found]


def scan(plan: Plan, arrow: Any, rules: TableRules | None = None) -> Scan:
    """Read one table, convert it and add it up."""
    sums = [Checksum(column.type) for column in plan.columns]
    found = Scan(plan)
    for batch in streams.read(plan, arrow, rules or TableRules()):
        found.rows += len(batch.keys)
        for checksum, values in zip(sums, batch.values, strict=True):
            checksum.add(values)
        for column, codes in batch.codes.items():
            found.faults += _faults(batch.keys, column, codes)
    named = zip(plan.columns, sums, strict=True)
    found.checksums = {column.name: checksum.hexdigest() for column, checksum in named}
    return found


def _faults(keys: pa.Array, column: str, codes: pa.Array) -> Iterator[tuple[Any, str, str]]:
    where = codes.is_valid()
    pairs = zip(keys.filter(where).to_pylist(), codes.filter(where).to_pylist(), strict=True)
    return ((key, column, code) for key, code in pairs)


# -- keys --------------------------------------------------------------------------------------


def find_orphans(source: Source, catalogue: Catalogue) -> list[tuple[Table, ForeignKey, list[Any]]]:
    """Rows that name a row which is not there: (table, key, the rows' own keys)."""
    tables = [table for table in catalogue.tables if table.foreign_keys]

    def one(table: Table, plain: sqlite3.Connection) -> list[tuple[Table, ForeignKey, list[Any]]]:
        if _keeps_its_keys(plain, table):
            return []
        return [(table, key, _orphans_of(plain, table, key)) for key in table.foreign_keys]

    return [found for some in share_out(tables, source.plain, one) for found in some if found[2]]


def _keeps_its_keys(plain: sqlite3.Connection, table: Table) -> bool:
    """As SQLite sees it; False where it cannot tell, for a key that names nothing unique."""
    try:
        return plain.execute(f"PRAGMA foreign_key_check({quoted(table.name)})").fetchone() is None
    except sqlite3.OperationalError:
        return False


def _orphans_of(plain: sqlite3.Connection, table: Table, key: ForeignKey) -> list[Any]:
    named = " AND ".join(f"c.{quoted(column)} IS NOT NULL" for column in key.columns)
    rows = plain.execute(
        f"SELECT {_of('c', table.key)} FROM {quoted(table.name)} AS c WHERE {named} AND NOT EXISTS"
        f" (SELECT 1 FROM {quoted(key.table)} AS p WHERE {_joined(key)})"
    )
    return [row[0] for row in rows]


def _joined(key: ForeignKey) -> str:
    pairs = zip(key.referred, key.columns, strict=True)
    return " AND ".join(f"p.{quoted(there)} = c.{quoted(here)}" for there, here in pairs)


def _of(alias: str, key: str) -> str:
    """The key of a row, said of one of two tables."""
    if key.startswith("json_array"):
        return key.replace("quote(", f"quote({alias}.")
    return f"{alias}.{key}"


def reject_what_hangs_on(source: Source, catalogue: Catalogue, rules: Rules) -> None:
    """Rows that name a rejected row are rejected too, and so on to the end."""
    plain = source.plain[0]
    plain.execute(
        "CREATE TEMP TABLE IF NOT EXISTS upgrade_rejected (t TEXT, k, PRIMARY KEY (t, k))"
    )
    while True:
        plain.executemany(
            "INSERT OR IGNORE INTO upgrade_rejected VALUES (?, ?)",
            [(table, key) for table, keys in rules.rejected.items() for key in keys],
        )
        new = [
            rules.reject(table.name, key, ", ".join(one.columns), "parent_rejected")
            for table in catalogue.tables
            for one in table.foreign_keys
            for key in _hanging(plain, catalogue, table, one)
        ]
        if not any(new):
            return


def _hanging(
    plain: sqlite3.Connection, catalogue: Catalogue, table: Table, key: ForeignKey
) -> list[Any]:
    parent = catalogue.table(key.table)
    rows = plain.execute(
        f"SELECT {_of('c', table.key)} FROM {quoted(table.name)} AS c"
        f" JOIN {quoted(parent.name)} AS p ON {_joined(key)}"
        f" JOIN temp.upgrade_rejected AS r ON r.t = ? AND r.k = {_of('p', parent.key)}",
        (parent.name,),
    )
    return [row[0] for row in rows]


_ZONE = "CASE WHEN substr({0}, -1) IN ('Z', 'z') THEN substr({0}, -1) ELSE substr({0}, -6) END"
_SAME_FORM = "count(DISTINCT length({0})) > 1 OR count(DISTINCT substr({0}, 11, 1)) > 1"
_MERGING = {
    Kind.TIMESTAMP: _SAME_FORM, Kind.TIME: _SAME_FORM, Kind.JSON: "count({0}) > 1",
    Kind.INSTANT: f"{_SAME_FORM} OR count(DISTINCT {_ZONE}) > 1",
    Kind.UUID: "count(DISTINCT length({0})) > 1"
    " OR (max({0} GLOB '*[A-F]*') AND max({0} GLOB '*[a-f]*'))",
    Kind.TEXT: "count(DISTINCT typeof({0})) > 1",
}  # fmt: skip
"""Kinds that two different values of the source can become one value of, and when: values that are
all written in the same form stay apart."""


def find_duplicates(
    source: Source, scans: Iterable[Scan]
) -> list[tuple[Table, tuple[str, ...], list[Any]]]:
    """Rows that get the same key, or the same value under UNIQUE, as an earlier one: (table,
    columns, the later rows' keys). Only where SQLite tells apart what PostgreSQL does not."""
    tools = list(zip(source.plain, source.arrow, strict=True))
    wanted = [
        (scanned.plan, columns)
        for scanned in scans
        for columns in _unique_columns(scanned.plan.table)
        if _may_merge(source.plain[0], scanned.plan, columns)
    ]
    found = share_out(wanted, tools, lambda one, tool: (*one, _later_ones(*one, *tool)))
    return [(plan.table, columns, keys) for plan, columns, keys in found if keys]


def _unique_columns(table: Table) -> Iterator[tuple[str, ...]]:
    if table.primary_key:
        yield table.primary_key
    yield from table.uniques
    yield from (index.columns for index in table.indexes if index.is_unique and index.columns)


def _may_merge(plain: sqlite3.Connection, plan: Plan, columns: Sequence[str]) -> bool:
    kinds = {column.name: column.type.kind for column in plan.columns}
    tests = [
        _MERGING[kinds[name]].format(quoted(name))
        for name in columns
        if kinds[name] in _MERGING and (plan.is_close or kinds[name] is not Kind.TEXT)
    ]
    if not tests:
        return False
    asked = f"SELECT {' OR '.join(f'({test})' for test in tests)} FROM {quoted(plan.table.name)}"
    return bool(plain.execute(asked).fetchone()[0])


def _later_ones(
    plan: Plan, columns: tuple[str, ...], plain: sqlite3.Connection, arrow: Any
) -> list[Any]:
    """What was seen lies in a temporary table, which needs no memory however long it gets."""
    only = plan.only([column for column in plan.columns if column.name in columns])
    plain.execute("CREATE TEMP TABLE seen (value BLOB PRIMARY KEY) WITHOUT ROWID")
    later = []
    for batch in streams.read(only, arrow):
        rows = zip(*(canonical(*one).to_pylist() for one in _typed(only, batch)), strict=True)
        for key, values in zip(batch.keys.to_pylist(), rows, strict=True):
            if None in values:
                continue
            digest = blake2b(repr(values).encode(), digest_size=16).digest()
            if not plain.execute("INSERT OR IGNORE INTO temp.seen VALUES (?)", (digest,)).rowcount:
                later.append(key)
    plain.execute("DROP TABLE temp.seen")
    return later


def _typed(plan: Plan, batch: streams.Batch) -> Iterator[tuple[pa.Array, Type]]:
    return zip(batch.values, (column.type for column in plan.columns), strict=True)


# -- judgement ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Judgement:
    """What was found, what is done about it, and the tables as they will be read."""

    scans: list[Scan]
    rules: Rules
    problems: list[Problem]


def judge(source: Source, catalogue: Catalogue, scans: list[Scan], on_bad: OnBad) -> Judgement:
    """Decide about every fault, by the rule chosen, and add up again what changes by that."""
    rules = Rules(on_bad)
    for scanned in scans:
        scanned.plan = replace(scanned.plan, table=catalogue.table(scanned.plan.table.name))
    orphans = find_orphans(source, catalogue)
    duplicates = find_duplicates(source, scans)
    problems = [*_value_problems(source, scans), *_key_problems(source, orphans, duplicates)]
    if not problems or on_bad is OnBad.STOP:
        return Judgement(scans, rules, problems)
    if on_bad is OnBad.FIX:
        scans = [_widened(scanned, source, catalogue) for scanned in scans]
    for scanned in scans:
        _decide(scanned, rules)
    _decide_orphans(orphans, rules)
    for table, columns, keys in duplicates:
        for key in keys:
            rules.reject(table.name, key, ", ".join(columns), "duplicate")
    again = _rescan_fixed(source, scans, rules) if on_bad is OnBad.FIX else scans
    reject_what_hangs_on(source, catalogue, rules)
    touched = {*rules.rejected, *rules.emptied}
    arrow = source.arrow[0]
    final = [
        scan(one.plan, arrow, rules.of(one.plan.table.name))
        if one.plan.table.name in touched
        else one
        for one in again
    ]
    return Judgement(final, rules, problems)


def _widened(scanned: Scan, source: Source, catalogue: Catalogue) -> Scan:
    """Texts that are longer than SQLite's words for the column, which SQLite never minded, get a
    column without a limit; a layout that is given keeps its own."""
    long = {column for _key, column, code in scanned.faults if code == "too_long"}
    if not long or not catalogue.is_inferred:
        return scanned
    table = scanned.plan.table
    columns = tuple(
        replace(column, type=replace(column.type, length=None)) if column.name in long else column
        for column in table.columns
    )
    wider = replace(table, columns=columns)
    catalogue.tables[catalogue.tables.index(table)] = wider
    catalogue.notes += [
        f"“{table.name}.{name}” becomes a text of any length." for name in sorted(long)
    ]
    return scan(replace(scanned.plan, table=wider, columns=columns), source.arrow[0])


def _decide(scanned: Scan, rules: Rules) -> None:
    if rules.on_bad is OnBad.FIX:
        return
    for key, column, code in scanned.faults:
        rules.reject(scanned.plan.table.name, key, column, code)


def _rescan_fixed(source: Source, scans: list[Scan], rules: Rules) -> list[Scan]:
    """What is still wrong after mending (no value where one must be) is rejected."""
    again = []
    for one in scans:
        name = one.plan.table.name
        if not one.faults and name not in rules.emptied:
            again.append(one)
            continue
        fixed = scan(one.plan, source.arrow[0], rules.of(name))
        for key, column, code in fixed.faults:
            rules.reject(name, key, column, code)
        again.append(fixed)
    return again


def _decide_orphans(orphans: Iterable[tuple[Table, ForeignKey, list[Any]]], rules: Rules) -> None:
    for table, key, keys in orphans:
        nullable = {column.name for column in table.columns if column.is_nullable}
        if rules.on_bad is OnBad.FIX and nullable.issuperset(key.columns):
            emptied = rules.emptied.setdefault(table.name, {})
            for column in key.columns:
                emptied.setdefault(column, set()).update(keys)
            continue
        for one in keys:
            rules.reject(table.name, one, ", ".join(key.columns), "orphan")


def _value_problems(source: Source, scans: Iterable[Scan]) -> Iterator[Problem]:
    for scanned in scans:
        grouped: dict[tuple[str, str], list[Any]] = {}
        for key, column, code in scanned.faults:
            grouped.setdefault((column, code), []).append(key)
        table = scanned.plan.table
        kinds = {column.name: column.type for column in table.columns}
        for (column, code), keys in grouped.items():
            words = FAULTS[code].format(kind=kinds[column].kind)
            yield Problem(
                code,
                f"{table.name}.{column}: {len(keys)} values, each of which {words}.",
                _HINT, table.name, column, len(keys),
                _examples(source, table, column, keys),
            )  # fmt: skip


def _key_problems(
    source: Source,
    orphans: Iterable[tuple[Table, ForeignKey, list[Any]]],
    duplicates: Iterable[tuple[Table, tuple[str, ...], list[Any]]],
) -> Iterator[Problem]:
    for table, key, keys in orphans:
        column = ", ".join(key.columns)
        yield Problem(
            "orphan",
            f"{table.name}.{column}: {len(keys)} rows name a row of “{key.table}” that is not"
            " there.",
            _HINT, table.name, column, len(keys),
            _examples(source, table, key.columns[0], keys),
        )  # fmt: skip
    for table, columns, keys in duplicates:
        column = ", ".join(columns)
        yield Problem(
            "duplicate",
            f"{table.name}.{column}: {len(keys)} rows would have the same value as an earlier one.",
            _HINT, table.name, column, len(keys), _examples(source, table, columns[0], keys),
        )  # fmt: skip


def _examples(source: Source, table: Table, column: str, keys: Sequence[Any]) -> tuple[str, ...]:
    """`key: value` of the first ones, as SQLite writes them."""
    sql = f"SELECT quote({quoted(column)}) FROM {quoted(table.name)} WHERE {table.key} = ?"
    found = []
    for key in keys[:_EXAMPLES]:
        cursor = source.plain[0].cursor()
        source.plain[0].text_factory = lambda data: data.decode(errors="replace")
        row = cursor.execute(sql, (key,)).fetchone()
        found.append(f"{key}: {row[0][:80] if row else ''}")
    return tuple(found)
