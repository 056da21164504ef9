"""`python -m school …` as a person types it: plain sentences, honest exit codes, safe to repeat."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from school.cli import _lacks_tables
from tests.servers.schoolhouse import ROOT, environment_for, free_port, run

ROSTERS = Path(__file__).parent / "data" / "rosters"
AWKWARD = "data #1 %41 ?é 🏫 $x"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An installation with its tables and one school."""
    environment = environment_for(tmp_path_factory.mktemp("cli"), free_port())
    run(environment, "db", "upgrade")
    environment["LINK"] = run(
        environment, "setup", "--school", "Kelby School", "--email", "head@kelby.example.org"
    ).stdout
    return environment


def test_setting_up_prints_a_link_that_signs_in_once(installed: dict[str, str]) -> None:
    assert "Kelby School is ready" in installed["LINK"]
    assert re.search(r"http://127\.0\.0\.1:\d+/welcome/\S{20,}", installed["LINK"])


def test_a_school_keeps_the_time_of_the_machine_it_was_founded_on(tmp_path: Path) -> None:
    environment = {**environment_for(tmp_path, free_port()), "TZ": "Europe/Oslo"}
    run(environment, "db", "upgrade")
    run(environment, "setup", "--school", "Fjord School", "--email", "head@fjord.example.org")
    with sqlite3.connect(next(tmp_path.rglob("*.db"))) as database:
        assert database.execute("SELECT time_zone FROM school").fetchall() == [("Europe/Oslo",)]


def test_upgrading_twice_says_there_is_nothing_to_do(installed: dict[str, str]) -> None:
    assert "up to date" in run(installed, "db", "upgrade").stdout
    assert "(newest)" in run(installed, "db", "status").stdout


