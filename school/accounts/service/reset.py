"""A forgotten password: a link by mail, with the same work in the request for everybody."""

from __future__ import annotations

from uuid import UUID

from flask_security.recoverable import generate_reset_password_token

from school.accounts import queries
from school.accounts.models import User
from school.accounts.service.attempts import begin_reset
from school.db import db, transaction
from school.jobs.queue import enqueue, handler
from school.mail.service import address_of, in_language, queue_mail

JOB = "accounts.send_reset_link"
PATH = "/reset/"


def ask_for_reset_link(email: str, *, address: str, pepper: str, locale: str) -> None:
    """Have a link sent if the address has an account; a job is written in either case.

    How long this takes must not tell which: making the link and the letter is the job's.
    Raises TooMany.
    """
    begin_reset(email, address=address, pepper=pepper)
    user = queries.find_for_sign_in(email) if "@" in email else None
    with transaction():
        enqueue(JOB, user_id=str(user.id) if user else None, locale=locale)


@handler(JOB)
def send_reset_link(user_id: str | None, locale: str) -> None:
    """Write the letter, in the language the asker reads."""
    user = db.session.get(User, UUID(user_id)) if user_id else None
    if user is None or not user.active:
        return
    url = address_of(PATH + generate_reset_password_token(user))  # type: ignore[no-untyped-call]
    with transaction(), in_language(locale):
        queue_mail(
            user.email, "Your link to set a new password", "reset", name=user.display_name, url=url
        )
