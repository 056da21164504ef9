"""A throwaway clamd with signatures made here: no updates, no network, gone afterwards.

`with throwaway_clamd(StreamMaxLength="1M") as server:` or the fixture `clamd_server`. The system's
own clamd is never touched.
"""

from __future__ import annotations

import hashlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.schoolhouse import free_port

START_LIMIT_S = 30
# Harmless, and known to nobody but this server.
VIRUS = b"Schoolhouse: stands for a virus and harms nobody.\n"
VIRUS_NAME = "Schoolhouse.Test.Virus.UNOFFICIAL"  # clamd marks what ClamAV did not sign
# In two pieces, lest somebody's own scanner takes this file away.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}" + rb"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
EICAR_NAME = "Schoolhouse.Test.Eicar.UNOFFICIAL"
SETTINGS = {
    "Foreground": "yes",
    "StreamMaxLength": "4M",
    "AlertExceedsMax": "yes",
    "AlertEncrypted": "yes",
    "SelfCheck": "0",
    "MaxThreads": "4",
}


class NoClamd(Exception):
    """clamd cannot run here; the message says why."""


@dataclass(frozen=True)
class ClamdServer:
    """A running clamd, its folder and its port on 127.0.0.1."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def socket_path(self) -> Path:
        return self.folder / "clamd.sock"

    @property
    def unix_url(self) -> str:
        return f"unix://{self.socket_path}"

    @property
    def tcp_url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def learn(self, name: str, content: bytes) -> None:
        """From now on `content` is a virus, as after an update; in effect a moment later."""
        with (self.folder / "signatures" / "test.hdb").open("a") as file:
            file.write(f"{hashlib.md5(content).hexdigest()}:{len(content)}:{name}\n")
        _say(self.socket_path, b"zRELOAD\0")

    def pause(self) -> None:
        """It hangs: takes connections, as the kernel does for it, and says nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Take it away at once."""
        self.process.kill()
        self.process.wait()


def _say(path: Path, command: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(command)
        return connection.recv(64)


def _answers(path: Path) -> bool:
    try:
        return _say(path, b"zPING\0") == b"PONG\0"
    except OSError:
        return False


def _write(folder: Path, port: int, settings: dict[str, str]) -> Path:
    """Signatures by checksum and by pattern, and the settings; returns where these are."""
    signatures = folder / "signatures"
    signatures.mkdir()
    known = f"{hashlib.md5(VIRUS).hexdigest()}:{len(VIRUS)}"
    (signatures / "test.hdb").write_text(f"{known}:Schoolhouse.Test.Virus\n")
    (signatures / "test.ndb").write_text(f"Schoolhouse.Test.Eicar:0:*:{EICAR.hex()}\n")
    places = {
        "DatabaseDirectory": signatures,
        "TemporaryDirectory": folder,
        "LocalSocket": folder / "clamd.sock",
        "TCPSocket": port,
        "TCPAddr": "127.0.0.1",
    }
    config = folder / "clamd.conf"
    config.write_text("".join(f"{n} {v}\n" for n, v in {**SETTINGS, **places, **settings}.items()))
    return config


@contextmanager
def throwaway_clamd(**settings: str) -> Iterator[ClamdServer]:
    """Start a server, clamd.conf's `settings` on top of ours, and take everything away at the end."""
    program = shutil.which("clamd", path="/usr/sbin:/usr/local/sbin") or shutil.which("clamd")
    if program is None:
        raise NoClamd("ClamAV is not installed (Debian/Ubuntu: apt-get install clamav-daemon)")
    # In /tmp, because Debian's AppArmor profile lets clamd read nowhere else.
    folder = Path(tempfile.mkdtemp(prefix="shclamd-", dir="/tmp"))
    port = free_port()
    config = _write(folder, port, settings)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([program, "-c", config], stdout=log, stderr=log)
    server = ClamdServer(folder, port, process)
    try:
        _wait_until_up(server)
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_up(server: ClamdServer) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while not _answers(server.socket_path):
        if server.process.poll() is not None or time.monotonic() > limit:
            said = (server.folder / "server.log").read_text(errors="replace").strip().splitlines()
            raise NoClamd(f"ClamAV did not start: {said[-1] if said else 'no message'}")
        time.sleep(0.02)


@pytest.fixture(scope="session")
def clamd_server() -> Iterator[ClamdServer]:
    """A clamd of this test run's own; skips, saying why, where ClamAV cannot run."""
    try:
        with throwaway_clamd() as server:
            yield server
    except NoClamd as reason:
        pytest.skip(str(reason))
