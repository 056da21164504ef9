"""Migrations make exactly the tables that the models describe, and can be taken back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade

from school.app import create_app
from school.db import Base, db
from school.tenancy.models import tenant_tables
from tests.conftest import POSTGRES_URL, settings_for
from tests.databases import fresh_database


@pytest.fixture
def empty_app(tmp_path: Path) -> Iterator[Flask]:
    """An application that owns its (empty) database, as the migrating role does."""
    with fresh_database(tmp_path, POSTGRES_URL) as (owner_url, _):
        app = create_app(settings_for(tmp_path, owner_url))
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


@contextlib.contextmanager
def compared() -> Iterator[list[object]]:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        yield [
            d for d in compare_metadata(context, Base.metadata) if "alembic_version" not in str(d)
        ]


def test_up_down_up_ends_where_the_models_are(empty_app: Flask) -> None:
    upgrade()
    with compared() as differences:
        assert differences == []
    downgrade(revision="base")
    with db.engine.connect() as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
    upgrade()
    with compared() as differences:
        assert differences == []


def test_a_second_upgrade_changes_nothing(empty_app: Flask) -> None:
    upgrade()
    upgrade()
    assert empty_app.test_client().get("/readyz").json["parts"]["migrations"]["ok"]


def test_before_the_first_upgrade_the_program_says_it_is_not_ready(empty_app: Flask) -> None:
    answer = empty_app.test_client().get("/readyz")
    assert (answer.status_code, answer.json["parts"]["migrations"]["ok"]) == (503, False)


def test_constraints_and_indexes_are_the_models_too(empty_app: Flask) -> None:
    """Autogenerate does not compare CHECKs; this does, by name."""
    upgrade()
    with db.engine.connect() as connection:
        inspector = sa.inspect(connection)
        for table in Base.metadata.sorted_tables:
            wanted = {str(c.name) for c in table.constraints if isinstance(c, sa.CheckConstraint)}
            # Names over 63 bytes are cut by PostgreSQL; ours are not.
            assert {c["name"] for c in inspector.get_check_constraints(table.name)} == wanted, (
                table.name
            )
            assert {
                i["name"]
                for i in inspector.get_indexes(table.name)
                if not i.get("duplicates_constraint")
            } == {str(i.name) for i in table.indexes}


@pytest.mark.postgres
@pytest.mark.skipif(not POSTGRES_URL, reason="row-level security is PostgreSQL's")
def test_the_migrations_secure_every_tenant_table(empty_app: Flask) -> None:
    upgrade()
    with db.engine.connect() as connection:
        rows = (
            connection.execute(
                sa.text(
                    "SELECT c.relname FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid "
                    "WHERE c.relrowsecurity AND c.relforcerowsecurity"
                )
            )
            .scalars()
            .all()
        )
    assert set(rows) == {table.name for table in tenant_tables(Base.metadata)}
