"""API tokens: made, shown once, revoked."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import timedelta

from school import clock
from school.accounts.models import ApiToken
from school.accounts.queries import TOKEN_PREFIX, hash_secret
from school.audit.log import facts, record
from school.db import db
from school.errors import Forbidden, Invalid
from school.permissions import Permission, Person
from school.tenancy.scope import current_school_id

FACTS = ("name", "scopes", "expires_at")
MOST_DAYS = 730


def create_token(
    name: str, *, scopes: Iterable[Permission], days: int | None, by: Person
) -> tuple[ApiToken, str]:
    """A token that acts as `by`; the text is told this once and cannot be found again."""
    wanted = frozenset(scopes)
    _check(name, wanted, days, by)
    secret = secrets.token_urlsafe(32)
    token = ApiToken(
        user_id=by.user_id,
        name=name.strip(),
        secret_hash=hash_secret(secret),
        scopes=sorted(scope.value for scope in wanted),
        expires_at=clock.now() + timedelta(days=days) if days else None,
    )
    db.session.add(token)
    db.session.flush()
    record("api_token.created", "api_token", token.id, after=facts(token, FACTS))
    return token, f"{TOKEN_PREFIX}_{current_school_id().hex}_{token.id.hex}_{secret}"


def revoke_token(token: ApiToken) -> None:
    """From now on it opens nothing."""
    if token.revoked_at is None:
        token.revoked_at = clock.now()
        record("api_token.revoked", "api_token", token.id, before={"name": token.name})
        db.session.flush()


def _check(name: str, scopes: frozenset[Permission], days: int | None, by: Person) -> None:
    if not 1 <= len(name.strip()) <= 100:
        raise Invalid("Name the token after what uses it, at most 100 characters.", field="name")
    if not scopes:
        raise Invalid("Tick at least one thing the token may do.", field="scopes")
    if not scopes <= by.permissions:
        raise Forbidden("A token can only do what you may do yourself.")
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise Invalid("Choose between 1 and %(n)s days.", field="days", n=MOST_DAYS)
