"""The PostgreSQL database that takes the tables."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
from adbc_driver_postgresql import dbapi as adbc

from school.upgrade.errors import UpgradeStopped, stop

OLDEST = 14
_CONNECT_S = 10

Connection = psycopg.Connection[tuple[Any, ...]]


def plain_address(url: str) -> str:
    """Without the driver that SQLAlchemy's addresses name (postgresql+psycopg://)."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)


@dataclass(frozen=True, slots=True)
class Target:
    """`schema`: where the tables go; it is made when it is not there."""

    url: str
    schema: str = "public"

    @contextlib.contextmanager
    def connect(self) -> Iterator[Connection]:
        """An ordinary connection; every statement is its own transaction. Raises UpgradeStopped."""
        with connected(self.url) as connection:
            connection.execute("SELECT set_config('search_path', %s, false)", [self.quoted_path])
            yield connection

    @property
    def quoted_path(self) -> str:
        return '"' + self.schema.replace('"', '""') + '"'

    @contextlib.contextmanager
    def stream(self) -> Iterator[Any]:
        """A connection that takes and gives batches, in transactions of its own."""
        try:
            with closing(adbc.connect(plain_address(self.url), autocommit=False)) as connection:
                with connection.cursor() as cursor:
                    cursor.execute(f"SET search_path = {self.quoted_path}")
                    for setting in _READING:
                        cursor.execute(f"SET {setting}")
                connection.commit()
                yield connection
        except adbc.Error as error:
            raise refusal(error.sqlstate, str(error)) from error


_READING = (
    # Rows come in the order in which they lie.
    "synchronize_seqscans = off", "max_parallel_workers_per_gather = 0",
    "timezone = 'UTC'", "statement_timeout = 0", "idle_in_transaction_session_timeout = 0",
    "lock_timeout = '30s'",
)  # fmt: skip


