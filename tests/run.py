"""Everything the house is checked with, in one run: `python -m tests.run [--only PART …]`.

The linters; every test that meets a database on SQLite, files and every cloud; those about rows
again on PostgreSQL and Redis (throwaway servers); those that meet none, and the browser tests,
once. Two parts run side by side, the longest first, and beside them one that mostly waits. The last line is always `N passed, N failed`,
summed over all parts; a linter counts as one.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ET  # our own pytest wrote the file
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.servers.postgres import NoPostgres, throwaway_postgres
from tests.servers.redis import NoRedis, throwaway_redis

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = float(os.environ.get("SCHOOLHOUSE_TEST_LIMIT_S", "870"))
SIDE_BY_SIDE = 2
# Addresses of the throwaway servers, and what a developer's own shell may say to pytest.
NOT_INHERITED = {"PYTEST_ADDOPTS", "SCHOOLHOUSE_TEST_DATABASE_URL", "SCHOOLHOUSE_TEST_REDIS_URL"}
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
PARTS = ["storage", "plain", "browser", "sqlite", "postgres", "mypy", "ruff", "imports", "djlint"]
WAITING = {"storage"}
"""Stores that hang take time and no processor."""
NOT_IN_BROWSER = ["-m", "not e2e"]


class Cannot(Exception):
    """A part cannot run on this machine; the message says why."""


@dataclass
class Outcome:
    """How one part went. `text` is what a person needs to read."""

    part: str
    passed: int = 0
    failed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    not_run: str = ""
    text: str = ""
    seconds: float = 0.0


class Runner:
    """Starts programs, waits for them, and can stop them all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ends_at = time.monotonic() + LIMIT_S
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(
        self, name: str, command: list[str], env: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Exit code and everything printed."""
        log_path = self.folder / f"{name}.log"
        with log_path.open("wb") as log:
            process = self._start(command, log.fileno(), env or {})
            try:
                code = process.wait(timeout=max(self._ends_at - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                _end(process)
                code = 124
            with self._lock:
                self._running.discard(process)
        said = log_path.read_text("utf-8", errors="replace")
        if code == 124:
            said += f"\n{name} was stopped: the whole run may take {LIMIT_S / 60:.0f} minutes.\n"
        return code, said

    def _start(self, command: list[str], log: int, env: dict[str, str]) -> subprocess.Popen[bytes]:
        left_out = settings_names() | NOT_INHERITED
        inherited = {
            name: value for name, value in os.environ.items() if name.upper() not in left_out
        }
        with self._lock:
            if self._stopped:
                raise KeyboardInterrupt
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                env={**inherited, "NO_COLOR": "1", **env},
            )
            self._running.add(process)
        return process

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for process in self._running:
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The program and whatever it started (browsers, servers)."""
    for how, patience_s in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, how)
            process.wait(patience_s)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def settings_names() -> set[str]:
    """The tests bring their own settings; a developer's must not leak into them.

    Read from the text: a fault in the program must not keep its tests from being counted.
    """
    text = (ROOT / "config_enhanced.py").read_text("utf-8")
    return {name.upper() for name in re.findall(r"^    (\w+): .*\bField\(", text, re.MULTILINE)}


def run_pytest(runner: Runner, part: str, arguments: list[str], env: dict[str, str]) -> Outcome:
    report = runner.folder / f"{part}.xml"
    code, said = runner.run(
        part,
        [
            sys.executable,
            "-m",
            "pytest",
            "-ra",
            "--tb=short",
            f"--junitxml={report}",
            "-p",
            "no:cacheprovider",
            f"--basetemp={runner.folder / part}",
            *arguments,
        ],
        env,
    )
    return _count(part, code, said, report)


def _count(part: str, code: int, said: str, report: Path) -> Outcome:
    outcome = Outcome(part)
    if report.exists():
        for case in ET.parse(report).getroot().iter("testcase"):
            bad = case.find("failure") is not None or case.find("error") is not None
            skip = case.find("skipped")
            if bad:
                outcome.failed += 1
            elif skip is not None:
                outcome.skipped[skip.get("message") or "no reason given"] += 1
            else:
                outcome.passed += 1
    if code != 0 and outcome.failed == 0:
        # Collection broke, nothing was collected, or the time was up: never silently green.
        outcome.failed = 1
    if outcome.failed:
        outcome.text = _from_first_failure(said)
    return outcome


def _from_first_failure(said: str) -> str:
    lines = said.splitlines()
    for number, line in enumerate(lines):
        if line.strip("= ") in {"FAILURES", "ERRORS"} and line.startswith("="):
            return "\n".join(lines[number:])
    return "\n".join(lines[-60:])


def sqlite_part(runner: Runner) -> Outcome:
    return run_pytest(runner, "sqlite", [*NOT_IN_BROWSER, "--part=database"], {})


def plain_part(runner: Runner) -> Outcome:
    more = ["--part=plain", "--ignore=tests/storage"]
    return run_pytest(runner, "plain", [*NOT_IN_BROWSER, *more], {})


