"""The worker of a small installation does at night what a big one's timer does."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from flask import Flask

from school import clock
from school.accounts.models import LoginAttempt
from school.db import db, transaction
from school.jobs.models import Job
from school.worker import Worker, keep_house


def note_old_try() -> None:
    with transaction():
        old = clock.now() - timedelta(days=2)
        db.session.add(LoginAttempt(at=old, name_hash="x", address="x", succeeded=False))


def tries() -> int | None:
    return db.session.scalar(sa.select(sa.func.count()).select_from(LoginAttempt))


def look(app: Flask, *, alone: bool) -> None:
    """One look of a worker that has stood here for a day."""
    worker = Worker(app)
    worker._is_alone, worker._keep_house_at = alone, 0.0
    worker._do_what_is_due()


def test_a_lone_worker_keeps_house(app: Flask) -> None:
    note_old_try()
    look(app, alone=True)
    assert tries() == 0


def test_a_worker_beside_a_timer_leaves_it_to_the_timer(app: Flask) -> None:
    note_old_try()
    look(app, alone=False)
    assert tries() == 1


def test_every_night_one_comparison_of_files_is_planned(app: Flask) -> None:
    for _ in range(2):
        keep_house(app)
    kinds = db.session.scalars(sa.select(Job.kind)).all()
    assert kinds == ["files.reconcile"]
