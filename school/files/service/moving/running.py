"""A move from its first to its last step. Each verb goes on wherever the last one was cut off.

    copying     every process writes to the source and plans a copy at the target; what was there
                before follows, and is hashed on its way
    comparing   every object at the target is read again
    soaking     reading and writing begin at the target; the source still gets a copy of everything
    deleting    object by object: read again at the target, then deleted at the source
    done        the target alone

Rolling back is the way back: what the source lacks is copied to it, then the target is emptied.
Between the steps all processes are waited for (following.BARRIER_S), so that what one of them wrote
before it knew is seen and brought along.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from school import clock
from school.db import db
from school.errors import Conflict
from school.files.models import MoveStep, StorageMove
from school.files.service.moving import carrying, loose
from school.files.service.moving.alive import at_work
from school.files.service.moving.books import (
    Books,
    Problem,
    Say,
    change_step,
    soaked_on,
    take_move,
    wait_for_all,
)
from school.files.service.moving.carrying import Away, Pace, Sums, Way
from school.files.service.reconciling import find_distrust
from school.files.service.reconciling.schools import (
    all_schools,
    give_back_connections,
    inside,
)
from school.files.service.shelf import shelf
from school.storage.errors import StorageError, describe
from school.storage.hybrid import members_of
from school.storage.protocol import StorageProvider
from school.tenancy.scope import outside_schools

log = structlog.get_logger(__name__)
# What comes in while a round goes on is brought by the next.
ROUNDS = 3


def go_on(*, rate_mib_per_s: float = 0, say: Say = lambda _books: None) -> StorageMove:
    """Do what the step asks for, and the next ones, as far as they follow by themselves: up to
    soaking, to done, or rolled back. Something in the way ends it with the move as it stands:
    `counts` names the problems. Opens its own transactions. Raises Conflict."""
    with outside_schools(), at_work(_open_move()) as move:
        return _work_on(move, rate_mib_per_s, say)


def _work_on(move: StorageMove, rate_mib_per_s: float, say: Say) -> StorageMove:
    try:
        _Run(move, Pace(rate_mib_per_s), say).go()
    finally:
        give_back_connections()
    return move


def finish(*, rate_mib_per_s: float = 0, say: Say = lambda _books: None) -> StorageMove:
    """After the soak: look once more, then empty the source. Raises Conflict before."""
    with outside_schools():
        move = _open_move()
        if move.step == MoveStep.SOAKING:
            _check_soaked(move)
            _check_trusted()
        elif move.step != MoveStep.DELETING:
            raise Conflict("The files are not all at the new storage yet. Go on with --resume.")
        with at_work(move):
            if move.step == MoveStep.SOAKING:
                wait_for_all(move)
                if not _Run(move, Pace(rate_mib_per_s), say).is_over(clock.now()):
                    return move
                change_step(move, MoveStep.DELETING)
            return _work_on(move, rate_mib_per_s, say)


def roll_back(*, rate_mib_per_s: float = 0, say: Say = lambda _books: None) -> StorageMove:
    """Everything back to the source, also while another command still goes on: that one ends at
    its next step. Raises Conflict once the source is being emptied."""
    with outside_schools():
        move = _open_move()
        if move.step == MoveStep.DELETING:
            raise Conflict(
                "The old storage is being emptied, so there is no way back. Go on with --resume, "
                "and afterwards move in the other direction."
            )
        is_first = move.step != MoveStep.ROLLING_BACK
        with at_work(move, takes_over=is_first):
            if is_first:
                change_step(move, MoveStep.ROLLING_BACK)
            return _work_on(move, rate_mib_per_s, say)


def _open_move() -> StorageMove:
    move = take_move()
    if move is None or move.step in {MoveStep.DONE, MoveStep.ROLLED_BACK}:
        raise Conflict("No move is under way. Begin one with --to ADDRESS.")
    return move


def _check_soaked(move: StorageMove) -> None:
    at = soaked_on(move)
    if at is not None and clock.now() < at:
        raise Conflict(
            "The new storage is to prove itself until %(moment)s. Until then the old one keeps a "
            "copy of everything, and --rollback leads back.",
            moment=f"{at:%Y-%m-%d %H:%M} UTC",
        )


def _check_trusted() -> None:
    """Deleting believes the rows."""
    is_distrusted = find_distrust() is not None
    db.session.remove()
    if is_distrusted:
        raise Conflict(
            "The database may be older than the files, so nothing is deleted. Look at the last "
            "comparison, then: python -m school files trust"
        )


class _Run:
    """One command's work on a move."""

    def __init__(self, move: StorageMove, pace: Pace, say: Say) -> None:
        self.move = move
        self._pace = pace
        self._say = say
        self._books = Books(move, say)
        self._schools = all_schools()

    def go(self) -> None:
        acts = {
            MoveStep.COPYING: self._copy,
            MoveStep.COMPARING: self._compare,
            MoveStep.SOAKING: self._soak,
            MoveStep.DELETING: self._empty_source,
            MoveStep.ROLLING_BACK: self._empty_target,
        }
        while (act := acts.get(MoveStep(self.move.step))) is not None:
            shelf().follower.forget()
            wait_for_all(self.move)
            self._books = Books(self.move, self._say)
            if not act():
                return

    # -- the steps: True when the next one has begun ----------------------------------------------

    def _copy(self) -> bool:
        way = self._way()
        if not self._guarded(lambda: self._bring(way)):
            return False
        change_step(self.move, MoveStep.COMPARING)
        return True

    def _compare(self) -> bool:
        # What comes in from now on goes to both places by itself.
        if not self.is_over(clock.now()):
            return False
        change_step(self.move, MoveStep.SOAKING, switched_at=clock.now())
        return True

    def _soak(self) -> bool:
        """What processes wrote before they knew is brought along; then it is time that does it."""
        self._guarded(lambda: self._bring(self._way()))
        return False

    def _empty_source(self) -> bool:
        return self._empty(self._way(), MoveStep.DONE)

    def _empty_target(self) -> bool:
        source, target = self._places()
        began = datetime.fromisoformat(self.move.counts["step_at"])
        return self._empty(Way(target, source, read_since=began), MoveStep.ROLLED_BACK)

    def _empty(self, way: Way, last: MoveStep) -> bool:
        _check_trusted()
        # All processes know of this step: none writes to the place that is left any more.
        if not self._guarded(lambda: self._let_go(way)) or self._count_left(way):
            return False
        change_step(self.move, last, finished_at=clock.now())
        log.info("files.moved", step=last.value, target=self.move.target)
        return True

    # -- rounds ------------------------------------------------------------------------------------

    def is_over(self, now: datetime) -> bool:
        """Everything that counted `now` lies at the target and was read again there."""
        way = self._way()
        return self._guarded(lambda: self._compare_all(way, now)) and self._all_good(way, now)

    def _bring(self, way: Way) -> None:
        sums = self._sum(way)
        self._books.begin(
            "copying",
            total=sums.objects,
            total_bytes=sums.bytes,
            done=sums.present,
            done_bytes=sums.present_bytes,
        )
        self._each(lambda: carrying.bring_over(way, self._books, self._pace))
        loose.bring_loose(way, self._books)

    def _compare_all(self, way: Way, now: datetime) -> None:
        for _ in range(ROUNDS):
            self._books.forget_problems()
            self._bring(way)
            sums = self._sum(way)
            self._books.begin(
                "comparing",
                total=sums.objects,
                total_bytes=sums.bytes,
                done=sums.good,
                done_bytes=sums.good_bytes,
            )
            self._each(lambda: carrying.read_again(way, self._books, self._pace))
            sums = self._sum(way, before=now)
            if self._books.problem_count or sums.good == sums.objects:
                return

    def _let_go(self, way: Way) -> None:
        left = self._sum_left(way)
        self._books.begin("deleting", total=left, total_bytes=0, done=0, done_bytes=0)
        for _ in range(ROUNDS):
            self._books.forget_problems()
            self._each(lambda: self._pass_on(way))
            loose.bring_loose(way, self._books)
            loose.empty_loose(way, self._books)
            if self._books.problem_count or not self._sum_left(way):
                return

    def _pass_on(self, way: Way) -> None:
        """One school: what only the place that is left has goes over before that is emptied."""
        # The bar counts what is deleted.
        aside = Books(self.move, is_aside=True)
        try:
            carrying.bring_over(way, aside, self._pace)
            carrying.read_again(way, aside, self._pace, only_left=True)
        finally:
            self._books.take(aside)
        carrying.let_go(way, self._books)

    # -- looking -----------------------------------------------------------------------------------

    def _all_good(self, way: Way, now: datetime) -> bool:
        sums = self._sum(way, before=now)
        if sums.good < sums.objects:
            for school_id in self._schools:
                with inside(school_id):
                    for key, state in carrying.list_unfinished(way, before=now):
                        self._books.trouble(Problem.UNSEEN, key, school_id=school_id, detail=state)
            self._books.save()
        return sums.good == sums.objects

    def _count_left(self, way: Way) -> int:
        """What still lies at the place that is left; what could not be deleted is told."""
        left = self._sum_left(way)
        for school_id in self._schools:
            with inside(school_id):
                for key, why in carrying.list_failed(way):
                    self._books.trouble(Problem.NOT_DELETED, key, school_id=school_id, detail=why)
        self._books.done = max(0, self._books.total - left)
        self._books.save()
        return left

    def _sum_left(self, way: Way) -> int:
        count = 0
        for school_id in self._schools:
            with inside(school_id):
                count += carrying.count_left(way)
        return count + loose.count_loose(way)

    def _sum(self, way: Way, *, before: datetime | None = None) -> Sums:
        total = Sums()
        for school_id in self._schools:
            with inside(school_id):
                total = total.plus(carrying.sum_up(way, before=before))
        return total

    def _each(self, act: Callable[[], None]) -> None:
        # Schools founded since are among them.
        self._schools = all_schools()
        for school_id in self._schools:
            with inside(school_id):
                act()

    def _guarded(self, act: Callable[[], None]) -> bool:
        """False when something is in the way; it is written down."""
        try:
            act()
        except (Away, StorageError) as error:
            db.session.remove()
            detail = str(error) if isinstance(error, Away) else describe(error)
            self._books.trouble(Problem.NOT_COPIED, "", school_id=None, detail=detail)
        self._books.save()
        return self._books.problem_count == 0

    def _way(self) -> Way:
        source, target = self._places()
        return Way(leave=source, keep=target, read_since=self.move.started_at)

    def _places(self) -> tuple[StorageProvider, StorageProvider]:
        members = {one.name: one for one in members_of(shelf().provider)}
        return members[self.move.source], members[self.move.target]
