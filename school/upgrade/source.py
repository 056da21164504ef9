"""The SQLite file: read in one snapshot, by several connections, and never written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from adbc_driver_manager import Error as DriverError
from adbc_driver_sqlite import dbapi as adbc

from school.upgrade.errors import UpgradeStopped, stop

MAGIC = b"SQLite format 3\x00"
_WAIT_S = 10
_PART_BYTES = 1 << 20
_TRIES = 20
_COUNTER = slice(24, 28)
"""Where the file keeps its change counter (https://www.sqlite.org/fileformat.html §1.3)."""


class Source:
    """An open source. `plain` answer questions, `arrow` give streams, one of each for a thread, and
    `beside` is for one thread more; all of them see the same moment. `sha256` is of the file and
    its log at that moment."""

    def __init__(
        self, path: Path, file: int, plain: list[sqlite3.Connection], arrow: list[Any]
    ) -> None:
        self.path = path
        self.beside, *self.plain = plain
        self.arrow = arrow
        self._file = file
        self.sha256 = _fingerprint(path, file)

    def has_changed(self) -> bool:
        """Whether somebody wrote since (which a lock of ours should have kept off)."""
        return _fingerprint(self.path, self._file) != self.sha256


@contextlib.contextmanager
def open_source(path: Path, streams: int) -> Iterator[Source]:
    """Open the file for `streams` threads and keep writers off. Raises UpgradeStopped."""
    _check_is_database(path)
    try:
        with ExitStack() as open_ones:
            yield _open(path, streams, open_ones)
    except (sqlite3.Error, DriverError) as error:
        raise unreadable(str(error)) from error


def _open(path: Path, streams: int, open_ones: ExitStack) -> Source:
    """The readers outlive the lock: whoever closes last would tidy the log into the file, and
    readers cannot write."""
    # Whoever closes a file loses every lock that the same process has on it (POSIX, fcntl(2)): so
    # it is opened once to be looked at, and closed when all connections are.
    file = os.open(path, os.O_RDONLY)
    open_ones.callback(os.close, file)
    readers = ExitStack()
    open_ones.push(readers)
    keep_off = ExitStack()
    open_ones.push(keep_off)
    for _ in range(_TRIES):
        before = _mark(path, file)
        plain = [readers.enter_context(closing(_read_only(path))) for _ in range(1 + streams)]
        arrow = [readers.enter_context(_arrow(path)) for _ in range(streams)]
        _keep_writers_off(path, keep_off)
        if _mark(path, file) == before:
            return Source(path, file, plain, arrow)
        keep_off.close()
        readers.close()
    raise stop(
        "source_busy",
        f"{path.name} is written without a pause, so no moment of it could be read.",
        "Stop the program that writes it, then try again.",
    )


def _address(path: Path, mode: str) -> str:
    return f"file:{quote(str(path.resolve()))}?mode={mode}"


def _read_only(path: Path) -> sqlite3.Connection:
    plain = sqlite3.connect(
        _address(path, "ro"), uri=True, isolation_level=None, check_same_thread=False
    )
    plain.execute("BEGIN")
    plain.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return plain


@contextlib.contextmanager
def _arrow(path: Path) -> Iterator[Any]:
    connection = adbc.connect(_address(path, "ro"), autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT count(*) FROM sqlite_master")
            cursor.fetchall()
        yield connection
    finally:
        connection.close()


_HOLD = """
import os, sqlite3, sys
try:
    file, patience = sys.argv[1:]
    writer = sqlite3.connect(file, uri=True, isolation_level=None, timeout=float(patience))
    writer.execute("BEGIN IMMEDIATE")
    print("held", flush=True)
except sqlite3.Error as error:
    print(error, flush=True)
sys.stdin.read()
# Without a farewell: whoever closes last would tidy the log into the file.
os._exit(0)
"""


def _keep_writers_off(path: Path, stack: ExitStack) -> None:
    """Take the write lock without writing; a file we may not write nobody else is stopped at.

    In a process of its own: a process loses its locks on a file as soon as it closes that file
    anywhere, and here two copies of SQLite read it (https://www.sqlite.org/howtocorrupt.html §2.2).
    """
    holder = subprocess.Popen(  # noqa: S603 - our own lines, by our own Python
        [sys.executable, "-I", "-c", _HOLD, _address(path, "rw"), str(_WAIT_S)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    stack.callback(holder.communicate)
    assert holder.stdout is not None
    if "locked" in holder.stdout.readline():
        raise stop(
            "source_locked",
            f"Another program has been writing to {path.name} for {_WAIT_S} seconds.",
            "Stop it, or wait until it is done, then try again.",
        )


def _mark(path: Path, file: int) -> tuple[bytes, int, int]:
    """Differs as soon as somebody commits."""
    log = _log_of(path)
    counter = os.pread(file, 100, 0)[_COUNTER]
    return counter, log.stat().st_size if log.exists() else 0, os.fstat(file).st_mtime_ns


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def fingerprint(path: Path) -> str:
    """sha256 of the file, and of what its log holds beside it. Not for a source that is open."""
    with path.open("rb") as file:
        return _fingerprint(path, file.fileno())


def _fingerprint(path: Path, file: int) -> str:
    parts = [_digest(file)]
    log = _log_of(path)
    if log.exists() and log.stat().st_size:
        with log.open("rb") as open_log:
            parts.append(_digest(open_log.fileno()))
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _digest(file: int) -> bytes:
    total, at = hashlib.sha256(), 0
    while part := os.pread(file, _PART_BYTES, at):
        total.update(part)
        at += len(part)
    return total.digest()


def _check_is_database(path: Path) -> None:
    if not path.is_file():
        raise stop("no_source", f"There is no file {path}.", "Give the path of the SQLite file.")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise stop("no_source", f"{path} cannot be read: {error.strerror}.") from error
    if not head:
        raise stop("empty_source", f"{path.name} is empty: it holds no database.")
    if head != MAGIC:
        raise stop(
            "not_sqlite",
            f"{path.name} is not a SQLite database, or it is encrypted.",
            "Choose the right file; an encrypted one must be decrypted by its own program first.",
        )


def unreadable(said: str) -> UpgradeStopped:
    """What SQLite says when it cannot read on, as a problem."""
    if "readonly" in said:
        return stop(
            "unfinished_source",
            "The program that wrote the source was ended in the middle of a change; what it left"
            " beside the file (-journal or -wal) has to be put in order before it can be read.",
            "Start that program once and close it, then try again.",
        )
    if "locked" in said or "busy" in said:
        return stop(
            "source_locked", "Another program holds the source and lets nobody read it.",
            "Stop it, or wait until it is done, then try again.",
        )  # fmt: skip
    return stop(
        "damaged_source",
        f"The source is damaged and cannot be read to its end ({said}).",
        "Take a backup of it, or repair it with sqlite3's .recover, then try again.",
    )
