"""Reads over all schools: accounts and mail, never a student's record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.accounts.models import Membership, User
from school.accounts.queries import matches
from school.db import db
from school.errors import Invalid, NotFound
from school.jobs.models import Job
from school.mail.models import MailMessage, MailState
from school.permissions import Role
from school.tenancy.models import School
from school.web.pagination import DAMAGED, Page, Place, after_place, in_direction, take_page


@dataclass(frozen=True, slots=True)
class SchoolRow:
    """One school of the list."""

    school: School
    members: int


def list_schools() -> list[SchoolRow]:
    """All schools with the number of their people, running ones first. One query."""
    members = (
        sa.select(Membership.school_id, sa.func.count(sa.distinct(Membership.user_id)).label("n"))
        .group_by(Membership.school_id)
        .subquery()
    )
    rows = db.session.execute(
        sa.select(School, sa.func.coalesce(members.c.n, 0))
        .outerjoin(members, members.c.school_id == School.id)
        .order_by(School.status, sa.func.lower(School.name), School.id)
    )
    return [SchoolRow(school, count) for school, count in rows]


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the list; `places` are (school, role) pairs."""

    id: UUID
    display_name: str
    email: str
    username: str | None
    is_active: bool
    has_password: bool
    is_platform_admin: bool
    last_seen_at: datetime | None
    # As the database folds it: Python and SQLite do not agree on every letter.
    sort_name: str
    places: tuple[tuple[str, Role], ...] = ()

    @property
    def schools(self) -> list[str]:
        return list(dict.fromkeys(name for name, _role in self.places))


_ACCOUNT = (
    User.id,
    User.display_name,
    User.email,
    User.username,
    User.active,
    User.password.is_not(None),
    User.is_platform_admin,
    User.current_login_at,
    sa.func.lower(User.display_name),
)


def list_accounts(*, search: str = "", place: Place | None = None) -> Page[Account]:
    """Accounts of all schools by name, two queries."""
    columns = (sa.func.lower(User.display_name), User.id)
    query = (
        sa.select(*_ACCOUNT)
        .where(after_place(columns, _with_id(place, 2)), *([matches(search)] if search else []))
        .order_by(*in_direction(columns, place))
    )
    return take_page(
        lambda most: _with_places(db.session.execute(query.limit(most)).all()),
        place=place,
        key=lambda account: (account.sort_name, str(account.id)),
    )


def get_account(user_id: UUID) -> Account:
    """Raises NotFound."""
    rows = db.session.execute(sa.select(*_ACCOUNT).where(User.id == user_id)).all()
    if not rows:
        raise NotFound("There is no such account.")
    return _with_places(rows)[0]


def _with_places(rows: Sequence[Any]) -> list[Account]:
    held: dict[UUID, list[tuple[str, Role]]] = {}
    found = db.session.execute(
        sa.select(Membership.user_id, School.name, Membership.role)
        .join(School, School.id == Membership.school_id)
        .where(Membership.user_id.in_([row[0] for row in rows]))
        .order_by(School.name, Membership.role)
    )
    for user_id, name, role in found:
        held.setdefault(user_id, []).append((name, Role(role)))
    return [replace(Account(*row), places=tuple(held.get(row[0], ()))) for row in rows]


def hold_platform_admins() -> Sequence[UUID]:
    """Who looks after all schools. Two who take that from each other do so in turn."""
    high = sa.select(User.id).where(User.is_platform_admin.is_(True), User.active.is_(True))
    return db.session.scalars(high.order_by(User.id).with_for_update()).all()


def list_mail(
    *, of_school: UUID | None = None, state: MailState | None = None, place: Place | None = None
) -> Page[MailMessage]:
    """The outbox, newest first. One query."""
    conditions = [*_of_school(of_school), *([MailMessage.state == state] if state else [])]
    columns = (MailMessage.created_at, MailMessage.id)
    query = (
        sa.select(MailMessage)
        .where(*conditions, after_place(columns, _with_time(place), descending=True))
        .order_by(*in_direction(columns, place, descending=True))
    )
    return take_page(
        lambda most: db.session.scalars(query.limit(most)).all(),
        place=place,
        key=lambda message: (message.created_at.isoformat(), str(message.id)),
    )


def get_mail(message_id: UUID, *, of_school: UUID | None = None) -> MailMessage:
    """Raises NotFound."""
    message = db.session.scalar(
        sa.select(MailMessage).where(MailMessage.id == message_id, *_of_school(of_school))
    )
    if message is None:
        raise NotFound("There is no such mail.")
    return message


def _of_school(school_id: UUID | None) -> list[sa.ColumnElement[bool]]:
    """Mail of one school: its own, and to its people unless they look after all schools."""
    if school_id is None:
        return []
    members = (
        sa.select(User.email)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.school_id == school_id)
    )
    high = sa.select(User.email).where(User.is_platform_admin.is_(True))
    mine = (MailMessage.school_id == school_id) | (
        MailMessage.school_id.is_(None) & MailMessage.to_address.in_(members)
    )
    return [mine, MailMessage.to_address.not_in(high)]


def _with_id(place: Place | None, parts: int) -> Place | None:
    """A place out of an address holds the id as text. Raises Invalid for one that is none."""
    if place is None:
        return None
    try:
        *values, last = place.values
        if len(place.values) != parts:
            raise Invalid(DAMAGED)
        return Place((*values, UUID(str(last))), place.backwards)
    except ValueError:
        raise Invalid(DAMAGED) from None


def _with_time(place: Place | None) -> Place | None:
    place = _with_id(place, 2)
    if place is None:
        return None
    try:
        at = datetime.fromisoformat(str(place.values[0]))
        if at.tzinfo is None:
            raise Invalid(DAMAGED)
    except ValueError:
        raise Invalid(DAMAGED) from None
    return Place((at, place.values[1]), place.backwards)


@dataclass(frozen=True, slots=True)
class DatabaseInUse:
    """`server`: PostgreSQL's version, None for a SQLite file. `place`: never with a password."""

    server: str | None
    place: str
    size_bytes: int


def find_database() -> DatabaseInUse:
    """What the rows lie in. Two queries at most."""
    url = db.engine.url
    if url.get_backend_name() == "sqlite":
        files = [Path(f"{url.database}{ending}") for ending in ("", "-wal")]
        size = sum(file.stat().st_size for file in files if file.exists())
        return DatabaseInUse(None, str(url.database), size)
    version, size = db.session.execute(
        sa.select(
            sa.func.current_setting("server_version"),
            sa.func.pg_database_size(sa.func.current_database()),
        )
    ).one()
    place = url.set(query={}).render_as_string(hide_password=True)
    return DatabaseInUse(str(version).partition(" ")[0], place, int(size))


def find_last_job(kind: str) -> Job | None:
    """The newest job of this kind that belongs to no school."""
    return db.session.scalar(
        sa.select(Job)
        .where(Job.kind == kind, Job.school_id.is_(None))
        .order_by(Job.id.desc())
        .limit(1)
    )
