"""Whether a database may be served: not with a move into it unfinished, nor after one out of it.

It needs none of the packages that the upgrade itself needs.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

SCHEMA = "schoolhouse_upgrade"
HALF_FILLED = (
    "This PostgreSQL database is half filled: the move into it was begun and is not finished."
    " Run database_upgrade.py again with --resume, or put the old DATABASE_URL back."
)
MOVED = (
    "{} was moved to PostgreSQL and takes no more changes. Put the new address into .env as"
    " DATABASE_URL, and start again. To go back to the file as it was then, delete {}."
)


def mark_beside(file: str | Path) -> Path:
    """The file that says that this SQLite database has moved."""
    return Path(f"{file}.moved")


def has_moved(file: str | Path | None) -> bool:
    return bool(file) and mark_beside(str(file)).exists()


def why_not_served(connection: sa.Connection) -> str | None:
    """What keeps this database from being served, as a sentence; None where nothing does."""
    if connection.dialect.name == "postgresql":
        return HALF_FILLED if _is_half_filled(connection) else None
    file = connection.engine.url.database
    if not has_moved(file):
        return None
    return MOVED.format(Path(str(file)).name, mark_beside(str(file)))


def _is_half_filled(connection: sa.Connection) -> bool:
    there = connection.execute(
        sa.text(
            "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = :schema AND c.relname = 'run'"
        ),
        {"schema": SCHEMA},
    ).scalar()
    if not there:
        return False
    status = connection.execute(sa.text(f"SELECT status FROM {SCHEMA}.run")).scalar()
    return bool(status == "incomplete")
