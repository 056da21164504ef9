"""Whether the server's disk has room, where that can be seen from here."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg

from school.upgrade.errors import Problem
from school.upgrade.target import Connection, run

_TIMES = 2.5
"""A school of ten million rows took 1.6 times the room of its file, indexes included; the rest is
for the log that PostgreSQL writes ahead, and for sorting."""
_SHARE_OF_LOOKING = 3.0
"""How much longer loading, indexes and reading back take than looking at every value does."""


def too_little_room(connection: Connection, source_bytes: int) -> Problem | None:
    """None, too, where the server is elsewhere or does not say where its folder is."""
    folder = _folder_of(connection)
    if folder is None:
        return None
    free, needed = shutil.disk_usage(folder).free, int(source_bytes * _TIMES)
    if free >= needed:
        return None
    return Problem(
        "no_room",
        f"The disk of the PostgreSQL server has {free >> 20:,} MiB free; about {needed >> 20:,} MiB"
        " are needed.",
        "Make room there, then try again.",
    )


def _folder_of(connection: Connection) -> Path | None:
    host = connection.info.host
    if host not in {"localhost", "127.0.0.1", "::1"} and not host.startswith("/"):
        return None
    try:
        row = run(connection, "SELECT current_setting('data_directory')").fetchone()
        folder = Path(str(row[0])) if row else None
        return folder if folder and folder.is_dir() else None
    except (psycopg.errors.InsufficientPrivilege, OSError):
        return None


def estimated_seconds(looking_seconds: float) -> float:
    """How long the rest takes, roughly, by how long it took to look."""
    return looking_seconds * _SHARE_OF_LOOKING
