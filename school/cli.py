"""`python -m school …`: every command, for people and for machines (`--json`).

Exit codes: 0 done, 1 failed (one sentence says why), 2 wrong usage.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import wraps
from typing import Any, NoReturn, TypeVar

import click
import sqlalchemy as sa
from flask import Flask, current_app
from flask_migrate import downgrade, upgrade
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from config_enhanced import FaultySettings
from school import clock
from school.accounts.cli import group as user_commands
from school.admin.service import open_first_school
from school.app import create_app
from school.bootstrap.platforms import this_platform
from school.bootstrap.ports import port_refused
from school.db import db
from school.demo.story import PASSWORD, STAFF, tell_story
from school.errors import DomainError
from school.files.cli import files as files_commands
from school.files.service.moving.telling import reminder_line
from school.roster.cli import import_command, undo_command
from school.roster.cli import list_command as roster_list_command
from school.web.health import CHECKS
from school.worker import Worker, keep_house

Command = TypeVar("Command", bound=Callable[..., Any])
OLDEST_POSTGRESQL = 15


def with_app(command: Command) -> Command:
    """Run inside an application; faults become one sentence and exit code 1."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            with create_app().app_context(), _database_in_words():
                return command(*args, **kwargs)
        except (FaultySettings, DomainError) as error:
            _fail(str(error))

    return run  # type: ignore[return-value]


@contextmanager
def _database_in_words() -> Iterator[None]:
    """A database that is away, or has not (all of) our tables, ends the command in a sentence."""
    try:
        yield
    except (OperationalError, ProgrammingError) as error:
        sentence = _what_is_wrong(error)
        if sentence is None:
            raise
        _fail(sentence)


def _what_is_wrong(error: DBAPIError) -> str | None:
    """None: the fault is ours."""
    if _lacks_tables(error):
        db.session.remove()
        if CHECKS["migrations"]():
            return None
        state = "is older than this program" if _revision() else "is not set up yet"
        return f"The database {state}; run python -m school db upgrade."
    if isinstance(error, OperationalError):
        return f"The database does not answer: {str(error.orig).strip()}"
    return None


def _lacks_tables(error: DBAPIError) -> bool:
    """A table or column is not there: PostgreSQL has codes for that, SQLite only words."""
    says = str(error.orig)
    return getattr(error.orig, "sqlstate", "") in {"42P01", "42703"} or (
        isinstance(error.orig, sqlite3.Error)
        and any(words in says for words in ("no such table", "no such column", "no column named"))
    )


def _fail(sentence: str) -> NoReturn:
    click.echo(sentence, err=True)
    sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Schoolhouse: school management."""
    # Whatever is written (the database first of all) is for this account's eyes only.
    os.umask(0o077)
    # Alembic tells of its own workings at every question; we say what came of it.
    logging.getLogger("alembic").setLevel(logging.WARNING)


@main.command()
@click.option("--host", help="Address to listen on (default: HOST).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (default: PORT).")
@with_app
def serve(host: str | None, port: int | None) -> None:
    """Start the server, with the worker inside where EMBEDDED_WORKER is set."""
    app = _app()
    settings = app.config["SETTINGS"]
    host, port = host or settings.host, port or settings.port
    server = _server(app, _sockets(host, port))
    worker = Worker(app) if settings.embedded_worker else None
    if worker:
        worker.start(alone=True)
    shown = f"[{host}]" if ":" in host else host
    _tell_of_moved_files()
    click.echo(f"Schoolhouse runs on http://{shown}:{port}  (Ctrl+C stops it)")
    try:
        server.run()
    finally:
        if worker:
            worker.stop()


def _tell_of_moved_files() -> None:
    """Whoever starts the program with the address of before is told so; files are found anyway."""
    line = reminder_line()
    if line:
        click.echo(line, err=True)


def _sockets(host: str, port: int) -> list[socket.socket]:
    """Listening at every address the name stands for; ends the program where that cannot be."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        _fail(f"There is no computer called {host}. Give an address of this one with --host.")
    try:
        return [
            socket.create_server(address, family=family)
            for family, address in sorted({(family, address) for family, *_, address in found})
        ]
    except OSError as error:
        _fail(_why_not(host, port, error))


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this computer. Give one that is with --host."
    refused = port_refused(port, this_platform(), error)
    return f"{refused.sentence}\nWhat to do: {refused.remedy}"


def _server(app: Flask, sockets: list[socket.socket]) -> Any:
    import waitress  # noqa: PLC0415 - only the server needs it

    settings = app.config["SETTINGS"]
    proxy = (
        {
            "trusted_proxy": "127.0.0.1",
            "trusted_proxy_count": settings.trusted_proxies,
            "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"},
            "clear_untrusted_proxy_headers": True,
        }
        if settings.trusted_proxies
        else {}
    )
    return waitress.create_server(
        app,
        sockets=sockets,
        threads=settings.web_threads,
        ident=None,
        max_request_body_size=app.config["MAX_CONTENT_LENGTH"],
        channel_timeout=60,
        connection_limit=1000,
        **proxy,
    )


