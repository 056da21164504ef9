"""Reads: who is asking, who belongs to a school, who may sign in."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from school import cache, clock
from school.accounts.models import ApiToken, Membership, User, WebAuthn
from school.db import SchoolSession, db, transaction
from school.errors import Invalid, NotFound
from school.permissions import Permission, Person, Role
from school.tenancy.models import School, SchoolStatus
from school.tenancy.scope import school_scope
from school.web.pagination import (
    DAMAGED,
    PAGE_ROWS,
    Page,
    Place,
    after_place,
    in_direction,
    take_page,
)

Record = dict[str, Any]
TOKEN_PREFIX = "sh"  # noqa: S105 - how our keys begin, not a key
DEMO_DOMAIN = "@demo.example"
DEMO_PASSWORD = "schoolhouse demo"  # noqa: S105 - shown on the demo's sign-in page, and only there


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


def _people_with_schools() -> sa.Select[Any]:
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
                User.id == token.user_id, User.active.is_(True), School.id == school_id
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


def find_user(name: str) -> User | None:
    """The account with this e-mail or user name, however it is written."""
    folded = name.strip().lower()
    return db.session.scalar(
        sa.select(User).where(sa.or_(User.email == folded, User.username == folded))
    )


def get_user(user_id: UUID) -> User:
    """Raises NotFound."""
    user = db.session.get(User, user_id)
    if user is None:
        raise NotFound("There is no such account.")
    return user


def get_school(school_id: UUID) -> School:
    """Raises NotFound."""
    school = db.session.get(School, school_id)
    if school is None:
        raise NotFound("There is no such school.")
    return school


def roles_of(user_id: UUID, school_id: UUID) -> frozenset[Role]:
    """What this person is in this school."""
    found = db.session.scalars(
        sa.select(Membership.role).where(
            Membership.user_id == user_id, Membership.school_id == school_id
        )
    )
    return frozenset(Role(role) for role in found)


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


def find_for_sign_in(name: str) -> User | None:
    """The active account with this e-mail or user name, in any spelling of capitals."""
    folded = name.strip().lower()
    column = User.email if "@" in folded else User.username
    return db.session.scalar(sa.select(User).where(column == folded, User.active.is_(True)))


def schools_of(user_id: UUID) -> set[UUID]:
    """Every school this person belongs to."""
    return set(
        db.session.scalars(sa.select(Membership.school_id).where(Membership.user_id == user_id))
    )


def count_administrators(school_id: UUID, *, besides: UUID) -> int:
    """Active administrators of a school, one person not counted."""
    return (
        db.session.scalar(
            sa.select(sa.func.count())
            .select_from(Membership)
            .join(User, User.id == Membership.user_id)
            .where(
                Membership.school_id == school_id,
                Membership.role == Role.ADMINISTRATOR,
                User.active.is_(True),
                User.id != besides,
            )
        )
        or 0
    )


def find_avatar_key(user_id: UUID, *, seen_by: UUID) -> str | None:
    """The picture of somebody in one of the asker's schools, or the asker's own."""
    mine = sa.select(Membership.school_id).where(Membership.user_id == seen_by)
    shared = sa.exists().where(Membership.user_id == User.id, Membership.school_id.in_(mine))
    return db.session.scalar(
        sa.select(User.avatar_key).where(User.id == user_id, (User.id == seen_by) | shared)
    )


def list_passkeys(user_id: UUID) -> Sequence[WebAuthn]:
    return db.session.scalars(
        sa.select(WebAuthn).where(WebAuthn.user_id == user_id).order_by(WebAuthn.name)
    ).all()


def list_tokens(user_id: UUID) -> Sequence[ApiToken]:
    """A person's tokens in the school in scope, newest first."""
    return db.session.scalars(
        sa.select(ApiToken).where(ApiToken.user_id == user_id).order_by(ApiToken.id.desc())
    ).all()


def get_token(token_id: UUID, user_id: UUID) -> ApiToken:
    """Raises NotFound, for somebody else's too."""
    token = db.session.scalar(
        sa.select(ApiToken).where(ApiToken.id == token_id, ApiToken.user_id == user_id)
    )
    if token is None:
        raise NotFound("There is no such token.")
    return token


@dataclass(frozen=True, slots=True)
class Member:
    """One person of the school, as the list shows them."""

    user_id: UUID
    display_name: str
    email: str
    is_active: bool
    has_password: bool
    last_seen_at: datetime | None
    avatar_key: str | None
    # As the database folds it: Python and SQLite do not agree on every letter.
    sort_name: str
    roles: tuple[Role, ...] = ()


_MEMBER = (
    User.id,
    User.display_name,
    User.email,
    User.active,
    User.password.is_not(None),
    User.current_login_at,
    User.avatar_key,
    sa.func.lower(User.display_name),
)


class Belongs(StrEnum):
    """What the list of members can be narrowed to."""

    ACTIVE = "active"
    INVITED = "invited"
    ENDED = "ended"


