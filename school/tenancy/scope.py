"""Which school this work belongs to. Set once per request, job or command; never guessed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from uuid import UUID

from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from school.db import db

_school: ContextVar[UUID | None] = ContextVar("school", default=None)


class NoSchool(RuntimeError):
    """A school's data was asked for outside any school: a mistake in the program."""


class OtherSchool(RuntimeError):
    """Work for one school touched another's: a mistake in the program, never shown as data."""


def current_school_id() -> UUID:
    """The school in scope. Raises NoSchool outside `school_scope`."""
    school_id = _school.get()
    if school_id is None:
        raise NoSchool("No school is in scope.")
    return school_id


def find_school_id() -> UUID | None:
    """The school in scope, or None."""
    return _school.get()


@contextlib.contextmanager
def school_scope(school_id: UUID) -> Iterator[None]:
    """Work for one school. The database session belongs to it until the scope ends."""
    outer = _school.get()
    if outer == school_id:
        # The same school, but perhaps another application context with a session of its own.
        claim_session(db.session(), school_id)
        yield
        return
    if outer is not None:
        raise OtherSchool(f"In school {outer}; cannot enter {school_id}.")
    token = _school.set(school_id)
    try:
        claim_session(db.session(), school_id)
        yield
    finally:
        _school.reset(token)
        # What was loaded for this school must not be found again by the next one.
        db.session.remove()


@contextlib.contextmanager
def outside_schools() -> Iterator[None]:
    """Leave the school in scope for a while: work for another school, or for all of them."""
    outer = _school.get()
    if outer is None:
        yield
        return
    token = _school.set(None)
    db.session.remove()
    try:
        yield
    finally:
        _school.reset(token)
        db.session.remove()
        claim_session(db.session(), outer)


def claim_session(session: Session, school_id: UUID) -> None:
    """Bind a session to one school for its life. Raises OtherSchool if it has another."""
    owner = session.info.setdefault("school_id", school_id)
    if owner != school_id:
        raise OtherSchool(f"The session belongs to {owner}.")
    if session.in_transaction():
        tell_database(session.connection(), school_id)


def tell_database(connection: Connection, school_id: UUID | None) -> None:
    """Name the school to PostgreSQL for the length of this transaction (row-level security).

    SET LOCAL with a literal from a parsed UUID: it ends with the transaction, and on a sharded
    cluster it reaches the shards, which set_config() does not.
    """
    if connection.dialect.name == "postgresql" and school_id is not None:
        connection.exec_driver_sql(f"SET LOCAL app.school_id = '{UUID(str(school_id))}'")
