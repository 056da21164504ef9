"""`python database_upgrade.py`: a SQLite file into PostgreSQL, from the command line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from school.upgrade import rejects, upgrading
from school.upgrade.errors import UpgradeStopped
from school.upgrade.layout import Inferred, Layout
from school.upgrade.report import Report
from school.upgrade.rules import OnBad
from school.upgrade.target import Target

DONE, FAILED = 0, 1
_PHASES = {
    "preflight": "Looking at every value", "load": "Loading", "index": "Making indexes",
    "constraint": "Making keys", "check": "Making checks", "foreign": "Making foreign keys",
    "verify": "Reading back and comparing",
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The options, for --help and for the reference page."""
    asked = argparse.ArgumentParser(
        prog="database_upgrade.py",
        description="Move a SQLite database into PostgreSQL and prove that nothing was lost."
        " The SQLite file is never written to.",
    )
    asked.add_argument("--sqlite-path", type=Path, required=True, metavar="FILE")
    asked.add_argument(
        "--postgresql-url", required=True, metavar="postgresql://…",
        help="where to; - reads it from standard input, so that no list of programs shows it",
    )  # fmt: skip
    asked.add_argument("--schema", default="public", help="where the tables go (public)")
    asked.add_argument(
        "--on-bad", type=OnBad, choices=list(OnBad), default=OnBad.STOP, metavar="RULE",
        help="values that PostgreSQL cannot hold: stop (default), reject the row, or fix",
    )  # fmt: skip
    asked.add_argument("--jobs", type=int, default=2, metavar="N", help="how many at a time (2)")
    asked.add_argument("--rejects", type=Path, metavar="FILE", help="list of rejected rows")
    asked.add_argument("--report", type=Path, metavar="FILE.html", help="the report as a page")
    asked.add_argument("--json", action="store_true", help="print one JSON object")
    asked.add_argument(
        "--progress", action="store_true", help="before it, one JSON object a step: phase, rows"
    )
    what = asked.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="only look; write nothing")
    what.add_argument("--verify-only", action="store_true", help="compare again; write nothing")
    what.add_argument("--resume", action="store_true", help="go on with an unfinished upgrade")
    what.add_argument(
        "--start-over", action="store_true", help="drop what an unfinished upgrade made, begin anew"
    )
    what.add_argument("--replay", type=Path, metavar="FILE", help="bring repaired rejects in")
    return asked


class Door:
    """What a program may add: options, tables it knows, and what is done with a complete target."""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Beside the ordinary ones."""

    def layout(self, _asked: argparse.Namespace) -> Layout:
        return Inferred()

    def when_looked(self, asked: argparse.Namespace, report: Report) -> None:
        """After a look that found nothing in the way."""

    def when_complete(self, asked: argparse.Namespace, report: Report) -> None:
        """While writers are still kept off the source."""


def main(arguments: Sequence[str] | None = None, door: Door | None = None) -> int:
    """Exit code: 0 done and proven, 1 not; argparse ends with 2 for wrong usage."""
    door = door or Door()
    options = parser()
    door.add_options(options)
    asked = options.parse_args(arguments)
    if asked.postgresql_url == "-":
        asked.postgresql_url = sys.stdin.readline().strip()
    try:
        if asked.replay:
            return _replay(asked)
        report = _run(asked, door)
    except UpgradeStopped as stopped:
        report = Report(problems=list(stopped.problems))
    return _tell(asked, report)


def _run(asked: argparse.Namespace, door: Door) -> Report:
    layout = door.layout(asked)
    options = upgrading.Options(
        asked.sqlite_path, Target(asked.postgresql_url, asked.schema), asked.on_bad,
        max(1, asked.jobs), asked.resume, asked.rejects or _beside(asked.sqlite_path),
        asked.start_over,
    )  # fmt: skip
    with _Bar(is_shown=not asked.json and sys.stderr.isatty()) as bar:
        told = _tell_program if asked.progress else bar.told
        if asked.dry_run:
            return _look(asked, door, options, layout, told)
        if asked.verify_only:
            return upgrading.verify(options, layout, told)
        return upgrading.upgrade(
            options, layout, told, lambda report: door.when_complete(asked, report)
        )


def _look(
    asked: argparse.Namespace,
    door: Door,
    options: upgrading.Options,
    layout: Layout,
    told: upgrading.Told,
) -> Report:
    report = upgrading.look(options, layout, told)
    if not report.problems:
        door.when_looked(asked, report)
    return report


def _tell_program(phase: str, done: int, total: int) -> None:
    # In one piece: several threads tell.
    sys.stdout.write(json.dumps({"phase": phase, "done": done, "total": total}) + "\n")
    sys.stdout.flush()


def _beside(source: Path) -> Path:
    """In the folder we stand in: the source's own may not be ours to write to."""
    return Path(f"{source.stem}-rejected.jsonl")


def _tell(asked: argparse.Namespace, report: Report) -> int:
    is_good = report.is_complete or (report.is_trial and not report.problems)
    if asked.report:
        asked.report.write_text(report.html(), encoding="utf-8")
    if asked.json:
        print(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        for line in report.lines():
            print(line)
    return DONE if is_good else FAILED


def _replay(asked: argparse.Namespace) -> int:
    count, problems = rejects.replay(Target(asked.postgresql_url, asked.schema), asked.replay)
    if asked.json:
        told = [problem.as_json() for problem in problems]
        print(json.dumps({"inserted": count, "problems": told}, ensure_ascii=False))
    else:
        print(f"{count} rows went in, {len(problems)} did not.")
        for problem in problems:
            print(f"Problem: {problem.message}")
    return FAILED if problems else DONE


class _Bar:
    """How far it is, on a terminal."""

    def __init__(self, *, is_shown: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(), console=Console(stderr=True), transient=True,
            disable=not is_shown,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def told(self, phase: str, done: int, total: int) -> None:
        if phase not in self._tasks:
            self._tasks[phase] = self._progress.add_task(_PHASES.get(phase, phase), total=None)
        self._progress.update(self._tasks[phase], completed=done, total=total or None)
