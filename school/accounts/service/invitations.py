"""An invitation is offered, accepted by whoever reads the mail, or taken back."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.accounts import queries
from school.accounts.models import Invitation, User
from school.accounts.service.links import INVITATION_LIFE, PATH, WORTHLESS
from school.accounts.service.people import (
    add_member,
    checked_password,
    make_user,
    set_password,
)
from school.audit.log import record
from school.db import db, transaction
from school.errors import NotFound
from school.mail.service import address_of
from school.permissions import Role
from school.tenancy.models import School, SchoolStatus
from school.tenancy.scope import current_school_id, outside_schools, school_scope

MARK = "."
"""Between the school's id and the secret: no other one-time link has it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the page behind an invitation shows; `needs_password`: its reader has none yet."""

    email: str
    display_name: str
    school: str
    role: Role
    needs_password: bool


def offer_role(email: str, *, role: Role, display_name: str) -> str:
    """Offer a role in the school in scope; the address that accepts it once, within seven days.

    Repeated, this offer counts and its link, not the one before. Other schools' offers to the
    same address are their own.
    """
    secret = secrets.token_urlsafe(32)
    offer = db.session.scalar(sa.select(Invitation).where(Invitation.email == email))
    before = None if offer is None else {"roles": offer.role}
    if offer is None:
        offer = Invitation(email=email)
        db.session.add(offer)
    offer.role, offer.display_name = role, display_name
    offer.secret_hash, offer.expires_at = _hash(secret), clock.now() + INVITATION_LIFE
    db.session.flush()
    record("member.invited", "invitation", offer.id, before=before, after={"roles": role.value})
    return address_of(f"{PATH}{current_school_id().hex}{MARK}{secret}")


def is_invitation(secret: str) -> bool:
    return MARK in secret


def open_invitation(secret: str) -> Offer:
    """What is offered, without using it up. Raises NotFound for what is worthless."""
    with _school_of(secret):
        offer, school = _find(secret)
        user = _find_owner(offer)
        return Offer(
            offer.email,
            offer.display_name,
            school.name,
            Role(offer.role),
            needs_password=user is None or user.password is None,
        )


def accept_invitation(secret: str, *, password: str | None = None) -> User:
    """From now on its reader belongs to the school; a new account gets this password.

    Whoever has a password keeps it and signs in with it: a link that gives a role must not open
    an account. Raises NotFound when it is worthless, so that of many at once one gets in.
    Opens its own transaction, inside that school.
    """
    with _school_of(secret), transaction():
        offer, _school = _find(secret)
        user = _find_owner(offer)
        if user is None or user.password is None:
            checked_password(password or "")
        _use_up(secret)
        user = user or make_user(offer.email, offer.display_name)
        if user.password is None:
            set_password(user, password or "")
        add_member(user, school_id=current_school_id(), role=Role(offer.role))
        record("member.joined", "user", user.id, after={"roles": offer.role})
        return user


def take_back(invitation_id: UUID) -> None:
    """The offer of the school in scope is gone, and its link opens nothing. Raises NotFound."""
    offer = db.session.scalar(sa.select(Invitation).where(Invitation.id == invitation_id))
    if offer is None:
        raise NotFound("There is no such invitation.")
    record("member.uninvited", "invitation", offer.id, before={"roles": offer.role})
    db.session.delete(offer)
    db.session.flush()


@contextmanager
def _school_of(secret: str) -> Iterator[None]:
    """Inside the school that the link names, wherever its reader is now."""
    try:
        school_id = UUID(secret.partition(MARK)[0])
    except ValueError:
        raise NotFound(WORTHLESS) from None
    with outside_schools(), school_scope(school_id):
        yield


def _find(secret: str) -> tuple[Invitation, School]:
    row = db.session.execute(
        sa.select(Invitation, School)
        .join(School, School.id == Invitation.school_id)
        .where(_is_good(secret, clock.now()), School.status == SchoolStatus.ACTIVE)
    ).one_or_none()
    if row is None:
        raise NotFound(WORTHLESS)
    return row.Invitation, row.School


def _find_owner(offer: Invitation) -> User | None:
    """The account of the invited address. An ended one is not brought back by a school."""
    user = queries.find_user(offer.email)
    if user is not None and not user.active:
        raise NotFound(WORTHLESS)
    return user


def _use_up(secret: str) -> None:
    used = db.session.execute(
        sa.delete(Invitation)
        .where(_is_good(secret, clock.now()))
        .execution_options(synchronize_session=False)
    )
    if cast("Any", used).rowcount != 1:
        raise NotFound(WORTHLESS)


def _is_good(secret: str, now: datetime) -> sa.ColumnElement[bool]:
    found = Invitation.secret_hash == _hash(secret.partition(MARK)[2])
    return sa.and_(found, Invitation.expires_at > now)


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
