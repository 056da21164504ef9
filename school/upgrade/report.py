"""How an upgrade ended, computed from counts."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from school.upgrade.errors import Problem
from school.upgrade.page import render


@dataclass(frozen=True, slots=True)
class TableReport:
    """`rejected`: rows kept out, which lie in the list of rejects."""

    name: str
    source: int
    loaded: int
    rejected: int
    checksums_equal: bool
    # The columns that differ.
    unequal: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        return self.checksums_equal and self.source == self.loaded + self.rejected


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at beside the rows, in one sentence; `ok` is None for mere advice."""

    name: str
    ok: bool | None
    sentence: str


@dataclass(slots=True)
class Report:
    tables: list[TableReport] = field(default_factory=list)
    # What keeps it from being complete.
    problems: list[Problem] = field(default_factory=list)
    # What was found in the source and dealt with by the rule chosen.
    handled: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    # What the program needs to run on the target, and whether it does so now.
    checks: list[Check] = field(default_factory=list)
    # What loading and proving takes after a look, roughly.
    estimated_seconds: float = 0
    # Nothing was written: only looked at.
    is_trial: bool = False

    @property
    def is_complete(self) -> bool:
        return not self.problems and not self.is_trial and all(t.is_complete for t in self.tables)

    def as_json(self) -> dict[str, Any]:
        return {
            "status": "complete" if self.is_complete else "incomplete",
            "tables": [asdict(table) for table in self.tables],
            "problems": [problem.as_json() for problem in self.problems],
            "handled": [problem.as_json() for problem in self.handled],
            "notes": self.notes,
            "checks": [asdict(check) for check in self.checks],
            "is_trial": self.is_trial,
            "verdict": self.verdict,
            "seconds": {name: round(spent, 3) for name, spent in self.seconds.items()},
            "estimated_seconds": round(self.estimated_seconds, 1),
            "peak_rss_bytes": peak_rss_bytes(),
        }

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        if self.tables:
            yield from _table_lines(self.tables)
        for note in self.notes:
            yield f"Note: {note}"
        for problem in self.handled:
            yield f"Dealt with: {problem.message}"
        for check in self.checks:
            yield f"{_MARKS[check.ok]}: {check.sentence}"
        for problem in self.problems:
            yield from _problem_lines(problem)
        yield self.verdict

    def html(self) -> str:
        """A page that stands by itself, for a browser or a printer."""
        return render(self.as_json())

    @property
    def verdict(self) -> str:
        """The last line: what may be relied on."""
        if self.is_trial and not self.problems:
            return (
                "Nothing stands in the way, and nothing was written. The upgrade takes roughly"
                f" {max(self.estimated_seconds, 1):,.0f} s."
            )
        loaded = sum(table.loaded for table in self.tables)
        rejected = sum(table.rejected for table in self.tables)
        if not self.is_complete:
            return "Not complete. The source is as it was; nothing serves the target."
        beside = f", {rejected:,} rejected and listed" if rejected else ""
        return (
            f"Complete: {loaded:,} rows in {len(self.tables)} tables{beside}; every column was read"
            f" back and is the same. {self.seconds.get('total', 0):.1f} s."
        )


_MARKS = {True: "Good", False: "Look at this", None: "Advice"}


def _table_lines(tables: Iterable[TableReport]) -> Iterator[str]:
    width = max(len(table.name) for table in tables)
    yield f"{'table':{width}} {'source':>12} {'loaded':>12} {'rejected':>9}  checksums"
    for table in tables:
        sums = "equal" if table.checksums_equal else f"DIFFER: {', '.join(table.unequal)}"
        yield (
            f"{table.name:{width}} {table.source:>12,} {table.loaded:>12,} {table.rejected:>9,}"
            f"  {sums}"
        )


def _problem_lines(problem: Problem) -> Iterator[str]:
    yield f"Problem: {problem.message}"
    for example in problem.examples:
        yield f"    row {example}"
    if problem.hint:
        yield f"    What to do: {problem.hint}"


def peak_rss_bytes() -> int:
    """The most memory this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
