"""Who belongs to a school, and as what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.accounts.models import Membership, User
from school.db import db
from school.errors import Invalid, NotFound
from school.permissions import Role
from school.web.pagination import (
    DAMAGED,
    PAGE_ROWS,
    Page,
    Place,
    after_place,
    in_direction,
    take_page,
)


class Belongs(StrEnum):
    """What the list of members can be narrowed to."""

    ACTIVE = "active"
    INVITED = "invited"
    ENDED = "ended"


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


def roles_of(user_id: UUID, school_id: UUID) -> frozenset[Role]:
    """What this person is in this school."""
    found = db.session.scalars(
        sa.select(Membership.role).where(
            Membership.user_id == user_id, Membership.school_id == school_id
        )
    )
    return frozenset(Role(role) for role in found)


def schools_of(user_id: UUID) -> set[UUID]:
    """Every school this person belongs to."""
    return set(
        db.session.scalars(sa.select(Membership.school_id).where(Membership.user_id == user_id))
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
