"""Schoolhouse's own database: the target's tables come from the migrations, not from the file."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from school.upgrade import ledger, preflight
from school.upgrade.catalogue import Catalogue, Column, ForeignKey, Table
from school.upgrade.errors import stop
from school.upgrade.expressions import quoted
from school.upgrade.kinds import Type, postgres_type
from school.upgrade.ledger import Definition
from school.upgrade.source import Source
from school.upgrade.target import Connection, Target, run

REVISIONS = "alembic_version"
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def is_own(plain: sqlite3.Connection, tables: Collection[str]) -> bool:
    """Whether the file holds most of these tables, and says at which revision they are."""
    there = _table_names(plain)
    return REVISIONS in there and 2 * len(there & set(tables)) > len(tables)


def _table_names(plain: sqlite3.Connection) -> set[str]:
    rows = plain.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        " AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    )
    return {row[0] for row in rows}


@dataclass
class Own:
    """`heads`: the newest revisions. `migration`: gives the SQL that makes the empty tables."""

    metadata: sa.MetaData
    heads: frozenset[str]
    migration: Callable[[], str]
    is_own: bool = True
    closer: preflight.Closer | None = None
    beside: tuple[str, ...] = (REVISIONS,)

    def catalogue(self, source: Source) -> Catalogue:
        plain = source.plain[0]
        self._check_revision(plain)
        known = self.metadata.sorted_tables
        names = {table.name for table in known}
        unknown = sorted(_table_names(plain) - names - {REVISIONS})
        notes = [f"“{name}” is no table of this program and stays behind." for name in unknown]
        _check_columns(plain, known)
        return Catalogue([_table(table) for table in known], notes=notes)

    def _check_revision(self, plain: sqlite3.Connection) -> None:
        found = {row[0] for row in plain.execute(f"SELECT version_num FROM {quoted(REVISIONS)}")}
        if found != self.heads:
            raise stop(
                "other_revision",
                f"The file is at revision {', '.join(sorted(found)) or 'none'}; this program is at"
                f" {', '.join(sorted(self.heads))}.",
                "Start the program once so that it brings the file up to date"
                " (python -m school db upgrade), then move it.",
            )

    def try_out(self, connection: Connection, target: Target, _catalogue: Catalogue) -> None:
        """The migrations write into the schema that the user finds by itself."""
        own = _default_schema(connection)
        if own != target.schema:
            raise stop(
                "other_schema",
                f"Schoolhouse looks for its tables in the schema “{own}”, not in"
                f" “{target.schema}”.",
                "Leave --schema out.",
            )

    def make(self, connection: Connection, target: Target, catalogue: Catalogue) -> None:
        # As it is when the migrations run by themselves: a function remembers it.
        run(connection, "SET LOCAL search_path TO DEFAULT")
        migration = self.migration()
        run(connection, migration)
        _check_types(connection, target.schema, catalogue)
        names = [table.name for table in catalogue.tables]
        taken = list(_find_all(connection, target.schema, names, _index_statements(migration)))
        ledger.remember_definitions(connection, taken)
        for statement in _takes_off(taken):
            run(connection, statement)


def _default_schema(connection: Connection) -> str | None:
    with connection.transaction(force_rollback=True):
        run(connection, "SET LOCAL search_path TO DEFAULT")
        row = run(connection, "SELECT current_schema()").fetchone()
    return str(row[0]) if row and row[0] else None


def _check_columns(plain: sqlite3.Connection, known: list[sa.Table]) -> None:
    for table in known:
        rows = plain.execute(f"PRAGMA table_info({quoted(table.name)})")
        there = {row[1] for row in rows}
        missing = [column.name for column in table.columns if column.name not in there]
        if missing:
            raise stop(
                "other_columns",
                f"“{table.name}” has no {', '.join(missing)}, which this revision should have.",
                "Restore the file from a backup, or ask who changed its tables.",
            )


def _table(table: sa.Table) -> Table:
    """Keys are proven when they are made: the program writes values in one way only, so no two of
    the file become one."""
    columns = tuple(Column(c.name, _type(c), is_nullable=bool(c.nullable)) for c in table.columns)
    keys = sorted(table.foreign_key_constraints, key=lambda key: list(key.column_keys))
    has_rowid = table.dialect_options["sqlite"]["with_rowid"] is not False
    primary = ", ".join(f"quote({quoted(column.name)})" for column in table.primary_key)
    return Table(
        table.name,
        columns,
        key="rowid" if has_rowid else f"json_array({primary})",
        foreign_keys=tuple(_foreign(key) for key in keys),
        has_rowid=has_rowid,
    )


def _foreign(key: sa.ForeignKeyConstraint) -> ForeignKey:
    referred = tuple(element.column.name for element in key.elements)
    return ForeignKey(tuple(key.column_keys), key.referred_table.name, referred)


_CALLED = {"varchar": "character varying", "float": "double precision"}


def _type(column: sa.Column[object]) -> Type:
    """As PostgreSQL would name it."""
    compiled = column.type.compile(dialect=_DIALECT).lower().partition(" collate ")[0]
    base, bracket, size = compiled.partition("(")
    return postgres_type(_CALLED.get(base, base) + bracket + size)


def _check_types(connection: Connection, schema: str, catalogue: Catalogue) -> None:
    """The migrations made what the program's own description says."""
    rows = run(
        connection,
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull"
        " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'r' AND a.attnum > 0"
        " AND NOT a.attisdropped",
        quoted(schema),
    )
    made = {(table, name): (type_, empty) for table, name, type_, empty in rows}
    for table in catalogue.tables:
        for column in table.columns:
            type_, is_nullable = made.get((table.name, column.name), ("", False))
            if not type_ or (postgres_type(type_), is_nullable) != (
                column.type,
                column.is_nullable,
            ):
                raise stop(
                    "other_model",
                    f"The migrations make “{table.name}.{column.name}” otherwise than the program"
                    " describes it.",
                    "This is a fault of the program; nothing was written.",
                )


