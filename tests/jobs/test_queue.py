"""A job is done once, tells how it went, and is found again when its worker dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from school import clock
from school.audit.actor import Actor, acting_as, current_actor
from school.cache import cache
from school.db import db, transaction
from school.errors import Invalid
from school.jobs import queue
from school.jobs.models import Job, JobState
from school.tenancy.models import School
from school.tenancy.scope import find_school_id, school_scope

RunJobs = Callable[[], int]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Calls of a job kind "test.note"; a payload with `raises` fails that way."""
    calls: list[Any] = []

    def note(what: str, raises: str = "") -> dict[str, Any]:
        calls.append((what, find_school_id(), current_actor().name))
        if raises == "rule":
            raise Invalid("There is no 31 February.")
        if raises == "bug":
            raise RuntimeError("broken")
        queue.progress(0.5, "half way")
        return {"noted": what}

    monkeypatch.setitem(queue._handlers, "test.note", note)
    return calls


def row(job_id: Any) -> Job:
    return db.session.scalars(
        sa.select(Job).where(Job.id == job_id).execution_options(populate_existing=True)
    ).one()


def test_a_job_runs_for_its_school_and_as_who_asked_for_it(
    school: School, ran: list[Any], run_jobs: RunJobs
) -> None:
    with school_scope(school.id), acting_as(Actor(name="Ingrid Solberg")), transaction():
        job = queue.enqueue("test.note", what="hello")
    run_jobs()
    assert ran == [("hello", school.id, "Ingrid Solberg")]
    done = row(job.id)
    assert (done.state, done.progress, done.result) == (JobState.DONE, 1.0, {"noted": "hello"})


def test_a_job_of_a_rolled_back_transaction_never_was(ran: list[Any], run_jobs: RunJobs, app: Flask) -> None:
    with pytest.raises(RuntimeError), transaction():
        queue.enqueue("test.note", what="never")
        raise RuntimeError
    assert run_jobs() == 0
    assert ran == []


def test_a_broken_rule_is_told_and_not_tried_again(ran: list[Any], run_jobs: RunJobs, app: Flask) -> None:
    with transaction():
        job = queue.enqueue("test.note", what="x", raises="rule")
    run_jobs()
    failed = row(job.id)
    assert (failed.state, failed.error, len(ran)) == (JobState.FAILED, "There is no 31 February.", 1)


def test_a_fault_is_tried_five_times_and_then_parked(
    ran: list[Any], run_jobs: RunJobs, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction():
        job = queue.enqueue("test.note", what="x", raises="bug")
    later = clock.now()
    for _ in range(8):
        run_jobs()
        later += timedelta(minutes=5)
        monkeypatch.setattr(clock, "now", lambda at=later: at)
    parked = row(job.id)
    assert (parked.state, parked.attempts, len(ran)) == (JobState.FAILED, 5, 5)
    assert parked.error is not None and parked.error.startswith("RuntimeError at ")
    assert "broken" not in parked.error  # it may quote what it was about


def test_two_workers_do_a_job_once(ran: list[Any], app: Flask) -> None:
    with transaction():
        job = queue.enqueue("test.note", what="once")
    queue.run(app.app_context, job.id)
    queue.run(app.app_context, job.id)
    assert len(ran) == 1


def test_a_job_whose_worker_died_is_put_back_in_line(ran: list[Any], run_jobs: RunJobs, app: Flask) -> None:
    with transaction():
        job = queue.enqueue("test.note", what="again")
    queue._claim(job.id)
    long_ago = clock.now() - timedelta(minutes=2)
    with transaction() as session:
        session.execute(sa.update(Job).values(heartbeat_at=long_ago))
    assert queue.reap() == 1
    run_jobs()
    assert [what for what, *_ in ran] == ["again"]
    assert row(job.id).attempts == 2


def test_a_job_that_still_breathes_is_left_alone(ran: list[Any], app: Flask) -> None:
    with transaction():
        job = queue.enqueue("test.note", what="slow")
    queue._claim(job.id)
    with transaction() as session:
        session.execute(sa.update(Job).values(heartbeat_at=clock.now() - timedelta(minutes=9)))
    cache.set(f"job:{job.id}:beat", 1, timeout=60)
    assert queue.reap() == 0


def test_another_schools_job_is_not_found(
    school: School, other_school: School, ran: list[Any], app: Flask
) -> None:
    with school_scope(school.id), transaction():
        job = queue.enqueue("test.note", what="secret")
    assert queue.find_job(job.id, school_id=other_school.id) is None
    assert queue.find_job(job.id, school_id=None) is None
    assert queue.find_job(job.id, school_id=school.id) is not None
