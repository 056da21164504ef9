"""One command at a time works on a move: it says so in the row, and shows while it lives.

The row's `counts` name the command, and its `updated_at` is the last sign of life. Both together:
a command that ended says so itself; of one that was killed no sign comes any more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from school import clock
from school.db import db, take_turn, transaction
from school.errors import Conflict
from school.files.models import StorageMove
from school.files.service.moving.books import RUNNER, find_move

FRESH = timedelta(minutes=2)
"""So long after the last sign of life a command counts as at work."""
BEAT_S = 20.0


def is_at_work(move: StorageMove) -> bool:
    """A command, in whatever process, works on this move at this moment."""
    return RUNNER in move.counts and move.updated_at > clock.now() - FRESH


@contextmanager
def at_work(move: StorageMove, *, takes_over: bool = False) -> Iterator[StorageMove]:
    """Work on it alone. Raises Conflict while another command does, unless this one `takes_over`.
    Opens its own transactions."""
    runner = uuid4().hex
    _claim(move, runner, takes_over=takes_over)
    try:
        with _beating(move.id):
            yield move
    finally:
        # Should even this fail, others wait until no sign has come for long enough.
        with suppress(SQLAlchemyError):
            _let_go(runner)
        move.counts = {name: value for name, value in move.counts.items() if name != RUNNER}


def _claim(move: StorageMove, runner: str, *, takes_over: bool) -> None:
    with transaction() as session:
        take_turn(session, "storage.move")
        row = session.get_one(StorageMove, move.id)
        if is_at_work(row) and not takes_over:
            raise Conflict(
                "A command is at work on this move already. If it was killed, try again in two "
                "minutes."
            )
        row.counts = row.counts | {RUNNER: runner}
    db.session.remove()
    move.counts = move.counts | {RUNNER: runner}


def _let_go(runner: str) -> None:
    db.session.remove()
    with transaction() as session:
        take_turn(session, "storage.move")
        row = find_move()
        if row is not None and row.counts.get(RUNNER) == runner:
            row.counts = {name: value for name, value in row.counts.items() if name != RUNNER}
    db.session.remove()


@contextmanager
def _beating(move_id: UUID) -> Iterator[None]:
    """One object may take longer than `FRESH`, and so may planning: the sign comes beside them."""
    engine, stop = db.engine, threading.Event()

    def beat() -> None:
        while not stop.wait(BEAT_S):
            with suppress(SQLAlchemyError), engine.begin() as connection:
                connection.execute(
                    sa.update(StorageMove)
                    .where(StorageMove.id == move_id)
                    .values(updated_at=clock.now())
                )

    thread = threading.Thread(target=beat, name="storage-move-beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=BEAT_S)
