"""`python -m school …` as a person types it: plain sentences, honest exit codes, safe to repeat."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

from tests.servers.schoolhouse import environment_for, free_port, run

ROSTERS = Path(__file__).parent / "data" / "rosters"


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
