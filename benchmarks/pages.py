"""Requests per second of the list of students, beside a bare Flask page, in one run.

    python -m benchmarks.pages [--seconds 5] [--connections 8]

The demo school on PostgreSQL and Redis (throwaway servers), one waitress process, and the load on
the same cores; then a one-line Flask page on the same waitress with the same load. The ratio is
the figure; requests per second depend on the machine. `--sqlite` measures the small installation.
"""

from __future__ import annotations

import argparse
import http.client
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from school.demo.story import PASSWORD
from tests.servers.postgres import throwaway_postgres
from tests.servers.redis import throwaway_redis
from tests.servers.schoolhouse import free_port, serving, wait_for

BARE = """
import sys, waitress
from flask import Flask
app = Flask(__name__)
@app.get("/")
def page(): return "<!doctype html><title>Bare</title><h1>Bare</h1>"
@app.get("/readyz")
def ready(): return "ok"
waitress.serve(app, host="127.0.0.1", port=int(sys.argv[1]), threads=8)
"""


@dataclass
class Measured:
    name: str
    per_second: float
    p50_ms: float
    p95_ms: float


def load(name: str, url: str, *, cookie: str, seconds: float, connections: int) -> Measured:
    """Ask one address over keep-alive connections for a while."""
    parts = urllib.parse.urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    until = time.monotonic() + seconds
    times: list[float] = []
    lock = threading.Lock()

    def ask() -> None:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        own: list[float] = []
        while time.monotonic() < until:
            began = time.perf_counter()
            connection.request("GET", path, headers={"Cookie": cookie})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{url} answered {answer.status}")
            own.append((time.perf_counter() - began) * 1000)
        with lock:
            times.extend(own)

    threads = [threading.Thread(target=ask) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not times:
        raise RuntimeError(f"{url} gave no answer")
    ordered = sorted(times)
    return Measured(
        name, len(times) / seconds, statistics.median(times), ordered[int(len(ordered) * 0.95)]
    )


def sign_in(base: str) -> str:
    """The session cookie of the demo's registrar."""
    parts = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.request("GET", "/login")
    answer = connection.getresponse()
    cookie = (answer.getheader("Set-Cookie") or "").split(";")[0]
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', answer.read().decode())
    body = urllib.parse.urlencode(
        {
            "csrf_token": token.group(1) if token else "",
            "email": "yusuf.demir",
            "password": PASSWORD,
        }
    )
    connection.request(
        "POST",
        "/login",
        body,
        {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie},
    )
    answer = connection.getresponse()
    answer.read()
    return (answer.getheader("Set-Cookie") or cookie).split(";")[0]


@contextmanager
def bare_page() -> Iterator[str]:
    port = free_port()
    server = subprocess.Popen([sys.executable, "-c", BARE, str(port)], stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz", server, Path("/dev/null"))
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--sqlite", action="store_true")
    options = parser.parse_args()
    how = {"seconds": options.seconds, "connections": options.connections}
    with ExitStack() as stack:
        servers = {}
        if not options.sqlite:
            postgres = stack.enter_context(throwaway_postgres())
            servers = {
                "DATABASE_URL": postgres.url(),
                "REDIS_URL": stack.enter_context(throwaway_redis()).url(),
            }
        demo = stack.enter_context(
            serving(Path(stack.enter_context(tempfile.TemporaryDirectory())), **servers)
        )
        cookie = sign_in(demo.url)
        pages = [
            load(name, demo.url + path, cookie=cookie, **how)
            for name, path in [
                ("list of students", "/students"),
                ("search", "/students?q=ade"),
                ("today", "/"),
            ]
        ]
        bare = load("bare Flask", stack.enter_context(bare_page()), cookie="", **how)
    print(f"{'page':<18}{'requests/s':>12}{'p50 ms':>9}{'p95 ms':>9}{'of bare':>9}")
    for one in [*pages, bare]:
        print(
            f"{one.name:<18}{one.per_second:>12.0f}{one.p50_ms:>9.1f}{one.p95_ms:>9.1f}"
            f"{one.per_second / bare.per_second:>8.0%}"
        )


if __name__ == "__main__":
    main()
