"""Enqueue, run, report progress, and find again what was lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import OperationalError

from school import clock
from school.audit.actor import Actor, acting_as, current_actor
from school.cache import cache
from school.db import after_commit, db, transaction
from school.errors import DomainError, MovedAway
from school.faults import name_fault
from school.jobs.models import FINISHED, Job, JobState
from school.tenancy.scope import find_school_id, school_scope

log = structlog.get_logger(__name__)
Handler = Callable[..., dict[str, Any] | None]
OpenContext = Callable[[], AbstractContextManager[Any]]
"""Opens what the database session lives in (an application context)."""
MOST_ATTEMPTS = 5
HEARTBEAT_S = 5
STALE_S = 60

_handlers: dict[str, Handler] = {}
_send: list[Callable[[UUID], None]] = []
_job: ContextVar[UUID | None] = ContextVar("job", default=None)


def handler(kind: str) -> Callable[[Handler], Handler]:
    """Register what does jobs of this kind. It must be idempotent: it may run twice."""

    def register(function: Handler) -> Handler:
        _handlers[kind] = function
        return function

    return register


def connect(send: Callable[[UUID], None]) -> None:
    """Name the transport that carries a committed job's id to the worker."""
    _send[:] = [send]


def enqueue(kind: str, *, delay_s: int = 0, **payload: Any) -> Job:
    """Write a job in the caller's transaction; it starts once that has committed."""
    actor = current_actor()
    job = Job(
        kind=kind,
        school_id=find_school_id(),
        user_id=actor.user_id,
        actor_name=actor.name,
        payload=payload,
        run_at=clock.now() + timedelta(seconds=delay_s),
    )
    db.session.add(job)
    db.session.flush()
    if delay_s == 0:
        after_commit(lambda: _carry(job.id))
    return job


def enqueue_within(kind: str, after: timedelta, **payload: Any) -> None:
    """See to it that a job of this kind waits for the school in scope (or for none), to begin after
    that time at the latest. In the caller's transaction."""
    waiting = db.session.scalar(
        sa.select(Job.id).where(
            Job.kind == kind,
            Job.school_id == find_school_id(),
            Job.state == JobState.WAITING,
            Job.run_at <= clock.now() + after,
        )
    )
    if waiting is None:
        enqueue(kind, delay_s=int(after.total_seconds()), **payload)


def find_unfinished(kind: str) -> UUID | None:
    """A job of this kind for the school in scope (or for none) that waits or is under way."""
    return db.session.scalar(
        sa.select(Job.id).where(
            Job.kind == kind, Job.school_id == find_school_id(), Job.state.not_in(FINISHED)
        )
    )


def _carry(job_id: UUID) -> None:
    for send in _send:
        send(job_id)


def progress(fraction: float, sentence: str, **numbers: int) -> None:
    """Tell whoever watches how far the current job is: 0–1 and a short sentence, whose places
    `numbers` fill once a page has translated it.

    Kept in the cache, because a job may hold the only write lock while it works.
    """
    job_id = _job.get()
    if job_id is not None:
        told = [round(min(max(fraction, 0.0), 1.0), 4), sentence, numbers]
        cache.set(f"job:{job_id}:progress", told, timeout=3600)


class Progress(NamedTuple):
    """How far a job is, 0–1; `sentence` is a template for `numbers`."""

    fraction: float
    sentence: str
    numbers: dict[str, int] = {}  # noqa: RUF012 - a NamedTuple's default; nobody writes to it


def progress_of(job: Job) -> Progress:
    """What the job last told, or where its row stands."""
    told = cache.get(f"job:{job.id}:progress") if job.state == JobState.RUNNING else None
    return Progress(*told) if told else Progress(job.progress, job.sentence)


def find_job(job_id: UUID, *, school_id: UUID | None) -> Job | None:
    """A job of this school (or of no school)."""
    return db.session.scalar(sa.select(Job).where(Job.id == job_id, Job.school_id == school_id))


def run(open_context: OpenContext, job_id: UUID) -> None:
    """Do one job, if it is still to be done. Never raises: the row tells how it went."""
    with open_context():
        claimed = _claim(job_id)
        if claimed is None:
            return
        kind, school_id, actor, payload, attempts = claimed
        token = _job.set(job_id)
        try:
            with _beating(open_context, job_id), ExitStack() as scope:
                if school_id is not None:
                    scope.enter_context(school_scope(school_id))
                scope.enter_context(acting_as(actor))
                result = _handlers[kind](**payload)
            _finish(job_id, JobState.DONE, result=result)
        except MovedAway:
            # The database takes no more: the job is found again in the new one.
            log.info("job.database_moved", job_id=str(job_id), kind=kind)
        except DomainError as error:
            # A broken rule stays broken: trying again cannot mend it.
            _finish(
                job_id,
                JobState.FAILED,
                error=str(error),
                result={"message": error.message, "params": error.params},
            )
        except Exception as error:
            log.exception("job.failed", job_id=str(job_id), kind=kind, attempts=attempts)
            _retry_or_park(job_id, attempts, error)
        finally:
            _job.reset(token)
            db.session.remove()


