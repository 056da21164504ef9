"""Ask ClamAV whether a stream holds something harmful; whatever is not a clear yes or no is unsure.

clamd (the scanner that runs beside us) takes INSTREAM: pieces with their length in front, a length
of zero at the end, then one answer and it hangs up. It may also answer and hang up in the middle,
when the stream is longer than its StreamMaxLength; therefore we listen while we send. Commands and
answers end in a zero byte (https://docs.clamav.net/manual/Usage/ClamdProtocol.html; what clamd
1.4.6 really says is held by tests/files/service/test_clamd.py).

Two things only clamd's own settings can give: with `AlertExceedsMax no` (its default) it says "OK"
to what it gave up looking into, and without TLS the line to it belongs on a private network.
"""

from __future__ import annotations

import os
import re
import selectors
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from time import monotonic
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

CHUNK_BYTES = 64 * 1024
LONGEST_ANSWER_BYTES = 4096
LONGEST_PATH_BYTES = 107  # sun_path of Linux, without its final zero
_BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE
_CLEAN = b"stream: OK\0"
_TOO_LARGE = b"INSTREAM size limit exceeded. ERROR\0"
_FOUND = re.compile(rb"stream: ([!-~]{1,200}) FOUND\0")
# "Found" in name only: clamd did not look inside, because of a limit or a password.
_NOT_LOOKED_INTO = ("Heuristics.Limits.Exceeded", "Heuristics.Encrypted")
_VERSION = re.compile(rb"(ClamAV [!-.0-~]{1,60})(?:/([0-9]{1,9})/([ -~]{1,60}))?\0")
_DATE = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d+) (\d+):(\d+):(\d+) (\d{4})")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class Verdict(StrEnum):
    """What is known about a content. Only CLEAN may be handed out."""

    CLEAN = "clean"
    INFECTED = "infected"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Scan:
    """What came of one scan.

    `reason` is "clean", the signature's name, or why it is unsure: "too_large" (longer than clamd
    takes), "limits" (not looked into throughout; `signature` names the limit), "unreachable",
    "timeout", "protocol" (an answer nobody understands). `engine` is as in Version; None when it
    did not say.
    """

    verdict: Verdict
    reason: str
    signature: str | None = None
    engine: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """What scans: `engine` such as "ClamAV 1.4.6/27712", the number of its signatures in it.

    Number and date are None where the official signatures are missing. clamd gives the date by
    the clock on its wall without naming the zone; it is taken for UTC, so up to 14 hours off.
    """

    engine: str
    signature_number: int | None = None
    signatures_at: datetime | None = None


class Readable(Protocol):
    """Anything opened for reading bytes."""

    def read(self, size: int, /) -> bytes | None: ...


class _Failed(Exception):
    """No usable answer; `reason` as in Scan."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def scanner_url_problem(url: str) -> str | None:
    """What is wrong with a scanner's address, as the rest of a sentence; None when nothing is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not an address such as tcp://127.0.0.1:3310"
    if parts.scheme not in {"tcp", "unix"}:
        return "begins with tcp:// or unix:///"
    if parts.query or parts.fragment or "@" in parts.netloc:
        return "holds an address only: no password and no options"
    return _path_problem(parts) if parts.scheme == "unix" else _host_problem(parts, port)


def _path_problem(parts: SplitResult) -> str | None:
    path = unquote(parts.path)
    if parts.netloc or not path.strip("/") or "\0" in path:
        return "names a socket by its full path, such as unix:///run/clamav/clamd.ctl"
    if len(os.fsencode(path)) > LONGEST_PATH_BYTES:
        return f"names a socket whose path is longer than {LONGEST_PATH_BYTES} bytes"
    if not hasattr(socket, "AF_UNIX"):
        return "names a socket, which this computer does not have; write tcp://host:port"
    return None


def _host_problem(parts: SplitResult, port: int | None) -> str | None:
    if not parts.hostname or not port or parts.path.strip("/"):
        return "names a host and a port, such as tcp://127.0.0.1:3310"
    return None


class Scanner:
    """clamd at `url`, `tcp://host:port` or `unix:///path`. Keeps no connection; any thread may ask.

    A call takes `timeout_s` at most (above clamd's own MaxScanTime, 120 s, so that it can say that
    it gave up), not counting a name server that does not answer. A connection is there after
    `connect_s`, and clamd takes or says the next bytes within `step_s`; only the scan itself may
    take as long as there is time. Raises ValueError for an address with a problem.
    """

    def __init__(
        self, url: str, *, timeout_s: float = 130.0, connect_s: float = 2.0, step_s: float = 10.0
    ) -> None:
        problem = scanner_url_problem(url)
        if problem:
            raise ValueError(f"The scanner's address {problem}.")
        self._parts = urlsplit(url)
        self._timeout_s = timeout_s
        self._connect_s = connect_s
        self._step_s = step_s

    def scan(self, stream: Readable) -> Scan:
        """Send what is left in `stream`, at most 64 KiB at a time, and tell what clamd says.

        Never raises for clamd or the way to it; what reading the stream raises passes through.
        """
        ends_at = monotonic() + self._timeout_s
        engine = None
        try:
            # Asked before: signatures that change meanwhile leave an older number, and a rescan.
            engine = _read_version(self._ask(b"zVERSION\0", ends_at)).engine
            answer = self._send(stream, ends_at)
            verdict, reason, signature = _judge(answer)
        except _Failed as failure:
            return Scan(Verdict.UNSURE, failure.reason, engine=engine)
        return Scan(verdict, reason, signature, engine)

    def version(self) -> Version | None:
        """What scans, and with which signatures; None when clamd does not say."""
        try:
            return _read_version(self._ask(b"zVERSION\0", monotonic() + self._timeout_s))
        except _Failed:
            return None

    def ping(self) -> bool:
        """Whether clamd is there and answers."""
        try:
            return self._ask(b"zPING\0", monotonic() + self._timeout_s) == b"PONG\0"
        except _Failed:
            return False

    def _ask(self, command: bytes, ends_at: float) -> bytes:
        with self._line(ends_at) as line:
            line.send(command)
            return line.answer(self._step_s)

    def _send(self, stream: Readable, ends_at: float) -> bytes:
        with self._line(ends_at) as line:
            is_sent = all(map(line.send, _frames(stream)))
            answer = line.answer(self._timeout_s)
        # Half a stream can be too large. It cannot be clean, whatever is said about it.
        if not is_sent and answer not in {_TOO_LARGE, b""}:
            raise _Failed("protocol")
        return answer

    @contextmanager
    def _line(self, ends_at: float) -> Iterator[_Line]:
        with self._connect(ends_at) as connection, _selector() as selector:
            connection.setblocking(False)
            selector.register(connection, _BOTH)
            yield _Line(connection, selector, ends_at=ends_at, step_s=self._step_s)

    def _connect(self, ends_at: float) -> socket.socket:
        patience_s = min(self._connect_s, ends_at - monotonic())
        if patience_s <= 0:
            raise _Failed("timeout")
        try:
            if self._parts.scheme == "unix":
                return _connect_unix(unquote(self._parts.path), patience_s)
            address = (self._parts.hostname, self._parts.port)
            return socket.create_connection(address, patience_s)
        except (OSError, ValueError):  # ValueError: a host name that no name server takes
            raise _Failed("unreachable") from None


