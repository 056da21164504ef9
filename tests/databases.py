"""A database of a test run's own: a SQLite file, or a PostgreSQL database with a role that may
not bypass row-level security (superusers do, so tests that ran as one would prove nothing)."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

APP_ROLE = "schoolhouse_test_app"


@contextlib.contextmanager
def fresh_database(folder: Path, postgres_url: str) -> Iterator[tuple[str, str]]:
    """(address of the owner, address of the application's role) of a new, empty database."""
    if not postgres_url:
        url = f"sqlite:///{folder / 'test.db'}"
        yield url, url
        return
    name = f"test_{uuid.uuid4().hex[:12]}"
    server = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        _make_role(connection)
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    owner = sa.make_url(postgres_url).set(database=name)
    _let_role_in(owner)
    try:
        yield (
            owner.render_as_string(hide_password=False),
            owner.set(username=APP_ROLE, password=None).render_as_string(hide_password=False),
        )
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
        server.dispose()


def _make_role(connection: sa.Connection) -> None:
    # Several test processes start at once; the loser of the race finds the role there.
    connection.exec_driver_sql(
        f"DO $$ BEGIN CREATE ROLE {APP_ROLE} LOGIN NOSUPERUSER NOBYPASSRLS; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )


def _let_role_in(owner: sa.URL) -> None:
    engine = sa.create_engine(owner)
    with engine.begin() as connection:
        for kind in ("TABLES", "SEQUENCES"):
            connection.exec_driver_sql(
                f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON {kind} TO {APP_ROLE}"
            )
    engine.dispose()
