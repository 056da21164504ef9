"""What an operator wants to see of the storage: who answers, what waits, what was found."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from school.cache import remember
from school.db import db
from school.files.models import ReconcileRun
from school.files.queries import count_held
from school.files.service.clamd import Scanner
from school.files.service.outbox import waiting
from school.files.service.reconciling import RECONCILE
from school.files.service.shelf import shelf
from school.jobs.models import FINISHED, Job
from school.storage.hybrid import keepers_of, members_of
from school.storage.protocol import Health, StorageProvider
from school.tenancy.models import School
from school.tenancy.scope import outside_schools, school_scope

PATIENCE_S = 3.0
FRESH_S = 60
_OWNER, _TOPIC = "platform", "storage"


class Standing(NamedTuple):
    """One provider: whether it answers, and what waits for it over all schools."""

    name: str
    commits: bool
    ok: bool
    ms: float
    objects: int = 0
    bytes: int = 0
    since: datetime | None = None
    # Files have moved on from here; it is being emptied.
    is_left: bool = False


def list_standings() -> list[Standing]:
    """Every provider in use, the one that commits first; not older than a minute."""
    members = members_of(shelf().provider)
    backlog = {row[0]: row[1:] for row in remember(_OWNER, _TOPIC, "backlog", _backlog)}
    keepers = keepers_of(shelf().provider)
    return [
        _standing(one, backlog.get(one.name), commits=one is members[0])._replace(
            is_left=one not in keepers
        )
        for one in members
    ]


def _standing(
    provider: StorageProvider, row: Sequence[int | float] | None, *, commits: bool
) -> Standing:
    ok, ms = remember(_OWNER, _TOPIC, f"health:{provider.name}", lambda: _ask(provider))
    if row is None:
        return Standing(provider.name, commits, ok, ms)
    objects, size, since = int(row[0]), int(row[1]), datetime.fromtimestamp(row[2], UTC)
    return Standing(provider.name, commits, ok, ms, objects, size, since)


def _ask(provider: StorageProvider) -> tuple[bool, float]:
    """Whether it answers in time; a disk over the network may never do so."""
    health = _within(PATIENCE_S, provider.healthcheck)
    return (health.ok, round(health.ms, 1)) if health else (False, PATIENCE_S * 1000)


def _within(seconds: float, check: Callable[[], Health]) -> Health | None:
    answers: list[Health] = []

    def ask() -> None:
        began = time.monotonic()
        try:
            answers.append(check())
        except Exception:  # noqa: BLE001 - whatever it raises, it does not answer
            answers.append(Health(ok=False, ms=(time.monotonic() - began) * 1000))

    thread = threading.Thread(target=ask, name="storage-health", daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else None


class ScannerStanding(NamedTuple):
    """The virus scanner: whether it answers, with how old signatures, and what it holds back."""

    ok: bool
    engine: str | None
    signatures_at: datetime | None
    held: int


def find_scanner() -> ScannerStanding | None:
    """Not older than a minute; None where no scanner is named."""
    url = shelf().scanner_url
    if not url:
        return None
    held = remember(_OWNER, _TOPIC, "held", _held)
    engine, at = remember(_OWNER, _TOPIC, f"scanner:{url}", lambda: _ask_scanner(url))
    signatures_at = datetime.fromtimestamp(at, UTC) if at else None
    return ScannerStanding(engine is not None, engine, signatures_at, held)


def _ask_scanner(url: str) -> tuple[str | None, float | None]:
    version = Scanner(url, timeout_s=PATIENCE_S).version()
    if version is None:
        return None, None
    at = version.signatures_at
    return version.engine, at.timestamp() if at else None


def _held() -> int:
    """Contents held back, over all schools, each asked by itself."""
    count = 0
    with outside_schools():
        schools = list(db.session.scalars(sa.select(School.id)))
        for school_id in schools:
            with school_scope(school_id):
                count += count_held()
    return count


def _backlog() -> list[tuple[str, int, int, float]]:
    """(provider, objects, bytes, waiting since) over all schools, each asked by itself."""
    found: dict[str, tuple[int, int, float]] = {}
    with outside_schools():
        schools = list(db.session.scalars(sa.select(School.id)))
        for school_id in schools:
            with school_scope(school_id):
                for one in waiting():
                    objects, size, since = found.get(one.provider, (0, 0, float("inf")))
                    found[one.provider] = (
                        objects + one.objects,
                        size + one.bytes,
                        min(since, one.since.timestamp()),
                    )
    return [(name, *row) for name, row in sorted(found.items())]


def list_last_runs() -> list[ReconcileRun]:
    """The newest run of each provider in use, the one that commits first. One query."""
    names = [one.name for one in members_of(shelf().provider)]
    newest = (
        sa.select(ReconcileRun.provider, sa.func.max(ReconcileRun.started_at).label("at"))
        .where(ReconcileRun.finished_at.is_not(None), ReconcileRun.provider.in_(names))
        .group_by(ReconcileRun.provider)
        .subquery()
    )
    runs = db.session.scalars(
        sa.select(ReconcileRun).join(
            newest,
            (ReconcileRun.provider == newest.c.provider) & (ReconcileRun.started_at == newest.c.at),
        )
    )
    return sorted(runs, key=lambda run: names.index(run.provider))


def find_reconcile_job() -> Job | None:
    """The newest one of all schools."""
    return db.session.scalar(
        sa.select(Job)
        .where(Job.kind == RECONCILE, Job.school_id.is_(None))
        .order_by(Job.id.desc())
        .limit(1)
    )


def is_under_way(job: Job | None) -> bool:
    return job is not None and job.state not in FINISHED


def name_schools(ids: Sequence[str]) -> dict[str, str]:
    """{id: name} of the schools that findings name."""
    if not ids:
        return {}
    wanted = [UUID(one) for one in ids]
    rows = db.session.execute(sa.select(School.id, School.name).where(School.id.in_(wanted)))
    return {str(row.id): row.name for row in rows}
