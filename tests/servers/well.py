"""An S3 and a GCS without a bottom: what is put in is counted and forgotten, what is asked for is
zeros. Holds nothing, so that a gigabyte can be sent and fetched on a small machine.

Run as a program it prints its port: the memory of who talks to it is measured apart from it.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import google_crc32c

BLOCK = bytes(1024 * 1024)
_S3 = "http://s3.amazonaws.com/doc/2006-03-01/"
_DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


class Well(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Bucket)
        self.sizes: dict[str, int] = {}  # bytes taken, by key or upload
        self.checksums: dict[str, int] = {}


class _Bucket(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Well

    def log_message(self, *_: object) -> None:
        pass

    def _go(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        key = query["name"][0] if "name" in query else parts.path.partition("blob")[2]
        key = key.replace("%2F", "/").removeprefix("blob")
        self._gcs(key, query) if "/storage/v1/" in self.path else self._s3(key, query)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _go

    def _take(self, name: str, *, hashed: bool = False) -> int:
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            data = self.rfile.read(min(left, len(BLOCK)))
            left -= len(data)
            self.server.sizes[name] = self.server.sizes.get(name, 0) + len(data)
            if hashed:
                before = self.server.checksums.get(name, 0)
                self.server.checksums[name] = google_crc32c.extend(before, data)
        return self.server.sizes.get(name, 0)

    def _s3(self, key: str, query: dict[str, list[str]]) -> None:
        if self.command == "PUT":
            self._take(key)
            self._say(200, headers={"ETag": '"1"'})
        elif self.command == "POST":
            self._take("requests")
            root = "Initiate" if "uploads" in query else "Complete"
            self._say(
                200,
                f'<{root}MultipartUploadResult xmlns="{_S3}"><UploadId>1</UploadId><ETag>"1"</ETag>'
                f"</{root}MultipartUploadResult>".encode(),
            )
        elif key not in self.server.sizes:
            self._say(404)
        else:
            self._zeros(self.server.sizes[key], {"ETag": '"1"', "Last-Modified": _DATE})

    def _gcs(self, key: str, query: dict[str, list[str]]) -> None:
        if self.command == "POST":
            about = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            place = f"http://{self.headers['Host']}/upload/storage/v1/x?name={about['name']}"
            self._say(200, headers={"Location": place})
        elif self.command == "PUT":
            taken = self._take(key, hashed=True)
            is_last = not self.headers["Content-Range"].endswith("/*")
            self._say_object(key) if is_last else self._say(
                308, headers={"Range": f"bytes=0-{taken - 1}"}
            )
        elif key not in self.server.sizes:
            self._say(404)
        elif "media" in query.get("alt", []):
            self._zeros(self.server.sizes[key], {})
        else:
            self._say_object(key)

    def _say_object(self, key: str) -> None:
        crc32c = self.server.checksums[key].to_bytes(4, "big")
        about = {
            "name": key, "size": str(self.server.sizes[key]), "generation": "1",
            "updated": "2026-10-21T07:28:00Z", "crc32c": base64.b64encode(crc32c).decode(),
        }  # fmt: skip
        self._say(200, json.dumps(about).encode(), {"Content-Type": "application/json"})

    def _zeros(self, size: int, headers: dict[str, str]) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start, end = (int(asked[1]), int(asked[2] or size - 1)) if asked else (0, size - 1)
        self.send_response(206 if asked else 200)
        for name, value in {**headers, "Content-Length": str(end + 1 - start)}.items():
            self.send_header(name, value)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{end}/{size}")
        self.end_headers()
        left = end + 1 - start if self.command == "GET" else 0
        while left:
            self.wfile.write(BLOCK[: min(left, len(BLOCK))])
            left -= min(left, len(BLOCK))

    def _say(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    well = Well()
    sys.stdout.write(f"{well.server_address[1]}\n")
    sys.stdout.flush()
    well.serve_forever()
