"""Who may do what to this account."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from school.permissions import PLATFORM_PERMISSIONS, Permission, Person, Role, permissions_of


def may_grant(person: Person, roles: Iterable[Role]) -> bool:
    """Nobody gives (or takes) more than they hold themselves."""
    if person.is_platform_admin and person.scopes is None:
        return True
    return (
        person.may(Permission.MEMBER_EDIT)
        and permissions_of(frozenset(roles)) <= person.permissions
    )


def may_end_account(person: Person, *, schools: set[UUID], is_platform_admin: bool) -> bool:
    """An account that only this school knows may be ended by the school; others by the platform."""
    if person.may(Permission.PLATFORM_USERS):
        return True
    return (
        person.may(Permission.MEMBER_EDIT)
        and not is_platform_admin
        and schools == {person.school_id}
    )


def may_see_all_tokens(person: Person) -> bool:
    """Whoever may take somebody's roles may also take the keys that act with them."""
    return person.may(Permission.MEMBER_EDIT) or person.may(Permission.API_TOKEN)


def roles_with(permission: Permission) -> list[Role]:
    """Roles that hold a permission, in their usual order."""
    return [role for role in Role if permission in permissions_of(frozenset({role}))]


def is_platform_permission(permission: Permission) -> bool:
    return permission in PLATFORM_PERMISSIONS