def _connect_unix(path: str, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout_s)
    try:
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _selector() -> selectors.BaseSelector:
    try:
        return selectors.DefaultSelector()
    except OSError:  # too many files are open
        raise _Failed("unreachable") from None


class _Line:
    """One connection. Nothing on it goes on after `ends_at` (monotonic seconds)."""

    def __init__(
        self,
        connection: socket.socket,
        selector: selectors.BaseSelector,
        *,
        ends_at: float,
        step_s: float,
    ) -> None:
        self._connection = connection
        self._selector = selector
        self._ends_at = ends_at
        self._step_s = step_s

    def send(self, data: bytes) -> bool:
        """Whether all of it went out; False as soon as clamd speaks or hangs up. Raises _Failed."""
        left = memoryview(data)
        while left:
            if self._wait(_BOTH, self._step_s) & selectors.EVENT_READ:
                return False
            try:
                left = left[self._connection.send(left) :]
            except BlockingIOError:
                continue
            except OSError:  # hung up; what it said before that can still be read
                return False
        return True

    def answer(self, patience_s: float) -> bytes:
        """All that is said until clamd hangs up; it has `patience_s` to begin. Raises _Failed."""
        said = b""
        while len(said) <= LONGEST_ANSWER_BYTES:
            self._wait(selectors.EVENT_READ, self._step_s if said else patience_s)
            try:
                block = self._connection.recv(LONGEST_ANSWER_BYTES)
            except BlockingIOError:
                continue
            except OSError:  # clamd resets the line when it leaves bytes of ours unread
                return said
            if not block:
                return said
            said += block
        raise _Failed("protocol")

    def _wait(self, events: int, patience_s: float) -> int:
        """Which of `events` came. Raises _Failed when none does in time."""
        patience_s = min(patience_s, self._ends_at - monotonic())
        self._selector.modify(self._connection, events)
        # Without this, a peer that always has another byte for us would never run out of time.
        ready = self._selector.select(patience_s) if patience_s > 0 else []
        if not ready:
            raise _Failed("timeout")
        return ready[0][1]


def _frames(stream: Readable) -> Iterator[bytes]:
    """The command, the stream in pieces with their length in front, and the end."""
    yield b"zINSTREAM\0"
    while block := stream.read(CHUNK_BYTES):
        yield struct.pack(">I", len(block)) + block
    if block is None:
        # "Nothing yet" is not the end: the rest would go unseen.
        raise BlockingIOError("A stream to be scanned must wait for its bytes.")
    yield struct.pack(">I", 0)


def _judge(answer: bytes) -> tuple[Verdict, str, str | None]:
    """Verdict, reason, signature. Raises _Failed for what is neither yes nor no."""
    if answer == _CLEAN:
        return Verdict.CLEAN, "clean", None
    found = _FOUND.fullmatch(answer)
    if found is None:
        raise _Failed({_TOO_LARGE: "too_large", b"": "unreachable"}.get(answer, "protocol"))
    signature = found[1].decode("ascii")
    if signature.startswith(_NOT_LOOKED_INTO):
        return Verdict.UNSURE, "limits", signature
    return Verdict.INFECTED, signature, signature


def _read_version(answer: bytes) -> Version:
    """Such as "ClamAV 1.4.6/27712/Wed Nov 19 08:31:02 2026" or "ClamAV 1.4.6". Raises _Failed."""
    said = _VERSION.fullmatch(answer)
    if said is None:
        raise _Failed("protocol" if answer else "unreachable")
    program = said[1].decode("ascii")
    if said[2] is None:
        return Version(program)
    number = int(said[2])
    return Version(f"{program}/{number}", number, _read_date(said[3].decode("ascii")))


def _read_date(text: str) -> datetime | None:
    """What C's ctime writes, always in English; None when it is something else."""
    said = _DATE.fullmatch(text)
    if said is None or said[1] not in _MONTHS:
        return None
    day, hour, minute, second, year = map(int, said.groups()[1:])
    try:
        return datetime(year, _MONTHS.index(said[1]) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
