"""The operators' page of the database, and the move to PostgreSQL from it.

The move itself is tried in tests/upgrade; here a small program stands in for it.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from school.admin.service import moving_database
from school.admin.service.moving_database import JOB, Desk
from school.audit.models import PlatformEvent
from school.db import db, transaction
from school.errors import MovedAway
from school.jobs.models import Job, JobState
from school.permissions import Role
from school.upgrade.standing import mark_beside
from tests.conftest import POSTGRES_URL

PAGE = "/platform/database"
ADDRESS = "postgresql://school:geheim@db.example.org/school"
NOTHING = {
    "status": "incomplete", "is_trial": True, "tables": [], "problems": [], "handled": [],
    "notes": ["“old” is no table of this program and stays behind."],
    "checks": [{"name": "redis", "ok": None, "sentence": "REDIS_URL is not set."}],
}  # fmt: skip
FULL = {**NOTHING, "problems": [
    {"message": "The target has tables already: student.", "hint": "Take an empty database.",
     "examples": ["row 7: <b>"]}
]}  # fmt: skip
COMPLETE = {**NOTHING, "status": "complete", "is_trial": False, "tables": [
    {"name": "student", "source": 1603, "loaded": 1602, "rejected": 1, "checksums_equal": True,
     "unequal": []},
    {"name": "guardian", "source": 2, "loaded": 2, "rejected": 0, "checksums_equal": False,
     "unequal": ["phone"]},
]}  # fmt: skip

pytestmark = pytest.mark.skipif(bool(POSTGRES_URL), reason="a move begins on SQLite")


@pytest.fixture
def desk(app, tmp_path):
    folder = Path(app.config["SETTINGS"].data_dir) / "database-move"
    desk = Desk(folder)
    yield desk
    for file in folder.glob("*"):
        file.unlink()


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Stands in for database_upgrade.py: says this report, and notes how it was called."""

    def say(report, *, code=0):
        script = tmp_path / "stand_in.py"
        script.write_text(
            "import json, pathlib, sys\n"
            f"pathlib.Path({str(tmp_path / 'called.json')!r}).write_text("
            "json.dumps([sys.argv[1:], sys.stdin.readline()]))\n"
            "for p, d, t in [('preflight', 0, 0), ('load', 0, 0), ('load', 5, 10), ('index', 0, 0)]:\n"
            "    print(json.dumps({'phase': p, 'done': d, 'total': t}))\n"
            + (f"print({json.dumps(json.dumps(report))})\n" if report else "")
            + f"sys.exit({code})\n"
        )
        monkeypatch.setattr(moving_database, "SCRIPT", script)
        return tmp_path / "called.json"

    return say


def look(client, address=ADDRESS):
    return client.post(f"{PAGE}/look", data={"address_with_password": address})


def test_the_page_says_what_is_in_use(page, platform):
    shown = page(platform, PAGE)
    assert "SQLite, a file" in shown.text
    assert "Look first" in shown.text
    assert "Move now" not in shown.text


@pytest.mark.parametrize(
    "address",
    ["", "mysql://host/school", "postgresql://host", "postgresql://a:b@:x/y", "school.db"],
)
def test_what_is_no_address_is_refused_and_not_shown_again(page, platform, desk, address):
    answer = look(platform, address)
    assert answer.status_code == 422
    assert desk.address() is None
    assert not address or f'value="{address}"' not in answer.text


def test_a_look_shows_what_stands_in_the_way(page, platform, desk, program, run_jobs):
    called = program(FULL, code=1)
    assert look(platform).status_code == 303
    assert "Move now" not in page(platform, PAGE).text
    run_jobs()
    shown = page(platform, PAGE)
    assert "The target has tables already: student." in shown.text
    assert "Take an empty database." in shown.text
    assert "&lt;b&gt;" in shown.html
    assert "Move now" not in shown.text
    arguments, address = json.loads(called.read_text())
    assert "--dry-run" in arguments
    assert address.strip() == ADDRESS
    assert ADDRESS not in " ".join(arguments)


