"""How the target gets its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import psycopg

from school.upgrade import ledger, preflight, reading, tables
from school.upgrade.catalogue import Catalogue, Table
from school.upgrade.errors import Problem
from school.upgrade.expressions import cut, quoted
from school.upgrade.ledger import Definition
from school.upgrade.source import Source
from school.upgrade.target import Connection, Target, run


class Layout(Protocol):
    """Answers three questions; `is_own` where the tables are those of this program."""

    is_own: bool
    beside: tuple[str, ...]
    """Tables that it makes beside those of the source."""
    closer: preflight.Closer | None
    """What finds a table's types by looking at its values; None where they are given."""

    def catalogue(self, source: Source) -> Catalogue:
        """The tables to come, by what the source and the program say."""

    def try_out(self, connection: Connection, target: Target, catalogue: Catalogue) -> None:
        """Find out what the target does not take, and change the catalogue; leaves no trace."""

    def make(self, connection: Connection, target: Target, catalogue: Catalogue) -> None:
        """Inside a transaction: the tables without keys and indexes, and those in the ledger."""


class Inferred:
    """Tables of any SQLite file, as it describes them."""

    _definitions: Sequence[Definition] = ()

    is_own = False
    beside: tuple[str, ...] = ()
    closer: preflight.Closer | None = staticmethod(reading.read_closely)

    def catalogue(self, source: Source) -> Catalogue:
        return reading.read_catalogue(source.plain)

    def try_out(self, connection: Connection, _target: Target, catalogue: Catalogue) -> None:
        """Make all of it, empty, and take it back: what is refused is left out and noted."""
        catalogue.refusals = list(_same_names(catalogue))
        if catalogue.refusals:
            return
        with connection.transaction(force_rollback=True):
            run(connection, f"CREATE SCHEMA {_TRIAL}")
            run(connection, f"SET LOCAL search_path TO {_TRIAL}")
            catalogue.tables = [_tried(connection, table, catalogue) for table in catalogue.tables]
            known = tables.definitions(catalogue)
            refused = [one for one in known if _is_refused(connection, one)]
        catalogue.notes += [
            f"“{one.name}” of “{one.table}” stays behind: PostgreSQL has no word for it."
            for one in refused
            if one.stage != "constraint"
        ]
        self._definitions = [one for one in known if one not in refused]
        catalogue.tables = [_without(table, refused) for table in catalogue.tables]

    def make(self, connection: Connection, target: Target, catalogue: Catalogue) -> None:
        _make_schema(connection, target)
        for table in catalogue.tables:
            run(connection, tables.create_table(table))
        ledger.remember_definitions(connection, self._definitions)


def recall(connection: Connection, catalogue: Catalogue) -> None:
    """Take from a target that was begun what came of its tables: keys that stayed behind, and
    columns that are not worked out."""
    kept = ledger.list_names(connection)
    refused = [one for one in tables.definitions(catalogue) if (one.table, one.name) not in kept]
    computed = set(
        run(
            connection,
            "SELECT c.relname::text, a.attname::text FROM pg_attribute a JOIN pg_class c"
            " ON c.oid = a.attrelid WHERE a.attgenerated <> '' AND c.relnamespace ="
            " current_schema()::regnamespace",
        )
    )
    catalogue.tables = [
        _with_ordinary(_without(table, refused), computed) for table in catalogue.tables
    ]


def _with_ordinary(table: Table, computed: set[tuple[str, ...]]) -> Table:
    columns = tuple(
        column
        if (cut(table.name), cut(column.name)) in computed
        else replace(column, generated=None)
        for column in table.columns
    )
    return replace(table, columns=columns)


_TRIAL = "schoolhouse_trial"


def _same_names(catalogue: Catalogue) -> Iterator[Problem]:
    """Names that are one name when PostgreSQL has cut them off."""
    yield from _collisions("tables", [table.name for table in catalogue.tables])
    for table in catalogue.tables:
        yield from _collisions(f"columns of “{table.name}”", [c.name for c in table.columns])


def _collisions(what: str, names: Sequence[str]) -> Iterator[Problem]:
    together: dict[str, list[str]] = {}
    for name in names:
        together.setdefault(cut(name), []).append(name)
    for some in together.values():
        if len(some) > 1:
            yield Problem(
                "names_collide",
                f"The {what} {', '.join(some)} would all have the same name: PostgreSQL keeps 63"
                " bytes of it.",
                "Rename them in the source.",
                count=len(some),
            )


def _make_schema(connection: Connection, target: Target) -> None:
    if target.schema != "public":
        run(connection, f"CREATE SCHEMA IF NOT EXISTS {quoted(target.schema)}")


def _tried(connection: Connection, table: Table, catalogue: Catalogue) -> Table:
    """The table as the target takes it."""
    said = ""
    for attempt, note in _attempts(table):
        try:
            with connection.transaction():
                run(connection, tables.create_table(attempt))
        except psycopg.Error as error:
            said = said or error.diag.message_primary or str(error)
            continue
        catalogue.notes += [note] if note else []
        return attempt
    catalogue.refusals.append(
        Problem(
            "table_refused", f"PostgreSQL cannot have the table “{table.name}”: {said}.",
            "Change it in the source.", table.name,
        )
    )  # fmt: skip
    return table


def _attempts(table: Table) -> Iterator[tuple[Table, str]]:
    """The table as it is, then with less and less that may be refused."""
    yield table, ""
    stored = tuple(replace(column, generated=None) for column in table.columns)
    if stored != table.columns:
        yield (
            replace(table, columns=stored),
            f"The columns of “{table.name}” that are worked out become ordinary ones.",
        )
    bare = tuple(replace(column, default=None) for column in stored)
    yield replace(table, columns=bare), f"The defaults of “{table.name}” stay behind."


def _is_refused(connection: Connection, one: Definition) -> bool:
    try:
        with connection.transaction():
            run(connection, one.sql)
    except psycopg.Error:
        return True
    return False


def _without(table: Table, refused: Sequence[Definition]) -> Table:
    out = {one.of for one in refused if one.table == table.name}
    return replace(
        table,
        indexes=tuple(index for index in table.indexes if index not in out),
        checks=tuple(check for check in table.checks if check not in out),
        uniques=tuple(columns for columns in table.uniques if ("uq", columns) not in out),
        foreign_keys=tuple(key for key in table.foreign_keys if key not in out),
    )
