"""People get an account, belong to a school, lose their way in and get it back."""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from flask_security.utils import hash_password

from school import cache, clock
from school.accounts import queries
from school.accounts.models import Membership, OneTimeLink, User
from school.audit.log import record_platform
from school.db import db
from school.errors import Conflict, Invalid
from school.mail.service import address_of, queue_mail
from school.permissions import Role

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_UNSEEN = {"Cc", "Cf"}
_JOINERS = "\u200c\u200d"
_USERNAME = re.compile(r"[\w.-]{2,60}")


def make_user(
    email: str,
    display_name: str,
    *,
    username: str | None = None,
    password: str | None = None,
    is_platform_admin: bool = False,
    **preferences: Any,
) -> User:
    """A new account. Without a password its owner comes in by a one-time link.

    Raises Conflict when the e-mail or the user name belongs to somebody, Invalid for a fault.
    """
    user = User(
        email=checked_email(email),
        username=_checked_username(username),
        display_name=checked_name(display_name),
        password=None if password is None else hash_password(checked_password(password)),
        is_platform_admin=is_platform_admin,
        active=True,
        confirmed_at=None if password is None else clock.now(),
        password_set_at=None if password is None else clock.now(),
        **preferences,
    )
    _refuse_taken(user)
    db.session.add(user)
    db.session.flush()
    record_platform("user.created", "user", user.id)
    return user


def add_member(user: User, *, school_id: UUID, role: Role) -> Membership:
    """This person is that in this school, from their next click; harmless to repeat."""
    found = db.session.scalar(
        sa.select(Membership).where(
            Membership.user_id == user.id,
            Membership.school_id == school_id,
            Membership.role == role,
        )
    )
    if found is not None:
        return found
    membership = Membership(user_id=user.id, school_id=school_id, role=role)
    db.session.add(membership)
    db.session.flush()
    record_platform(
        "member.added",
        "user",
        user.id,
        details={"school_id": str(school_id), "role": str(role)},
    )
    forget_person(user)
    return membership


def forget_person(user: User) -> None:
    """What is remembered about this person is read again after the commit.

    Changes through the session do this by themselves (see queries); bulk statements must ask.
    """
    cache.forget(user.fs_uniquifier, "person")


def end_sessions(user: User) -> None:
    """Whoever is signed in as this person is signed out at their next click."""
    forget_person(user)
    user.fs_uniquifier = uuid4().hex
    db.session.flush()


def set_password(user: User, password: str) -> None:
    """Set it; sessions begun with the old one end."""
    user.password = hash_password(checked_password(password))
    end_sessions(user)
    note_password_set(user, by="link")


def note_password_set(user: User, *, by: str) -> None:
    """What a new password brings with it, whichever way it was set (`by`: link, reset, change).

    Links sent before open nothing: whoever finds an old mail must not set another password.
    Keys for programs go on working: a school's programs must not stop because somebody chose a
    better password; the page says where unknown ones are revoked.
    """
    now = clock.now()
    user.password_set_at = now
    user.confirmed_at = user.confirmed_at or now
    revoke_links(user)
    record_platform("user.password_set", "user", user.id, details={"by": by})
    db.session.flush()


def tell_password_changed(user: User) -> None:
    """By mail, with the way to a new one for whoever did not do it."""
    # Never the address the asker's browser claimed: it may be a forger's.
    queue_mail(
        user.email,
        "Your password was changed",
        "password_changed",
        name=user.display_name,
        url=address_of("/reset"),
    )


def revoke_links(user: User) -> None:
    """Links sent earlier open nothing any more."""
    db.session.execute(
        sa.update(OneTimeLink)
        .where(OneTimeLink.user_id == user.id, OneTimeLink.used_at.is_(None))
        .values(used_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def checked_password(password: str) -> str:
    """Raises Invalid for one that is too short or too long to be hashed in reasonable time."""
    if len(password) < SHORTEST_PASSWORD:
        raise Invalid(
            "Use at least %(count)s characters.", field="password", count=SHORTEST_PASSWORD
        )
    if len(password) > LONGEST_PASSWORD:
        raise Invalid("Use at most %(count)s characters.", field="password", count=LONGEST_PASSWORD)
    return password


def checked_email(email: str) -> str:
    """In lower case. Raises Invalid for what cannot be an address."""
    email = email.strip().lower()
    is_hiding = any(unicodedata.category(char) in _UNSEEN for char in email)
    if is_hiding or not _EMAIL.fullmatch(email) or len(email) > 320:
        raise Invalid("This is not an e-mail address.", field="email")
    return email


def _checked_username(username: str | None) -> str | None:
    if not username:
        return None
    username = username.strip().lower()
    if not _USERNAME.fullmatch(username):
        raise Invalid(
            "A user name has 2 to 60 letters, digits, dots, dashes or underscores.",
            field="username",
        )
    return username


def checked_name(name: str) -> str:
    """White space tidied, unseen characters dropped. Raises Invalid for an empty or endless one."""
    name = " ".join(_seen(" ".join(name.split())).split())
    if not 1 <= len(name) <= 200:
        raise Invalid("Give a name of up to 200 characters.", field="display_name")
    return name


def _seen(text: str) -> str:
    """Without control and format characters; joiners stay where scripts need them."""
    return "".join(
        char
        for at, char in enumerate(text)
        if unicodedata.category(char) not in _UNSEEN or _joins(text, at)
    )


def _joins(text: str, at: int) -> bool:
    """A joiner between letters, the signs that belong to letters (marks) included."""
    sides = (text[at - 1 : at], text[at + 1 : at + 2])
    return text[at] in _JOINERS and all(
        side and unicodedata.category(side)[0] in "LM" for side in sides
    )


def _refuse_taken(user: User) -> None:
    if queries.find_user(user.email):
        raise Conflict("Somebody has this e-mail address already.", field="email")
    if user.username and queries.find_user(user.username):
        raise Conflict("Somebody has this user name already.", field="username")
