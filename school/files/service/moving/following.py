"""How running processes follow a move: they look at its row every few seconds.

What a process sees holds for `MEMORY_S` at most, so whoever changes a step waits `BARRIER_S` before
counting on it: every process has noticed by then, and has committed the rows of what it began
before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, ProgrammingError

from school.db import db
from school.files.models import MoveStep, StorageMove
from school.files.service.moving.places import Move, is_same
from school.storage.hybrid import HybridStorage, members_of
from school.storage.protocol import StorageProvider

MEMORY_S = 3.0
# The memory, and the longest wait for a lock while rows are committed.
BARRIER_S = 12.0


class MovingStorage(HybridStorage):
    """The places of a move, in the order that its step asks for.

    Links to files lead to us while one of the places is a folder, and the web server sends nothing
    by itself: it knows one folder only.
    """

    def __init__(
        self,
        primary: StorageProvider,
        *copies: StorageProvider,
        leaving: StorageProvider | None = None,
    ) -> None:
        super().__init__(primary, *copies, leaving=leaving)
        is_ours = any(member.caps.local_path for member in self.members)
        self.caps = replace(primary.caps, local_path=is_ours)

    def local_path(self, key: str) -> Path | None:  # noqa: ARG002 - as the protocol has it
        return None


class Follower:
    """Finds the storage in use for one application. `url` is its STORAGE_URL."""

    def __init__(self, url: str, open_place: Callable[[str], StorageProvider]) -> None:
        self.url = url
        self.open_place = open_place
        self._opened: dict[str, StorageProvider] = {}
        self._lock = threading.Lock()
        self._known: Move | None = None
        self._good_until = 0.0

    def in_use(self, own: StorageProvider) -> StorageProvider:
        """`own`, the provider of STORAGE_URL, unless a move says otherwise."""
        move = self.move()
        if move is None:
            return own
        self._name(own, move)
        if move.is_open:
            return self._in_order(own, move)
        return own if is_same(self.url, move.home) else self._settled(own, move)

    def move(self) -> Move | None:
        """The newest move, not older than MEMORY_S."""
        if time.monotonic() < self._good_until:
            return self._known
        with self._lock:
            now = time.monotonic()
            if now >= self._good_until:
                self._known = _newest()
                # From before the look: what is remembered never gets older than promised.
                self._good_until = now + MEMORY_S
        return self._known

    def forget(self) -> None:
        """Look again at the next question."""
        self._good_until = 0.0

    def rest(self) -> None:
        """Nothing moves, and nobody is to look any more (tests that count queries)."""
        self._known, self._good_until = None, float("inf")

    def outdated(self) -> Move | None:
        """The finished move that STORAGE_URL does not know of yet."""
        move = self.move()
        is_told = move is None or move.is_open or not self._is_elsewhere(move)
        return None if is_told else move

    def _is_elsewhere(self, move: Move) -> bool:
        """STORAGE_URL names the place that files have left; a third one is the operator's word."""
        left = move.source_url if move.step == MoveStep.DONE else move.target_url
        return is_same(self.url, left)

    def _settled(self, own: StorageProvider, move: Move) -> StorageProvider:
        if not self._is_elsewhere(move):
            return own
        home = move.target if move.step == MoveStep.DONE else move.source
        return MovingStorage(self.place(own, move.home, home))

    def _in_order(self, own: StorageProvider, move: Move) -> StorageProvider:
        source = self.place(own, move.source_url, move.source)
        target = self.place(own, move.target_url, move.target)
        match MoveStep(move.step):
            case MoveStep.SOAKING:
                return MovingStorage(target, source)
            case MoveStep.DELETING:
                return MovingStorage(target, leaving=source)
            case MoveStep.ROLLING_BACK:
                return MovingStorage(source, leaving=target)
            case _:
                return MovingStorage(source, target)

    def place(self, own: StorageProvider, url: str, name: str) -> StorageProvider:
        """The provider of an address, opened once per process."""
        if is_same(url, self.url):
            return members_of(own)[0]
        with self._lock:
            if url not in self._opened:
                self._opened[url] = self.open_place(url)
            self._opened[url].name = name
            return self._opened[url]

    def _name(self, own: StorageProvider, move: Move) -> None:
        """The place of STORAGE_URL is called what its rows call it."""
        name = move.name_of(self.url)
        if name is not None:
            members_of(own)[0].name = own.name = name


def _newest() -> Move | None:
    """In a connection of its own: the session may be anywhere, and is to stay there."""
    query = (
        sa.select(
            StorageMove.step,
            StorageMove.source,
            StorageMove.target,
            StorageMove.source_url,
            StorageMove.target_url,
        )
        .order_by(StorageMove.id.desc())
        .limit(1)
    )
    try:
        with db.engine.connect() as connection:
            row = connection.execute(query).first()
    except (OperationalError, ProgrammingError):
        if sa.inspect(db.engine).has_table(StorageMove.__tablename__):
            raise
        return None  # not set up yet
    return None if row is None else Move(*row)
