"""Tries to sign in are counted, for accounts that exist and for names that don't alike."""

from __future__ import annotations

import hmac
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.accounts.models import LoginAttempt
from school.db import db, transaction
from school.errors import TooMany

WINDOW = timedelta(minutes=15)
MOST_PER_ACCOUNT = 10
MOST_PER_ADDRESS = 50
TOLD_FROM = 7
"""Tries left at which the page begins to say so."""
TOO_MANY = "Too many tries. Wait %(minutes)s minutes, then try again, or set a new password."


def begin_attempt(name: str, *, address: str, pepper: str) -> tuple[UUID, int]:
    """Note a try before the password is looked at: (its id, tries left after this one).

    Noted first and counted second, so that many at once cannot slip through together.
    Raises TooMany, and then forgets this try again: waiting always helps.
    """
    name_hash = _hash(name, pepper)
    with transaction() as session:
        attempt = LoginAttempt(name_hash=name_hash, address=address[:64], succeeded=False)
        session.add(attempt)
        session.flush()
    failures, wait_s = _failures(
        LoginAttempt.name_hash == name_hash, since=_last_success(name_hash)
    )
    from_address, address_wait_s = _failures(LoginAttempt.address == address[:64], since=None)
    if failures > MOST_PER_ACCOUNT or from_address > MOST_PER_ADDRESS:
        with transaction() as session:
            session.delete(attempt)
        _refuse(wait_s if failures > MOST_PER_ACCOUNT else address_wait_s)
    return attempt.id, MOST_PER_ACCOUNT - failures


def note_success(attempt_id: UUID) -> None:
    """The password was right: the tries before it no longer count."""
    with transaction() as session:
        attempt = session.get(LoginAttempt, attempt_id)
        if attempt is not None:
            attempt.succeeded = True


def note_second_step(user_id: UUID, *, address: str, pepper: str) -> None:
    """A wrong code or passkey counts too, on an account of its own."""
    with transaction() as session:
        session.add(
            LoginAttempt(
                name_hash=_hash(f"second {user_id}", pepper), address=address[:64], succeeded=False
            )
        )


def check_second_step(user_id: UUID, *, pepper: str) -> None:
    """Raises TooMany after ten wrong codes within the window."""
    name_hash = _hash(f"second {user_id}", pepper)
    failures, wait_s = _failures(LoginAttempt.name_hash == name_hash, since=None)
    if failures >= MOST_PER_ACCOUNT:
        _refuse(wait_s)


def forget_old_attempts() -> int:
    """Tries older than a day serve nobody. Returns how many went."""
    with transaction() as session:
        result = session.execute(
            sa.delete(LoginAttempt).where(LoginAttempt.at < clock.now() - timedelta(days=1))
        )
    return int(result.rowcount)  # type: ignore[attr-defined]


def _refuse(wait_s: int) -> None:
    minutes = max(1, -(-wait_s // 60))
    raise TooMany(TOO_MANY, retry_after_s=max(1, wait_s), minutes=minutes)


def _failures(where: sa.ColumnElement[bool], *, since: object | None) -> tuple[int, int]:
    """(failures in the window, seconds until the oldest of them leaves it)."""
    begin = clock.now() - WINDOW
    query = sa.select(sa.func.count(), sa.func.min(LoginAttempt.at)).where(
        where, LoginAttempt.at > begin, LoginAttempt.succeeded.is_(False)
    )
    if since is not None:
        query = query.where(LoginAttempt.at > since)
    count, oldest = db.session.execute(query).one()
    return count, int((oldest + WINDOW - clock.now()).total_seconds()) if oldest else 0


def _last_success(name_hash: str) -> object | None:
    return db.session.scalar(
        sa.select(sa.func.max(LoginAttempt.at)).where(
            LoginAttempt.name_hash == name_hash, LoginAttempt.succeeded.is_(True)
        )
    )


def _hash(name: str, pepper: str) -> str:
    return hmac.new(pepper.encode(), name.strip().lower().encode(), "sha256").hexdigest()
