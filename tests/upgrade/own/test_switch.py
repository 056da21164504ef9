"""After a complete move: the settings file, what the program needs, and who may be served."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from school.admin.service.moving_database import Desk
from school.audit.models import PlatformEvent
from school.cli import main as program
from school.db import db
from school.errors import Unavailable
from school.jobs.models import Job
from school.jobs.queue import reap
from school.to_postgresql import door, ours, switch
from school.upgrade import upgrading
from school.upgrade.standing import HALF_FILLED, mark_beside
from school.upgrade.target import Target
from school.worker import run_until_done
from tests.upgrade.own.conftest import close, open_app
from tests.upgrade.own.operators import Operator


def command(capsys, file, url, *options) -> tuple[int, dict]:
    code = door.run(["--sqlite-path", str(file), "--postgresql-url", url, "--json", *options])
    return code, json.loads(capsys.readouterr().out)


def check(told: dict, name: str) -> dict:
    return next(one for one in told["checks"] if one["name"] == name)


def test_the_command_moves_switches_and_says_how_to_return(
    capsys, copy_of_school, new_url, settings_folder, tmp_path
):
    file = settings_folder()
    before = copy_of_school.read_bytes()
    code, told = command(capsys, copy_of_school, new_url, "--report", str(tmp_path / "r.html"))
    assert (code, told["status"]) == (0, "complete")
    lines = file.read_text().splitlines()
    assert f"#DATABASE_URL=sqlite:///{copy_of_school}" in lines
    assert f"DATABASE_URL={switch.quote(new_url)}" in lines
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert copy_of_school.read_bytes() == before
    assert "Restart the program" in check(told, "switch")["sentence"]
    assert check(told, "row_security")["ok"] is True
    assert check(told, "pool")["ok"] is True
    assert check(told, "redis")["ok"] is None
    assert "<td>student</td>" in (tmp_path / "r.html").read_text()
    # Once more: nothing more to do, and nothing is said twice.
    code, told = command(capsys, copy_of_school, new_url)
    assert code == 0
    assert file.read_text().splitlines() == lines
    _go_back(file, copy_of_school)


def _go_back(file: Path, source: Path) -> None:
    """As the comment in .env says."""
    with pytest.raises(Unavailable, match="takes no more changes"):
        open_app(file.parent / "data", f"sqlite:///{source}")
    mark_beside(source).unlink()
    close(open_app(file.parent / "data", f"sqlite:///{source}"))


def test_without_switching_everything_stays_as_it_is(
    capsys, copy_of_school, new_url, settings_folder
):
    file = settings_folder()
    before = file.read_bytes()
    assert command(capsys, copy_of_school, new_url, "--no-switch")[0] == 0
    assert file.read_bytes() == before
    assert not mark_beside(copy_of_school).exists()


def test_what_is_not_complete_is_not_switched(capsys, copy_of_school, new_url, settings_folder):
    file = settings_folder()
    before = file.read_bytes()
    with sqlite3.connect(copy_of_school) as plain:
        plain.execute("UPDATE school SET phone = 'a' || char(0)")
    plain.close()
    code, told = command(capsys, copy_of_school, new_url)
    assert (code, told["status"]) == (1, "incomplete")
    assert file.read_bytes() == before
    assert not mark_beside(copy_of_school).exists()


def test_a_look_tells_what_the_program_will_need(capsys, copy_of_school, new_url, settings_folder):
    settings_folder()
    code, told = command(capsys, copy_of_school, new_url, "--dry-run")
    assert code == 0
    assert [one["name"] for one in told["checks"]] == [
        "connection",
        "pool",
        "row_security",
        "redis",
    ]


@pytest.mark.parametrize("line", ["DATABASE_URL=sqlite:////elsewhere/other.db", "DATABASE_URL="])
def test_a_program_that_uses_another_database_is_left_alone(
    line, copy_of_school, settings_folder, tmp_path
):
    settings_folder(line)
    assert ours._env_file(copy_of_school) is None
    told = switch.switch(None, copy_of_school, "postgresql://h/d")
    assert "not switched" in told.sentence
    assert not mark_beside(copy_of_school).exists()


def test_the_default_file_in_the_data_folder_is_switched_too(
    settings_folder, copy_of_school, tmp_path
):
    file = settings_folder("PORT=8000")
    copy_of_school.rename(tmp_path / "data" / "schoolhouse.db")
    source = tmp_path / "data" / "schoolhouse.db"
    assert ours._env_file(source) == Path(".env")
    assert switch.switch(file, source, "postgresql://a:b c@h/d").ok
    lines = file.read_text().splitlines()
    assert "#DATABASE_URL=" in lines
    assert "DATABASE_URL='postgresql://a:b c@h/d'" in lines


def test_an_address_in_the_environment_is_told(monkeypatch, settings_folder, copy_of_school):
    file = settings_folder()
    monkeypatch.setenv("DATABASE_URL", "sqlite:///x")
    told = switch.switch(file, copy_of_school, "postgresql://h/d")
    assert "environment" in told.sentence
    assert "postgresql" not in file.read_text()


def test_a_settings_file_that_cannot_be_written_leaves_the_old_database_in_use(
    monkeypatch, settings_folder, copy_of_school
):
    file = settings_folder()
    before = file.read_bytes()

    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(switch, "_write_settings", refuse)
    told = switch.switch(file, copy_of_school, "postgresql://h/d")
    assert told.ok is None
    assert "Permission denied" in told.sentence
    assert file.read_bytes() == before
    assert not mark_beside(copy_of_school).exists()


def test_a_superuser_is_told_that_no_wall_binds_it(postgres_server, moved_url):
    url = moved_url.replace("school@", f"{postgres_server.superuser}@")
    told = {one.name: one for one in switch.checks(url, switch.Wanted(pool_size=300))}
    assert told["row_security"].ok is False
    assert "superuser" in told["row_security"].sentence
    assert told["pool"].ok is False
    assert "lower these settings" in told["pool"].sentence


def test_what_does_not_answer_is_told():
    told = {
        one.name: one
        for one in switch.checks(
            "postgresql://h@/d?host=/nowhere", switch.Wanted(redis_url="redis://127.0.0.1:1/0")
        )
    }
    assert told["connection"].ok is False
    assert told["redis"].ok is False


# -- who may be served -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def half_filled(old_school, postgres_server) -> str:
    def cut_off(phase, *_):
        if phase == "verify":
            raise KeyboardInterrupt

    url = postgres_server.create_database("own_half")
    options = upgrading.Options(old_school.file, Target(url))
    with pytest.raises(KeyboardInterrupt):
        upgrading.upgrade(options, ours.our_layout(), cut_off)
    return url


@pytest.mark.parametrize("asked", [["serve"], ["worker"], ["housekeeping"], ["db", "upgrade"]])
def test_a_half_filled_database_is_not_served(
    half_filled, settings_folder, monkeypatch, capsys, asked
):
    settings_folder(f"DATABASE_URL={half_filled}")
    with pytest.raises(SystemExit) as ended:
        program(asked, standalone_mode=False)
    assert ended.value.code == 1
    assert HALF_FILLED in capsys.readouterr().err


def test_flask_does_not_start_on_it_either(half_filled, tmp_path):
    with pytest.raises(Unavailable, match="half filled"):
        open_app(tmp_path, half_filled)


def test_a_running_server_says_that_it_is_not_ready(moved_url, tmp_path):
    app = open_app(tmp_path, moved_url)
    client = app.test_client()
    try:
        assert client.get("/readyz").json["parts"]["upgrade"]["ok"]
        _mark(moved_url, "incomplete")
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json["parts"]["upgrade"]["ok"]) == (503, False)
    finally:
        _mark(moved_url, "complete")
        close(app)


def _mark(url: str, status: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE schoolhouse_upgrade.run SET status = %s", [status])


def test_somebody_who_may_only_use_the_tables_sees_it_too(postgres_server, half_filled, tmp_path):
    postgres_server.sql("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN")
    with pytest.raises(Unavailable, match="half filled"):
        open_app(tmp_path, half_filled.replace("school@", "guest@"))


def test_a_running_server_saves_nothing_once_the_file_has_moved(copy_of_school, tmp_path):
    app = open_app(tmp_path, f"sqlite:///{copy_of_school}")
    mark_beside(copy_of_school).write_text("")
    try:
        answer = app.test_client().get("/readyz")
        assert (answer.status_code, answer.json["parts"]["upgrade"]["ok"]) == (503, False)
    finally:
        close(app)


TRY_TO_WRITE = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as error:
    print(error)
"""


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_nobody_writes_to_the_file_from_the_first_look_to_the_switch(mode, copy_of_school, new_url):
    """Another process is told to wait: what it saves would be missing in the new database."""
    with sqlite3.connect(copy_of_school) as plain:
        plain.execute(f"PRAGMA journal_mode = {mode}")
    plain.close()
    seen = {}

    def write(place, *_):
        if place not in seen:
            asked = [sys.executable, "-c", TRY_TO_WRITE, str(copy_of_school)]
            done = subprocess.run(asked, capture_output=True, text=True, check=True)
            seen[place] = done.stdout.strip()

    report = upgrading.upgrade(
        upgrading.Options(copy_of_school, Target(new_url)),
        ours.our_layout(),
        lambda phase, *_: write(phase),
        lambda _report: write("complete"),
    )
    assert report.is_complete
    assert {"load", "index", "verify", "complete"} < set(seen)
    assert set(seen.values()) == {"database is locked"}


