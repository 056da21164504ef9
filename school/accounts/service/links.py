"""One-time links into an account that exists: used once, then worthless."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, cast

import sqlalchemy as sa

from school import clock
from school.accounts.models import OneTimeLink, User
from school.accounts.service.people import (
    checked_password,
    revoke_links,
    set_password,
    tell_password_changed,
)
from school.audit.log import record_platform
from school.db import db
from school.errors import NotFound
from school.mail.service import address_of, queue_mail

SIGN_IN_HOURS = 24
INVITATION_LIFE = timedelta(days=7)
PATH = "/welcome/"
WORTHLESS = "This link was used already or is too old. Ask for a new one."


def make_sign_in_link(user: User) -> str:
    """An address that lets this person in once, within 24 hours; earlier ones stop working."""
    link = _make_link(user, lasts=timedelta(hours=SIGN_IN_HOURS))
    record_platform("user.link_made", "user", user.id)
    return link


def send_sign_in_link(user: User) -> None:
    """The same by mail: whoever asks for somebody else never sees the link."""
    queue_mail(
        user.email,
        "Your link to sign in",
        "sign_in_link",
        name=user.display_name,
        url=make_sign_in_link(user),
    )


def make_invitation_link(user: User) -> str:
    """An address that lets this person in once, within seven days; earlier ones stop working."""
    return _make_link(user, lasts=INVITATION_LIFE)


def open_link(secret: str) -> User:
    """Whose link this is, without using it up: mail programs open links by themselves.

    Raises NotFound, in the same words, for one that is used, too old or never was.
    """
    user = db.session.scalar(
        sa.select(User)
        .join(OneTimeLink, OneTimeLink.user_id == User.id)
        .where(_is_good(secret, clock.now()), User.active.is_(True))
    )
    if user is None:
        raise NotFound(WORTHLESS)
    return user


def use_link(secret: str, *, password: str | None = None) -> User:
    """Use it up and say whose it was; sets the password if one is given.

    Raises NotFound when it is worthless, so that of many at once exactly one gets in.
    """
    user = open_link(secret)
    if password is not None:
        checked_password(password)
    now = clock.now()
    used = db.session.execute(
        sa.update(OneTimeLink)
        .where(_is_good(secret, now))
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )
    if cast("Any", used).rowcount != 1:
        raise NotFound(WORTHLESS)
    if password is not None:
        is_change = user.password is not None
        set_password(user, password)
        if is_change:
            tell_password_changed(user)
    record_platform("user.link_used", "user", user.id)
    return user


def _make_link(user: User, *, lasts: timedelta) -> str:
    revoke_links(user)
    secret = secrets.token_urlsafe(32)
    db.session.add(
        OneTimeLink(user_id=user.id, secret_hash=_hash(secret), expires_at=clock.now() + lasts)
    )
    db.session.flush()
    return address_of(PATH + secret)


def _is_good(secret: str, now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        OneTimeLink.secret_hash == _hash(secret),
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > now,
    )


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
