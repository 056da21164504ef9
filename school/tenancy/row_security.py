"""The fourth wall: PostgreSQL refuses another school's rows even to a wrong query.

The policy fails closed: with no school named, `current_setting` is NULL or '' and no row
matches. The application's role must be neither owner of the tables nor superuser nor BYPASSRLS;
`python -m school db validate` checks that.
"""

from __future__ import annotations

import sqlalchemy as sa

from school.tenancy.models import tenant_tables

OWN = "school_id = nullif(current_setting('app.school_id', true), '')::uuid"


def statements(table: str) -> list[str]:
    """DDL that puts row-level security on one tenant table."""
    return [
        f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
        f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
        f'CREATE POLICY one_school ON "{table}" USING ({OWN}) WITH CHECK ({OWN})',
    ]


def secure(connection: sa.Connection, metadata: sa.MetaData) -> None:
    """Put row-level security on every tenant table. Does nothing on SQLite."""
    if connection.dialect.name != "postgresql":
        return
    for table in tenant_tables(metadata):
        for statement in statements(table.name):
            connection.exec_driver_sql(statement)