@main.command()
@with_app
def worker() -> None:
    """Run background jobs, as a process of its own."""
    runner = Worker(_app())
    runner.start(alone=False)
    _tell_of_moved_files()
    click.echo("The worker waits for jobs.  (Ctrl+C stops it)")
    try:
        runner.wait()
    finally:
        runner.stop()


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One object for machines.")
@with_app
def preflight(*, as_json: bool) -> None:
    """Check settings, database, cache and storage; say in plain words what is wrong."""
    faults = database_faults() + [
        f"The {name} does not answer." for name in ("cache", "storage") if not _works(name)
    ]
    if as_json:
        click.echo(json.dumps({"ok": not faults, "faults": faults}))
    for fault in faults if not as_json else []:
        click.echo(fault, err=True)
    sys.exit(1 if faults else 0)


def _works(name: str) -> bool:
    try:
        return CHECKS[name]()
    except Exception:  # noqa: BLE001 - whatever a broken part raises, it does not work
        return False


def database_faults() -> list[str]:
    """What keeps the database from being used, in sentences; empty when nothing does."""
    try:
        with db.engine.connect() as connection:
            if connection.dialect.name != "postgresql":
                return []
            major = (
                int(str(connection.exec_driver_sql("SHOW server_version_num").scalar())) // 10_000
            )
    except OperationalError as error:
        return [f"The database does not answer: {str(error.orig).strip()}"]
    if major < OLDEST_POSTGRESQL:
        return [f"PostgreSQL {major} is too old; {OLDEST_POSTGRESQL} or newer is needed."]
    return []


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One object for machines.")
@with_app
def demo(*, as_json: bool) -> None:
    """Fill the demo school, once; say who can sign in."""
    if not _app().config["SETTINGS"].demo:
        _fail(
            "This is not a demo installation. Set DEMO=true in .env of one that holds nothing real."
        )
    school = tell_story()
    accounts = [
        {"name": name, "who": shown, "role": str(role), "password": PASSWORD}
        for name, shown, role in STAFF
    ]
    if as_json:
        click.echo(json.dumps({"school": school.name, "accounts": accounts}))
        return
    click.echo(f"The demo school is {school.name}. Sign in with password {PASSWORD} as:")
    for account in accounts:
        click.echo(f"  {account['name']:<18} {account['who']} ({account['role']})")


@main.command()
@click.option("--school", "name", required=True, help="The school's name.")
@click.option("--email", required=True, help="The first administrator's e-mail address.")
@click.option(
    "--time-zone",
    default=clock.zone_of_machine,
    help="Such as Europe/London; as this machine, if left out.",
)
@with_app
def setup(name: str, email: str, time_zone: str) -> None:
    """Found the first school and print its administrator's one-time sign-in link."""
    link = open_first_school(name, email, time_zone=time_zone)
    if link is None:
        click.echo("This installation is set up already. Sign in, or: python -m school user link.")
        return
    click.echo(f"{name} is ready. Sign in once with this link, within a day:")
    click.echo(f"  {link}")


@main.command()
@with_app
def housekeeping() -> None:
    """What is to be done every night: expired sessions, old sign-in tries, lost jobs."""
    done = keep_house(_app())
    click.echo(
        f"{done.sessions} expired sessions and {done.attempts} old sign-in tries removed, "
        f"{done.jobs} lost jobs put back in line, {done.answers} kept answers forgotten."
    )


@main.group("students")
def students() -> None:
    """Students: import a roster, undo an import."""


def _inside_app(command: click.Command) -> click.Command:
    """A copy of a domain's command that runs inside the application."""
    inside = copy(command)
    if isinstance(inside, click.Group):
        inside.commands = {name: _inside_app(inner) for name, inner in inside.commands.items()}
    elif inside.callback is not None:
        inside.callback = with_app(inside.callback)
    return inside


for _command in (import_command, undo_command, roster_list_command):
    students.add_command(_inside_app(_command))
main.add_command(_inside_app(files_commands))
main.add_command(_inside_app(user_commands))


@main.group("db")
def database() -> None:
    """The database: migrations and what they say."""


@database.command("upgrade")
@with_app
def db_upgrade() -> None:
    """Bring the tables to the newest migration. Says so when there is nothing to do."""
    before = _revision()
    upgrade()
    after = _revision()
    click.echo(
        "The database is up to date." if before == after else f"The database is now at {after}."
    )


@database.command("status")
@with_app
def db_status() -> None:
    """Where the database stands."""
    at_head = CHECKS["migrations"]()
    click.echo(
        f"{_revision() or 'empty'}{' (newest)' if at_head else ' (not the newest: run db upgrade)'}"
    )


@database.command("revert")
@click.argument("revision", default="-1")
@with_app
def db_revert(revision: str) -> None:
    """Go back one migration, or to REVISION."""
    downgrade(revision=revision)
    click.echo(f"The database is now at {_revision() or 'empty'}.")


def _revision() -> str | None:
    with db.engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _app() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return app
