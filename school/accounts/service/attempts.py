"""Tries to sign in are counted, for accounts that exist and for names that don't alike."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta
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
MOST_LINK_USES = 600
MOST_WRONG_LINKS = 30
NO_ADDRESS = "-"
TOO_MANY = "Too many tries. Wait %(minutes)s minutes, then try again, or set a new password."
JUST_WAIT = "Too many tries. Wait %(minutes)s minutes, then try again."
"""Where a new password would not help."""


def begin_attempt(
    name: str,
    *,
    account_id: UUID | None,
    address: str,
    pepper: str,
    password_set_at: datetime | None = None,
) -> tuple[UUID, int]:
    """Note a try before the password is looked at: (its id, tries left after this one).

    Noted first and counted second, so that many at once cannot slip through together. Whoever
    is locked out is so by the name typed and by the account behind it; the tries left are those
    of the name alone, or they would tell which two names are one account. Tries before the
    account's password was set no longer count: whoever set it read the mail or knew the old one.
    Raises TooMany, and then forgets this try again: waiting always helps.
    """
    name_hash = _hash(name, pepper)
    noted = [LoginAttempt(name_hash=name_hash, address=address[:64], succeeded=False)]
    if account_id is not None:
        noted.append(_note_of_account(_hash(str(account_id), pepper)))
    with transaction() as session:
        session.add_all(noted)
        session.flush()
    counts = [_failures_of(attempt.name_hash, password_set_at) for attempt in noted]
    waits = [wait_s for failures, wait_s in counts if failures > MOST_PER_ACCOUNT]
    from_address, wait_s = _failures(LoginAttempt.address == address[:64], since=None)
    if from_address > MOST_PER_ADDRESS:
        waits.append(wait_s)
    if waits:
        with transaction() as session:
            for attempt in noted:
                session.delete(attempt)
        _refuse(waits[0], TOO_MANY)
    return noted[0].id, MOST_PER_ACCOUNT - counts[0][0]


def note_success(attempt_id: UUID, names: Iterable[str], *, pepper: str) -> None:
    """The password was right: the tries before it no longer count, by any of these names."""
    with transaction() as session:
        attempt = session.get(LoginAttempt, attempt_id)
        if attempt is not None:
            attempt.succeeded = True
        session.add_all(_note_of_account(_hash(name, pepper), succeeded=True) for name in names)


def _note_of_account(name_hash: str, *, succeeded: bool = False) -> LoginAttempt:
    """Beside the note of the try itself, which alone counts for the address."""
    return LoginAttempt(name_hash=name_hash, address=NO_ADDRESS, succeeded=succeeded)


def _failures_of(name_hash: str, password_set_at: datetime | None) -> tuple[int, int]:
    starts = [at for at in (_last_success(name_hash), password_set_at) if at is not None]
    return _failures(LoginAttempt.name_hash == name_hash, since=max(starts, default=None))


def begin_reset(email: str, *, address: str, pepper: str) -> None:
    """Note that somebody asks for a link to set a new password, for an account or for none alike.

    Counted apart from signing in: whoever is locked out there is sent here.
    Raises TooMany, and then forgets this one again.
    """
    asker = f"reset {address}"[:64]
    noted = LoginAttempt(name_hash=_hash(f"reset {email}", pepper), address=asker, succeeded=False)
    with transaction() as session:
        session.add(noted)
    for_account, account_s = _failures(LoginAttempt.name_hash == noted.name_hash, since=None)
    from_address, address_s = _failures(LoginAttempt.address == asker, since=None)
    if for_account > MOST_PER_ACCOUNT or from_address > MOST_PER_ADDRESS:
        with transaction() as session:
            session.delete(noted)
        _refuse(account_s if for_account > MOST_PER_ACCOUNT else address_s, JUST_WAIT)


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
        _refuse(wait_s, JUST_WAIT)


def note_link_try(token_hash: str, *, address: str, pepper: str, is_known: bool) -> None:
    """Note that somebody opens a link without signing in; wrong ones count strictly.

    Counted apart from signing in. Raises TooMany, and then forgets this one again.
    """
    asker = f"{'link' if is_known else 'wrong link'} {address}"[:64]
    noted = LoginAttempt(
        name_hash=_hash(f"link {token_hash}", pepper), address=asker, succeeded=False
    )
    with transaction() as session:
        session.add(noted)
    tries, wait_s = _failures(LoginAttempt.address == asker, since=None)
    if tries > (MOST_LINK_USES if is_known else MOST_WRONG_LINKS):
        with transaction() as session:
            session.delete(noted)
        _refuse(wait_s, JUST_WAIT)


def forget_old_attempts() -> int:
    """Tries older than a day serve nobody. Returns how many went."""
    with transaction() as session:
        result = session.execute(
            sa.delete(LoginAttempt).where(LoginAttempt.at < clock.now() - timedelta(days=1))
        )
    return int(result.rowcount)  # type: ignore[attr-defined]


def _refuse(wait_s: int, sentence: str) -> None:
    minutes = max(1, -(-wait_s // 60))
    raise TooMany(sentence, retry_after_s=max(1, wait_s), minutes=minutes)


def _failures(where: sa.ColumnElement[bool], *, since: datetime | None) -> tuple[int, int]:
    """(failures in the window, seconds until the oldest of them leaves it)."""
    begin = clock.now() - WINDOW
    query = sa.select(sa.func.count(), sa.func.min(LoginAttempt.at)).where(
        where, LoginAttempt.at > begin, LoginAttempt.succeeded.is_(False)
    )
    if since is not None:
        query = query.where(LoginAttempt.at > since)
    count, oldest = db.session.execute(query).one()
    return count, int((oldest + WINDOW - clock.now()).total_seconds()) if oldest else 0


def _last_success(name_hash: str) -> datetime | None:
    return db.session.scalar(
        sa.select(sa.func.max(LoginAttempt.at)).where(
            LoginAttempt.name_hash == name_hash, LoginAttempt.succeeded.is_(True)
        )
    )


def _hash(name: str, pepper: str) -> str:
    return hmac.new(pepper.encode(), name.strip().lower().encode(), "sha256").hexdigest()