def test_only_after_a_clear_look_it_moves(page, platform, desk, program, run_jobs):
    assert platform.post(f"{PAGE}/move").status_code == 409
    program(NOTHING)
    look(platform)
    run_jobs()
    shown = page(platform, PAGE)
    assert "Nothing stands in the way" in shown.text
    assert "postgresql://school:***@db.example.org/school" in shown.text
    called = program(COMPLETE)
    assert platform.post(f"{PAGE}/move").status_code == 303
    run_jobs()
    assert "--start-over" in json.loads(called.read_text())[0]
    assert "Complete" in page(platform, PAGE).text
    report = page(platform, f"{PAGE}/report")
    assert "1,603" in report.text
    assert "1 rejected" in report.text
    assert "phone" in report.text
    assert "REDIS_URL is not set." in report.text


def test_the_address_is_in_no_row_and_for_nobody_elses_eyes(platform, desk, program, run_jobs):
    program(NOTHING)
    look(platform)
    kept = desk.folder / "address"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    told = [str(job.payload) for job in db.session.scalars(sa.select(Job))]
    told += [str(event.details) for event in db.session.scalars(sa.select(PlatformEvent))]
    assert "geheim" not in " ".join(told)
    assert "db.example.org" in " ".join(told)
    program(COMPLETE)
    run_jobs()
    assert not kept.exists()


def test_one_at_a_time(platform, desk):
    assert look(platform).status_code == 303
    assert look(platform).status_code == 409


def test_without_a_report_it_says_where_to_look(page, platform, desk, program, run_jobs):
    program(None, code=1)
    look(platform)
    run_jobs()
    assert "messages.txt" in page(platform, PAGE).text
    assert platform.get(f"{PAGE}/report").status_code == 404


def test_the_row_under_way_watches_itself_and_leads_on(page, platform, desk, program, run_jobs):
    program(NOTHING)
    look(platform)
    job = db.session.scalars(sa.select(Job).where(Job.kind == JOB)).one()
    row = f"{PAGE}/work/{job.id}"
    assert "hx-get" in page(platform, row).html
    assert row in page(platform, PAGE).html
    run_jobs()
    db.session.expire_all()
    answer = platform.get(row, headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == PAGE
    other = "00000000-0000-0000-0000-000000000000"
    assert platform.get(f"{PAGE}/work/{other}").status_code == 404


def test_after_the_move_nothing_is_saved_and_the_page_says_what_to_do(app, page, platform, desk):
    with transaction() as session:
        session.add(Job(kind=JOB, actor_name="Pat", state=JobState.RUNNING, payload={}))
    mark = mark_beside(db.engine.url.database)
    mark.write_text("")
    try:
        shown = page(platform, PAGE)
        assert "Restart the server now" in shown.text
        assert str(mark) in shown.text
        assert "Look first" not in shown.text
        assert look(platform).status_code == 409
        with pytest.raises(MovedAway), transaction() as session:
            session.add(Job(kind="x", actor_name="Pat", payload={}))
    finally:
        mark.unlink()
    db.session.remove()
    assert db.session.scalar(sa.select(Job).where(Job.kind == "x")) is None


def test_what_a_person_typed_is_kept_when_the_database_has_moved(app, client_for):
    client = client_for(Role.ADMINISTRATOR)
    mark = mark_beside(db.engine.url.database)
    mark.write_text("")
    try:
        answer = client.post(
            "/classes/add",
            data={"name": "8C kept"},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
    finally:
        mark.unlink()
    assert answer.status_code == 503
    assert "8C kept" in answer.text
    assert "restarted" in answer.text


def test_what_a_person_typed_is_kept_while_the_records_move(client_for):
    client = client_for(Role.ADMINISTRATOR)
    db.engine.dispose()  # of the next two connections one writes, and one is without patience
    with db.engine.connect() as writer:
        writer.exec_driver_sql("BEGIN IMMEDIATE")
        with db.engine.connect() as other:
            other.exec_driver_sql("PRAGMA busy_timeout = 0")
        answer = client.post(
            "/classes/add", data={"name": "8C kept"}, headers={"Sec-Fetch-Site": "same-origin"}
        )
        writer.exec_driver_sql("ROLLBACK")
    db.engine.dispose()
    assert answer.status_code == 503
    assert "8C kept" in answer.text
    assert "send it again in a minute" in answer.text


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.TEACHER])
def test_nobody_of_a_school_gets_there(client_for, role):
    client = client_for(role)
    assert client.get(PAGE).status_code == 403
    assert client.post(f"{PAGE}/move").status_code == 403
