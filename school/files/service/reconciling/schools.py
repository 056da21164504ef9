"""Into one school after the other; no query ever sees two of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from school.db import db
from school.tenancy.models import School
from school.tenancy.scope import school_scope


def all_schools() -> list[UUID]:
    """Their ids, closed schools too."""
    found = list(db.session.scalars(sa.select(School.id).order_by(School.id)))
    db.session.remove()
    return found


@contextmanager
def inside(school_id: UUID) -> Iterator[None]:
    """The school in scope, for reading through all of its rows."""
    with school_scope(school_id):
        _spare_memory(db.session())
        yield


def give_back_connections() -> None:
    """Those that were told to spare memory are closed; the next ones are as ever."""
    db.session.remove()
    if db.engine.dialect.name == "sqlite":
        db.engine.dispose()


def _spare_memory(session: Session) -> None:
    """SQLite: keep and map little of the file. Every row is read once, so that 320 MiB of it
    would be remembered for nobody. PostgreSQL remembers in the server, for all."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA cache_size=-4096")
        connection.exec_driver_sql("PRAGMA mmap_size=0")
