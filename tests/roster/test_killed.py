"""kill -9 at any moment leaves nothing or everything, and the work can be done again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from school import clock
from school.audit.models import AuditEvent
from school.db import db, transaction
from school.jobs import queue
from school.jobs.models import Job, JobState
from school.roster.models import ImportState, RosterImport, RosterRow
from school.roster.service import uploads
from school.students.models import Guardian, Student
from school.tenancy.scope import school_scope
from tests.conftest import POSTGRES_URL
from tests.roster.conftest import ROSTERS, import_file, stage_file

ROOT = Path(__file__).parent.parent.parent
FILE = ROSTERS / "uk-semicolon-cp1252.csv"


def run_killed(app, job_id, moment: int | str) -> int:
    """The exit code of the process that did the job."""
    url = app.config["SQLALCHEMY_DATABASE_URI"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.roster.killed_import", app.config["SETTINGS"].data_dir,
         str(url), str(job_id), str(moment)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=120, check=False,
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr[-2000:]
    return done.returncode


def count(model) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(model))


def fresh(imported) -> RosterImport:
    db.session.expire_all()
    return db.session.scalars(sa.select(RosterImport).where(RosterImport.id == imported.id)).one()


def job_again(job_id) -> None:
    """What the reaper does with a job whose worker is gone."""
    with transaction():
        db.session.execute(
            sa.update(Job).where(Job.id == job_id).values(state=JobState.WAITING)
        )


@pytest.mark.parametrize("moment", [1, 3, 6, 9])
def test_a_commit_killed_on_the_way_leaves_nothing_and_can_be_done_again(
    app, school, run_jobs, moment
):
    with school_scope(school.id):
        imported = stage_file(FILE)
        with transaction():
            job_id = uploads.begin_commit(imported.id).job_id
        events = count(AuditEvent)
    db.session.remove()
    assert run_killed(app, job_id, moment) == -signal.SIGKILL
    with school_scope(school.id):
        assert fresh(imported).state == ImportState.PREVIEW
        assert (count(Student), count(Guardian), count(AuditEvent)) == (0, 0, events)
    assert queue.reap(stale_s=0) == 1
    run_jobs()
    with school_scope(school.id):
        assert fresh(imported).state == ImportState.COMMITTED
        assert (count(Student), count(Guardian)) == (410, 456)


def test_a_commit_that_ended_and_is_run_again_writes_nothing_twice(app, school, run_jobs):
    with school_scope(school.id):
        imported = stage_file(FILE)
        with transaction():
            job_id = uploads.begin_commit(imported.id).job_id
    db.session.remove()
    assert run_killed(app, job_id, 0) == 0
    # The worker died after the commit and before it could say so: the job is run again.
    job_again(job_id)
    run_jobs()
    with school_scope(school.id):
        assert count(Student) == 410
        assert fresh(imported).state == ImportState.COMMITTED
    assert db.session.scalar(sa.select(Job.state).where(Job.id == job_id)) == JobState.DONE


def test_reading_that_was_killed_begins_afresh(app, school, run_jobs):
    storage = app.extensions["school.storage"]
    with school_scope(school.id), FILE.open("rb") as stream:
        imported = uploads.receive(
            storage, stream, filename=FILE.name, size_bytes=FILE.stat().st_size
        )
        job_id = imported.job_id
    db.session.remove()
    assert run_killed(app, job_id, 1) == -signal.SIGKILL
    with school_scope(school.id):
        assert fresh(imported).state == ImportState.READING
        assert count(Student) == 0
    assert queue.reap(stale_s=0) == 1
    run_jobs()
    with school_scope(school.id):
        assert fresh(imported).state == ImportState.PREVIEW
        assert count(RosterRow) == 412


def test_a_spreadsheet_whose_arrival_was_cut_off_is_taken_away(app, school, run_jobs, monkeypatch):
    storage = app.extensions["school.storage"]

    def cut(*_args, **_more):
        raise KeyboardInterrupt

    before = {one.key for one in storage.list("import/")}
    with school_scope(school.id), FILE.open("rb") as stream:
        monkeypatch.setattr(uploads, "keep_after_all", cut)
        with pytest.raises(KeyboardInterrupt):
            uploads.receive(
                storage, stream, filename=FILE.name, size_bytes=FILE.stat().st_size
            )
        assert count(RosterImport) == 0
    assert len({one.key for one in storage.list("import/")} - before) == 1
    with clock.set_to(clock.now() + timedelta(hours=2)):
        run_jobs()
    assert {one.key for one in storage.list("import/")} == before


@pytest.mark.parametrize("moment", ["s1", "s4", "s9", "s14"])
def test_an_undo_killed_on_the_way_leaves_the_import_and_can_be_done_again(
    app, school, run_jobs, moment
):
    with school_scope(school.id):
        imported = import_file(FILE)
        with transaction():
            job_id = uploads.begin_undo(imported.id).job_id
        events = count(AuditEvent)
    db.session.remove()
    assert run_killed(app, job_id, moment) == -signal.SIGKILL
    with school_scope(school.id):
        assert fresh(imported).state == ImportState.COMMITTED
        assert (count(Student), count(Guardian), count(AuditEvent)) == (410, 456, events)
    assert queue.reap(stale_s=0) == 1
    run_jobs()
    with school_scope(school.id):
        assert fresh(imported).state == ImportState.UNDONE
        assert (count(Student), count(Guardian)) == (0, 0)


def test_the_database_under_test_is_the_one_the_process_uses(app):
    assert bool(POSTGRES_URL) == ("postgresql" in str(app.config["SQLALCHEMY_DATABASE_URI"]))
