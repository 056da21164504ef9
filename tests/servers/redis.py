"""A throwaway Redis on a Unix socket: no port, nothing kept, gone afterwards.

`with throwaway_redis() as server:` or the fixture `redis_server`.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

START_LIMIT_S = 15


class NoRedis(Exception):
    """Redis cannot run here; the message says why."""


@dataclass(frozen=True)
class RedisServer:
    """A running server and its socket."""

    socket_path: Path
    process: subprocess.Popen[bytes]

    def url(self, database: int = 0) -> str:
        return f"unix://{self.socket_path}?db={database}"

    def kill(self) -> None:
        """Take it away at once, for tests of what happens then."""
        self.process.kill()
        self.process.wait()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


@contextmanager
def throwaway_redis() -> Iterator[RedisServer]:
    """Start a server in a temporary folder and take everything away at the end."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise NoRedis("Redis is not installed (Debian/Ubuntu: apt-get install redis-server)")
    folder = Path(tempfile.mkdtemp(prefix="shredis-", dir="/tmp"))
    path = folder / "redis.sock"
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                "--port",
                "0",
                "--unixsocket",
                path,
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
                folder,
                "--databases",
                "64",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        _wait_until_up(process, path)
        yield RedisServer(path, process)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_up(process: subprocess.Popen[bytes], path: Path) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while not _answers(path):
        if process.poll() is not None or time.monotonic() > limit:
            raise NoRedis("Redis did not start")
        time.sleep(0.02)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server of this test run's own; skips, saying why, where Redis cannot run."""
    try:
        with throwaway_redis() as server:
            yield server
    except NoRedis as reason:
        pytest.skip(str(reason))
