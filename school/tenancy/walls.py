"""The second wall: every statement through the ORM is narrowed to the school in scope.

Known not to be caught here (and therefore banned outside the few modules named in the
architecture tests): Core statements on `Model.__table__`, `text()`, bulk UPDATE by primary key.
Composite keys and row-level security stand behind those.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.sql import visitors

from school.db import SchoolSession
from school.tenancy.models import TenantMixin
from school.tenancy.scope import NoSchool, OtherSchool, find_school_id, tell_database


@event.listens_for(SchoolSession, "after_begin")
def _name_school(session: Session, _transaction: Any, connection: Connection) -> None:
    tell_database(connection, session.info.get("school_id"))


@event.listens_for(SchoolSession, "do_orm_execute")
def _narrow(state: ORMExecuteState) -> None:
    if state.is_column_load:
        return
    school_id = find_school_id()
    if school_id is None:
        _refuse_tenant_tables(state.statement)
    elif not state.is_insert:
        state.statement = state.statement.options(
            with_loader_criteria(
                TenantMixin,
                lambda cls: cls.school_id == school_id,
                include_aliases=True,
                track_closure_variables=True,
            )
        )


def _refuse_tenant_tables(statement: Any) -> None:
    """Outside any school nothing may name a tenant table, in a subquery or a join neither."""
    for element in visitors.iterate(statement):
        if isinstance(element, sa.Table) and "school_id" in element.primary_key.columns:
            raise NoSchool(f"{element.name} was asked for outside school_scope.")


@event.listens_for(SchoolSession, "before_flush")
def _check_school(session: Session, _context: Any, _instances: Any) -> None:
    """Nothing is written for another school than the one in scope."""
    rows = [
        row
        for row in (*session.new, *session.dirty, *session.deleted)
        if isinstance(row, TenantMixin)
    ]
    if not rows:
        return
    school_id = find_school_id()
    if school_id is None:
        raise NoSchool("A school's rows were written outside school_scope.")
    for row in rows:
        owner: UUID | None = row.school_id  # None until the column's default fills it
        if owner not in {None, school_id}:
            raise OtherSchool(f"{type(row).__name__} of {owner} in {school_id}.")
