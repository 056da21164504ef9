"""The generated nginx configuration, with nginx running on it and a few lines playing the program."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from school.bootstrap.production.plan import Site
from school.bootstrap.school import FirstAdministrator

BODY = bytes(range(256)) * 40


class Program(BaseHTTPRequestHandler):
    """Echoes what it is told about the visitor; sends one file by the web server's hand."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/file":
            self.send_header("X-Accel-Redirect", "/protected-files/blob/3f/photo")
            self.send_header("Content-Type", "image/png")
            self.send_header("Content-Disposition", 'attachment; filename="photo.png"')
        told = f"{self.headers['X-Forwarded-For']} {self.headers['X-Forwarded-Proto']} {self.headers['Host']}".encode()
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *args: object) -> None:
        return


@dataclass(frozen=True)
class Front:
    """A running nginx."""

    port: int
    plain_port: int

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> http.client.HTTPResponse:
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=context, timeout=20
        )
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Host": "school.example.org", **named})
        return connection.getresponse()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def configuration(folder: Path, repository: Path, front: Front, program_port: int) -> str:
    certificate, key = str(folder / "c.pem"), str(folder / "k.pem")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=x",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    site = Site(
        repository, "school.example.org", FirstAdministrator("", ""), certificate=(certificate, key)
    )
    text = site.text("nginx/schoolhouse.conf")
    text = re.sub(r"server 127\.0\.0\.1:\d+", f"server 127.0.0.1:{program_port}", text)
    text = re.sub(r"listen \[::\].*\n", "", text).replace(
        "listen 80;", f"listen 127.0.0.1:{front.plain_port};"
    )
    text = text.replace("listen 443 ", f"listen 127.0.0.1:{front.port} ").replace(
        "/var/lib/schoolhouse", str(folder)
    )
    text = text.replace("/opt/schoolhouse", str(repository)).replace("102m", "1m")
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ include /etc/nginx/mime.types; access_log off; {temporary}\n{text}\n}}\n"
    )


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed (Debian/Ubuntu: apt-get install nginx)")
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "files/blob/3f").mkdir(parents=True)
    (folder / "files/blob/3f/photo").write_bytes(BODY)
    program = ThreadingHTTPServer(("127.0.0.1", 0), Program)
    threading.Thread(target=program.serve_forever, daemon=True).start()
    front = Front(free_port(), free_port())
    repository = Path(__file__).resolve().parent.parent.parent
    (folder / "nginx.conf").write_text(
        configuration(folder, repository, front, program.server_port)
    )
    process = subprocess.Popen([nginx, "-c", folder / "nginx.conf"], stderr=subprocess.PIPE)
    try:
        _wait_for(front.port, process)
        yield front
    finally:
        process.terminate()
        process.wait()
        program.shutdown()
        program.server_close()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(400):
        if process.poll() is not None:
            raise RuntimeError(process.stderr.read().decode() if process.stderr else "")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.025)
        else:
            return
    raise RuntimeError("nginx did not start")


def test_the_program_learns_who_really_asks(front):
    answer = front.ask("GET", "/", X_Forwarded_For="6.6.6.6", X_Forwarded_Proto="gopher")
    assert answer.read() == b"127.0.0.1 https school.example.org"


def test_plain_http_is_sent_to_https(front):
    connection = http.client.HTTPConnection("127.0.0.1", front.plain_port, timeout=20)
    connection.request("GET", "/students?q=a", headers={"Host": "school.example.org"})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (
        308,
        "https://school.example.org/students?q=a",
    )


def test_stored_files_are_sent_by_nginx_but_only_when_the_program_says_so(front):
    answer = front.ask("GET", "/file")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="photo.png"'
    assert answer.read() == BODY
    assert front.ask("GET", "/protected-files/blob/3f/photo").status == 404


def test_a_part_of_a_stored_file(front):
    answer = front.ask("GET", "/file", Range="bytes=100-199")
    assert (answer.status, answer.read()) == (206, BODY[100:200])


def test_a_body_above_the_limit_is_refused(front):
    assert front.ask("POST", "/", b"x" * 1_000_000).status == 200
    assert front.ask("POST", "/", b"x" * 1_100_000).status == 413


def test_static_files_come_from_the_disk_and_stay_for_a_year(front):
    answer = front.ask("GET", "/static/app.css", Accept_Encoding="gzip")
    assert (answer.status, answer.headers["Content-Encoding"]) == (200, "gzip")
    assert answer.headers["Cache-Control"] == "max-age=31536000"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    # Climbing out ends at the program, which knows no such page, never at a file of ours.
    assert front.ask("GET", "/static/%2e%2e/app.py").read() == b"127.0.0.1 https school.example.org"


def test_pages_are_not_compressed_beside_their_tokens(front):
    assert front.ask("GET", "/", Accept_Encoding="gzip").headers["Content-Encoding"] is None


def test_readiness_is_for_this_machine(front):
    assert front.ask("GET", "/readyz").status == 200
