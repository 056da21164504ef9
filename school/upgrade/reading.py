"""The schema of a SQLite file, as PostgreSQL will have it.

Types come from the declared type and, where that promises nothing or something else than is
there, from the values (https://www.sqlite.org/datatype3.html).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from school.upgrade import measuring
from school.upgrade.catalogue import Catalogue, Column, ForeignKey, Index, Table
from school.upgrade.expressions import default_of, parse_table, quoted, translated
from school.upgrade.kinds import Kind, Type, declared_type
from school.upgrade.threads import share_out

_ROWID_NAMES = ("rowid", "_rowid_", "oid")
_LONGEST_NAME = 63
"""PostgreSQL cuts longer names off (NAMEDATALEN)."""


def read_catalogue(connections: Sequence[sqlite3.Connection]) -> Catalogue:
    """Every table with its keys, and in notes what stays behind; each connection gets a thread."""
    catalogue = Catalogue(is_inferred=True)
    plain = connections[0]
    forms = _forms(plain)
    readers = []
    for name, sql in _objects(plain, "table"):
        if forms[name] == "virtual":
            catalogue.notes.append(_left_virtual(name, sql, forms))
        elif forms[name] != "shadow":
            readers.append(_Reader(name, sql))
    catalogue.tables = share_out(readers, connections, _Reader.table)
    catalogue.notes += [note for reader in readers for note in reader.notes]
    _read_views(plain, catalogue)
    _note_names(catalogue)
    return catalogue


def _objects(plain: sqlite3.Connection, kind: str) -> list[tuple[str, str]]:
    return plain.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = ? AND name NOT LIKE 'sqlite\\_%'"
        " ESCAPE '\\' ORDER BY name",
        (kind,),
    ).fetchall()


def _forms(plain: sqlite3.Connection) -> dict[str, str]:
    """Of each table: table, view, virtual, or shadow, which holds what a virtual one needs. Only
    SQLite itself can tell: a table of the school may be called like a shadow."""
    rows = plain.execute("SELECT name, type FROM pragma_table_list WHERE schema = 'main'")
    return dict(rows.fetchall())


def _left_virtual(name: str, sql: str, forms: dict[str, str]) -> str:
    module = re.search(r"USING\s+(\w+)", sql, re.IGNORECASE)
    shadows = [n for n, form in forms.items() if form == "shadow" and n.startswith(f"{name}_")]
    beside = f" and its tables {', '.join(sorted(shadows))}" if shadows else ""
    why = (
        "it is an index over other tables, and PostgreSQL searches in its own way"
        if re.search(r"\bcontent\s*=", sql, re.IGNORECASE)
        else "what is written only there must be copied into an ordinary table first"
    )
    kind = module.group(1) if module else "virtual"
    return f"The search table “{name}” ({kind}){beside} stays behind: {why}."


def _read_views(plain: sqlite3.Connection, catalogue: Catalogue) -> None:
    for name, sql in _objects(plain, "view"):
        catalogue.views.append((name, sql))
        catalogue.notes.append(f"The view “{name}” stays behind: write it anew in PostgreSQL.")
    for name, _sql in _objects(plain, "trigger"):
        catalogue.notes.append(f"The trigger “{name}” stays behind: write it anew in PostgreSQL.")


def _note_names(catalogue: Catalogue) -> None:
    names = [t.name for t in catalogue.tables]
    names += [f"{t.name}.{c.name}" for t in catalogue.tables for c in t.columns]
    for name in names:
        if len(name.rpartition(".")[2].encode()) > _LONGEST_NAME:
            catalogue.notes.append(
                f"The name “{name}” has more than {_LONGEST_NAME} bytes; PostgreSQL cuts it off."
            )


def read_closely(plain: sqlite3.Connection, name: str) -> tuple[Table, list[str]]:
    """The table, its types settled by looking at every value, and what there is to say of it."""
    sql = next(sql for one, sql in _objects(plain, "table") if one == name)
    reader = _Reader(name, sql, is_close=True)
    return reader.table(plain), reader.notes


@dataclass
class _Reader:
    """Reads one table; `notes` takes what changes on the way.

    At first a declared type is believed; `is_close` looks at the values, too.
    """

    name: str
    sql: str
    is_close: bool = False
    notes: list[str] = field(default_factory=list)
    plain: sqlite3.Connection = field(init=False)
    names: list[str] = field(init=False)

    def table(self, plain: sqlite3.Connection) -> Table:
        self.plain = plain
        info = [row for row in self._pragma("table_xinfo") if row[6] != 1]
        self.names = [row[1] for row in info]
        tree = parse_table(self.sql)
        columns = self._columns(info, tree)
        booleans = [c.name for c in columns if c.type.kind is Kind.BOOLEAN]
        keyed = tuple(r[1] for r in sorted((r for r in info if r[5]), key=lambda row: row[5]))
        has_rowid = not self._pragma_list("table_list")[0][4]
        indexes = list(self._indexes(booleans))
        return Table(
            self.name,
            tuple(columns),
            key=self._key(info, keyed, has_rowid=has_rowid),
            primary_key=keyed,
            uniques=tuple(i.columns for i, origin in indexes if origin == "u"),
            foreign_keys=tuple(self._foreign_keys()),
            indexes=tuple(i for i, origin in indexes if origin == "c"),
            checks=tuple(self._checks(tree, booleans)),
            has_rowid=has_rowid,
        )

    def _pragma(self, name: str, of: str | None = None) -> list[Any]:
        return self.plain.execute(f"PRAGMA {name}({quoted(of or self.name)})").fetchall()

    def _pragma_list(self, name: str) -> list[Any]:
        """Of the table of that name in the file itself; another may have it in temp."""
        return [row for row in self._pragma(name) if row[0] == "main"]

    def _key(self, info: list[Any], keyed: Sequence[str], *, has_rowid: bool) -> str:
        taken = {row[1].lower() for row in info}
        free = next((name for name in _ROWID_NAMES if name not in taken), None)
        if has_rowid and free:
            return free
        parts = keyed or [row[1] for row in info]
        return f"json_array({', '.join(f'quote({quoted(name)})' for name in parts)})"

    # -- columns -----------------------------------------------------------------------------------

    def _columns(self, info: list[Any], tree: exp.Expr | None) -> list[Column]:
        promised = {row[1]: declared_type(row[2] or "") for row in info}
        known = [(name, type_) for name, type_ in promised.items() if type_ is not None]
        seen = measuring.survey(self.plain, self.name, known if self.is_close else [])
        odd = {name for name, one in seen.items() if one.is_odd}
        odd |= {name for name, type_ in promised.items() if type_ is None}
        names = sorted(odd)
        counts = dict(
            zip(names, measuring.count_storage(self.plain, self.name, names), strict=True)
        )
        generated = self._generated(tree)
        numbering = self._numbering(info)
        return [
            self._column(
                row,
                self._type(row, promised[row[1]], counts.get(row[1]), seen.get(row[1])),
                generated.get(row[1]) if row[6] in {2, 3} else None,
                is_rowid=row[1] == numbering,
            )
            for row in info
        ]

    def _numbering(self, info: list[Any]) -> str | None:
        """The column that is the number of the row itself: INTEGER PRIMARY KEY, and no index
        beside it (as WITHOUT ROWID and DESC have one)."""
        keyed = [row for row in info if row[5]]
        if len(keyed) != 1 or (keyed[0][2] or "").upper() != "INTEGER":
            return None
        has_index = any(row[3] == "pk" for row in self._pragma("index_list"))
        return None if has_index else str(keyed[0][1])

    def _generated(self, tree: exp.Expr | None) -> dict[str, str]:
        """The expressions of generated columns."""
        found = {}
        for column in tree.find_all(exp.ColumnDef) if tree else ():
            computed = column.find(exp.ComputedColumnConstraint)
            if computed is not None:
                found[column.name] = translated(computed.this, self.names)
        return found

    def _column(self, row: Any, type_: Type, generated: str | None, *, is_rowid: bool) -> Column:
        _id, name, declared, not_null, default, keyed, _hidden = row
        wanted = None
        if default is not None:
            wanted = default_of(default, is_boolean=type_.kind is Kind.BOOLEAN)
            if wanted is None:
                self._note(name, f"loses its default {default}, which PostgreSQL has no word for")
        return Column(
            name,
            type_,
            declared=declared or "",
            is_nullable=not (not_null or keyed),
            default=None if is_rowid or wanted == "null" else wanted,
            generated=generated,
            is_identity=is_rowid,
        )

    def _type(
        self,
        row: Any,
        promised: Type | None,
        counts: measuring.Counts | None,
        seen: measuring.Seen | None,
    ) -> Type:
        """Of a column; `counts` is there where its values are not all what was promised."""
        name, declared = row[1], row[2] or ""
        if promised is None:
            return self._by_values(name, declared, counts or measuring.Counts())
        if counts and counts.total and not counts.of(measuring.stored_as(promised)):
            return self._by_values(name, declared, counts)
        if promised.kind is Kind.TIMESTAMP and seen:
            return self._moment(name, seen)
        length = promised.length if promised.kind is Kind.TEXT and not counts else None
        if length in {32, 36} and measuring.holds_uuids(self.plain, self.name, name, length):
            return Type(Kind.UUID)
        return promised

    def _by_values(self, name: str, declared: str, counts: measuring.Counts) -> Type:
        found = measuring.actual_type(counts)
        if found is None:
            found = Type(Kind.BLOB if counts.blob > counts.total / 2 else Kind.TEXT)
            self._note(name, "holds values of several kinds; they are kept as text")
        elif declared and counts.total:
            self._note(
                name, f"is called {declared} but holds {found.kind}; that is what it becomes"
            )
        return found

    def _moment(self, name: str, seen: measuring.Seen) -> Type:
        if seen.zoned and seen.unzoned:
            self._note(name, "holds moments with and without a zone; they are kept as text")
            return Type(Kind.TEXT)
        return Type(Kind.INSTANT if seen.zoned else Kind.TIMESTAMP)

    def _note(self, column: str, sentence: str) -> None:
        self.notes.append(f"The column “{self.name}.{column}” {sentence}.")

    # -- keys, indexes, checks ---------------------------------------------------------------------

    def _foreign_keys(self) -> Iterator[ForeignKey]:
        parts: dict[int, list[Any]] = {}
        for row in self._pragma("foreign_key_list"):
            parts.setdefault(row[0], []).append(row)
        for rows in parts.values():
            rows.sort(key=lambda row: row[1])
            parent = self._parent(rows[0][2])
            columns = tuple(row[3] for row in rows)
            referred = self._referred(parent, rows) if parent else ()
            if parent is None or len(referred) != len(columns):
                self.notes.append(
                    f"“{self.name}” names rows of “{rows[0][2]}”, a table or columns that are not"
                    " there; that key stays behind."
                )
                continue
            yield ForeignKey(columns, parent, referred, rows[0][6], rows[0][5])

    def _parent(self, name: str) -> str | None:
        """The ordinary table of that name, as it is really written."""
        row = self.plain.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
            " AND lower(name) = lower(?)",
            (name,),
        ).fetchone()
        return row[0] if row else None

    def _referred(self, table: str, rows: list[Any]) -> tuple[str, ...]:
        """The columns a foreign key names, as they are really written; its primary key where it
        names none."""
        info = self._pragma("table_xinfo", table)
        if rows[0][4] is None:
            keyed = sorted((row for row in info if row[5]), key=lambda row: row[5])
            return tuple(row[1] for row in keyed)
        real = {row[1].lower(): row[1] for row in info}
        return tuple(real[row[4].lower()] for row in rows if row[4].lower() in real)

    def _indexes(self, booleans: Sequence[str]) -> Iterator[tuple[Index, str]]:
        """Each with where it comes from: c (CREATE INDEX) or u (a UNIQUE constraint)."""
        for _seq, name, unique, origin, is_partial in self._pragma("index_list"):
            if origin == "pk":
                continue
            rows = [row for row in self._pragma("index_xinfo", name) if row[5]]
            if all(row[2] is not None for row in rows):
                columns = tuple(row[2] for row in rows)
                terms = tuple(quoted(row[2]) + (" DESC" if row[3] else "") for row in rows)
            else:
                columns, terms = (), self._index_terms(name, booleans)
            where = self._index_condition(name, booleans) if is_partial else None
            if not terms or (is_partial and where is None):
                self.notes.append(
                    f"The index “{name}” stays behind: PostgreSQL has no word for it."
                )
                continue
            yield Index(name, terms, () if is_partial else columns, bool(unique), where), origin

    def _index_tree(self, name: str) -> exp.Expr | None:
        row = self.plain.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", (name,)
        ).fetchone()
        return parse_table(row[0]) if row and row[0] else None

    def _index_terms(self, name: str, booleans: Sequence[str]) -> tuple[str, ...]:
        tree = self._index_tree(name)
        found = tree.find(exp.IndexParameters) if tree else None
        if found is None:
            return ()
        parts = found.args.get("columns") or ()
        return tuple(_in_brackets(translated(part, self.names, booleans)) for part in parts)

    def _index_condition(self, name: str, booleans: Sequence[str]) -> str | None:
        tree = self._index_tree(name)
        found = tree.find(exp.Where) if tree else None
        return translated(found.this, self.names, booleans) if found else None

    def _checks(self, tree: exp.Expr | None, booleans: Sequence[str]) -> Iterator[str]:
        if tree is None:
            if "CHECK" in self.sql.upper():
                self.notes.append(f"The checks of “{self.name}” could not be read and stay behind.")
            return
        for check in tree.find_all(exp.CheckColumnConstraint):
            yield translated(check.this, self.names, booleans)


def _in_brackets(term: str) -> str:
    """An expression of an index in brackets; the order SQLite and PostgreSQL share is left out."""
    bare = re.sub(r" NULLS (FIRST|LAST)$", "", term)
    bare, descending = re.subn(r" DESC$", "", bare)
    return f"({bare})" + (" DESC" if descending else "")
