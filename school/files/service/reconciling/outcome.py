"""What one comparison found: counts, a bounded list for people, bounded lists to act on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

MOST_FINDINGS = 200
# What one run acts on at most; the rest waits for the next. Bounds the memory, too.
MOST_ACTS = 20_000
# Up to so many are put right without asking whether it is the right bucket.
FEW = 20
SHARE = 0.01
Tell = Callable[..., None]


class Mode(StrEnum):
    MEND = "mend"
    DRY = "dry"  # somebody wants to look first
    REPORT = "report"  # the rows may be older than the objects


class Kind(StrEnum):
    """What is told of one object."""

    LOST = "lost"  # no place has it any more
    DAMAGED = "damaged"  # other bytes than were stored, and no other place has them
    REPAIRED = "repaired"  # it is copied back from another place
    RETURNED = "returned"  # it was missing and is there again
    STRAY = "stray"  # nobody knows it; seen twice, it was moved (or would be)
    OLD = "old"  # it has lain in lost-and-found for long
    WAITING = "waiting"  # copies or deletions wait for more than an hour
    PIECE = "piece"  # of an upload under way: gone, so the upload will be refused
    FAILED = "failed"  # the provider refused what was to be done


class Stop(StrEnum):
    """Why nothing, or nothing more, was put right."""

    UNREADABLE = "unreadable"
    UNORDERED = "unordered"
    MANY_STRAYS = "many_strays"
    MANY_MISSING = "many_missing"
    CUT_OFF = "cut_off"  # the provider stopped answering while things were put right


class Place(NamedTuple):
    """A location as it stands, without the row; size and checksum are of what is stored."""

    school_id: UUID
    id: UUID
    blob_id: UUID
    key: str
    state: str
    size_bytes: int | None
    sha256: str | None
    created_at: datetime


class Stray(NamedTuple):
    """An object to put aside."""

    key: str
    first_seen_at: datetime


COUNTS = (
    "objects", "bytes", "rows", "foreign", "unknown", "moved", "missing", "damaged", "lost",
    "repaired", "returned", "verified", "verified_bytes", "stale_uploads", "aside", "old",
    "emptied", "waiting", "failed",
    "pieces",
)  # fmt: skip


@dataclass(slots=True)
class Outcome:
    """One provider's comparison."""

    provider: str
    mode: Mode
    started_at: datetime
    stopped: dict[str, Any] | None = None
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    findings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Nothing is lost, and the comparison came to its end."""
        return self.counts["lost"] == 0 and self.stopped is None

    @property
    def may_act(self) -> bool:
        return self.mode == Mode.MEND and self.stopped is None

    def count(self, name: str, number: int = 1) -> None:
        self.counts[name] += number

    def tell(
        self, kind: Kind, key: str = "", *, school_id: UUID | None = None, **more: Any
    ) -> None:
        """Remember a finding, as long as there is room."""
        if len(self.findings) < MOST_FINDINGS:
            school = str(school_id) if school_id else None
            self.findings.append({"kind": kind.value, "key": key, "school": school, **more})

    def stop(self, reason: Stop, **facts: Any) -> None:
        self.stopped = self.stopped or {"reason": reason.value, **facts}


@dataclass(slots=True)
class Seen:
    """What is to be done about what was seen."""

    missing: list[Place] = field(default_factory=list)
    damaged: list[Place] = field(default_factory=list)
    returned: list[Place] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)
    old: list[str] = field(default_factory=list)
    # How many there were altogether; the lists end at MOST_ACTS.
    newly_missing: int = 0
    movable: int = 0
    # Of files alone: other domains may leave strays without any row being older.
    unknown_files: int = 0
    newest_unknown: datetime | None = None
    newest_row: datetime | None = None


def is_many(number: int, *, of: int) -> bool:
    """More than a fault of a few objects explains."""
    return number > FEW and number > of * SHARE
