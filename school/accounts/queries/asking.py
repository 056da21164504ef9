"""Who is asking: a signed-in person, or a program with a token."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from school import cache, clock
from school.accounts.models import ApiToken, Membership, User
from school.db import SchoolSession, db, transaction
from school.permissions import Permission, Person, Role
from school.tenancy.models import School, SchoolStatus
from school.tenancy.scope import school_scope

Record = dict[str, Any]


TOKEN_PREFIX = "sh"  # noqa: S105 - how our keys begin, not a key


def load_person(key: str, wanted_school_id: UUID | None) -> Person | None:
    """Whoever holds this session key, in the wanted school if they belong to it.

    One query for account, memberships and school names, remembered for a minute; every change
    of one of them forgets it (see `_forget_changed_people`).
    """
    record = cache.remember(key, "person", "record", lambda: _read_record(key), seconds=60)
    return None if record is None else _person_of(record, wanted_school_id)


def _read_record(key: str) -> Record | None:
    rows = db.session.execute(
        _people_with_schools()
        .where(User.fs_uniquifier == key, User.active.is_(True))
        .order_by(School.name)
    ).all()
    return _record_of(rows) if rows else None


def _people_with_schools() -> Any:
    """A row per membership in a running school; one row with empty ends for a person with none."""
    running = sa.and_(School.id == Membership.school_id, School.status == SchoolStatus.ACTIVE)
    return (
        sa.select(
            User.id,
            User.display_name,
            User.email,
            User.is_platform_admin,
            User.locale,
            User.time_zone,
            User.theme,
            User.density,
            User.avatar_key,
            School.id.label("school_id"),
            School.name.label("school_name"),
            Membership.role,
        )
        .select_from(User)
        .outerjoin(Membership, Membership.user_id == User.id)
        .outerjoin(School, running)
    )


def _record_of(rows: Any) -> Record:
    first = rows[0]
    return {
        "user_id": str(first.id),
        "display_name": first.display_name,
        "email": first.email,
        "is_platform_admin": first.is_platform_admin,
        "locale": first.locale,
        "time_zone": first.time_zone,
        "theme": first.theme,
        "density": first.density,
        "has_avatar": first.avatar_key is not None,
        "memberships": [
            [str(row.school_id), row.school_name, row.role] for row in rows if row.school_id
        ],
    }


def _person_of(
    record: Record, wanted_school_id: UUID | None, scopes: frozenset[Permission] | None = None
) -> Person:
    plain = {name: value for name, value in record.items() if name != "memberships"}
    schools = {UUID(school_id): name for school_id, name, _role in record["memberships"]}
    school_id = _school_to_enter(list(schools), wanted_school_id)
    roles = {
        Role(role) for member_of, _, role in record["memberships"] if member_of == str(school_id)
    }
    return Person(
        **{**plain, "user_id": UUID(record["user_id"])},
        school_id=school_id,
        roles=frozenset(roles),
        scopes=scopes,
        schools=tuple(schools.items()),
    )


def _school_to_enter(schools: list[UUID], wanted: UUID | None) -> UUID | None:
    """The wanted one; the only one; or none, so that the person is asked."""
    if wanted in schools:
        return wanted
    return schools[0] if len(schools) == 1 else None


def load_token(bearer: str) -> Person | None:
    """The person a key for programs acts as, narrowed to its scopes; None for anything else."""
    parts = _parts_of_token(bearer)
    if parts is None:
        return None
    school_id, token_id, secret = parts
    with school_scope(school_id):
        token = db.session.scalar(sa.select(ApiToken).where(ApiToken.id == token_id))
        if token is None or not _opens(token, secret):
            return None
        rows = db.session.execute(
            _people_with_schools().where(
                User.id == token.user_id,
                User.active.is_(True),
                sa.or_(User.tokens_ended_at.is_(None), User.tokens_ended_at < token.created_at),
                School.id == school_id,
            )
        ).all()
        if not rows:
            return None
        _note_use(token)
        scopes = frozenset(Permission(scope) for scope in token.scopes if scope in set(Permission))
        return _person_of(_record_of(rows), school_id, scopes)


def _parts_of_token(bearer: str) -> tuple[UUID, UUID, str] | None:
    parts = bearer.split("_", 3)
    if len(parts) != 4 or parts[0] != TOKEN_PREFIX:
        return None
    try:
        return UUID(parts[1]), UUID(parts[2]), parts[3]
    except ValueError:
        return None


def hash_secret(secret: str) -> str:
    """What is kept of a secret that is long and random: no slow hash is needed."""
    return sha256(secret.encode()).hexdigest()


def _opens(token: ApiToken, secret: str) -> bool:
    same = hmac.compare_digest(token.secret_hash, hash_secret(secret))
    over = token.expires_at is not None and token.expires_at <= clock.now()
    return same and not over and token.revoked_at is None


def _note_use(token: ApiToken) -> None:
    """At most once a minute, so that reading does not become writing."""
    now = clock.now()
    if token.last_used_at is not None and (now - token.last_used_at).total_seconds() < 60:
        return
    with transaction() as session:
        session.execute(
            sa.update(ApiToken)
            .where(ApiToken.id == token.id)
            .values(last_used_at=now)
            .execution_options(synchronize_session=False)
        )


@event.listens_for(SchoolSession, "after_flush")
def _forget_changed_people(session: Session, _context: Any) -> None:
    """A change of an account, a membership or a school is seen at the person's next click."""
    changed = [*session.new, *session.dirty, *session.deleted]
    accounts = [row for row in changed if isinstance(row, User)]
    keys = {row.fs_uniquifier for row in accounts}
    for row in accounts:
        keys.update(sa.inspect(row).attrs.fs_uniquifier.history.deleted or ())
    users = {row.user_id for row in changed if isinstance(row, Membership)}
    schools = {row.id for row in changed if isinstance(row, School) and row not in session.new}
    keys.update(_keys_of(session, users, schools))
    for key in keys:
        cache.forget(key, "person")


def _keys_of(session: Session, users: Iterable[UUID], schools: Iterable[UUID]) -> set[str]:
    users, schools = set(users), set(schools)
    found: set[str] = set()
    if users:
        found.update(session.scalars(sa.select(User.fs_uniquifier).where(User.id.in_(users))))
    if schools:
        members = sa.select(Membership.user_id).where(Membership.school_id.in_(schools))
        found.update(session.scalars(sa.select(User.fs_uniquifier).where(User.id.in_(members))))
    return found
