"""What may be wrong with file and server: a plain sentence, and nothing is touched."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from school.upgrade import command, loading, target, upgrading
from school.upgrade.errors import UpgradeStopped
from school.upgrade.layout import Inferred
from school.upgrade.target import Target
from tests.servers.postgres import NoPostgres, PostgresServer, throwaway_postgres

_ROWS = """
CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT); CREATE INDEX ix ON t (x);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO t SELECT i, 'text number ' || i FROM n;
"""


@pytest.fixture
def refused(options, sql) -> Callable[[Path], Any]:
    """The one problem it stops at; the file and the target are as they were."""

    def look(source: Path) -> Any:
        before = _state(source)
        with pytest.raises(UpgradeStopped) as stopped:
            upgrading.upgrade(options(source), Inferred())
        assert _state(source) == before
        assert (
            sql("SELECT 1 FROM pg_tables WHERE schemaname IN ('public', 'schoolhouse_upgrade')")
            == []
        )
        [problem] = stopped.value.problems
        assert problem.message.endswith(".")
        assert "Traceback" not in problem.message
        return problem

    return look


def _state(source: Path) -> object:
    """Names, contents and times of the file and what lies beside it; -shm is shared memory of the
    readers and holds nothing."""
    if not source.exists():
        return None
    beside = sorted(p for p in source.parent.glob(f"{source.name}*") if not p.name.endswith("-shm"))
    return [
        (p.name, p.stat().st_mtime_ns, p.is_file() and hashlib.sha256(p.read_bytes()).hexdigest())
        for p in beside
    ]


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)


def _spoil(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * (path.stat().st_size // 4096 // 2))
        file.write(b"\xa5" * 4096)


_FILES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "missing": ("no_source", Path.unlink),
    "empty": ("empty_source", lambda path: path.write_bytes(b"")),
    "another file": ("not_sqlite", lambda path: path.write_text("name;class\n")),
    "encrypted": ("not_sqlite", lambda path: path.write_bytes(os.urandom(8192))),
    "short": ("damaged_source", lambda path: path.write_bytes(path.read_bytes()[:600])),
    "truncated": ("damaged_source", _cut),
    "a spoiled page": ("damaged_source", _spoil),
}


@pytest.mark.parametrize("fault", _FILES)
def test_a_wrong_or_damaged_file(fault: str, make_source, refused) -> None:
    code, spoil = _FILES[fault]
    path = make_source(_ROWS)
    spoil(path)
    assert refused(path).code == code


def test_a_folder(tmp_path, refused) -> None:
    assert refused(tmp_path).code == "no_source"


def test_a_file_that_may_not_be_read(make_source, refused, monkeypatch) -> None:
    path = make_source(_ROWS)
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    path.chmod(0)
    assert refused(path).code == "no_source"


def _half_written(path: Path) -> None:
    """A process that is killed in the middle of a change leaves a journal that is needed."""
    script = (
        f"import sqlite3, os; c = sqlite3.connect({str(path)!r}, isolation_level=None);"
        "c.execute('PRAGMA cache_size = 2'); c.execute('BEGIN');"
        "c.execute(\"UPDATE t SET x = x || 'changed'\"); os._exit(9)"
    )
    subprocess.run(["python3", "-c", script], check=False)
    assert path.with_name(f"{path.name}-journal").stat().st_size


def test_a_journal_left_by_a_crash_is_not_rolled_back_by_us(make_source, refused) -> None:
    path = make_source(_ROWS)
    _half_written(path)
    problem = refused(path)
    assert problem.code == "unfinished_source"
    assert "-journal" in problem.message


def test_a_log_that_is_not_in_the_file_yet_is_read(make_source, upgrade, sql) -> None:
    path = make_source("PRAGMA journal_mode = WAL;" + _ROWS)
    script = (
        f"import sqlite3, os; c = sqlite3.connect({str(path)!r}, isolation_level=None);"
        "c.execute(\"INSERT INTO t VALUES (20001, 'in the log')\"); os._exit(9)"
    )
    subprocess.run(["python3", "-c", script], check=False)
    before = _state(path)
    assert path.with_name(f"{path.name}-wal").stat().st_size
    assert upgrade(path).is_complete
    assert sql("SELECT x FROM t WHERE id = 20001") == [("in the log",)]
    assert _state(path) == before


@contextmanager
def _writing(path: Path, statement: str) -> Iterator[str]:
    """Another process that tries to write, and holds what it has got; what it was told."""
    script = (
        f"import sqlite3, sys; c = sqlite3.connect({str(path)!r}, isolation_level=None, timeout=0)\n"
        f"try: c.execute({statement!r}); print('done', flush=True)\n"
        "except sqlite3.Error as error: print(error, flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        ["python3", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()


def test_a_program_that_writes_is_waited_for_then_named(make_source, refused, monkeypatch) -> None:
    monkeypatch.setattr("school.upgrade.source._WAIT_S", 0.1)
    path = make_source(_ROWS)
    with _writing(path, "BEGIN IMMEDIATE") as said:
        assert said == "done"
        assert refused(path).code == "source_locked"


def test_writers_are_refused_while_it_is_read(make_source, options) -> None:
    path = make_source(_ROWS)
    said: list[str] = []

    def write(phase: str, _done: int, _total: int) -> None:
        if phase == "load" and not said:
            with _writing(path, "DELETE FROM t") as answer:
                said.append(answer)

    assert upgrading.upgrade(options(path), Inferred(), write).is_complete
    assert said == ["database is locked"]


def test_a_change_past_the_lock_is_detected(make_source, options) -> None:
    path = make_source(_ROWS)

    def change(phase: str, _done: int, _total: int) -> None:
        if phase == "index":
            with path.open("r+b") as file:
                file.seek(path.stat().st_size - 3)
                file.write(b"!!!")

    report = upgrading.upgrade(options(path), Inferred(), change)
    assert "source_changed" in {problem.code for problem in report.problems}
    assert not report.is_complete


# -- the server ------------------------------------------------------------------------------------


def _stopped(source: Path, url: str, **more: Any) -> Any:
    with pytest.raises(UpgradeStopped) as stopped:
        upgrading.upgrade(upgrading.Options(source, Target(url), **more), Inferred())
    return stopped.value.problems[0]


def test_addresses_that_lead_nowhere(
    make_source, postgres_server: PostgresServer, tmp_path
) -> None:
    path = make_source(_ROWS)
    assert _stopped(path, postgres_server.url("nowhere")).code == "no_database"
    assert _stopped(path, postgres_server.url(role="nobody_here")).code == "no_role"
    assert _stopped(path, f"postgresql://school@/x?host={tmp_path}").code == "unreachable"
    assert _stopped(path, "postgresql://school@127.0.0.1:1/x").code == "unreachable"
    assert _stopped(path, "nonsense").code in {"no_connection", "unreachable", "bad_address"}


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_another_encoding(encoding: str, make_source, postgres_server: PostgresServer) -> None:
    postgres_server.sql("DROP DATABASE IF EXISTS upgrade_letters")
    postgres_server.sql(
        f"CREATE DATABASE upgrade_letters OWNER school ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
    )
    problem = _stopped(make_source(_ROWS), postgres_server.url("upgrade_letters"))
    assert (problem.code, encoding in problem.message) == ("encoding", True)


def test_no_rights(make_source, postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database("upgrade_rights", owner=postgres_server.superuser)
    postgres_server.sql(
        "REVOKE ALL ON DATABASE upgrade_rights FROM PUBLIC; GRANT CONNECT ON DATABASE"
        " upgrade_rights TO school"
    )
    assert (
        _stopped(make_source(_ROWS), url.replace(postgres_server.superuser, "school")).code
        == "no_rights"
    )


def test_a_target_that_is_not_empty(make_source, url, sql) -> None:
    sql("CREATE TABLE mine (x int)")
    problem = _stopped(make_source(_ROWS), url)
    assert (problem.code, "mine" in problem.message) == ("not_empty", True)
    assert sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(1,)]


def test_an_old_server(make_source, url, monkeypatch) -> None:
    monkeypatch.setattr(target, "OLDEST", 99)
    problem = _stopped(make_source(_ROWS), url)
    assert (problem.code, "99" in problem.message) == ("old_server", True)


def test_a_file_that_changed_or_another_rule_cannot_go_on(make_source, url) -> None:
    path = make_source(_ROWS)
    assert upgrading.upgrade(upgrading.Options(path, Target(url)), Inferred()).is_complete
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO t (x) VALUES ('later')")
    assert _stopped(path, url).code == "other_source"


def test_the_command_prints_a_sentence_and_ends_with_1(tmp_path, url, capsys) -> None:
    code = command.main(["--sqlite-path", str(tmp_path / "none.db"), "--postgresql-url", url])
    printed = capsys.readouterr().out
    assert code == 1
    assert re.search(r"^Problem: There is no file .*none\.db\.$", printed, re.MULTILINE)


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """One that may be hurt."""
    try:
        with throwaway_postgres() as server:
            yield server
    except NoPostgres as reason:
        pytest.skip(str(reason))


def test_a_server_that_goes_away_midway_and_comes_back(
    make_source, own_server: PostgresServer, monkeypatch
) -> None:
    source = make_source(_ROWS + "CREATE TABLE u (x); INSERT INTO u VALUES (1);")
    url = own_server.create_database("upgrade_lost")
    before = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    control = [
        *before,
        str(own_server.binaries / "pg_ctl"),
        "-D",
        str(own_server.folder / "data"),
        "-w",
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", "check": True}
    once = threading.Event()
    fill = loading.arrow_schema

    def stop_then_fill(columns: Any) -> Any:
        if not once.is_set():
            once.set()
            subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
        return fill(columns)

    monkeypatch.setattr(loading, "arrow_schema", stop_then_fill)
    problem = _stopped(source, url)
    subprocess.run([*control, "start"], **quiet)
    assert (problem.code, "--resume" in problem.hint) == ("target_lost", True)
    options = upgrading.Options(source, Target(url), resume=True)
    assert upgrading.upgrade(options, Inferred()).is_complete


@pytest.fixture
def small_disk(own_server: PostgresServer, tmp_path: Path) -> Iterator[str]:
    """A database on a disk of 12 MB."""
    folder = own_server.folder / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("a small disk can be made by root only")
    try:
        space = folder / "space"
        space.mkdir()
        if os.geteuid() == 0:
            import shutil

            shutil.chown(space, "nobody")
        own_server.sql(f"CREATE TABLESPACE small LOCATION '{space}'")
        own_server.sql("GRANT CREATE ON TABLESPACE small TO school")
        url = own_server.create_database("upgrade_full")
        own_server.sql("ALTER DATABASE upgrade_full SET default_tablespace = small")
        yield url
        own_server.sql("DROP DATABASE upgrade_full WITH (FORCE)")
        own_server.sql("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_full_disk_of_the_server(make_source, small_disk: str) -> None:
    source = make_source(_ROWS)
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute("UPDATE t SET x = x || ' ' || hex(randomblob(600))")
    with psycopg.connect(small_disk) as connection:
        assert connection.execute("SHOW default_tablespace").fetchone() == ("small",)
    problem = _stopped(source, small_disk)
    assert (problem.code, "--resume" in problem.hint) == ("disk_full", True)
    with psycopg.connect(small_disk) as connection:
        assert connection.execute("SELECT status FROM schoolhouse_upgrade.run").fetchone() == (
            "incomplete",
        )


def test_a_wrong_password(make_source, own_server: PostgresServer) -> None:
    """The other roles of a throwaway server come in without one."""
    rules = own_server.folder / "data" / "pg_hba.conf"
    rules.write_text(f"local all guarded scram-sha-256\n{rules.read_text()}")
    own_server.sql("CREATE ROLE guarded LOGIN PASSWORD 'right'; SELECT pg_reload_conf()")
    address = own_server.url(role="guarded:wrong")

    with pytest.raises(UpgradeStopped) as stopped:
        upgrading.upgrade(upgrading.Options(make_source(_ROWS), Target(address)), Inferred())

    [problem] = stopped.value.problems
    assert problem.code == "wrong_password"
    assert "wrong" not in problem.message
