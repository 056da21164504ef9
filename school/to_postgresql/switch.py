"""From the old database to the new one: what the program needs there, and the settings file."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from redis import Redis
from redis.exceptions import RedisError

from school import clock
from school.bootstrap.settings_file import quote
from school.upgrade.errors import UpgradeStopped
from school.upgrade.report import Check
from school.upgrade.standing import mark_beside
from school.upgrade.target import Connection, connected, run

NAME = "DATABASE_URL"
_LINE = re.compile(rf"^\s*(export\s+)?{NAME}\s*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Settings of the program: how many connections a process keeps and adds; Redis, if any."""

    redis_url: str = ""
    pool_size: int = 20
    max_overflow: int = 30


# -- what the program needs ------------------------------------------------------------------------


def checks(url: str, wanted: Wanted, *, empty: bool = False) -> list[Check]:
    """Connection, pool, walls and Redis. `empty`: the tables are not there yet."""
    try:
        with connected(url) as connection:
            found = [
                Check("connection", ok=True, sentence="The program reaches the new database."),
                _pool(connection, wanted),
                *_walls(connection, is_empty=empty),
            ]
    except UpgradeStopped as stopped:
        found = [Check("connection", ok=False, sentence=stopped.problems[0].message)]
    return [*found, _redis(wanted.redis_url)]


def _pool(connection: Connection, wanted: Wanted) -> Check:
    most = int(str(_one(connection, "SELECT current_setting('max_connections')")))
    asked = wanted.pool_size + wanted.max_overflow
    told = f"A process opens up to {asked} connections (DB_POOL_SIZE + DB_MAX_OVERFLOW); "
    if asked < most:
        return Check("pool", ok=True, sentence=f"{told}the server allows {most}.")
    return Check(
        "pool", ok=False, sentence=f"{told}the server allows only {most}: lower these settings."
    )


def _walls(connection: Connection, *, is_empty: bool) -> Iterator[Check]:
    row = run(
        connection, "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if row is None or any(row):
        word = "is a superuser" if row and row[0] else "bypasses row-level security"
        yield Check(
            "row_security",
            ok=False,
            sentence=f"This PostgreSQL user {word}, so the wall between schools does not bind it:"
            " make one without that right for the program.",
        )
    elif is_empty:
        yield Check("row_security", ok=True, sentence="Row-level security will bind this user.")
    else:
        yield _bound(connection)


def _bound(connection: Connection) -> Check:
    """Asked of the database itself: with no school named, no school's row may be seen."""
    tables = run(
        connection,
        "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relrowsecurity"
        " AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1",
    ).fetchall()
    open_ones = [t for (t,) in tables if _one(connection, f"SELECT EXISTS (SELECT FROM {t})")]
    if open_ones or not tables:
        told = f"Rows of every school can be read from {', '.join(open_ones) or 'the tables'}."
        return Check("row_security", ok=False, sentence=told)
    told = f"Row-level security binds this user in {len(tables)} tables."
    return Check("row_security", ok=True, sentence=told)


def _one(connection: Connection, sql: str) -> object:
    row = run(connection, sql).fetchone()
    return row[0] if row else None


def _redis(url: str) -> Check:
    if not url:
        return Check(
            "redis",
            ok=None,
            sentence="REDIS_URL is not set: sessions and cache stay in files. With more than one"
            " server process, set up Redis and name it there.",
        )
    try:
        with contextlib.closing(Redis.from_url(url, socket_timeout=2)) as client:
            client.ping()
    except (RedisError, OSError):
        return Check("redis", ok=False, sentence="Redis does not answer at REDIS_URL.")
    return Check("redis", ok=True, sentence="Redis answers.")


# -- the settings file -----------------------------------------------------------------------------


def is_same_file(database_url: str, source: Path) -> bool:
    url = sa.make_url(database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return False
    try:
        return Path(url.database).samefile(source)
    except OSError:
        return False


def switch(settings_file: Path | None, source: Path, url: str) -> Check:
    """Make the program use `url` from its next start on. From now on, nothing is written to the old
    file any more: what somebody saved there would be missing in the new database."""
    if os.environ.get(NAME):
        return _not_switched(f"{NAME} is set in the environment, not in a file: change it there.")
    if settings_file is None:
        return _not_switched(
            "no .env in this folder uses this SQLite file. Start the command in the folder of the"
            " program, or change DATABASE_URL yourself."
        )
    try:
        _mark(source, url)
        _write_settings(settings_file, source, url)
    except OSError as error:
        mark_beside(source.resolve()).unlink(missing_ok=True)
        return _not_switched(
            f"{error.filename or settings_file} could not be written ({error.strerror}). Mend that,"
            " then run the same command again."
        )
    return Check(
        "switch",
        ok=True,
        sentence=f"{settings_file.name} names the new database now. Restart the program; until then"
        f" it saves nothing. {source.name} stays as it is; how to go back stands in"
        f" {settings_file.name}.",
    )


def _not_switched(why: str) -> Check:
    return Check("switch", ok=None, sentence=f"The program was not switched: {why}")


def _mark(source: Path, url: str) -> None:
    where = sa.make_url(url).render_as_string(hide_password=True)
    text = f"Moved to {where} on {clock.today():%Y-%m-%d}. Delete this file only to go back.\n"
    _replace(mark_beside(source.resolve()), text, like=source)


def _write_settings(file: Path, source: Path, url: str) -> None:
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    new = f"{NAME}={quote(url)}"
    if new not in lines:
        kept = [line for line in lines if not _LINE.match(line)]
        old = [line for line in lines if _LINE.match(line)] or [f"{NAME}="]
        at = next((i for i, line in enumerate(lines) if _LINE.match(line)), len(kept))
        kept[at:at] = [*_way_back(source), *(f"#{line}" for line in old), new]
        _replace(file.resolve(), "\n".join(kept) + "\n", like=file)


def _way_back(source: Path) -> list[str]:
    return [
        f"# Moved from SQLite to PostgreSQL on {clock.today():%Y-%m-%d}.",
        "# To go back: stop the program, delete the file named next, and move the # from the line",
        "# after it to the last one. What was saved in PostgreSQL since does not come along.",
        f"#   {mark_beside(source.resolve())}",
    ]


def _replace(file: Path, text: str, *, like: Path) -> None:
    """All of it or nothing, with the rights and the owner of `like`."""
    stat = like.stat()
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(stat.st_mode & 0o777)
        if hasattr(os, "chown"):
            with contextlib.suppress(PermissionError):
                os.chown(name, stat.st_uid, stat.st_gid)
        Path(name).replace(file)
        _sync_folder(file.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
