"""One upgrade from beginning to end: look, load, build, read back, say what is so.

preflight  nothing is written; every fault is found
load       one transaction a table, the target marked incomplete before the first
index      keys, indexes and constraints, the foreign keys last
verify     every column of every table read back and compared
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from school.upgrade import building, ledger, loading, preflight, rejects, space, verifying
from school.upgrade.catalogue import Catalogue
from school.upgrade.errors import Problem, stop
from school.upgrade.layout import Layout, recall
from school.upgrade.report import Report, TableReport
from school.upgrade.rules import OnBad, Rules
from school.upgrade.source import Source, open_source
from school.upgrade.target import Connection, Target, check_server, list_tables, list_walled
from school.upgrade.threads import share_out

Told = Callable[[str, int, int], None]
"""(phase, done, of how many): rows while loading and verifying, else 0 of 0."""


@dataclass(frozen=True, slots=True)
class Options:
    """`jobs`: threads and connections. `resume`: go on with a begun upgrade of the same file.
    `rejects`: where rejected rows are listed, one JSON object a line."""

    source: Path
    target: Target
    on_bad: OnBad = OnBad.STOP
    jobs: int = 2
    resume: bool = False
    rejects: Path | None = None
    # Leave behind what an unfinished upgrade made, and begin anew.
    start_over: bool = False


def look(options: Options, layout: Layout, told: Told = lambda *_: None) -> Report:
    """Only the preflight: what would stand in the way. Writes nothing."""
    with _begun(options, layout, told) as upgrade:
        upgrade.report.is_trial = True
        upgrade.prepare()
        return upgrade.report


def upgrade(
    options: Options,
    layout: Layout,
    told: Told = lambda *_: None,
    when_complete: Callable[[Report], None] = lambda _report: None,
) -> Report:
    """Bring every row over and prove it; the same again changes nothing. Raises UpgradeStopped.

    `when_complete` is called while writers are still kept off the source.
    """
    with _begun(options, layout, told) as begun:
        begun.prepare()
        if begun.report.problems:
            return begun.report
        if begun.earlier is None or begun.earlier.status != "complete":
            begun.load()
            begun.build()
        begun.verify()
        begun.close()
        if begun.report.is_complete:
            when_complete(begun.report)
        return begun.report


def verify(options: Options, layout: Layout, told: Told = lambda *_: None) -> Report:
    """Compare a finished target with its source again. Writes nothing."""
    with _begun(options, layout, told, is_reading=True) as begun:
        begun.prepare()
        if not begun.report.problems:
            begun.verify()
        return begun.report


@contextlib.contextmanager
def _begun(
    options: Options, layout: Layout, told: Told = lambda *_: None, *, is_reading: bool = False
) -> Iterator[_Upgrade]:
    began = time.perf_counter()
    with ExitStack() as open_ones:
        source = open_ones.enter_context(open_source(options.source, options.jobs))
        connection = open_ones.enter_context(options.target.connect())
        begun = _Upgrade(options, layout, told, source, connection, is_reading=is_reading)
        try:
            yield begun
        finally:
            begun.report.seconds["total"] = time.perf_counter() - began


class _Upgrade:
    def __init__(
        self,
        options: Options,
        layout: Layout,
        told: Told,
        source: Source,
        connection: Connection,
        *,
        is_reading: bool,
    ) -> None:
        self.options = options
        self.layout = layout
        self.told = told
        self.source = source
        self.connection = connection
        self.is_reading = is_reading
        self.report = Report()
        self.catalogue = Catalogue()
        self.scans: list[preflight.Scan] = []
        self.rules = Rules(options.on_bad)
        self.walled: frozenset[str] = frozenset()
        self.replayed: dict[str, int] = {}
        self.earlier = ledger.find_run(connection)
        self.is_anew = False
        self.began = time.perf_counter()

    # -- preflight ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        with self._timed("preflight"):
            self.told("preflight", 0, 0)
            check_server(self.connection, self.options.target)
            self._check_target()
            self._read()
            if self.earlier is None:
                self.layout.try_out(self.connection, self.options.target, self.catalogue)
            elif not self.layout.is_own:
                recall(self.connection, self.catalogue)
            self.report.problems += self.catalogue.refusals
            self._judge()
            self.report.notes = self.catalogue.notes
            self._look_ahead()

    def _read(self) -> None:
        """What the file says of itself is checked while it is read."""
        with ThreadPoolExecutor(1) as beside:
            whole = beside.submit(preflight.check_integrity, self.source.beside, self.source.path)
            try:
                self.catalogue = self.layout.catalogue(self.source)
                self.scans = preflight.scan_all(self.source, self.catalogue, self.layout.closer)
            finally:
                # A damage is the reason of whatever else went wrong.
                whole.result()

    def _look_ahead(self) -> None:
        """Room and time for what is still to be done."""
        if self.earlier is None:
            size = self.source.path.stat().st_size
            problem = space.too_little_room(self.connection, size)
            self.report.problems += [problem] if problem else []
        looked = time.perf_counter() - self.began
        self.report.estimated_seconds = space.estimated_seconds(looked)

    def _check_target(self) -> None:
        earlier = self.earlier
        if self.is_reading and earlier is None:
            raise stop("not_begun", "This database was not filled by an upgrade.")
        if earlier is None:
            self._check_empty()
            return
        if earlier.status == "incomplete" and self.options.start_over:
            self.earlier, self.is_anew = None, True
            return
        if earlier.source_sha256 != self.source.sha256:
            raise stop(
                "other_source",
                f"The target was begun with {earlier.source_name} as it was then; this file is"
                " another one, or it has changed since.",
                "Give the same file, or take an empty database.",
            )
        if earlier.on_bad != self.options.on_bad and not self.is_reading:
            raise stop(
                "other_rule",
                f"The target was begun with --on-bad {earlier.on_bad}.",
                "Go on with the same rule, or take an empty database.",
            )
        if earlier.status == "incomplete" and not (self.options.resume or self.is_reading):
            raise stop(
                "unfinished",
                "An upgrade into this database was begun and is not finished.",
                "Add --resume to go on where it stopped.",
            )

    def _check_empty(self) -> None:
        there = list_tables(self.connection, self.options.target.schema)
        if there:
            named = ", ".join(there[:5]) + (" …" if len(there) > 5 else "")
            raise stop(
                "not_empty",
                f"The target has tables already: {named}.",
                "Take an empty database, or name another schema with --schema.",
            )

    def _judge(self) -> None:
        rule = OnBad(self.earlier.on_bad) if self.earlier else self.options.on_bad
        judged = preflight.judge(self.source, self.catalogue, self.scans, rule)
        self.scans, self.rules = judged.scans, judged.rules
        if rule is OnBad.STOP:
            self.report.problems += judged.problems
        else:
            self.report.handled += judged.problems

    # -- writing -----------------------------------------------------------------------------------

    def load(self) -> None:
        with self._timed("load"):
            if self.earlier is None:
                self._make()
            done = ledger.loaded_rows(self.connection)
            waiting = [one for one in self.scans if one.plan.table.name not in done]
            waiting.sort(key=lambda one: -one.rows)
            self._keep_rejects()
            self._load_all(waiting)

    def _make(self) -> None:
        names = [*(table.name for table in self.catalogue.tables), *self.layout.beside]
        begun = ledger.Run(
            "incomplete", self.source.path.name, self.source.sha256, self.options.target.schema,
            self.options.on_bad, self.layout.is_own, "begun",
        )  # fmt: skip
        with self.connection.transaction():
            if self.is_anew:
                ledger.clear(self.connection, self.options.target.schema)
            ledger.begin(self.connection, begun, names)
            self.layout.make(self.connection, self.options.target, self.catalogue)

    def _keep_rejects(self) -> None:
        for table, found in self.rules.rejected.items():
            rows = rejects.as_rows(self.source.plain[0], self.catalogue.table(table), found)
            ledger.keep_rejects(self.connection, table, rows)
        if self.rules.rejected and self.options.rejects:
            rejects.write_file(self.connection, self.options.rejects)

    def _load_all(self, waiting: list[preflight.Scan]) -> None:
        total = sum(one.rows for one in waiting)
        counted = 0

        def told(rows: int) -> None:
            nonlocal counted
            counted += rows
            self.told("load", counted, total)

        def one(scan: preflight.Scan, tool: tuple[Any, Any]) -> str:
            rules = self.rules.of(scan.plan.table.name)
            schema = self.options.target.schema
            plan = scan.plan.unwatched
            return loading.load_table(
                plan, schema, *tool, rules=rules, checksums=scan.checksums, told=told
            )

        with self._streams() as streams:
            notes = share_out(waiting, list(zip(self.source.arrow, streams, strict=True)), one)
        self.report.notes += filter(None, notes)

    @contextlib.contextmanager
    def _streams(self) -> Iterator[list[Any]]:
        with ExitStack() as open_ones:
            yield [
                open_ones.enter_context(self.options.target.stream())
                for _ in range(self.options.jobs)
            ]

    def build(self) -> None:
        with self._timed("index"):
            sizes = {one.plan.table.name: one.rows for one in self.scans}
            jobs = self.options.jobs
            self.report.problems += building.build(
                self.options.target, sizes, jobs, lambda stage: self.told(stage, 0, 0),
                is_own=self.layout.is_own,
            )  # fmt: skip
            for table in self.catalogue.tables:
                building.number_on(self.connection, table, self._highest()[table.name])
            self._analyze()

    def _highest(self) -> dict[str, int]:
        plain = self.source.plain[0]
        return {t.name: building.highest_number(plain, t) for t in self.catalogue.tables}

    def _analyze(self) -> None:
        with ExitStack() as open_ones:
            connections = [
                open_ones.enter_context(self.options.target.connect())
                for _ in range(self.options.jobs)
            ]
            share_out(self.catalogue.tables, connections, lambda t, c: building.analyze(c, t))

    # -- proof -------------------------------------------------------------------------------------

    def verify(self) -> None:
        with self._timed("verify"):
            self.told("verify", 0, 0)
            schema = self.options.target.schema
            self.walled = list_walled(self.connection, schema)
            self.replayed = ledger.count_replayed(self.connection)
            biggest_first = sorted(self.scans, key=lambda one: -one.rows)
            with self._streams() as streams:
                tools = list(zip(self.source.arrow, streams, strict=True))
                found = share_out(biggest_first, tools, self._compare)
            self.report.tables = sorted(found, key=lambda table: table.name)
            self.report.problems += verifying.find_unproven(
                self.connection, self.catalogue, self._highest()
            )
            self.report.notes += ledger.list_left_out(self.connection)
            self._check_unchanged()

    def _compare(self, scan: preflight.Scan, tool: tuple[Any, Any]) -> TableReport:
        source, target = tool
        name = scan.plan.table.name
        rules = self.rules.of(name)
        replayed = self.replayed.get(name, 0)
        with verifying.past_wall(target, name, is_walled=name in self.walled):
            loaded, sums = verifying.read_back(name, scan.plan.columns, target)
            unequal = tuple(column for column, one in scan.checksums.items() if sums[column] != one)
            if unequal:
                unequal = verifying.differing_columns(
                    scan.plan, source, target, rules, has_replayed=bool(replayed)
                )
        rejected = len(rules.rejected) - replayed
        return TableReport(name, scan.plan.rows, loaded, rejected, not unequal, unequal)

    def _check_unchanged(self) -> None:
        if self.source.has_changed():
            self.report.problems.append(
                Problem(
                    "source_changed",
                    f"{self.source.path.name} was written to while it was read.",
                    "Stop the program that uses it, empty the target and run the command again.",
                )
            )

    def close(self) -> None:
        """Mark the target by what was found. One that was complete stays so: it may be in service,
        and then its rows have every right to differ."""
        if self.earlier is not None and self.earlier.status == "complete":
            return
        document = json.loads(json.dumps(self.report.as_json()))
        with self.connection.transaction():
            ledger.finish(self.connection, document, is_complete=self.report.is_complete)

    @contextlib.contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.report.seconds[phase] = time.perf_counter() - began
