"""Many rows at once, past the ORM.

One of the few places where tenant tables are written with Core. The walls of the ORM do not
stand here, so every row carries its school_id and every update names it.

Values come in storage form (ids as 32 hex digits, JSON and dates as text): SQLite takes them as
they are, PostgreSQL casts them. PostgreSQL refuses COPY into tables under row-level security, and
COPY into a temporary table followed by INSERT … SELECT writes everything twice; one JSON text for
all rows is the fastest way in that keeps the walls up.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, Self, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session
from uuid_utils import uuid7

from school.db import Base, as_json, is_postgresql, take_write_lock

Values = Sequence[Any]
_FEW_PAGES = {"cache_size": -16384, "mmap_size": 0}
# How many values one SQLite statement takes: first as many as every SQLite allows, then fewer
# for the rest of the rows.
_PLACES = (30_000, 4_000, 600, 1)


@contextlib.contextmanager
def without_cycle_search() -> Iterator[None]:
    """Stop Python's search for reference cycles meanwhile: rows have none, and looking through
    hundreds of thousands of them again and again costs a quarter of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextlib.contextmanager
def with_little_memory(session: Session) -> Iterator[None]:
    """Let SQLite keep few pages meanwhile: an import writes far more than it reads again, and
    the pages of a large database would count as this process's memory."""
    if is_postgresql(session):
        yield
        return
    raw: Any = session.connection().connection.dbapi_connection
    before = {name: raw.execute(f"PRAGMA {name}").fetchone()[0] for name in _FEW_PAGES}
    for name, value in _FEW_PAGES.items():
        raw.execute(f"PRAGMA {name}={value}")
    try:
        yield
    finally:
        for name, value in before.items():
            raw.execute(f"PRAGMA {name}={value}")


class Sender:
    """Sends rows while the next ones are made ready: the database works on one processor, Python
    on another.

    Session and connection go to the background and back: `wait` before touching them.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="roster-sender")
        self._sent: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, fault: type[BaseException] | None, *_: object) -> None:
        # Also after a fault: nobody may roll back while rows are on their way.
        self._pool.shutdown(wait=True)
        if fault is None:
            self.wait()

    def send(self, act: Callable[[], None]) -> None:
        """Do `act` in the background, for the same school and application as here."""
        self.wait()
        self._sent = self._pool.submit(copy_context().run, act)

    def wait(self) -> None:
        """Until the session is free again. Raises what sending raised."""
        sent, self._sent = self._sent, None
        if sent is not None:
            sent.result()


def plan_for_many(session: Session) -> None:
    """Until this transaction ends, let PostgreSQL look rows up by index, and plan anew.

    It plans foreign-key checks once per connection. Planned while the tables were still small
    they walk through half a table for each row, and a first import of 100,000 students would
    never end. So: again after each chunk, with the tables counted when they have doubled.
    """
    if is_postgresql(session):
        connection = session.connection()
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        connection.exec_driver_sql("SELECT count_roster()")
        connection.exec_driver_sql("DISCARD PLANS")


def new_hex() -> str:
    """A new row's id, in storage form."""
    return uuid7().hex


def instant(session: Session, at: datetime) -> str:
    """An instant as this database stores it."""
    text = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return f"{text}+00" if is_postgresql(session) else text


def insert(session: Session, model: type[Base], columns: Sequence[str], rows: list[Any]) -> None:
    """Insert rows (tuples in the order of `columns`)."""
    if not rows:
        return
    table = table_of(model)
    if is_postgresql(session):
        send_arrays(session, _insert_arrays(table, tuple(columns)), rows)
    else:
        _send_tuples(session, *_in_batches(table.name, tuple(columns), rows))


def update(
    session: Session,
    model: type[Base],
    *,
    keys: Sequence[str],
    columns: Sequence[str],
    rows: list[Any],
) -> None:
    """Set `columns` of the rows named by `keys`; each tuple holds the values, then the keys.

    Where the table counts versions, the version goes up.
    """
    if not rows:
        return
    table = table_of(model)
    if is_postgresql(session):
        statement = _update_arrays(table, tuple(keys), tuple(columns))
        send_arrays(session, statement, rows)
        return
    sets = ", ".join([f'"{name}" = ?' for name in columns] + _counting(table))
    where = " AND ".join(f'"{name}" = ?' for name in keys)
    _send_tuples(session, (f'UPDATE "{table.name}" SET {sets} WHERE {where}', rows))  # noqa: S608


