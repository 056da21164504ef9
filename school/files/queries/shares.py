"""Who was given what of somebody else's, as it stands now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.accounts.models import Membership, User
from school.db import db
from school.files.models import Grantee, OwnerKind, Share
from school.permissions import STAFF, Person
from school.tenancy.scope import current_school_id


def is_live(share: Any = Share) -> sa.ColumnElement[bool]:
    """Not taken back and not over."""
    return sa.and_(
        share.ended_at.is_(None),
        sa.or_(share.expires_at.is_(None), share.expires_at > clock.now()),
    )


def is_for(person: Person) -> sa.ColumnElement[bool]:
    """Shared with this person, or with a role they hold today."""
    return sa.or_(
        sa.and_(Share.grantee_kind == Grantee.PERSON, Share.grantee_id == person.user_id),
        sa.and_(Share.grantee_kind == Grantee.ROLE, Share.grantee_role.in_(sorted(person.roles))),
    )


def is_lent(model: Any) -> sa.ColumnElement[bool]:
    """A condition on files or folders: what lies in somebody's own files is lent to others only
    as long as that person works here."""
    return sa.or_(model.owner_kind != OwnerKind.PERSON, _works_here(model.owner_id))


def works_here(user_id: UUID) -> bool:
    return bool(db.session.scalar(sa.select(_works_here(user_id))))


def _works_here(user_id: Any) -> sa.ColumnElement[bool]:
    return sa.exists(
        sa.select(1)
        .select_from(Membership)
        .join(User, User.id == Membership.user_id)
        .where(
            Membership.user_id == user_id,
            Membership.school_id == current_school_id(),
            Membership.role.in_(sorted(STAFF)),
            User.active.is_(True),
        )
    )


def list_access(person: Person, target_ids: Collection[UUID]) -> Sequence[str]:
    """What was shared of these with the person: 'view' and 'edit', as often as it was."""
    return db.session.scalars(
        sa.select(Share.access).where(Share.target_id.in_(target_ids), is_live(), is_for(person))
    ).all()


def is_shared(model: Any) -> Any:
    shared = sa.exists(
        sa.select(1).where(
            Share.school_id == model.school_id, Share.target_id == model.id, is_live()
        )
    )
    return shared.label("is_shared")
