"""What Google's front door checks and the emulator behind it does not: signatures (V4, RSA),
expiry, the promised length, and generations that must match. A proxy on loopback.

The verifier is our own reading of Google's signing process (tests/storage/verify.py), not the
library's code that signs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tests.servers.gcs import BUCKET
from tests.storage.verify import gcs_accepts

_NOT_PASSED_ON = {"connection", "transfer-encoding", "content-encoding", "content-length"}


class GcsGate(ThreadingHTTPServer):
    """Forwards to the emulator at `target` what real GCS would have let in."""

    daemon_threads = True

    def __init__(self, target: str, public_key: RSAPublicKey) -> None:
        super().__init__(("127.0.0.1", 0), _Visitor)
        self.target = target
        self.public_key = public_key
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def generation_of(self, key: str) -> str:
        """Of what lies at the emulator; '0' for nothing, as Google counts."""
        place = f"{self.target}/storage/v1/b/{BUCKET}/o/{quote(key, safe='')}"
        answer = requests.get(place, timeout=10)
        return str(answer.json()["generation"]) if answer.ok else "0"


class _Visitor(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GcsGate

    def do(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        status = self._refusal(length)
        if status is not None:
            self._answer(status, {}, b'{"error": {"message": "refused at the gate"}}')
            return
        answer = requests.request(
            self.command, self.server.target + self.path, data=body, timeout=60,
            headers=dict(self.headers), allow_redirects=False,
        )  # fmt: skip
        self._answer(answer.status_code, dict(answer.headers), answer.content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = do

    def _refusal(self, length: int) -> int | None:
        """The status Google would refuse with; None for what may pass."""
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if parts.path.startswith(f"/{BUCKET}/"):  # a link, or somebody without one
            if not self._is_signed(query):
                return 403
            lowest, _, highest = self.headers.get("x-goog-content-length-range", "").partition(",")
            if lowest and not int(lowest) <= length <= int(highest):
                return 400
        wanted = query.get("ifGenerationMatch") or self.headers.get("x-goog-if-generation-match")
        if wanted is None or wanted == self.server.generation_of(_key(parts.path, query)):
            return None
        return 412

    def _is_signed(self, query: dict[str, str]) -> bool:
        url = f"http://{self.headers['Host']}{self.path}"
        try:
            begins_at = datetime.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(
                tzinfo=UTC
            )
            ends_at = begins_at + timedelta(seconds=int(query["X-Goog-Expires"]))
            is_genuine = gcs_accepts(self.command, url, dict(self.headers), self.server.public_key)
        except (KeyError, ValueError):
            return False
        return is_genuine and begins_at <= datetime.now(UTC) < ends_at

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _key(path: str, query: dict[str, str]) -> str:
    """The object a request is about: in its link, its API address, or its query."""
    for mark in (f"/copyTo/b/{BUCKET}/o/", f"/b/{BUCKET}/o/", f"/{BUCKET}/"):
        if mark in path:
            return unquote(path.partition(mark)[2])
    return query.get("name", "")


@pytest.fixture(scope="session")
def gcs_gate(gcs_server: str, gcs_key: tuple[object, RSAPublicKey]) -> Iterator[str]:
    """Its address; what lies behind is the emulator of `gcs_server`."""
    gate = GcsGate(gcs_server, gcs_key[1])
    threading.Thread(target=gate.serve_forever, daemon=True).start()
    yield gate.url
    gate.shutdown()
    gate.server_close()
