"""A line to a server that can be broken in the ways lines break.

`with broken_line(url) as line:` and point the client at `line.url`; set `line.fault` at any time.
"""

from __future__ import annotations

import contextlib
import socket
import threading
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


class BrokenLine:
    """Passes bytes on to `target`, as its fault allows. `connections` counts what came."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._door = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self.kind = ""  # what it leads to, for tests that run on several servers
        self.fault = Fault.NONE
        self.only: bytes | None = None  # the fault meets only requests that begin so
        self.times: int | None = None  # how often the fault strikes; None: every time
        self.cut_after_bytes = 20_000
        self.connections = 0

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._door.accept()
                self.connections += 1
                self._open.append(client)
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def close(self) -> None:
        for each in (self._door, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _carry(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            first = client.recv(65536)
            fault = self._strike(first)
            if fault is Fault.HANG:
                while client.recv(65536):
                    pass
                return
            if fault is Fault.CUT_REQUEST:
                self._swallow(client, len(first))
                return
            self._pass_on(client, first, fault)

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
        threading.Thread(target=_pump, args=(client, server), daemon=True).start()
        sent = 0
        while data := server.recv(65536):
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


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)


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
