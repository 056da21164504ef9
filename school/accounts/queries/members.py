"""Who belongs to a school, and as what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.accounts.models import Invitation, Membership, User
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
    """One person of the school, as the list shows them.

    Somebody invited who has not accepted is shown with what the inviter typed and nothing else,
    and `id` is the invitation's: an account's would tell that it is older than the invitation.
    """

    id: UUID
    display_name: str
    email: str
    state: Belongs
    last_seen_at: datetime | None
    avatar_key: str | None
    # As the database folds it: Python and SQLite do not agree on every letter.
    sort_name: str
    offered_role: Role | None
    roles: tuple[Role, ...] = ()

    @property
    def is_offer(self) -> bool:
        """Invited, not accepted: the roles are offered, not held."""
        return self.offered_role is not None

    @property
    def is_active(self) -> bool:
        """The roles count."""
        return self.state is not Belongs.ENDED and not self.is_offer


def list_members(
    school_id: UUID,
    *,
    search: str = "",
    role: Role | None = None,
    state: Belongs | None = None,
    place: Place | None = None,
    limit: int = PAGE_ROWS,
) -> Page[Member]:
    """Members and invited people by name, two queries."""
    people, narrowed = _people(school_id, search, role, state)
    columns = (people.c.sort_name, people.c.id)
    query = (
        sa.select(people)
        .where(*narrowed, after_place(columns, _with_id(place)))
        .order_by(*in_direction(columns, place))
    )
    return take_page(
        lambda most: _with_roles(db.session.execute(query.limit(most)).all(), school_id),
        place=place,
        key=lambda member: (member.sort_name, str(member.id)),
        size=limit,
    )


def get_member(school_id: UUID, member_id: UUID) -> Member:
    """One member or invited person of this school. Raises NotFound for everybody else."""
    people, _ = _people(school_id)
    rows = db.session.execute(sa.select(people).where(people.c.id == member_id)).all()
    if not rows:
        raise NotFound("There is no such person in this school.")
    return _with_roles(rows, school_id)[0]


def find_member_account(email: str, school_id: UUID) -> User | None:
    """The account with this e-mail, if it belongs to this school."""
    belongs = sa.exists().where(Membership.user_id == User.id, Membership.school_id == school_id)
    return db.session.scalar(sa.select(User).where(User.email == email, belongs))


def _people(
    school_id: UUID, search: str = "", role: Role | None = None, state: Belongs | None = None
) -> tuple[sa.Subquery, list[sa.ColumnElement[bool]]]:
    """Members and invited people as one table, and what narrows it to the wanted state."""
    people = sa.union_all(
        _accounts(school_id, search, role), _offers(school_id, search, role)
    ).subquery()
    return people, [] if state is None else [people.c.state == state]


def _accounts(school_id: UUID, search: str, role: Role | None) -> sa.Select[Any]:
    here = sa.select(Membership.user_id).where(Membership.school_id == school_id)
    if role is not None:
        here = here.where(Membership.role == role)
    state = sa.case(
        (User.active.is_(False), Belongs.ENDED.value),
        (User.password.is_(None), Belongs.INVITED.value),
        else_=Belongs.ACTIVE.value,
    )
    query = sa.select(
        User.id,
        User.display_name,
        User.email,
        state.label("state"),
        User.current_login_at.label("last_seen_at"),
        User.avatar_key,
        sa.func.lower(User.display_name).label("sort_name"),
        sa.cast(sa.null(), sa.String(16)).label("offered_role"),
    )
    return query.where(User.id.in_(here), matches(search))


def _offers(school_id: UUID, search: str, role: Role | None) -> sa.Select[Any]:
    query = sa.select(
        Invitation.id,
        Invitation.display_name,
        Invitation.email,
        sa.literal(Belongs.INVITED.value),
        sa.cast(sa.null(), User.current_login_at.type),
        sa.cast(sa.null(), User.avatar_key.type),
        sa.func.lower(Invitation.display_name),
        Invitation.role,
    ).where(Invitation.school_id == school_id, matches(search, of=Invitation))
    return query if role is None else query.where(Invitation.role == role)


def matches(search: str, *, of: type[User | Invitation] = User) -> sa.ColumnElement[bool]:
    """Every word typed stands in the name or the e-mail."""
    return sa.and_(
        sa.true(),
        *(
            sa.func.lower(of.display_name).contains(word, autoescape=True)
            # SQLite lowers only the letters of English.
            | of.display_name.contains(word.capitalize(), autoescape=True)
            | of.email.contains(word, autoescape=True)
            for word in search.lower().split()[:5]
        ),
    )


def _with_roles(rows: Sequence[Any], school_id: UUID) -> list[Member]:
    held: dict[UUID, list[Role]] = {}
    for user_id, role in db.session.execute(
        sa.select(Membership.user_id, Membership.role).where(
            Membership.school_id == school_id, Membership.user_id.in_([row.id for row in rows])
        )
    ):
        held.setdefault(user_id, []).append(Role(role))
    return [_member(row, held.get(row.id, [])) for row in rows]


def _member(row: Any, held: list[Role]) -> Member:
    """The role offered, or the roles held in their usual order."""
    offered = Role(row.offered_role) if row.offered_role else None
    roles = [offered] if offered else sorted(held, key=list(Role).index)
    told = {**row._asdict(), "state": Belongs(row.state), "offered_role": offered}
    return Member(**told, roles=tuple(roles))


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


def count_members(school_id: UUID) -> int:
    """How many belong to a school; nobody who was only invited. Asked from outside it, too."""
    people = sa.select(sa.func.count(sa.distinct(Membership.user_id)))
    return db.session.scalar(people.where(Membership.school_id == school_id)) or 0


def count_people(
    school_id: UUID, *, search: str = "", role: Role | None = None, state: Belongs | None = None
) -> int:
    """How many `list_members` has on all its pages, invited people with them."""
    people, narrowed = _people(school_id, search, role, state)
    return db.session.scalar(sa.select(sa.func.count()).select_from(people).where(*narrowed)) or 0


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
