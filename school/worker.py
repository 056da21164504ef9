"""The background worker: inside a small installation's server, a process of its own in a big one.

huey carries the ids of committed jobs; what it loses, a look at the job table finds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar
from uuid import UUID

import sqlalchemy as sa
import structlog
from flask import Flask
from huey import Huey, RedisHuey, SqliteHuey
from huey.consumer import Consumer

from school.accounts.service.attempts import forget_old_attempts
from school.db import db
from school.errors import MovedAway
from school.files.service.reconciling import plan_reconcile
from school.files.service.recounting import plan_count
from school.files.service.retention import plan_retention
from school.files.service.scanning import plan_nightly_scan
from school.files.service.thumbnails.catching_up import plan_missing
from school.files.service.trashing import plan_purge
from school.jobs import queue
from school.mail.service import forget_old_texts
from school.roster.service import kept  # noqa: F401 - says which uploads are still wanted
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from school.web.idempotency import forget_old_answers
from school.web.sessions import sweep_sessions

T = TypeVar("T")
log = structlog.get_logger(__name__)
LOOK_EVERY_S = 2.0
REAP_EVERY_S = 60.0
FIRST_HOUSE_S = 300.0
KEEP_HOUSE_EVERY_S = 24 * 3600.0


class QuietConsumer(Consumer):  # type: ignore[misc]
    """A consumer that leaves signals to the program around it."""

    def _set_signal_handlers(self) -> None:
        return


def make_huey(*, redis_url: str, folder: Path) -> Huey:
    """The transport for these settings: Redis where there is one, a SQLite file otherwise."""
    if redis_url:
        return RedisHuey("schoolhouse", url=redis_url, blocking=True, read_timeout=1)
    folder.mkdir(parents=True, exist_ok=True)
    return SqliteHuey("schoolhouse", filename=str(folder / "queue.db"))


def connect_transport(app: Flask) -> Huey:
    """Let committed jobs travel by huey, and teach huey to run them."""
    settings = app.config["SETTINGS"]
    huey = make_huey(redis_url=settings.redis_url, folder=Path(settings.data_dir))

    @huey.task(name="run_job")  # type: ignore[untyped-decorator]
    def run_job(job_id: str) -> None:
        queue.run(app.app_context, UUID(job_id))

    queue.connect(lambda job_id: run_job(str(job_id)))
    app.extensions["school.huey"] = huey
    return huey


class Worker:
    """The consumer and the look-out, as threads."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._stop = threading.Event()
        self._consumer = QuietConsumer(
            app.extensions["school.huey"],
            workers=1,
            worker_type="thread",
            periodic=False,
            initial_delay=0.1,
            max_delay=0.5,
            check_worker_health=True,
        )
        self._is_alone = False
        self._reap_at = time.monotonic() + REAP_EVERY_S
        self._keep_house_at = time.monotonic() + FIRST_HOUSE_S
        self._lookout = threading.Thread(target=self._look, name="job-lookout", daemon=True)

    def start(self, *, alone: bool) -> None:
        """Begin. `alone`: no other worker exists, so whatever still claims to run was cut off."""
        self._is_alone = alone
        if alone:
            with self._app.app_context():
                queue.reap(stale_s=0)
        self._consumer.start()
        self._lookout.start()

    def wait(self) -> None:
        """Until somebody stops it."""
        while not self._stop.wait(3600):
            pass

    def stop(self) -> None:
        """Finish the job in hand, then end."""
        self._stop.set()
        self._consumer.stop(graceful=True)

    def _look(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            try:
                with self._app.app_context():
                    self._do_what_is_due()
                    due = queue.due_jobs()
                    db.session.remove()
                for job_id in due:
                    queue.run(self._app.app_context, job_id)
            except MovedAway:
                log.warning("worker.database_moved")
                self._stop.wait(REAP_EVERY_S)
            except Exception:
                # The look-out must outlive a database or Redis that is away for a while.
                log.exception("worker.lookout_failed")

    def _do_what_is_due(self) -> None:
        now = time.monotonic()
        if now >= self._reap_at:
            self._reap_at = now + REAP_EVERY_S
            queue.reap()
        if self._is_alone and now >= self._keep_house_at:
            self._keep_house_at = now + FIRST_HOUSE_S  # in case it fails
            log.info("worker.house_kept", **keep_house(self._app)._asdict())
            self._keep_house_at = now + KEEP_HOUSE_EVERY_S


class HouseKept(NamedTuple):
    """How many of each were removed, or put back in line."""

    sessions: int
    attempts: int
    jobs: int
    answers: int


def keep_house(app: Flask) -> HouseKept:
    """What is to be done every night. A big installation's timer calls it, a small one's worker."""
    forget_old_texts()
    plan_reconcile()
    in_every_school(plan_nightly_scan)
    in_every_school(plan_count)
    in_every_school(plan_retention)
    in_every_school(plan_purge)
    in_every_school(plan_missing)
    return HouseKept(
        sweep_sessions(app),
        forget_old_attempts(),
        queue.reap(),
        sum(in_every_school(forget_old_answers)),
    )


def in_every_school(act: Callable[[], T]) -> list[T]:
    """What `act` answers in each school."""
    found = list(db.session.scalars(sa.select(School.id).order_by(School.id)))
    db.session.remove()
    answers = []
    for school_id in found:
        with school_scope(school_id):
            answers.append(act())
        db.session.remove()
    return answers


def run_until_done(app: Flask) -> int:
    """Do every waiting job here and now (tests, the command line). Returns how many were tried."""
    tried = 0
    while True:
        with app.app_context():
            due = queue.due_jobs()
            db.session.remove()
        if not due:
            return tried
        for job_id in due:
            queue.run(app.app_context, job_id)
            tried += 1