# -- what waits for the rows -----------------------------------------------------------------------

_CONSTRAINTS = (
    "SELECT c.relname, k.conname, k.contype, pg_get_constraintdef(k.oid),"
    " CASE WHEN k.condeferred THEN ' DEFERRABLE INITIALLY DEFERRED'"
    " WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END,"
    " CASE WHEN k.contype IN ('p', 'u') THEN pg_get_indexdef(k.conindid) END"
    " FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
    " WHERE c.relnamespace = %s::regnamespace AND c.relname = ANY(%s)"
    " AND k.contype IN ('p', 'u', 'f') ORDER BY c.relname, k.conname"
)
_INDEXES = (
    "SELECT c.relname, i.relname, pg_get_indexdef(i.oid)"
    " FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid"
    " WHERE c.relnamespace = %s::regnamespace AND c.relname = ANY(%s)"
    " AND NOT EXISTS"
    " (SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u'))"
    " ORDER BY c.relname, i.relname"
)
_WALLED = (
    "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relname = ANY(%s)"
    " AND relforcerowsecurity ORDER BY relname"
)
_INDEX = re.compile(r'^CREATE (?:UNIQUE )?INDEX "?([^\s"]+)"? ON .*(?=;$)', re.MULTILINE)


def _index_statements(migration: str) -> dict[str, str]:
    """By name, as the migrations write them: PostgreSQL's own words for a condition become others
    when they are read again."""
    return {found[1]: found[0] for found in _INDEX.finditer(migration)}


def _find_all(
    connection: Connection, schema: str, names: list[str], written: Mapping[str, str]
) -> Iterator[Definition]:
    """Every key, index and wall of these tables. Checks stay on: the source has the same."""
    asked = quoted(schema), names
    for table, name, sql in run(connection, _INDEXES, *asked).fetchall():
        yield Definition("index", table, name, written.get(name, sql))
    for row in run(connection, _CONSTRAINTS, *asked).fetchall():
        yield from _constraint(row)
    for (table,) in run(connection, _WALLED, *asked).fetchall():
        sql = f"ALTER TABLE {quoted(table)} FORCE ROW LEVEL SECURITY"
        yield Definition("wall", table, "row_security", sql)


def _constraint(row: tuple[Any, ...]) -> Iterator[Definition]:
    table, name, kind, sql, ending, index = row
    add = f"ALTER TABLE {quoted(table)} ADD CONSTRAINT {quoted(name)}"
    if kind == "f":
        yield Definition("foreign", table, name, f"{add} {sql}")
        return
    yield Definition("index", table, name, str(index))
    word = "PRIMARY KEY" if kind == "p" else "UNIQUE"
    sql = f"{add} {word} USING INDEX {quoted(name)}{ending}"
    yield Definition("constraint", table, name, sql)


def _takes_off(taken: list[Definition]) -> Iterator[str]:
    """Foreign keys first, for they need the keys they name."""
    bound = {(one.table, one.name) for one in taken if one.stage == "constraint"}
    for stage in ("foreign", "constraint"):
        for one in taken:
            if one.stage == stage:
                yield f"ALTER TABLE {quoted(one.table)} DROP CONSTRAINT {quoted(one.name)}"
    for one in taken:
        if one.stage == "index" and (one.table, one.name) not in bound:
            yield f"DROP INDEX {quoted(one.name)}"
        if one.stage == "wall":
            # Its owner, too, could bring no row past it.
            yield f"ALTER TABLE {quoted(one.table)} NO FORCE ROW LEVEL SECURITY"
