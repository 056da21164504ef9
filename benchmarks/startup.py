"""How long until the first page: the set-up script's second run, beside starting a bare Flask app.

python -m benchmarks.startup      needs an installation that was set up here once (--demo)
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.pages import BARE
from tests.servers.schoolhouse import free_port

ROOT = Path(__file__).parent.parent


def seconds_until(url: str, command: list[str]) -> float:
    """From starting `command` to the first 200 of `url`."""
    began = time.monotonic()
    server = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while time.monotonic() - began < 120:
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                with urllib.request.urlopen(url, timeout=2) as answer:
                    if answer.status == 200:
                        return time.monotonic() - began
            time.sleep(0.02)
        raise RuntimeError(f"{url} did not answer within two minutes")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def main() -> None:
    port = free_port()
    ours = [
        seconds_until(
            f"http://127.0.0.1:{port}/login",
            ["./setup_infrastructure.sh", "--demo", "--port", str(port)],
        )
        for _ in range(3)
    ]
    bare_port = free_port()
    bare = [
        seconds_until(
            f"http://127.0.0.1:{bare_port}/", [sys.executable, "-c", BARE, str(bare_port)]
        )
        for _ in range(3)
    ]
    print(
        f"second run of the set-up script to the first page: {sorted(ours)[1]:.1f} s "
        f"(bare Flask on waitress: {sorted(bare)[1]:.1f} s, {sorted(ours)[1] / sorted(bare)[1]:.1f} times)"
    )


if __name__ == "__main__":
    main()