def delete(session: Session, model: type[Base], *, keys: Sequence[str], rows: list[Any]) -> None:
    """Delete the rows named by `keys`."""
    if not rows:
        return
    table = table_of(model)
    if is_postgresql(session):
        send_arrays(session, _delete_arrays(table, tuple(keys)), rows)
        return
    where = " AND ".join(f'"{name}" = ?' for name in keys)
    _send_tuples(session, (f'DELETE FROM "{table.name}" WHERE {where}', rows))  # noqa: S608


def table_of(model: type[Base]) -> sa.Table:
    return cast("sa.Table", model.__table__)


def _counting(table: sa.Table) -> list[str]:
    return ['"version" = "version" + 1'] if "version" in table.columns else []


def _send_tuples(session: Session, *statements: tuple[str, Iterable[Values]]) -> None:
    """SQLite."""
    take_write_lock(session)
    raw: Any = session.connection().connection.dbapi_connection
    for statement, rows in statements:
        raw.executemany(statement, rows)


def _in_batches(
    table: str, columns: tuple[str, ...], rows: list[Values]
) -> Iterator[tuple[str, Iterable[Values]]]:
    """Few statements of many rows: SQLite's driver comes back to Python after each."""
    start = 0
    for places in _PLACES:
        together = max(places // len(columns), 1)
        end = len(rows) - (len(rows) - start) % together
        if end > start:
            yield _insert_places(table, columns, together), _joined(rows, start, end, together)
        start = end


def _joined(rows: list[Values], start: int, end: int, together: int) -> Iterator[Values]:
    """The values of so many rows at a time, one after the other."""
    for first in range(start, end, together):
        yield list(chain.from_iterable(rows[first : first + together]))


@lru_cache(maxsize=64)
def _insert_places(table: str, columns: tuple[str, ...], together: int) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    places = f"({', '.join('?' * len(columns))})"
    return f'INSERT INTO "{table}" ({names}) VALUES {", ".join([places] * together)}'  # noqa: S608


def send_arrays(session: Session, statement: str, rows: list[Values]) -> None:
    """PostgreSQL: all rows as one JSON text, written by C code and taken apart by the server.

    (The driver writes arrays in Python, which takes longer than everything else together.)
    """
    raw: Any = session.connection().connection.dbapi_connection
    with raw.cursor() as cursor:
        cursor.execute(statement, [as_json(rows)])


@lru_cache(maxsize=64)
def _insert_arrays(table: sa.Table, columns: tuple[str, ...]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    return f'INSERT INTO "{table.name}" ({names}) SELECT * FROM {arrays(table, columns)} AS given'  # noqa: S608


@lru_cache(maxsize=64)
def _update_arrays(table: sa.Table, keys: tuple[str, ...], columns: tuple[str, ...]) -> str:
    sets = ", ".join(
        [f'"{name}" = given."{name}"' for name in columns]
        + [text.replace('= "version"', '= t."version"') for text in _counting(table)]
    )
    where = " AND ".join(f't."{name}" = given."{name}"' for name in keys)
    names = ", ".join(f'"{name}"' for name in (*columns, *keys))
    source = arrays(table, (*columns, *keys))
    return f'UPDATE "{table.name}" AS t SET {sets} FROM {source} AS given({names}) WHERE {where}'  # noqa: S608


@lru_cache(maxsize=64)
def _delete_arrays(table: sa.Table, keys: tuple[str, ...]) -> str:
    where = " AND ".join(f't."{name}" = given."{name}"' for name in keys)
    names = ", ".join(f'"{name}"' for name in keys)
    source = f"{arrays(table, keys)} AS given({names})"
    return f'DELETE FROM "{table.name}" AS t USING {source} WHERE {where}'  # noqa: S608


def arrays(table: sa.Table, columns: Iterable[str]) -> str:
    kinds = enumerate(_kind(table.columns[name].type) for name in columns)
    values = ", ".join(f"(entry->>{place})::{kind}" for place, kind in kinds)
    return f"(SELECT {values} FROM jsonb_array_elements(%s::jsonb) AS entry)"  # noqa: S608


def _kind(kind: sa.types.TypeEngine[Any]) -> str:
    """PostgreSQL's name of the type. Text stays text: a cast to varchar(n) would cut silently."""
    if isinstance(kind, sa.types.TypeDecorator):
        return "timestamptz"
    for python, name in (
        (sa.Uuid, "uuid"),
        (sa.JSON, "jsonb"),
        (sa.Boolean, "boolean"),
        (sa.Date, "date"),
        (sa.BigInteger, "bigint"),
        (sa.Integer, "integer"),
    ):
        if isinstance(kind, python):
            return name
    return "text"
