"""Verbs: what happens to a message, from the moment somebody causes it until it has left.

A message is a row in the caller's transaction: it exists if, and only if, what it tells of was
saved. The worker sends it; without a mail server it is written into a folder and shown on the
outbox page.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import sqlalchemy as sa
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from school import clock
from school.db import db, transaction
from school.jobs.queue import enqueue
from school.mail.models import MailMessage, MailState
from school.tenancy.scope import find_school_id

TIMEOUT_S = 15
TEMPLATES = Path(__file__).parent.parent / "templates" / "mail"
JOB = "mail.send"
TEXT_LIFE = timedelta(days=7)
"""As long as the longest-lived link in a mail, an invitation's."""
TEXT_GONE = "The text is gone: its links are too old. Have a new mail sent."


@dataclass(frozen=True, slots=True)
class Post:
    """How mail leaves this installation, and how its links begin."""

    smtp_url: str
    sender: str
    folder: Path
    public_url: str
    translate: Callable[..., str]
    in_language: Callable[[str], AbstractContextManager[Any]] = nullcontext


_find: list[Callable[[], Post]] = []


def connect(find_post: Callable[[], Post]) -> None:
    """Name what finds the post of the application at work."""
    _find[:] = [find_post]


def post() -> Post:
    return _find[0]()


def in_language(locale: str) -> AbstractContextManager[Any]:
    """What is written inside is in this language, whoever's job it is."""
    return post().in_language(locale)


def address_of(path: str) -> str:
    """A page's whole address, for links in mails."""
    return post().public_url + path


def queue_mail(to: str, subject: str, template: str, **context: Any) -> MailMessage:
    """Write `templates/mail/<template>.txt`, filled from the context, to one address.

    The subject is an English sentence with `%(name)s` places, as a DomainError's message is.
    """
    translate = post().translate
    body = _templates().get_template(f"{template}.txt").render(_=translate, **context)
    places = {key: value for key, value in context.items() if isinstance(value, str)}
    return queue_text(to, translate(subject, **places), body)


def queue_text(to: str, subject: str, body: str) -> MailMessage:
    """The same for a text that is ready."""
    message = MailMessage(
        school_id=find_school_id(),
        to_address=to,
        subject=_one_line(subject),
        body=body.strip() + "\n",
    )
    db.session.add(message)
    db.session.flush()
    enqueue(JOB, message_id=str(message.id))
    return message


def _one_line(text: str) -> str:
    """No line breaks in a subject: they could begin another header."""
    return " ".join(text.split())[:300]


def _templates() -> Environment:
    # Plain text: nothing to escape.
    return Environment(  # noqa: S701
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True
    )


def send(message_id: UUID) -> None:
    """Send one waiting message. Sent before: nothing happens. Raises what the server said."""
    message = db.session.get(MailMessage, message_id, populate_existing=True)
    if message is None or message.state == MailState.SENT:
        return
    if not message.body:
        _give_up(message)
        return
    try:
        _carry(message)
    except (OSError, smtplib.SMTPException) as error:
        with transaction():
            message.attempts += 1
            message.error = f"{type(error).__name__}: {error}"[:500]
            message.state = MailState.FAILED
        raise
    with transaction():
        message.attempts += 1
        message.state, message.sent_at, message.error = MailState.SENT, clock.now(), None
        if post().smtp_url:
            message.body = ""


def _give_up(message: MailMessage) -> None:
    with transaction():
        message.state, message.error = MailState.FAILED, TEXT_GONE


def forget_old_texts() -> int:
    """Texts whose links are over, here and in the folder, go. Returns how many."""
    limit = clock.now() - TEXT_LIFE
    with transaction() as session:
        old = session.scalars(
            sa.select(MailMessage).where(MailMessage.created_at < limit, MailMessage.body != "")
        ).all()
        for message in old:
            message.body = ""
    for message in old:
        _place_of(message.id).unlink(missing_ok=True)
    return len(old)


def _carry(message: MailMessage) -> None:
    letter = _letter(message)
    if post().smtp_url:
        _send_by_smtp(letter)
    else:
        _write_to_folder(letter, message.id)


def _letter(message: MailMessage) -> EmailMessage:
    letter = EmailMessage()
    letter["From"] = post().sender
    letter["To"] = message.to_address
    letter["Subject"] = message.subject
    letter["Date"] = formatdate(localtime=False)
    # The row's own id: a second try is recognisably the same letter.
    domain = parseaddr(post().sender)[1].rpartition("@")[2] or "localhost"
    letter["Message-ID"] = f"<{message.id}@{domain}>" if message.id else make_msgid()
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(message.body)
    return letter


def _send_by_smtp(letter: EmailMessage) -> None:
    parts = urlsplit(post().smtp_url)
    host, secure = parts.hostname or "localhost", ssl.create_default_context()
    server: smtplib.SMTP
    if parts.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_S, context=secure)
    else:
        server = smtplib.SMTP(host, parts.port or 25, timeout=TIMEOUT_S)
    with server:
        if parts.scheme == "smtp+starttls":
            server.starttls(context=secure)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(letter)


def _write_to_folder(letter: EmailMessage, message_id: UUID) -> None:
    place = _place_of(message_id)
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    place.write_bytes(bytes(letter))
    place.chmod(0o600)


def _place_of(message_id: UUID) -> Path:
    return post().folder / f"{message_id}.eml"


def list_recent(limit: int = 100) -> list[MailMessage]:
    """The newest messages of all schools, for the outbox page."""
    return list(
        db.session.scalars(sa.select(MailMessage).order_by(MailMessage.id.desc()).limit(limit))
    )