def storage_part(runner: Runner) -> Outcome:
    return run_pytest(runner, "storage", [*NOT_IN_BROWSER, "--part=plain", "tests/storage"], {})


def postgres_part(runner: Runner) -> Outcome:
    with ExitStack() as servers:
        try:
            postgres = servers.enter_context(throwaway_postgres())
            redis = servers.enter_context(throwaway_redis())
        except (NoPostgres, NoRedis) as reason:
            raise Cannot(str(reason)) from None
        env = {
            "SCHOOLHOUSE_TEST_DATABASE_URL": postgres.url(),
            "SCHOOLHOUSE_TEST_REDIS_URL": redis.url(),
        }
        return run_pytest(runner, "postgres", [*NOT_IN_BROWSER, "--part=database"], env)


def browser_part(runner: Runner) -> Outcome:
    browser = os.environ.get("SCHOOLHOUSE_TEST_BROWSER") or next(
        filter(None, map(shutil.which, BROWSERS)), None
    )
    if browser is None:
        raise Cannot("no Chromium found (Debian/Ubuntu: apt-get install chromium)")
    return run_pytest(runner, "browser", ["-m", "e2e"], {"SCHOOLHOUSE_TEST_BROWSER": browser})


def _linter(part: str, *command: str) -> Callable[[Runner], Outcome]:
    def run(runner: Runner) -> Outcome:
        code, said = runner.run(part, list(command))
        return Outcome(
            part, passed=int(code == 0), failed=int(code != 0), text=said if code else ""
        )

    return run


def _script(name: str) -> str:
    """A program of the virtual environment we run in."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or name


ACTIONS: dict[str, Callable[[Runner], Outcome]] = {
    "postgres": postgres_part,
    "sqlite": sqlite_part,
    "plain": plain_part,
    "storage": storage_part,
    "browser": browser_part,
    "ruff": _linter("ruff", sys.executable, "-m", "ruff", "check", "."),
    "mypy": _linter("mypy", sys.executable, "-m", "mypy"),
    "imports": _linter("imports", _script("lint-imports"), "--no-cache"),
    "djlint": _linter("djlint", sys.executable, "-m", "djlint", "school/templates", "--lint"),
}


def run_part(part: str, runner: Runner) -> Outcome:
    began = time.monotonic()
    try:
        outcome = ACTIONS[part](runner)
    except Cannot as reason:
        outcome = Outcome(part, not_run=str(reason))
    except OSError as error:
        outcome = Outcome(part, failed=1, text=f"{part} did not start: {error}")
    outcome.seconds = time.monotonic() - began
    return outcome


def tell(outcome: Outcome) -> None:
    """One line per part; what went wrong below it."""
    if outcome.not_run:
        print(f"{outcome.part:<9} not run: {outcome.not_run}", flush=True)
        return
    skipped = sum(outcome.skipped.values())
    print(
        f"{outcome.part:<9} {outcome.passed} passed, {outcome.failed} failed"
        + (f", {skipped} skipped" if skipped else "")
        + f"  ({outcome.seconds:.0f} s)",
        flush=True,
    )
    for reason, count in outcome.skipped.most_common():
        print(f"          skipped {count} x {reason}")
    if outcome.text:
        print("\n".join(f"    {line}" for line in outcome.text.splitlines()), flush=True)


@contextmanager
def _work_folder() -> Iterator[Path]:
    # Not tempfile's context manager: it stumbles over folders the tests made unwritable.
    folder = Path(tempfile.mkdtemp(prefix="schoolhouse-test-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_all(parts: list[str]) -> list[Outcome]:
    outcomes = []
    with _work_folder() as folder, ExitStack() as open_ones:
        pool = open_ones.enter_context(ThreadPoolExecutor(SIDE_BY_SIDE))
        beside = open_ones.enter_context(ThreadPoolExecutor(1))
        runner = Runner(folder)
        begun = [
            (beside if part in WAITING else pool).submit(run_part, part, runner) for part in parts
        ]
        try:
            for done in as_completed(begun):
                outcomes.append(done.result())
                tell(outcomes[-1])
        except KeyboardInterrupt:
            for one in (pool, beside):
                one.shutdown(wait=False, cancel_futures=True)
            runner.stop()
            raise
    return outcomes


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.run", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=PARTS,
        metavar="PART",
        default=PARTS,
        help=f"run these parts only: {', '.join(PARTS)}",
    )
    parts = parser.parse_args(arguments).only
    signal.signal(signal.SIGTERM, _stop)
    # Started in the background a shell has us ignore Ctrl+C; the servers under test must not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    began = time.monotonic()
    print(f"Running {', '.join(parts)}; two at a time.", flush=True)
    try:
        outcomes = run_all(parts)
    except KeyboardInterrupt:
        print("Stopped.")
        return 130
    passed, failed = sum(o.passed for o in outcomes), sum(o.failed for o in outcomes)
    print(f"Took {time.monotonic() - began:.0f} s.")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
