"""A line to a server that can be broken in the ways lines break.

`with broken_line(url) as line:` and point the client at `line.url`; set `line.fault` at any time.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from urllib.parse import urlsplit


class Fault(Enum):
    NONE = "everything passes"
    CUT_REQUEST = "reset after some of the request, nothing reaches the server"
    LOSE_ANSWER = "the request arrives and is done, the answer is lost"
    CUT_ANSWER = "reset after some of the answer"
    HANG = "taken and never answered"
    STALL = "silence after some of the answer"
    SLOW = "the answer comes in small pieces with pauses"
    BUSY = "503, slow down"
    TOO_MANY = "429, too many requests"
    NONSENSE = "a page of somebody else's, with 200"
    CHANGE_REQUEST = "one bit of the request's body is changed"
    CHANGE_ANSWER = "one bit of the answer's body is changed"
    LATE = "never answered, and done all the same once the client has gone"


ANSWERS = {
    Fault.BUSY: ("503 Slow Down", "<Error><Code>SlowDown</Code></Error>"),
    Fault.TOO_MANY: ("429 Too Many Requests", "<Error><Code>TooManyRequests</Code></Error>"),
    Fault.NONSENSE: (
        "200 OK",
        "<html><body>Welcome! Please sign in to the wireless.</body></html>",
    ),
}
PAUSE_S = 0.05


class BrokenLine:
    """Passes bytes on to `target`, as its fault allows. `connections` counts what came."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._door = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self.kind = ""  # what it leads to, for tests that run on several servers
        self._fault = Fault.NONE
        self.only: bytes | None = None  # the fault meets only requests that begin so
        self.times: int | None = None  # how often the fault strikes; None: every time
        self.cut_after_bytes = 20_000
        self.connections = 0

    @property
    def fault(self) -> Fault:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        """From now on, for clients with an open connection too: they must come again."""
        self._fault = fault
        while self._open:
            _close(self._open.pop())

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._door.accept()
                self.connections += 1
                self._open.append(client)
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def close(self) -> None:
        for each in (self._door, *self._open):
            _close(each)

    def _carry(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            first = client.recv(65536)
            fault = self._strike(first)
            if fault is Fault.HANG:
                _take_all(client)
                return
            if fault is Fault.CUT_REQUEST:
                self._swallow(client, len(first))
                return
            if fault is Fault.LATE:
                self._send_late(first + _take_all(client))
                return
            if fault in ANSWERS:
                _answer(client, first, *ANSWERS[fault])
                return
            self._pass_on(client, first, fault)

    def _send_late(self, request: bytes) -> None:
        with socket.create_connection(self._target) as server:
            server.sendall(request)
            server.settimeout(3)  # it keeps the line open; what it says is not looked at
            _take_all(server)

    def _strike(self, request: bytes) -> Fault:
        spared = self.only is not None and not request.startswith(self.only)
        if spared or self.fault is Fault.NONE or self.times == 0:
            return Fault.NONE
        if self.times is not None:
            self.times -= 1
        return self.fault

    def _swallow(self, client: socket.socket, taken: int) -> None:
        while taken < self.cut_after_bytes and (data := client.recv(65536)):
            taken += len(data)
        _reset(client)

    def _pass_on(self, client: socket.socket, first: bytes, fault: Fault) -> None:
        server = socket.create_connection(self._target)
        self._open.append(server)
        server.sendall(first)
        threading.Thread(target=self._pump, args=(client, server, fault), daemon=True).start()
        sent = 0
        while data := server.recv(65536):
            if fault is Fault.SLOW:
                time.sleep(PAUSE_S)
            if fault is Fault.CHANGE_ANSWER:
                data = self._changed(data, sent)
            if fault is Fault.STALL and sent >= self.cut_after_bytes:
                _take_all(client)
                return
            if fault is Fault.LOSE_ANSWER:
                if data.startswith(b"HTTP/1.1 100"):
                    client.sendall(data)
                    continue
                _reset(client)
                return
            client.sendall(data)
            sent += len(data)
            if fault is Fault.CUT_ANSWER and sent >= self.cut_after_bytes:
                _reset(client)
                return
        client.close()

    def _pump(self, client: socket.socket, server: socket.socket, fault: Fault) -> None:
        sent = 0
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if fault is Fault.CHANGE_REQUEST:
                    data = self._changed(data, sent)
                server.sendall(data)
                sent += len(data)

    def _changed(self, data: bytes, sent: int) -> bytes:
        """The bit that is changed is `cut_after_bytes` bytes behind the beginning."""
        place = self.cut_after_bytes - sent
        if not 0 <= place < len(data):
            return data
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def _take_all(client: socket.socket) -> bytes:
    """Everything the client sends until it goes."""
    taken = []
    while data := client.recv(65536):
        taken.append(data)
    return b"".join(taken)


def _answer(client: socket.socket, first: bytes, status: str, body: str) -> None:
    """An answer of our own, once the request is taken: who answers before may be cut off."""
    client.settimeout(0.2)
    with contextlib.suppress(TimeoutError):
        head, _, rest = first.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        missing = int(length[1]) - len(rest) if length else 0
        if b"100-continue" in head.lower():
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while missing > 0 and (data := client.recv(65536)):
            missing -= len(data)
    client.sendall(
        f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
        f"Connection: close\r\n\r\n{'' if first.startswith(b'HEAD') else body}".encode()
    )
    client.close()


def _close(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


def _reset(client: socket.socket) -> None:
    """Gone at once, as a pulled plug: not a polite close."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    client.shutdown(socket.SHUT_RD)
    client.close()


@contextmanager
def broken_line(target: str) -> Iterator[BrokenLine]:
    line = BrokenLine(target)
    threading.Thread(target=line.serve, daemon=True).start()
    try:
        yield line
    finally:
        line.close()
