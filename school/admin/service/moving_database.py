"""From SQLite to PostgreSQL, asked for in the browser.

The work is done by `database_upgrade.py` as a process of its own: the engine brings another copy of
SQLite along, and two copies in one process lose each other's locks. The address, which holds a
password, lies in a file for this account's eyes only until the move is done; no row and no log has
it. What came of it lies beside it: the old database takes no more rows by then.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from school.audit.log import record_platform
from school.db import transaction
from school.errors import Conflict, DomainError, Invalid
from school.jobs.queue import enqueue, find_unfinished, progress

JOB = "move_database"
SCRIPT = Path(__file__).parents[3] / "database_upgrade.py"


class Mode(StrEnum):
    LOOK = "look"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where address and report lie."""

    folder: Path

    @property
    def _address(self) -> Path:
        return self.folder / "address"

    @property
    def _report(self) -> Path:
        return self.folder / "report.json"

    @property
    def log(self) -> Path:
        return self.folder / "messages.txt"

    def keep_address(self, url: str) -> None:
        self._write(self._address, url)
        self._report.unlink(missing_ok=True)

    def address(self) -> str | None:
        return self._read(self._address)

    def shown_address(self) -> str | None:
        """Without the password."""
        url = self.address()
        return None if url is None else sa.make_url(url).render_as_string(hide_password=True)

    def forget_address(self) -> None:
        self._address.unlink(missing_ok=True)

    def keep_report(self, report: dict[str, Any]) -> None:
        self._write(self._report, json.dumps(report))

    def report(self) -> dict[str, Any] | None:
        """What `database_upgrade.py --json` said last; None before."""
        text = self._read(self._report)
        return json.loads(text) if text else None

    def _write(self, file: Path, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = file.with_suffix(".new")
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
        beside.replace(file)

    def _read(self, file: Path) -> str | None:
        try:
            return file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None


def plan_look(desk: Desk, url: str) -> UUID:
    """Find out what would stand in the way; the address is kept for the move. Raises Invalid."""
    _check_address(url)
    return _plan(desk, Mode.LOOK, url)


def plan_move(desk: Desk) -> UUID:
    """Move to the address that was looked at. Raises Conflict before a look that found nothing."""
    report = desk.report()
    if desk.address() is None or report is None or not is_clear(report):
        raise Conflict("Look first: then it is known that nothing stands in the way.")
    return _plan(desk, Mode.MOVE, None)


def is_clear(report: dict[str, Any]) -> bool:
    """A look that found nothing in the way."""
    return bool(report.get("is_trial")) and not report["problems"]


def _plan(desk: Desk, mode: Mode, url: str | None) -> UUID:
    with transaction():
        if find_unfinished(JOB) is not None:
            raise Conflict("This is under way already.")
        if url is not None:
            desk.keep_address(url)
        job = enqueue(JOB, mode=mode)
        record_platform(
            f"database.{mode}", "database", job.id, details={"to": desk.shown_address()}
        )
    return job.id


def _check_address(url: str) -> None:
    try:
        parts = sa.make_url(url)
    except (ArgumentError, ValueError):
        parts = None
    if parts is None or parts.get_backend_name() != "postgresql" or not parts.database:
        raise Invalid(
            "Write it like postgresql://user:password@host/database.",
            field="address_with_password",
        )


def carry_out(desk: Desk, source: Path, mode: Mode) -> dict[str, Any]:
    """Look, or move, and keep the report. Raises DomainError where it ended without one."""
    url = desk.address()
    if url is None:
        raise DomainError("The address is not kept any more. Type it again.")
    report = None
    for told in _told(desk, source, mode, url):
        if "phase" in told:
            _tell(told)
        else:
            report = told
    if report is None:
        raise DomainError(
            "The move ended without a report. The last lines of %(file)s say why; nothing was "
            "switched.",
            file=str(desk.log),
        )
    desk.keep_report(report)
    if report["status"] == "complete":
        desk.forget_address()
    return {"status": report["status"]}


def _told(desk: Desk, source: Path, mode: Mode, url: str) -> Iterator[dict[str, Any]]:
    asked = "--dry-run" if mode == Mode.LOOK else "--start-over"
    command = [
        sys.executable, str(SCRIPT), "--sqlite-path", str(source), "--postgresql-url", "-",
        "--json", "--progress", asked,
    ]  # fmt: skip
    with (
        desk.log.open("w", encoding="utf-8") as messages,
        subprocess.Popen(  # noqa: S603 - our own program, by our own Python
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=messages, text=True,
            encoding="utf-8",
        ) as process,
    ):  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(url + "\n")
        process.stdin.close()
        for line in process.stdout:
            if line.startswith("{"):
                yield json.loads(line)


_SENTENCES = {
    "preflight": "Looking at every value",
    "load": "Loading: %(done)s of %(total)s rows",
    "index": "Making keys and indexes",
    "verify": "Reading back and comparing",
}
_SHARES = {
    "preflight": 0.0, "load": 0.25, "index": 0.55, "constraint": 0.65, "check": 0.7,
    "foreign": 0.75, "verify": 0.8,
}  # fmt: skip
_LOADING = 0.3


def _tell(told: dict[str, Any]) -> None:
    share = _SHARES[told["phase"]]
    sentence = _SENTENCES.get(told["phase"], _SENTENCES["index"])
    done, total = told["done"], told["total"]
    if total:
        share += _LOADING * done / total
        progress(share, sentence, done=done, total=total)
    elif told["phase"] != "load":
        progress(share, sentence)
