"""The outbox: a letter exists if, and only if, what it tells of was saved; it leaves once."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from school import clock
from school.db import db, transaction
from school.mail import service
from school.mail.models import MailMessage, MailState


class MailServer(socketserver.StreamRequestHandler):
    """Says yes to everything and keeps what it is told."""

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            self.server.heard.append(line)
            if line.upper() == "DATA":
                self._say("354 go on")
                while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    self.server.heard.append(text)
            elif line.upper() == "QUIT":
                self._say("221 bye")
                return
            self._say(self.server.answer if line.upper().startswith("RCPT") else "250 fine")

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


@contextlib.contextmanager
def mail_server(answer: str = "250 fine") -> Iterator[socketserver.TCPServer]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailServer) as server:
        server.heard, server.answer, server.daemon_threads = [], answer, True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def use_server(app: Flask, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    kept = list(service._find)

    def use(url: str) -> None:
        found = kept[0]()
        service.connect(
            lambda: service.Post(url, found.sender, tmp_path, found.public_url, found.translate)
        )

    yield use
    service._find[:] = kept


def queue() -> MailMessage:
    with transaction():
        return service.queue_mail(
            "amara@example.org",
            "Your link to sign in",
            "sign_in_link",
            name="Amara",
            url="http://localhost/welcome/x",
        )


def stored() -> list[MailMessage]:
    db.session.expire_all()
    return list(db.session.scalars(sa.select(MailMessage)))


def test_no_letter_leaves_when_the_work_it_tells_of_fails(
    app: Flask, run_jobs: Callable[[], int]
) -> None:
    with pytest.raises(RuntimeError), transaction():
        service.queue_mail(
            "a@example.org", "Your link to sign in", "sign_in_link", name="A", url="u"
        )
        raise RuntimeError
    assert (run_jobs(), stored()) == (0, [])


def test_a_letter_reaches_the_mail_server_once(app: Flask, use_server, run_jobs) -> None:
    with mail_server() as server:
        use_server(f"smtp://127.0.0.1:{server.server_address[1]}")
        letter = queue()
        run_jobs()
        service.send(letter.id)
        heard = server.heard
    assert sum(line.upper().startswith("RCPT") for line in heard) == 1
    assert "Subject: Your link to sign in" in heard
    assert "http://localhost/welcome/x" in heard
    assert stored()[0].state == MailState.SENT
    assert stored()[0].body == "", "whoever reads the database later finds no way in"


def test_a_server_that_is_away_is_tried_again_later(app: Flask, use_server, run_jobs) -> None:
    use_server("smtp://127.0.0.1:1")
    queue()
    run_jobs()
    assert (stored()[0].state, stored()[0].attempts) == (MailState.FAILED, 1)
    assert "ConnectionRefused" in stored()[0].error
    with mail_server() as server:
        use_server(f"smtp://127.0.0.1:{server.server_address[1]}")
        service.send(stored()[0].id)
    assert (stored()[0].state, stored()[0].error) == (MailState.SENT, None)


def test_a_refused_address_is_kept_with_the_reason(app: Flask, use_server, run_jobs) -> None:
    with mail_server("550 nobody here") as server:
        use_server(f"smtp://127.0.0.1:{server.server_address[1]}")
        queue()
        run_jobs()
    assert stored()[0].state == MailState.FAILED
    assert "nobody here" in stored()[0].error


def test_a_subject_cannot_begin_another_header(app: Flask, run_jobs) -> None:
    with transaction():
        service.queue_text("a@example.org", "Hello\r\nBcc: everybody@example.org", "text")
    run_jobs()
    assert stored()[0].subject == "Hello Bcc: everybody@example.org"
    assert stored()[0].state == MailState.SENT


def test_a_text_nobody_carries_goes_once_its_links_are_over(app: Flask, run_jobs) -> None:
    letter = queue()
    run_jobs()
    file = service.post().folder / f"{letter.id}.eml"
    assert "/welcome/x" in file.read_text()
    assert service.forget_old_texts() == 0
    with clock.set_to(clock.now() + timedelta(days=7, seconds=1)):
        assert service.forget_old_texts() == 1
        assert service.forget_old_texts() == 0
    assert (stored()[0].subject, stored()[0].body) == ("Your link to sign in", "")
    assert stored()[0].state == MailState.SENT
    assert not file.exists()


def test_a_letter_whose_text_is_gone_is_not_sent_empty(app: Flask, use_server, run_jobs) -> None:
    use_server("smtp://127.0.0.1:1")
    letter = queue()
    with clock.set_to(clock.now() + timedelta(days=7, seconds=1)):
        service.forget_old_texts()
    service.send(letter.id)
    assert (stored()[0].state, stored()[0].error) == (MailState.FAILED, service.TEXT_GONE)
