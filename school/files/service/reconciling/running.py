"""One run: look, read again, decide, put right, write down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

import sqlalchemy as sa
import structlog

from school import clock
from school.db import db, transaction
from school.errors import NotFound
from school.files.models import BlobLocation, ReconcileRun, StorageTask
from school.files.service.reconciling.looking import OLD_ENOUGH, Look
from school.files.service.reconciling.mending import Mender
from school.files.service.reconciling.outcome import (
    Kind,
    Mode,
    Outcome,
    Seen,
    Stop,
    Tell,
    is_many,
)
from school.files.service.reconciling.pieces import look_for_pieces
from school.files.service.reconciling.schools import (
    all_schools,
    give_back_connections,
    inside,
)
from school.files.service.reconciling.trust import (
    LOOKS_OLDER,
    distrust,
    find_distrust,
    looks_older,
)
from school.files.service.reconciling.verifying import verify
from school.files.service.shelf import shelf
from school.jobs.queue import enqueue, find_unfinished
from school.storage.errors import StorageError, describe
from school.storage.hybrid import keepers_of, members_of
from school.storage.protocol import StorageProvider
from school.tenancy.scope import outside_schools

log = structlog.get_logger(__name__)
RECONCILE = "files.reconcile"
REMEMBERED = timedelta(days=90)
SLOW = timedelta(hours=1)


def plan_reconcile() -> UUID:
    """See to it that a run waits or is under way. Opens its own transaction."""
    with outside_schools(), transaction():
        return find_unfinished(RECONCILE) or enqueue(RECONCILE).id


def reconcile(
    *,
    only: str | None = None,
    dry_run: bool = False,
    empty_lost_and_found: bool = False,
    however_many: bool = False,
    tell: Tell = lambda *_, **__: None,
) -> list[Outcome]:
    """Compare every provider (or `only` one) with the rows of all schools and put right what can
    be. Opens its own transactions. Raises NotFound for a provider that is not in use.

    `however_many`: a person has looked, and it is the right storage and the right database.
    """
    members = members_of(shelf().provider)
    # A place that is being emptied is nothing to put right.
    wanted = [one for one in keepers_of(shelf().provider) if only in {None, one.name}]
    if not wanted:
        raise NotFound("No storage of the name %(name)s is in use.", name=only)
    with outside_schools():
        _forget_old_runs()
        outcomes = []
        try:
            for place, one in enumerate(wanted):
                run = _Run(
                    one,
                    members,
                    is_dry=dry_run,
                    however_many=however_many,
                    tell=_part(tell, place, len(wanted)),
                )
                outcomes.append(run.go(empties=empty_lost_and_found))
        finally:
            give_back_connections()
        return outcomes


def _part(tell: Tell, place: int, parts: int) -> Tell:
    """Of a bar that all providers share, this one's part."""

    def told(fraction: float, sentence: str, **numbers: int) -> None:
        tell((place + fraction) / parts, sentence, **numbers)

    return told


class _Run:
    """One provider's run."""

    def __init__(
        self,
        provider: StorageProvider,
        members: Sequence[StorageProvider],
        *,
        is_dry: bool,
        however_many: bool,
        tell: Tell,
    ) -> None:
        others = [one for one in members if one is not provider]
        self._provider = provider
        self._schools = all_schools()
        self._outcome = Outcome(provider.name, _mode(is_dry=is_dry), clock.now())
        self._mender = Mender(provider, others, self._outcome)
        self._however_many = however_many
        self._tell = tell

    def go(self, *, empties: bool) -> Outcome:
        run_id = _begin(self._outcome)
        try:
            self._work(empties=empties)
        except StorageError as error:
            self._outcome.stop(Stop.CUT_OFF, detail=describe(error)[:200])
        _end(run_id, self._outcome)
        log.info("files.reconciled", provider=self._provider.name, **self._outcome.counts)
        return self._outcome

    def _work(self, *, empties: bool) -> None:
        look = Look(
            self._provider, self._schools, self._outcome, partial(self._say, self._expected())
        )
        seen = look.through()
        self._decide(seen)
        if self._outcome.may_act:
            verify(self._provider, self._schools, look, self._outcome)
            self._mender.mend(seen, self._schools)
            aborted = self._provider.abort_stale_uploads(OLD_ENOUGH)
            self._outcome.count("stale_uploads", aborted)
            if empties:
                self._mender.empty_aside(seen.old)
        else:
            self._mender.report(seen)
        self._count_waiting()
        look_for_pieces(self._provider, self._schools, self._outcome)

    def _decide(self, seen: Seen) -> None:
        """Whether what was seen is a matter of single objects or of the wrong rows or bucket."""
        counts, mode = self._outcome.counts, self._outcome.mode
        if self._outcome.stopped is not None or self._however_many:
            return
        if mode == Mode.MEND and looks_older(seen):
            with transaction():
                distrust(LOOKS_OLDER)
            self._outcome.mode = Mode.REPORT
        elif is_many(seen.newly_missing, of=counts["rows"]):
            self._outcome.stop(Stop.MANY_MISSING, number=seen.newly_missing, of=counts["rows"])
        elif is_many(seen.movable, of=counts["objects"]):
            self._outcome.stop(Stop.MANY_STRAYS, number=seen.movable, of=counts["objects"])

    def _expected(self) -> int:
        """About how many objects there will be, for the bar."""
        total = 0
        for school_id in self._schools:
            with inside(school_id):
                query = sa.select(sa.func.count()).select_from(BlobLocation)
                query = query.where(BlobLocation.provider == self._provider.name)
                total += db.session.scalar(query) or 0
        return total

    def _say(self, expected: int, done: int) -> None:
        tell = self._tell
        tell(0.9 * done / max(expected, done, 1), "Compared %(done)s files", done=done)

    def _count_waiting(self) -> None:
        """Copies and deletions that were tried and still wait."""
        for school_id in self._schools:
            with inside(school_id):
                number = db.session.scalar(
                    sa.select(sa.func.count())
                    .select_from(StorageTask)
                    .where(
                        StorageTask.provider == self._provider.name,
                        StorageTask.attempts > 0,
                        StorageTask.created_at < self._outcome.started_at - SLOW,
                    )
                )
            if number:
                self._outcome.count("waiting", number)
                self._outcome.tell(Kind.WAITING, school_id=school_id, number=number)


def _mode(*, is_dry: bool) -> Mode:
    is_trusted = find_distrust() is None
    db.session.remove()
    if is_dry:
        return Mode.DRY
    return Mode.MEND if is_trusted else Mode.REPORT


def _begin(outcome: Outcome) -> UUID:
    with transaction() as session:
        run = ReconcileRun(
            provider=outcome.provider, mode=outcome.mode.value, started_at=outcome.started_at
        )
        session.add(run)
        session.flush()
        run_id = run.id
    db.session.remove()
    return run_id


def _end(run_id: UUID, outcome: Outcome) -> None:
    db.session.remove()
    with transaction() as session:
        session.execute(
            sa.update(ReconcileRun)
            .where(ReconcileRun.id == run_id)
            .values(
                finished_at=clock.now(),
                mode=outcome.mode.value,
                stopped=outcome.stopped,
                counts=outcome.counts,
                findings=outcome.findings,
            )
            .execution_options(synchronize_session=False)
        )
    db.session.remove()


def _forget_old_runs() -> None:
    with transaction() as session:
        session.execute(
            sa.delete(ReconcileRun)
            .where(ReconcileRun.started_at < clock.now() - REMEMBERED)
            .execution_options(synchronize_session=False)
        )
    db.session.remove()
