"""The door of `database_upgrade.py`: Schoolhouse's own database, or any other SQLite file."""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name
from urllib.parse import quote

from school.upgrade.command import Door, main
from school.upgrade.layout import Layout
from school.upgrade.report import Report

_TABLES = {"alembic_version", "school", "membership", "audit_event"}


def run(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 done and proven, 1 not, 2 wrong usage."""
    return main(arguments, SchoolDoor())


class SchoolDoor(Door):
    """Asks the program about a file only where it may be the program's own: that brings all of it
    along, a hundred MiB which another file has no use for."""

    def __init__(self) -> None:
        self._door = Door()

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--no-switch", action="store_true",
            help="Schoolhouse's own database: leave .env as it is, to look at the copy first",
        )  # fmt: skip
        parser.add_argument(
            "--program-url", metavar="postgresql://…",
            help="the address the program is to use, where another role makes the tables",
        )  # fmt: skip

    def layout(self, asked: argparse.Namespace) -> Layout:
        # Once: nobody may open the file again while it is read.
        if may_be_ours(asked.sqlite_path):
            self._door = resolve_name("school.to_postgresql.ours:OwnDoor")()
        return self._door.layout(asked)

    def when_looked(self, asked: argparse.Namespace, report: Report) -> None:
        self._door.when_looked(asked, report)

    def when_complete(self, asked: argparse.Namespace, report: Report) -> None:
        self._door.when_complete(asked, report)


def may_be_ours(path: Path) -> bool:
    """Whether the file holds tables called as ours are; False for what cannot be read, too: the
    engine says what is wrong with it."""
    address = f"file:{quote(str(path.resolve()))}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as plain:
            return {row[0] for row in plain.execute("SELECT name FROM sqlite_master")} >= _TABLES
    except sqlite3.Error:
        return False
