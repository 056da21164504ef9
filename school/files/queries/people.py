"""Whoever a link was made for, and what people are called."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa

from school.accounts.models import Membership, User
from school.db import db
from school.permissions import Person, Role
from school.tenancy.models import School, SchoolStatus


def find_person(user_id: UUID, school_id: UUID) -> Person | None:
    """Whoever a link was made for, as they stand now: active, and with today's roles."""
    rows = db.session.execute(
        sa.select(User.display_name, User.email, Membership.role)
        .join(Membership, Membership.user_id == User.id)
        .join(School, School.id == Membership.school_id)
        .where(
            User.id == user_id,
            User.active.is_(True),
            Membership.school_id == school_id,
            School.status == SchoolStatus.ACTIVE,
        )
    ).all()
    if not rows:
        return None
    return Person(
        user_id=user_id,
        display_name=rows[0].display_name,
        email=rows[0].email,
        school_id=school_id,
        roles=frozenset(Role(row.role) for row in rows),
    )


def names_of_people(user_ids: Collection[UUID]) -> dict[UUID, str]:
    if not user_ids:
        return {}
    found = sa.select(User.id, User.display_name).where(User.id.in_(user_ids))
    return {row.id: row.display_name for row in db.session.execute(found)}
