"""Alembic's door to our tables. One history runs on SQLite (batch mode) and PostgreSQL."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context
from flask import current_app

from school.db import Base, UtcDateTime

target_metadata = Base.metadata


def include_name(name: str | None, kind: str, _parents: dict[str, str | None]) -> bool:
    """Only tables we know, so that autogenerate never drops another program's."""
    return kind != "table" or name in target_metadata.tables


def render_item(kind: str, item: object, _context: object) -> str | bool:
    """A migration names the database's types, not ours: ours may change, it may not."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, sa.JSON):
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


OPTIONS = {
    "render_item": render_item,
    "target_metadata": target_metadata,
    "render_as_batch": True,
    "include_name": include_name,
    "compare_type": True,
    "transaction_per_migration": True,
}


def run_offline() -> None:
    """Write SQL instead of running it (for the migration linter)."""
    url = (
        context.get_x_argument(as_dictionary=True).get("url")
        or current_app.config["SQLALCHEMY_DATABASE_URI"]
    )
    # The driver's own style would write every % twice.
    context.configure(
        url=url, literal_binds=True, dialect_opts={"paramstyle": "named"}, **OPTIONS
    )
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    engine = current_app.extensions["migrate"].db.engine
    with engine.connect() as connection:
        context.configure(connection=connection, **OPTIONS)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
