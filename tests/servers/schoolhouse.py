"""A running Schoolhouse with the demo school, started by the commands a person would use."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Running:
    """Where it answers, and the environment to run commands beside it."""

    url: str
    environment: dict[str, str]
    folder: Path

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`python -m school WORDS` in the same installation."""
        return run(self.environment, *words, check=check)


def environment_for(folder: Path, port: int, **more: str) -> dict[str, str]:
    """The settings of an installation in `folder`; nothing of the caller's own leaks in."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "LANG", "SYSTEMROOT")
        if name in os.environ
    }
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "DATA_DIR": str(folder),
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SECRET_KEY": secrets.token_hex(32),
        "PASSWORD_SALT": secrets.token_hex(16),
        "FILE_SIGNING_KEYS": secrets.token_hex(32),
        "FILE_ENCRYPTION_KEYS": "1:" + b64encode(secrets.token_bytes(32)).decode(),
        "TOTP_SECRETS": "1:" + secrets.token_hex(16),
        "LOG_LEVEL": "WARNING",
        "DEMO": "false",  # a developer's own .env may say otherwise
        **more,
    }


def run(
    environment: dict[str, str], *words: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "school", *words],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(words)} failed:\n{done.stdout}\n{done.stderr}")
    return done


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(folder: Path, *, demo: bool = True, **settings: str) -> Iterator[Running]:
    """Set up in `folder`, serve, and stop at the end."""
    port = free_port()
    environment = environment_for(folder, port, **({"DEMO": "true"} if demo else {}), **settings)
    run(environment, "db", "upgrade")
    if demo:
        run(environment, "demo")
    log = (folder / "server.log").open("w")
    server = subprocess.Popen(
        [sys.executable, "-m", "school", "serve"],
        env=environment,
        cwd=ROOT,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz", server, folder / "server.log")
        yield Running(f"http://127.0.0.1:{port}", environment, folder)
    finally:
        server.terminate()
        server.wait(timeout=20)
        log.close()


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path, *, seconds: float = 40) -> None:
    """Until the server answers 200. Raises with its log when it ends or stays silent."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if server.poll() is not None:
            raise AssertionError(f"the server ended:\n{log.read_text()[-3000:]}")
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            with urllib.request.urlopen(url, timeout=3) as answer:
                if answer.status == 200:
                    return
        time.sleep(0.2)
    raise AssertionError(f"{url} did not answer 200 within {seconds} s:\n{log.read_text()[-3000:]}")
