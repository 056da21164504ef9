"""The tables of a database: what they are called, hold and promise."""

from __future__ import annotations

from dataclasses import dataclass, field

from school.upgrade.errors import Problem
from school.upgrade.kinds import Type


@dataclass(frozen=True, slots=True)
class Column:
    """`declared`: the type as the source writes it. `default`, `generated`: expressions of the
    target, None without one. `is_identity`: numbers itself when a row brings none."""

    name: str
    type: Type
    declared: str = ""
    is_nullable: bool = True
    default: str | None = None
    generated: str | None = None
    is_identity: bool = False


@dataclass(frozen=True, slots=True)
class ForeignKey:
    columns: tuple[str, ...]
    table: str
    referred: tuple[str, ...]
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"


@dataclass(frozen=True, slots=True)
class Index:
    """`terms`: columns and expressions as PostgreSQL writes them. `columns`: their names where
    they are all plain columns."""

    name: str
    terms: tuple[str, ...]
    columns: tuple[str, ...] = ()
    is_unique: bool = False
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """`key`: an SQL expression of the source that names a row (`rowid`, or the primary key as
    JSON). `checks`: conditions of the target."""

    name: str
    columns: tuple[Column, ...]
    key: str = "rowid"
    primary_key: tuple[str, ...] = ()
    uniques: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    indexes: tuple[Index, ...] = ()
    checks: tuple[str, ...] = ()
    has_rowid: bool = True

    @property
    def written(self) -> tuple[Column, ...]:
        """The columns that rows bring along; the others the target works out itself."""
        return tuple(column for column in self.columns if column.generated is None)


@dataclass(slots=True)
class Catalogue:
    """`notes`: what does not come along, or not as it was, each a sentence."""

    tables: list[Table] = field(default_factory=list)
    views: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # Tables that the target cannot have at all.
    refusals: list[Problem] = field(default_factory=list)
    # Read from the source alone, so that a column may be made as it needs to be.
    is_inferred: bool = False

    def table(self, name: str) -> Table:
        """The table of that name. Raises KeyError."""
        found = next((table for table in self.tables if table.name == name), None)
        if found is None:
            raise KeyError(name)
        return found