# -- from the browser ------------------------------------------------------------------------------


def test_the_job_of_the_page_moves_and_switches(
    copy_of_school, new_url, settings_folder, old_school, tmp_path
):
    """The real command behind the real page, beside a program that uses the file meanwhile."""
    file = settings_folder()
    app = open_app(tmp_path / "data", f"sqlite:///{copy_of_school}")
    operator = Operator(app, old_school.who)
    desk = Desk(tmp_path / "data" / "database-move")
    desk.keep_address(new_url)
    desk.keep_report({"is_trial": True, "problems": []})
    try:
        operator.move()
        shown = operator.page()
        assert "Restart the server now" in shown
        assert "Complete" in shown
        assert f"DATABASE_URL={switch.quote(new_url)}" in file.read_text()
        assert desk.address() is None
    finally:
        close(app)
    _the_job_ends_in_the_new_database(tmp_path / "data", new_url)


def _the_job_ends_in_the_new_database(folder: Path, url: str) -> None:
    app = open_app(folder, url)
    with app.app_context():
        reap(stale_s=0)
    run_until_done(app)
    with app.app_context():
        states = {job.state for job in db.session.query(Job).filter_by(kind="move_database")}
        actions = {event.action for event in db.session.query(PlatformEvent)}
    close(app)
    assert states == {"done"}
    assert {"database.move", "database.moved"} <= actions
