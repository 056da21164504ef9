"""A throwaway PostgreSQL: its own folder, a Unix socket only, gone afterwards.

`with throwaway_postgres() as server:` or the fixture `postgres_server`. The system's own
PostgreSQL is never touched. Tables belong to the role `school`, which is no superuser: row-level
security would not bind a superuser, and tests of it could not fail.
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

UNPRIVILEGED = "nobody"
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
}


class NoPostgres(Exception):
    """PostgreSQL cannot run here; the message says why."""


@dataclass(frozen=True)
class PostgresServer:
    """A running server. `folder` holds its socket; `superuser` may do anything."""

    folder: Path
    superuser: str
    binaries: Path

    def url(self, database: str = "school_test", *, role: str = "school") -> str:
        """An address SQLAlchemy and psycopg understand."""
        return f"postgresql://{role}@/{database}?host={self.folder}"

    @property
    def admin_url(self) -> str:
        return self.url("postgres", role=self.superuser)

    def create_database(self, name: str, *, owner: str = "school") -> str:
        """A fresh, empty database; returns its address for `owner`."""
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self.sql(f'CREATE DATABASE "{name}" OWNER "{owner}"')
        return self.url(name, role=owner)

    def sql(self, statements: str, *, database: str = "postgres", role: str | None = None) -> str:
        """Run SQL through psql and return what it prints, unaligned; raises on the first error."""
        done = subprocess.run(
            [
                self.binaries / "psql",
                "-XqAt",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                self.folder,
                "-U",
                role or self.superuser,
                "-d",
                database,
            ],
            input=statements,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return done.stdout.strip()


def find_binaries() -> Path:
    """The folder with initdb and its friends, the newest version first."""

    def version(folder: Path) -> tuple[int, ...]:
        return tuple(int(n) for n in re.findall(r"\d+", folder.parent.name)) or (0,)

    candidates = [Path(p) for p in [os.environ.get("PG_BIN", "")] if p]
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=version, reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        candidates.append(Path(on_path).resolve().parent)
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "psql").exists():
            return folder
    raise NoPostgres("PostgreSQL is not installed (Debian/Ubuntu: apt-get install postgresql)")


def _as_unprivileged(folder: Path) -> list[str]:
    """What to put before a command: initdb refuses to run as root."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return []
    if shutil.which("runuser") is None:
        raise NoPostgres("PostgreSQL does not run as root, and runuser is missing")
    shutil.chown(folder, UNPRIVILEGED)
    return ["runuser", "-u", UNPRIVILEGED, "--"]


def _run(command: list[str | Path], folder: Path) -> None:
    # Into a file: with a pipe, pg_ctl's server would keep it open and we would wait for ever.
    with (folder / "server.log").open("ab") as log:
        done = subprocess.run(command, stdout=log, stderr=log, cwd="/", check=False)
    if done.returncode:
        said = (folder / "server.log").read_text(errors="replace").strip().splitlines()
        raise NoPostgres(f"PostgreSQL did not start: {said[-1] if said else 'no message'}")


@contextmanager
def throwaway_postgres(settings: Mapping[str, str] | None = None) -> Iterator[PostgresServer]:
    """Start a server in a temporary folder and take everything away at the end.

    `settings`: its own beside SETTINGS, which are made for tests: fast, and careless of a crash.
    """
    binaries = find_binaries()
    folder = Path(tempfile.mkdtemp(prefix="shpg-", dir="/tmp"))
    try:
        before = _as_unprivileged(folder)
        superuser = UNPRIVILEGED if before else getpass.getuser()
        data = folder / "data"
        _run(
            [
                *before,
                binaries / "initdb",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "-U",
                superuser,
                "-D",
                data,
            ],
            folder,
        )
        wanted = {**SETTINGS, **(settings or {})}
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in wanted.items())
            file.write(f"unix_socket_directories = '{folder}'\n")
        _run([*before, binaries / "pg_ctl", "-D", data, "-w", "-t", "60", "start"], folder)
        try:
            server = PostgresServer(folder, superuser, binaries)
            server.sql(
                "CREATE ROLE school LOGIN CREATEDB CREATEROLE NOSUPERUSER NOBYPASSRLS;"
                "GRANT pg_signal_backend TO school"
            )
            server.create_database("school_test")
            yield server
        finally:
            with suppress(NoPostgres):
                _run(
                    [*before, binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"],
                    folder,
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server of this test run's own; skips, saying why, where PostgreSQL cannot run."""
    try:
        with throwaway_postgres() as server:
            yield server
    except NoPostgres as reason:
        pytest.skip(str(reason))
