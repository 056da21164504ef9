"""Which tables can be undone, by whom they are looked after, and what an undo has to report."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

TAKEN = "taken"


@dataclass(frozen=True, slots=True)
class Kept:
    """A field somebody edited since: `theirs` stays, `ours` is what the undone act had put there.

    With `field` "" the whole row stays: something hangs on it (`theirs` says what), or what was
    there has been taken by another row since (TAKEN).
    """

    entity: str
    entity_id: UUID
    field: str
    theirs: Any
    ours: Any
    # On whose page it is told: a tie's student.
    about_id: UUID | None = None


@dataclass(slots=True)
class UndoReport:
    """How many rows were put back, and what was kept."""

    restored: int = 0
    kept: list[Kept] = field(default_factory=list)

    def add(self, other: UndoReport) -> None:
        self.restored += other.restored
        self.kept += other.kept


Guard = Callable[[Collection[UUID]], dict[UUID, str]]
"""New rows that must not be removed: id → what hangs on them."""
Refresh = Callable[[Collection[UUID]], None]
"""Put right what depends on these rows (some may be gone)."""
# `refresh_about` is called with those on whose page the events are told: a tie's student.


@dataclass(frozen=True, slots=True)
class Owner:
    guard: Guard | None
    refresh: Refresh | None
    refresh_about: Refresh | None


owners: dict[str, Owner] = {}


def undoable(
    entity: str,
    *,
    guard: Guard | None = None,
    refresh: Refresh | None = None,
    refresh_about: Refresh | None = None,
) -> None:
    """Let events of this table be undone. Called once by the domain that owns it."""
    owners[entity] = Owner(guard, refresh, refresh_about)


def is_known(entity: str) -> bool:
    return entity in owners
