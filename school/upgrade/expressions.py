"""SQL of the source in the words of the target."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

# It warns of statements that it does not know; what that means is told in the report.
logging.getLogger("sqlglot").setLevel(logging.ERROR)
_NOW = {"datetime('now')": "now()", "date('now')": "current_date", "time('now')": "localtime"}
_BOOLEANS = {"0": exp.false, "1": exp.true}


def quoted(name: str) -> str:
    """An identifier, in the one way both databases understand."""
    return '"' + name.replace('"', '""') + '"'


_LONGEST_NAME = 63


def cut(name: str) -> str:
    """The name as PostgreSQL keeps it (NAMEDATALEN)."""
    return name.encode()[:_LONGEST_NAME].decode(errors="ignore")


def parse_table(sql: str) -> exp.Expr | None:
    """The CREATE statement, or None for one that this parser does not know."""
    # It knows not every word behind the brackets (STRICT), and needs none of them.
    for text in (sql, sql.rpartition(")")[0] + ")"):
        with contextlib.suppress(SqlglotError):
            tree = sqlglot.parse_one(text, dialect="sqlite")
            if not isinstance(tree, exp.Command):
                return tree
    return None


def translated(expression: exp.Expr, names: Collection[str], booleans: Collection[str] = ()) -> str:
    """The expression for PostgreSQL. `names`: the table's columns, as they are really written;
    those in `booleans` are compared with true and false instead of 1 and 0."""
    real = {name.lower(): name for name in names}
    tree = expression.copy()
    for column in list(tree.find_all(exp.Column)):
        name = real.get(column.name.lower())
        if name is None:
            # SQLite takes "words" in double quotes that are no column for a text.
            column.replace(exp.Literal.string(column.name))
            continue
        column.set("this", exp.to_identifier(name, quoted=True))
        if name in booleans and column.parent is not None:
            _compare_with_truth(column.parent)
    return tree.sql("postgres")


def _compare_with_truth(parent: exp.Expr) -> None:
    for literal in parent.find_all(exp.Literal):
        if literal.parent is parent and literal.name in _BOOLEANS and not literal.is_string:
            literal.replace(_BOOLEANS[literal.name]())


def default_of(text: str, *, is_boolean: bool) -> str | None:
    """A DEFAULT for PostgreSQL; None for one that is no plain value and no known moment."""
    bare = text.strip()
    while bare.startswith("(") and bare.endswith(")"):
        bare = bare[1:-1].strip()
    if is_boolean and bare in {"0", "1"}:
        return "true" if bare == "1" else "false"
    if bare.upper() in {
        "CURRENT_TIMESTAMP",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "TRUE",
        "FALSE",
        "NULL",
    }:
        return bare.lower()
    if bare.lower() in _NOW:
        return _NOW[bare.lower()]
    try:
        value = sqlglot.parse_one(bare, dialect="sqlite")
    except SqlglotError:
        return None
    is_plain = isinstance(value, exp.Literal) or (
        isinstance(value, exp.Neg) and isinstance(value.this, exp.Literal)
    )
    return value.sql("postgres") if is_plain else None
