"""The whole way with nothing played: a fresh copy, the real packages, the real program, a browser's questions."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from school.bootstrap.console import Stop
from school.bootstrap.platforms import this_platform
from school.bootstrap.preflight import check_network
from school.bootstrap.production.plan import ENTRIES

pytestmark = pytest.mark.slow
START_LIMIT_S = 240


@pytest.fixture
def fresh(copy_of_the_project: Callable[..., Path], repository: Path) -> Path:
    """What a server gets, and nothing more; proves that list complete as well."""
    try:
        check_network(this_platform())
    except Stop as reason:
        pytest.skip(f"packages cannot be installed here: {reason.sentence}")
    return copy_of_the_project(*(entry for entry in ENTRIES if (repository / entry).exists()))


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode()


@contextmanager
def started(root: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    inherited = {"PATH", "HOME", "LANG", "TMPDIR"}
    env = {k: v for k, v in os.environ.items() if k in inherited or k.startswith(("PIP_", "UV_"))}
    process = subprocess.Popen(
        [root / "setup_infrastructure.sh", "--demo", "--port", str(port)],
        cwd="/",
        env=env,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        ends_at = time.monotonic() + START_LIMIT_S
        while not _answers(port):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < ends_at, "it did not start"
            time.sleep(0.2)
        yield process
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        get(f"http://127.0.0.1:{port}/healthz")
    except OSError:
        return False
    return True


def test_the_demo_from_nothing_to_the_sign_in_page_and_again(fresh):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with started(fresh, port) as process:
        assert '"status":"ok"' in get(f"http://127.0.0.1:{port}/readyz").replace(" ", "")
        page = get(f"http://127.0.0.1:{port}/")
        assert "<h1" in page
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors + out
        assert "Sign in with password" in out
    settings, database = (
        (fresh / ".env").read_bytes(),
        (fresh / "data/schoolhouse.db").stat().st_ino,
    )
    with started(fresh, port) as process:
        assert "<h1" in get(f"http://127.0.0.1:{port}/")
        process.send_signal(signal.SIGINT)
        out = process.communicate(timeout=60)[0]
    assert out.count("there already") == 2
    assert (fresh / ".env").read_bytes() == settings
    assert (fresh / "data/schoolhouse.db").stat().st_ino == database