def _claim(job_id: UUID) -> tuple[str, UUID | None, Actor, dict[str, Any], int] | None:
    """Take a waiting job for this worker, or None when somebody else has it."""
    with transaction() as session:
        taken = session.execute(
            sa.update(Job)
            .where(Job.id == job_id, Job.state == JobState.WAITING, Job.run_at <= clock.now())
            .values(state=JobState.RUNNING, attempts=Job.attempts + 1, heartbeat_at=clock.now())
            .execution_options(synchronize_session=False)
        )
        if taken.rowcount != 1:  # type: ignore[attr-defined]
            return None
        job = session.scalars(
            sa.select(Job).where(Job.id == job_id).execution_options(populate_existing=True)
        ).one()
        actor = Actor(name=job.actor_name, user_id=job.user_id, request_id=f"job-{job.id.hex[:12]}")
        claimed = (job.kind, job.school_id, actor, dict(job.payload), job.attempts)
    db.session.remove()
    return claimed


def _finish(
    job_id: UUID, state: JobState, *, result: dict[str, Any] | None = None, error: str | None = None
) -> None:
    db.session.remove()
    with transaction() as session:
        session.execute(
            sa.update(Job)
            .where(Job.id == job_id)
            .values(
                state=state,
                result=result,
                error=error,
                finished_at=clock.now(),
                progress=1.0 if state == JobState.DONE else Job.progress,
            )
            .execution_options(synchronize_session=False)
        )
    cache.delete(f"job:{job_id}:progress")


def _retry_or_park(job_id: UUID, attempts: int, error: Exception) -> None:
    db.session.remove()
    if attempts >= MOST_ATTEMPTS:
        _finish(job_id, JobState.FAILED, error=name_fault(error))
        return
    with transaction() as session:
        session.execute(
            sa.update(Job)
            .where(Job.id == job_id)
            .values(
                state=JobState.WAITING,
                run_at=clock.now() + timedelta(seconds=2**attempts),
                error=name_fault(error),
            )
            .execution_options(synchronize_session=False)
        )


@contextmanager
def _beating(open_context: OpenContext, job_id: UUID) -> Iterator[None]:
    """Show, while the job runs, that its worker lives."""
    stop = threading.Event()

    def beat() -> None:
        with open_context():
            while not stop.wait(HEARTBEAT_S):
                cache.set(f"job:{job_id}:beat", 1, timeout=STALE_S)

    cache.set(f"job:{job_id}:beat", 1, timeout=STALE_S)
    thread = threading.Thread(target=beat, name=f"beat-{job_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=HEARTBEAT_S)
        cache.delete(f"job:{job_id}:beat")


def reap(*, stale_s: int = STALE_S) -> int:
    """Put jobs whose worker stopped breathing back in line. Returns how many."""
    limit = clock.now() - timedelta(seconds=stale_s)
    running = db.session.scalars(
        sa.select(Job).where(Job.state == JobState.RUNNING, Job.heartbeat_at <= limit)
    ).all()
    lost = [job for job in running if stale_s == 0 or not cache.get(f"job:{job.id}:beat")]
    if not lost:
        return 0
    with transaction() as session:
        for job in lost:
            parked = job.attempts >= MOST_ATTEMPTS
            session.execute(
                sa.update(Job)
                .where(Job.id == job.id, Job.state == JobState.RUNNING)
                .values(
                    state=JobState.FAILED if parked else JobState.WAITING,
                    run_at=clock.now(),
                    error="The worker stopped while this ran." if parked else None,
                )
                .execution_options(synchronize_session=False)
            )
    return len(lost)


def due_jobs(limit: int = 20) -> list[UUID]:
    """Waiting jobs whose time has come: what the transport lost, and what was delayed."""
    try:
        return list(
            db.session.scalars(
                sa.select(Job.id)
                .where(Job.state == JobState.WAITING, Job.run_at <= clock.now())
                .order_by(Job.run_at, Job.id)
                .limit(limit)
            )
        )
    except OperationalError:
        return []  # the database is away; the next look will tell
