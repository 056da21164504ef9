"""What a move writes down: its row, how far it is, what is in its way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.audit.log import record_platform
from school.db import changes_one, db, transaction
from school.errors import Conflict
from school.files.models import MoveStep, StorageMove
from school.files.service.moving import following
from school.files.service.shelf import shelf

MOST_PROBLEMS = 200
SAVE_EVERY_S = 2.0
SOAK_DAYS = 7
RUNNER = "runner"
"""In `counts`: which command works on the move (see `alive`)."""
Say = Callable[["Books"], None]


class Problem(StrEnum):
    """What is told of one object."""

    NOT_COPIED = "not_copied"  # a place refused it, or does not answer
    DAMAGED = "damaged"  # other bytes lie at the new place
    GONE = "gone"  # it lay at the new place, and is there no more
    UNSEEN = "unseen"  # it has not come to lie at the new place, or was not read again there
    NOT_DELETED = "not_deleted"


def find_move() -> StorageMove | None:
    """The newest, under way or ended."""
    return db.session.scalar(sa.select(StorageMove).order_by(StorageMove.id.desc()).limit(1))


def take_move() -> StorageMove | None:
    """The newest, without a session: its facts hold through many transactions."""
    move = find_move()
    if move is not None:
        db.session.expunge(move)
    db.session.remove()
    return move


def change_step(move: StorageMove, after: MoveStep, **values: Any) -> None:
    """By compare and swap, audited; every process follows within MEMORY_S. Raises Conflict when
    somebody else was faster."""
    counts = kept_counts(move) | {"step_at": clock.now().isoformat()}
    with transaction():
        is_changed = changes_one(
            sa.update(StorageMove)
            .where(StorageMove.id == move.id, StorageMove.step == move.step)
            .values(step=after, counts=counts, **values)
        )
        if not is_changed:
            raise Conflict("The move went on elsewhere meanwhile. Look at it again.")
        details = {"from": move.step, "to": after.value, "target": move.target_url}
        record_platform("storage.move_step", "storage_move", move.id, details=details)
    db.session.remove()
    for name, value in {"step": after.value, "counts": counts, **values}.items():
        setattr(move, name, value)
    shelf().follower.forget()


def kept_counts(move: StorageMove) -> dict[str, Any]:
    """What is true of the whole move, not of one step."""
    return {name: move.counts[name] for name in ("soak_days", RUNNER) if name in move.counts}


def soaked_on(move: StorageMove) -> datetime | None:
    """From when on the source may be emptied; None before reading was switched."""
    if move.switched_at is None:
        return None
    return move.switched_at + timedelta(days=move.counts.get("soak_days", SOAK_DAYS))


def wait_for_all(move: StorageMove) -> None:
    """Until every process knows of the step and has committed what it began before."""
    db.session.rollback()
    began = datetime.fromisoformat(move.counts["step_at"])
    left = following.BARRIER_S - (clock.now() - began).total_seconds()
    time.sleep(max(0.0, min(left, following.BARRIER_S)))


@dataclass
class Books:
    """How far a step is; saved every other second, so that pages can tell."""

    move: StorageMove
    say: Say = lambda _books: None
    stage: str = ""
    total: int = 0
    total_bytes: int = 0
    done: int = 0
    done_bytes: int = 0
    problem_count: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)
    # Work beside what the bar counts: only its problems matter.
    is_aside: bool = False
    _saved_at: float = 0.0

    def begin(
        self, stage: str, *, total: int, total_bytes: int, done: int, done_bytes: int
    ) -> None:
        self.stage, self.total, self.total_bytes = stage, total, total_bytes
        self.done, self.done_bytes = done, done_bytes
        self.save()

    def moved(self, size_bytes: int) -> None:
        """One object more."""
        self.done += 1
        self.done_bytes += size_bytes
        self.total = max(self.total, self.done)
        self.total_bytes = max(self.total_bytes, self.done_bytes)
        if time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            self.save()

    def trouble(self, kind: Problem, key: str, *, school_id: UUID | None, detail: str = "") -> None:
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            school = str(school_id) if school_id else None
            told = {"kind": kind.value, "school": school, "key": key, "detail": detail[:200]}
            self.problems.append(told)

    def take(self, aside: Books) -> None:
        """The problems of work beside."""
        self.problem_count += aside.problem_count
        self.problems = (self.problems + aside.problems)[:MOST_PROBLEMS]

    def forget_problems(self) -> None:
        self.problem_count, self.problems = 0, []

    def save(self) -> None:
        """Into the row, in a transaction of its own, whichever school is in scope."""
        if self.is_aside:
            return
        self._saved_at = time.monotonic()
        names = ("stage", "total", "total_bytes", "done", "done_bytes", "problem_count", "problems")
        counts = self.move.counts | {name: getattr(self, name) for name in names}
        self.move.counts = counts
        with transaction() as session:
            session.execute(
                sa.update(StorageMove)
                .where(StorageMove.id == self.move.id, StorageMove.step == self.move.step)
                .values(counts=counts)
                .execution_options(synchronize_session=False)
            )
        self.say(self)