@contextlib.contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Raises UpgradeStopped with a plain sentence where the server refuses, or goes away."""
    try:
        connection = psycopg.connect(
            plain_address(url), connect_timeout=_CONNECT_S, autocommit=True, client_encoding="UTF8"
        )
    except psycopg.OperationalError as error:
        raise _refused(error) from error
    except psycopg.ProgrammingError as error:
        raise stop(
            "bad_address", f"That is no address of a PostgreSQL database: {error}.",
            "Write it as postgresql://USER:PASSWORD@HOST/DATABASE.",
        ) from error  # fmt: skip
    try:
        with connection:
            connection.execute("SET statement_timeout = 0")
            connection.execute("SET timezone = 'UTC'")
            yield connection
    except psycopg.Error as error:
        if connection.broken:
            raise lost() from error
        raise refusal(error.sqlstate, str(error)) from error


_STATES: tuple[tuple[str, str, str, str], ...] = (
    ("53100", "disk_full", "The disk of the PostgreSQL server is full.",
     "Make room there, then run the same command with --resume."),
    ("53|54000", "server_limit", "The PostgreSQL server reached a limit of its own: {}.",
     "Raise it, then run the same command with --resume."),
    ("42501|28", "no_rights", "This PostgreSQL user may not do that: {}.",
     "Grant it the right, then run the same command with --resume."),
    ("55P03|40", "target_busy", "Another program holds the tables of the target: {}.",
     "End it, then run the same command with --resume."),
)  # fmt: skip
_LOST = re.compile("^(08|57P)")


def refusal(state: str | None, said: str) -> UpgradeStopped:
    """What PostgreSQL says, as a problem. `state`: its SQLSTATE, None without one."""
    if _LOST.match(state or "") or (not state and re.search(_GONE, said)):
        return lost()
    words = _without_sql(said)
    for pattern, code, message, hint in _STATES:
        if re.match(pattern, state or ""):
            return stop(code, message.format(words), hint)
    return stop(
        "refused",
        f"PostgreSQL refused: {words}. The source is untouched.",
        "When the reason is gone, run the same command with --resume, or take an empty database.",
    )


_GONE = (
    "server closed the connection|no connection to the server|could not connect"
    "|connection to server"
    "|terminat|SSL connection has been closed|Connection refused|starting up|shutting down"
)


def _without_sql(said: str) -> str:
    """The server's own sentence out of a driver's message."""
    line = next((part for part in said.splitlines() if "ERROR:" in part), said.splitlines()[0])
    return line.rpartition("ERROR:")[2].strip().rstrip(".")[:300]


def lost() -> UpgradeStopped:
    return stop(
        "target_lost",
        "The connection to PostgreSQL was lost midway. The source is untouched.",
        "When the server is back, run the same command with --resume.",
    )


_REFUSALS: tuple[tuple[str, str, str, str], ...] = (
    ("password authentication failed|no password supplied", "wrong_password",
     "PostgreSQL does not accept the user or the password.", "Correct them in --postgresql-url."),
    ('database ".*" does not exist', "no_database",
     "That database does not exist.", "Make it first: createdb NAME --encoding UTF8."),
    ('role ".*" does not exist', "no_role", "That PostgreSQL user does not exist.",
     "Correct the user in --postgresql-url."),
    ("Connection refused|could not translate|timeout|No route|not known|No such file",
     "unreachable",
     "No PostgreSQL server answers there.", "Check host and port, and whether it runs."),
    ("no pg_hba.conf entry", "not_let_in", "The server does not let this computer in.",
     "Add a line to pg_hba.conf."),
)  # fmt: skip


def _refused(error: psycopg.OperationalError) -> UpgradeStopped:
    text = str(error)
    for pattern, code, message, hint in _REFUSALS:
        if re.search(pattern, text):
            return stop(code, message, hint)
    return stop("no_connection", f"PostgreSQL refused: {text.strip().splitlines()[-1]}")


def check_server(connection: Connection, target: Target) -> None:
    """Version, encoding and rights. Raises UpgradeStopped."""
    version, encoding, may_create = _one(
        connection,
        "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),"
        " has_database_privilege(current_database(), 'CREATE')",
    )
    if version < OLDEST * 10_000:
        raise stop(
            "old_server",
            f"This is PostgreSQL {version // 10_000}; at least {OLDEST} is needed.",
            "Upgrade the server first.",
        )
    if encoding != "UTF8":
        raise stop(
            "encoding",
            f"The database keeps its text in {encoding}, which has no place for every letter.",
            "Make a database with: createdb NAME --encoding UTF8 --template template0.",
        )
    if not may_create:
        raise stop(
            "no_rights",
            "This PostgreSQL user may not create anything in the database.",
            "Let the database's owner run: GRANT CREATE ON DATABASE NAME TO USER;",
        )
    _check_schema(connection, target)


def _check_schema(connection: Connection, target: Target) -> None:
    may = _one(
        connection,
        "SELECT (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = %s)",
        target.schema,
    )[0]
    if may is False:
        raise stop(
            "no_rights",
            f"This PostgreSQL user may not create tables in the schema “{target.schema}”.",
            "Name another one with --schema, or let its owner GRANT CREATE.",
        )


def list_tables(connection: Connection, schema: str) -> list[str]:
    """Tables that lie in the schema already."""
    rows = connection.execute(
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY relname",
        [schema],
    )
    return [row[0] for row in rows]


def list_walled(connection: Connection, schema: str) -> frozenset[str]:
    """Tables whose row-level security binds their owner, too."""
    rows = run(
        connection,
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relforcerowsecurity",
        schema,
    )
    return frozenset(row[0] for row in rows)


def run(connection: Connection, sql: str, *values: Any) -> psycopg.Cursor[tuple[Any, ...]]:
    """A statement made here from names that are quoted."""
    return connection.execute(sql, list(values) or None)


def _one(connection: Connection, sql: str, *values: Any) -> tuple[Any, ...]:
    row = run(connection, sql, *values).fetchone()
    assert row is not None
    return row
