"""The database: declarative base, column types, the session and its one transaction.

Reads on SQLite run outside a transaction (they never block and never hold a snapshot); the
first write of a session takes the write lock at once with BEGIN IMMEDIATE, so that two writers
wait for each other instead of failing halfway. PostgreSQL uses its ordinary transactions.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    ORMExecuteState,
    Session,
    declared_attr,
    mapped_column,
)
from uuid_utils.compat import uuid7

from school import clock
from school.errors import MovedAway
from school.upgrade.standing import has_moved

log = logging.getLogger(__name__)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An instant: timezone-aware UTC in Python on every database, SQLite included."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("An instant needs a time zone.")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Json = sa.JSON().with_variant(JSONB(), "postgresql")
# Byte order, so that `token >= 'mul' AND token < 'mum'` means the same on both databases.
BytewiseText = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def as_json(value: Any) -> str:
    """As the databases store it."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


class Base(DeclarativeBase):
    """Every table of Schoolhouse."""

    metadata = sa.MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads a plain dict
        datetime: UtcDateTime(),
        UUID: sa.Uuid(),
        dict[str, Any]: Json,
        list[Any]: Json,
    }


def new_id() -> UUID:
    """A row's id: UUIDv7, so that rows made together lie together."""
    return uuid7()


class Timestamps:
    """When a row was made and last changed."""

    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class Versioned:
    """Counts edits, so that two people editing at once cannot overwrite each other unseen."""

    version: Mapped[int] = mapped_column(default=1)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 - a class-level directive
        return {"version_id_col": cls.version}


def one_of(column: str, values: type[StrEnum]) -> sa.CheckConstraint:
    """CHECK that `column` holds a value of a StrEnum (the portable enumeration)."""
    allowed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({allowed})", name=f"{column}_known")


class SchoolSession(FlaskSession):
    """The session; `info["school_id"]` is the one school it belongs to (see tenancy)."""


# Models derive from Base itself: Flask-SQLAlchemy brings engines and the session only.
db = SQLAlchemy(
    metadata=Base.metadata,
    session_options={"class_": SchoolSession, "expire_on_commit": False},
)


def take_write_lock(session: Session) -> None:
    """Begin writing: on SQLite this is where one writer waits for another."""
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        return
    raw: Any = connection.connection.dbapi_connection
    if not raw.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        # Behind the lock: a move holds it until the database is marked.
        if has_moved(connection.engine.url.database):
            raise MovedAway(
                "The school's records have moved to another database, and this server has to be "
                "restarted before it saves anything. Tell your administrator.",
                retry_after_s=60,
            )


def take_turn(session: Session, name: str) -> None:
    """Until the transaction ends, whoever takes a turn of the same name waits."""
    if is_postgresql(session):
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))
    else:
        take_write_lock(session)


def changes_one(statement: sa.Update | sa.Delete) -> bool:
    """Compare and swap: whether it changed its one row, or somebody else was faster."""
    done = db.session.execute(statement, execution_options={"synchronize_session": False})
    return bool(done.rowcount == 1)  # type: ignore[attr-defined]


@event.listens_for(SchoolSession, "before_flush")
def _lock_before_flush(session: Session, _context: Any, _instances: Any) -> None:
    take_write_lock(session)


@event.listens_for(SchoolSession, "do_orm_execute")
def _lock_before_bulk_write(state: ORMExecuteState) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        take_write_lock(state.session)


@contextlib.contextmanager
def transaction() -> Iterator[Session]:
    """Everything inside becomes true together, or not at all.

    Opened by views, jobs and commands; services only flush. An inner `transaction()` joins the
    outer one. Callbacks given to `after_commit` run once the outer one has committed.
    """
    session = db.session()
    depth = session.info.get("depth", 0)
    session.info["depth"] = depth + 1
    try:
        yield session
        if depth == 0:
            session.commit()
    except BaseException:
        if depth == 0:
            session.info.pop("after_commit", None)
            session.rollback()
        raise
    finally:
        session.info["depth"] = depth
    if depth == 0:
        _run_after_commit(session)


def after_commit(callback: Callable[[], object]) -> None:
    """Run `callback` once the open transaction has committed; never if it rolls back."""
    db.session().info.setdefault("after_commit", []).append(callback)


def _run_after_commit(session: Session) -> None:
    for callback in session.info.pop("after_commit", []):
        try:
            callback()
        except Exception:
            # The work is committed: a part that is down (Redis, say) must not turn it into a
            # failure. Whoever relies on the callback has a second way (reaper, cache lifetime).
            log.exception("after_commit.failed")


def engine_options(
    url: str,
    *,
    pool_size: int,
    max_overflow: int,
    pool_timeout_s: float,
    pool_recycle_s: int,
    statement_timeout_ms: int,
    lock_timeout_ms: int,
) -> dict[str, Any]:
    """Arguments of `create_engine` for this address: pooling, pre-ping and time-outs."""
    # What is written is about children: no statement's values may reach a log or a job's error.
    always = {
        "json_serializer": as_json,
        "json_deserializer": orjson.loads,
        "hide_parameters": True,
    }
    if sa.make_url(url).get_backend_name() == "sqlite":
        return {**always, "connect_args": {"timeout": lock_timeout_ms / 1000}}
    return {
        **always,
        "pool_size": pool_size,
        "max_overflow": max_overflow,
        "pool_timeout": pool_timeout_s,
        "pool_recycle": pool_recycle_s,
        "pool_pre_ping": True,
        "connect_args": {
            "connect_timeout": 3,
            # A plan kept for every value would suit no value: "zz" and "a" are found differently.
            "prepare_threshold": None,
            # PostgreSQL's own page cost means turning discs; on those of today, and in memory,
            # a thousand looks into an index are cheaper than reading all students.
            "options": f"-c statement_timeout={statement_timeout_ms}"
            f" -c lock_timeout={lock_timeout_ms} -c random_page_cost=1.1",
        },
    }


@event.listens_for(sa.Engine, "connect")
def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """WAL, foreign keys and durability on; transactions begun by us, not by the driver."""
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "foreign_keys=ON",
        "synchronous=FULL",
        "temp_store=MEMORY",
        "cache_size=-65536",
        "mmap_size=268435456",
    ):
        connection.execute(f"PRAGMA {pragma}")


def is_postgresql(connection: Connection | Session) -> bool:
    """Whether this speaks to PostgreSQL; each caller is a named, twice-tested branch."""
    bind = connection.get_bind() if isinstance(connection, Session) else connection
    return bind.dialect.name == "postgresql"
