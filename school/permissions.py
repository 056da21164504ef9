"""Who may do what: every permission, every role, and which role holds which permission.

This is the whole of it. What a person may do to *this* object (their own child, their own
class) is narrowed further in each domain's `policy.py`; nothing widens it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class Permission(StrEnum):
    """`resource:action`. The page "who may do what" is generated from these."""

    STUDENT_VIEW = "student:view"
    STUDENT_ADMIT = "student:admit"
    STUDENT_EDIT = "student:edit"
    STUDENT_ARCHIVE = "student:archive"
    STUDENT_EXPORT = "student:export"
    MEDICAL_VIEW = "medical:view"
    MEDICAL_EDIT = "medical:edit"
    GUARDIAN_VIEW = "guardian:view"
    GUARDIAN_EDIT = "guardian:edit"
    CLASS_VIEW = "class:view"
    CLASS_EDIT = "class:edit"
    FILE_VIEW = "file:view"
    FILE_UPLOAD = "file:upload"
    FILE_SHARE = "file:share"
    FILE_ARCHIVE = "file:archive"
    FILE_DELETE = "file:delete"
    FILE_HOLD = "file:hold"
    ROSTER_IMPORT = "roster:import"
    HISTORY_VIEW = "history:view"
    HISTORY_UNDO = "history:undo"
    MEMBER_VIEW = "member:view"
    MEMBER_INVITE = "member:invite"
    MEMBER_EDIT = "member:edit"
    SCHOOL_SETTINGS = "school:settings"
    API_TOKEN = "api:token"  # noqa: S105 - a permission's name, not a secret
    PLATFORM_SCHOOLS = "platform:schools"
    PLATFORM_USERS = "platform:users"
    PLATFORM_OPERATE = "platform:operate"


class Role(StrEnum):
    """What a person is in one school. A person may be a teacher in one and guardian in another."""

    ADMINISTRATOR = "administrator"
    REGISTRAR = "registrar"
    TEACHER = "teacher"
    GUARDIAN = "guardian"
    STUDENT = "student"


P = Permission
_TEACHER = frozenset(
    {
        P.STUDENT_VIEW,
        P.GUARDIAN_VIEW,
        P.CLASS_VIEW,
        P.FILE_VIEW,
        P.FILE_UPLOAD,
        P.FILE_SHARE,
        # Of what is their own: files/policy.py narrows these.
        P.FILE_ARCHIVE,
        P.FILE_DELETE,
        P.MEDICAL_VIEW,
    }
)
_REGISTRAR = _TEACHER | {
    P.STUDENT_ADMIT,
    P.STUDENT_EDIT,
    P.STUDENT_ARCHIVE,
    P.STUDENT_EXPORT,
    P.MEDICAL_EDIT,
    P.GUARDIAN_EDIT,
    P.CLASS_EDIT,
    P.ROSTER_IMPORT,
    P.HISTORY_VIEW,
    P.HISTORY_UNDO,
    P.MEMBER_VIEW,
}
_ADMINISTRATOR = _REGISTRAR | {
    P.MEMBER_INVITE,
    P.MEMBER_EDIT,
    P.SCHOOL_SETTINGS,
    P.FILE_HOLD,
    P.API_TOKEN,
}

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: frozenset(_ADMINISTRATOR),
    Role.REGISTRAR: frozenset(_REGISTRAR),
    Role.TEACHER: _TEACHER,
    # Families see their own children only: students/policy.py narrows these.
    Role.GUARDIAN: frozenset({P.STUDENT_VIEW, P.GUARDIAN_VIEW, P.FILE_VIEW, P.MEDICAL_VIEW}),
    Role.STUDENT: frozenset({P.STUDENT_VIEW, P.FILE_VIEW}),
}
"""Permissions a role holds in its school. Anything not listed is denied."""

STAFF = frozenset({Role.ADMINISTRATOR, Role.REGISTRAR, Role.TEACHER})
"""Roles of those who work for the school, rather than being of a family."""

OFFICE = frozenset({Role.ADMINISTRATOR, Role.REGISTRAR})
"""Those of them who keep the school's records."""

PLATFORM_PERMISSIONS: frozenset[Permission] = frozenset(
    {
        P.PLATFORM_SCHOOLS,
        P.PLATFORM_USERS,
        P.PLATFORM_OPERATE,
    }
)
"""Held by platform administrators, who see schools and accounts but no student's record."""


def permissions_of(roles: frozenset[Role]) -> frozenset[Permission]:
    """The union over the roles a person holds in one school."""
    return frozenset().union(*(ROLE_PERMISSIONS[role] for role in roles))


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever is asking, as pages, API and policies see them: never the account row itself."""

    user_id: UUID
    display_name: str
    email: str
    is_platform_admin: bool = False
    school_id: UUID | None = None
    roles: frozenset[Role] = frozenset()
    # None: everything the roles allow. An API token narrows it.
    scopes: frozenset[Permission] | None = None
    locale: str | None = None
    time_zone: str | None = None
    theme: str = "auto"
    density: str = "normal"
    has_avatar: bool = False
    # All memberships, for the school switcher: (school id, school name).
    schools: tuple[tuple[UUID, str], ...] = field(default=())

    @property
    def permissions(self) -> frozenset[Permission]:
        """What this person may do in the school they are in."""
        held = permissions_of(self.roles)
        if self.is_platform_admin:
            held |= PLATFORM_PERMISSIONS
        return held if self.scopes is None else held & self.scopes

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @property
    def is_staff(self) -> bool:
        """Works for the school, rather than being of a family."""
        return bool(self.roles & STAFF)

    @property
    def is_office(self) -> bool:
        """Keeps the school's records."""
        return bool(self.roles & OFFICE)