def test_a_roster_is_imported_and_the_answer_is_one_object(installed: dict[str, str]) -> None:
    done = run(
        installed, "students", "import", str(ROSTERS / "uk-semicolon-cp1252.csv"), "--yes", "--json"
    )
    answer = json.loads(done.stdout)
    assert answer["encoding"] == "cp1252"
    assert answer["rows"] == 412
    assert answer["students"] == {"new": 410, "changed": 0, "unchanged": 0, "gone": 0, "problem": 2}
    assert {"row", "column", "value", "code", "message"} == set(answer["problems"][0])
    again = json.loads(
        run(
            installed,
            "students",
            "import",
            str(ROSTERS / "uk-semicolon-cp1252.csv"),
            "--dry-run",
            "--json",
        ).stdout
    )
    assert again["students"]["unchanged"] == 410
    assert again["students"]["new"] == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("letter.csv", b"%PDF-1.7\n1 0 obj\n"),
        ("cut.xlsx", b"PK\x03\x04\x14\x00"),
    ],
)
def test_a_broken_file_gets_one_sentence_and_changes_nothing(
    installed: dict[str, str], tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    done = run(installed, "students", "import", str(path), "--yes", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert 1 <= len([line for line in done.stderr.splitlines() if line.strip()]) <= 3


def test_wrong_usage_is_exit_code_two(installed: dict[str, str]) -> None:
    assert run(installed, "students", "import", "no-such-file.csv", check=False).returncode == 2
    assert run(installed, "nonsense", check=False).returncode == 2


def test_a_faulty_setting_is_named_without_a_traceback(installed: dict[str, str]) -> None:
    done = run(
        {**installed, "DATABASE_URL": "mysql://x/y", "PORT": "0", "SECRET_KEY": "short"},
        "db",
        "status",
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for name in ("DATABASE_URL", "PORT", "SECRET_KEY"):
        assert name in done.stderr, "all at once"


def test_a_database_that_is_away_is_said_to_be_away(installed: dict[str, str]) -> None:
    done = run(
        {**installed, "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/school"},
        "preflight",
        "--json",
        check=False,
    )
    assert done.returncode == 1
    assert "does not answer" in json.loads(done.stdout)["faults"][0]


def test_the_demo_is_refused_where_it_was_not_asked_for(installed: dict[str, str]) -> None:
    done = run(installed, "demo", check=False)
    assert (done.returncode, "not a demo" in done.stderr) == (1, True)


def test_nightly_work_may_be_done_twice(installed: dict[str, str]) -> None:
    run(installed, "housekeeping")
    assert "0 expired sessions" in run(installed, "housekeeping").stdout
    assert json.loads(run(installed, "files", "sweep", "--json").stdout)["deleted"] == 0


def test_an_awkward_folder_holds_everything_and_nobody_else_reads_it(tmp_path: Path) -> None:
    """The program's own folder and the data folder, both called so; made under umask 000."""
    program, data = tmp_path / f"program {AWKWARD}", tmp_path / AWKWARD
    program.mkdir()
    data.mkdir(mode=0o700)
    for name in ("school", "migrations", "config_enhanced.py"):
        (program / name).symlink_to(ROOT / name)
    environment = {**environment_for(data, free_port(), DEMO="true"), "PYTHONPATH": str(program)}
    for words in (["db", "upgrade"], ["db", "status"], ["demo"], ["preflight"]):
        done = subprocess.run(
            [sys.executable, "-m", "school", *words],
            env=environment, cwd=tmp_path, capture_output=True, text=True, umask=0,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), words
    assert {path.name for path in tmp_path.iterdir()} == {program.name, data.name}
    assert {"schoolhouse.db", "files"} <= {path.name for path in data.iterdir()}
    assert [path for path in data.rglob("*") if path.stat().st_mode & 0o077] == []


def test_before_migrations_it_says_what_to_do(tmp_path: Path) -> None:
    environment = environment_for(tmp_path, free_port())
    for words in (["user", "list"], ["files", "list"], ["serve"], ["housekeeping"]):
        done = run(environment, *words, check=False)
        assert (done.returncode, done.stdout) == (1, ""), words
        assert done.stderr == "The database is not set up yet; run python -m school db upgrade.\n"


def test_only_a_missing_table_or_column_means_that_migrations_are_due() -> None:
    def lacks(original: Exception) -> bool:
        return _lacks_tables(OperationalError("SELECT 1", {}, original))

    assert lacks(psycopg.errors.UndefinedTable("relation does not exist"))
    assert lacks(sqlite3.OperationalError("no such table: user"))
    assert not lacks(psycopg.errors.InsufficientPrivilege("permission denied for table user"))
    assert not lacks(sqlite3.OperationalError("database or disk is full"))


def test_a_data_folder_that_was_moved_is_not_replaced(
    installed: dict[str, str], tmp_path: Path
) -> None:
    for words in (["db", "upgrade"], ["serve"], ["user", "list"]):
        done = run({**installed, "DATA_DIR": str(tmp_path / "gone")}, *words, check=False)
        assert done.returncode == 1
        assert "so that nothing seems lost" in done.stderr
    assert not (tmp_path / "gone").exists()


def test_a_taken_port_is_said_with_who_has_it(installed: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = run(installed, "serve", "--port", str(port), check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Port {port} is taken by ")
    assert f"(process {os.getpid()})" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("no-such-host.invalid", "There is no computer called no-such-host.invalid."),
        ("192.0.2.1", "192.0.2.1 is not an address of this computer."),
    ],
)
def test_a_host_that_is_not_here_is_a_sentence(
    installed: dict[str, str], host: str, sentence: str
) -> None:
    done = run(installed, "serve", "--host", host, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(sentence)


def test_a_port_that_cannot_be_is_wrong_usage(installed: dict[str, str]) -> None:
    assert run(installed, "serve", "--port", "99999", check=False).returncode == 2


def test_it_runs_on_where_it_says_and_says_so_once_it_listens(installed: dict[str, str]) -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "school", "serve", "--host", "localhost", "--port", str(port)],
        env=installed, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        assert f"runs on http://localhost:{port} " in server.stdout.readline()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            assert answer.status == 200
        server.send_signal(signal.SIGINT)
        try:
            assert "Traceback" not in server.communicate(timeout=30)[1]
        finally:
            server.kill()  # a server that stays must not keep the tests waiting


def test_an_import_without_standard_input_is_wrong_usage(installed: dict[str, str]) -> None:
    command = [sys.executable, "-m", "school", "students", "import"]
    done = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *command, str(ROSTERS / "uk-semicolon-cp1252.csv")],
        env=installed, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Say either --dry-run or --yes." in done.stderr