def list_members(
    school_id: UUID,
    *,
    search: str = "",
    role: Role | None = None,
    state: Belongs | None = None,
    place: Place | None = None,
    limit: int = PAGE_ROWS,
) -> Page[Member]:
    """Members by name, two queries."""
    columns = (sa.func.lower(User.display_name), User.id)
    narrowed = _members(school_id, search, role, state)
    query = (
        sa.select(*_MEMBER)
        .where(*narrowed, after_place(columns, _with_id(place)))
        .order_by(*in_direction(columns, place))
    )
    return take_page(
        lambda most: _with_roles(db.session.execute(query.limit(most)).all(), school_id),
        place=place,
        key=lambda member: (member.sort_name, str(member.user_id)),
        size=limit,
    )


def count_members(
    school_id: UUID, *, search: str = "", role: Role | None = None, state: Belongs | None = None
) -> int:
    """How many the same list has on all its pages."""
    narrowed = _members(school_id, search, role, state)
    return db.session.scalar(sa.select(sa.func.count()).select_from(User).where(*narrowed)) or 0


def _members(
    school_id: UUID, search: str, role: Role | None, state: Belongs | None
) -> list[sa.ColumnElement[bool]]:
    people = sa.select(Membership.user_id).where(Membership.school_id == school_id)
    if role is not None:
        people = people.where(Membership.role == role)
    conditions: list[sa.ColumnElement[bool]] = [User.id.in_(people)]
    if search:
        conditions.append(matches(search))
    if state is Belongs.ENDED:
        conditions.append(User.active.is_(False))
    elif state is not None:
        conditions.append(User.active.is_(True))
        conditions.append(
            User.password.is_(None) if state is Belongs.INVITED else User.password.is_not(None)
        )
    return conditions


def _with_id(place: Place | None) -> Place | None:
    """A place out of an address holds the id as text. Raises Invalid for one that is none."""
    if place is None:
        return None
    if len(place.values) != 2:
        raise Invalid(DAMAGED)
    try:
        return Place((place.values[0], UUID(str(place.values[1]))), place.backwards)
    except ValueError:
        raise Invalid(DAMAGED) from None


def get_member(school_id: UUID, user_id: UUID) -> Member:
    """One member of this school. Raises NotFound for everybody else."""
    belongs = sa.exists().where(Membership.user_id == User.id, Membership.school_id == school_id)
    rows = db.session.execute(sa.select(*_MEMBER).where(User.id == user_id, belongs)).all()
    if not rows:
        raise NotFound("There is no such person in this school.")
    return _with_roles(rows, school_id)[0]


def matches(search: str) -> sa.ColumnElement[bool]:
    """Every word typed stands in the name or the e-mail."""
    return sa.and_(
        *(
            sa.func.lower(User.display_name).contains(word, autoescape=True)
            # SQLite lowers only the letters of English.
            | User.display_name.contains(word.capitalize(), autoescape=True)
            | User.email.contains(word, autoescape=True)
            for word in search.lower().split()[:5]
        )
    )


def _with_roles(rows: Sequence[Any], school_id: UUID) -> list[Member]:
    held: dict[UUID, list[Role]] = {}
    for user_id, role in db.session.execute(
        sa.select(Membership.user_id, Membership.role).where(
            Membership.school_id == school_id, Membership.user_id.in_([row[0] for row in rows])
        )
    ):
        held.setdefault(user_id, []).append(Role(role))
    order = list(Role)
    return [
        replace(Member(*row), roles=tuple(sorted(held.get(row[0], ()), key=order.index)))
        for row in rows
    ]


def list_accounts(*, search: str = "", limit: int = 100) -> list[tuple[User, str]]:
    """Accounts by name, each with the names of its schools."""
    query = sa.select(User).order_by(sa.func.lower(User.display_name), User.id).limit(limit)
    if search:
        query = query.where(matches(search))
    users = db.session.scalars(query).all()
    names: dict[UUID, list[str]] = {}
    for user_id, name in db.session.execute(
        sa.select(Membership.user_id, School.name)
        .join(School, School.id == Membership.school_id)
        .where(Membership.user_id.in_([user.id for user in users]))
        .distinct()
        .order_by(School.name)
    ):
        names.setdefault(user_id, []).append(name)
    return [(user, ", ".join(names.get(user.id, ()))) for user in users]


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """An account the demo's sign-in page offers; `role` None looks after all schools."""

    name: str
    email: str
    password: str
    role: Role | None


def demo_accounts() -> list[DemoAccount]:
    """One account per role, of those whose e-mail ends in DEMO_DOMAIN, administrators first."""
    rows = db.session.execute(
        sa.select(User.display_name, User.email, User.is_platform_admin, Membership.role)
        .outerjoin(Membership, Membership.user_id == User.id)
        .where(User.email.endswith(DEMO_DOMAIN, autoescape=True), User.active.is_(True))
        .order_by(User.id)
    )
    shown: dict[str, DemoAccount] = {}
    for name, email, is_platform_admin, held in rows:
        role = None if is_platform_admin or held is None else Role(held)
        if role or is_platform_admin:
            shown.setdefault(str(role), DemoAccount(name, email, DEMO_PASSWORD, role))
    order = [*map(str, Role), "None"]
    return [shown[kind] for kind in order if kind in shown]
