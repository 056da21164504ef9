"""Accounts, tokens, schools, and the accounts of a demo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.accounts.models import ApiToken, Membership, User, WebAuthn
from school.accounts.queries.members import matches
from school.db import db
from school.errors import NotFound
from school.permissions import Role
from school.tenancy.models import School

DEMO_DOMAIN = "@northfield.example.org"

DEMO_PASSWORD = "northfield-demo"  # noqa: S105 - shown on the demo's sign-in page, and only there


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


def find_for_sign_in(name: str) -> User | None:
    """The active account with this e-mail or user name, in any spelling of capitals."""
    folded = name.strip().lower()
    column = User.email if "@" in folded else User.username
    return db.session.scalar(sa.select(User).where(column == folded, User.active.is_(True)))


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


@dataclass(frozen=True, slots=True)
class OwnedToken:
    """A token, whose it is, and whether everything of its owner ended since."""

    token: ApiToken
    owner_id: UUID
    owner: str
    is_ended: bool


def list_tokens(*, of: UUID | None = None) -> list[OwnedToken]:
    """Tokens in the school in scope, newest first: one person's, or everybody's."""
    query = (
        sa.select(ApiToken, User.id, User.display_name, _tokens_ended())
        .join(User, User.id == ApiToken.user_id)
        .order_by(ApiToken.id.desc())
    )
    if of is not None:
        query = query.where(User.id == of)
    return [OwnedToken(*row) for row in db.session.execute(query)]


def state_of_token(owned: OwnedToken) -> str:
    """works, over (its time) or revoked."""
    if owned.token.revoked_at is not None or owned.is_ended:
        return "revoked"
    if owned.token.expires_at is not None and owned.token.expires_at <= clock.now():
        return "over"
    return "works"


def get_token(token_id: UUID, *, of: UUID | None = None) -> ApiToken:
    """A token in the school in scope. Raises NotFound; with `of`, for somebody else's too."""
    query = sa.select(ApiToken).where(ApiToken.id == token_id)
    if of is not None:
        query = query.where(ApiToken.user_id == of)
    token = db.session.scalar(query)
    if token is None:
        raise NotFound("There is no such token.")
    return token


def has_tokens(user_id: UUID) -> bool:
    """Whether this person made a token in the school in scope, whatever became of it."""
    made = sa.select(ApiToken.id).where(ApiToken.user_id == user_id).limit(1)
    return db.session.scalar(made) is not None


def _tokens_ended() -> sa.ColumnElement[bool]:
    """Made before the account was ended, or the account is ended now."""
    before = sa.func.coalesce(User.tokens_ended_at >= ApiToken.created_at, sa.false())
    return sa.or_(User.active.is_(False), before)


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
