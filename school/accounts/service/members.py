"""People come into a school, change what they may do, and leave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.accounts import policy, queries
from school.accounts.models import Membership, User
from school.accounts.service.invitations import offer_role
from school.accounts.service.links import make_invitation_link
from school.accounts.service.people import (
    checked_email,
    checked_name,
    end_sessions,
    revoke_links,
)
from school.audit.log import record, record_platform
from school.db import db, take_write_lock
from school.errors import Conflict, Forbidden
from school.mail.service import address_of, queue_mail
from school.permissions import Person, Role
from school.tenancy.models import School
from school.tenancy.scope import current_school_id


@dataclass(frozen=True, slots=True)
class Invited:
    """Who was invited; `url` is the one-time link, or None for somebody who is here already."""

    email: str
    url: str | None


def invite(email: str, *, role: Role, display_name: str, by: Person | None = None) -> Invited:
    """Offer somebody a role in the school in scope, by mail; nothing counts until they accept.

    Whether the address has an account elsewhere changes nothing here, or this would tell it.
    Somebody who belongs to the school already has the role at once.
    `by` None: the command line, which may do everything.
    """
    _check_grant(by, {role})
    email, name = checked_email(email), checked_name(display_name)
    school = queries.get_school(current_school_id())
    _lock_school(school.id)
    member = queries.find_member_account(email, school.id)
    inviter = by.display_name if by else school.name
    if member is not None:
        return _add_here(member, role, school=school.name, inviter=inviter)
    url = offer_role(email, role=role, display_name=name)
    names = {"name": name, "school": school.name, "inviter": inviter}
    queue_mail(email, "Your invitation to %(school)s", "invitation", url=url, **names)
    return Invited(email, url)


def _add_here(user: User, role: Role, **names: str) -> Invited:
    """Another role for a member; one who never chose a password gets a new link, too."""
    _add_roles(user, {role})
    names["name"] = user.display_name
    if user.password is not None:
        queue_mail(
            user.email, "You were added to %(school)s", "added", url=address_of("/login"), **names
        )
        return Invited(user.email, None)
    url = make_invitation_link(user)
    queue_mail(user.email, "Your invitation to %(school)s", "invitation", url=url, **names)
    return Invited(user.email, url)


def make_platform_admin(user: User) -> None:
    user.is_platform_admin = True
    record_platform("account.platform_admin", "user", user.id)
    db.session.flush()


def set_roles(user: User, roles: Iterable[Role], *, by: Person | None = None) -> None:
    """Exactly these roles in the school in scope; none: the person leaves it."""
    school_id = current_school_id()
    _lock_school(school_id)
    held, wanted = queries.roles_of(user.id, school_id), frozenset(roles)
    if held == wanted:
        return
    _check_grant(by, held ^ wanted)
    if Role.ADMINISTRATOR in held - wanted:
        _check_not_last(school_id, user)
    for membership in db.session.scalars(
        sa.select(Membership).where(
            Membership.user_id == user.id,
            Membership.school_id == school_id,
            Membership.role.in_(held - wanted),
        )
    ):
        db.session.delete(membership)
    _insert(user, wanted - held, school_id)
    record(
        "member.roles_changed",
        "user",
        user.id,
        before={"roles": _words(held)},
        after={"roles": _words(wanted)},
    )
    db.session.flush()


def deactivate(user: User, *, by: Person | None = None) -> None:
    """Ends the account and, at the next click, every session of it."""
    _check_ending(user, by)
    if by is not None and by.user_id == user.id:
        raise Conflict("You cannot end your own account. Ask another administrator.")
    for school_id in queries.schools_of(user.id):
        _lock_school(school_id)
        if Role.ADMINISTRATOR in queries.roles_of(user.id, school_id):
            _check_not_last(school_id, user)
    user.active = False
    end_sessions(user)
    revoke_links(user)
    # For good: coming back later must not wake keys that somebody may have copied meanwhile.
    user.tokens_ended_at = clock.now()
    record_platform("account.deactivated", "user", user.id)
    db.session.flush()


def reactivate(user: User, *, by: Person | None = None) -> None:
    _check_ending(user, by)
    user.active = True
    record_platform("account.reactivated", "user", user.id)
    db.session.flush()


def _add_roles(user: User, roles: set[Role]) -> None:
    school_id = current_school_id()
    held = queries.roles_of(user.id, school_id)
    if roles <= held:
        return
    _insert(user, roles - held, school_id)
    record(
        "member.invited",
        "user",
        user.id,
        before={"roles": _words(held)},
        after={"roles": _words(held | roles)},
    )
    db.session.flush()


def _insert(user: User, roles: Iterable[Role], school_id: UUID) -> None:
    db.session.add_all(
        Membership(user_id=user.id, school_id=school_id, role=role) for role in sorted(roles)
    )


def _words(roles: Iterable[Role]) -> str:
    return ", ".join(str(role) for role in Role if role in set(roles))


def _lock_school(school_id: UUID) -> None:
    """Two administrators who remove each other at the same moment do it one after the other."""
    take_write_lock(db.session())
    db.session.execute(sa.select(School.id).where(School.id == school_id).with_for_update())


def _check_grant(by: Person | None, roles: Iterable[Role]) -> None:
    if by is not None and not policy.may_grant(by, roles):
        raise Forbidden("You can only give or take roles whose rights you hold yourself.")


def _check_not_last(school_id: UUID, user: User) -> None:
    if queries.count_administrators(school_id, besides=user.id) == 0:
        raise Conflict(
            "%(name)s is the only administrator of the school. Make somebody else one first.",
            field="roles",
            name=user.display_name,
        )


def _check_ending(user: User, by: Person | None) -> None:
    if by is None:
        return
    schools = queries.schools_of(user.id)
    if not policy.may_end_account(by, schools=schools, is_platform_admin=user.is_platform_admin):
        raise Forbidden(
            "This person also belongs elsewhere, so the account is not the school's to end. "
            "Take their roles here away instead."
        )
