"""Rights and roles as people say them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from babel.lists import format_list
from flask_babel import get_locale, lazy_gettext
from flask_babel import gettext as _

from school.permissions import Permission, Role

P = Permission
ACTS: dict[Permission, Any] = {
    P.STUDENT_VIEW: lazy_gettext("see students"),
    P.STUDENT_ADMIT: lazy_gettext("admit students"),
    P.STUDENT_EDIT: lazy_gettext("change students' records"),
    P.STUDENT_ARCHIVE: lazy_gettext("archive students and bring them back"),
    P.STUDENT_EXPORT: lazy_gettext("download lists of students"),
    P.MEDICAL_VIEW: lazy_gettext("see health notes"),
    P.MEDICAL_EDIT: lazy_gettext("change health notes"),
    P.GUARDIAN_VIEW: lazy_gettext("see guardians and how to reach them"),
    P.GUARDIAN_EDIT: lazy_gettext("change guardians"),
    P.CLASS_VIEW: lazy_gettext("see classes"),
    P.CLASS_EDIT: lazy_gettext("change classes and who is in them"),
    P.FILE_VIEW: lazy_gettext("open files"),
    P.FILE_UPLOAD: lazy_gettext("add files"),
    P.FILE_SHARE: lazy_gettext("share files"),
    P.FILE_ARCHIVE: lazy_gettext("put files away"),
    P.FILE_DELETE: lazy_gettext("delete files"),
    P.FILE_HOLD: lazy_gettext("say how long files are kept"),
    P.ROSTER_IMPORT: lazy_gettext("import lists of students"),
    P.HISTORY_VIEW: lazy_gettext("see who changed what"),
    P.HISTORY_UNDO: lazy_gettext("take changes back"),
    P.MEMBER_VIEW: lazy_gettext("see who has an account"),
    P.MEMBER_INVITE: lazy_gettext("invite people"),
    P.MEMBER_EDIT: lazy_gettext("change roles and end accounts"),
    P.SCHOOL_SETTINGS: lazy_gettext("change the school's settings"),
    P.API_TOKEN: lazy_gettext("make keys for programs"),
    P.PLATFORM_SCHOOLS: lazy_gettext("open and close schools"),
    P.PLATFORM_USERS: lazy_gettext("look after the accounts of all schools"),
    P.PLATFORM_OPERATE: lazy_gettext("look after mail, backups and health"),
}
"""To be read after "may": "Sarah Lee may see students"."""

GROUPS: tuple[tuple[Any, tuple[Permission, ...]], ...] = (
    (
        lazy_gettext("Students"),
        (P.STUDENT_VIEW, P.STUDENT_ADMIT, P.STUDENT_EDIT, P.STUDENT_ARCHIVE, P.STUDENT_EXPORT),
    ),
    (lazy_gettext("Health"), (P.MEDICAL_VIEW, P.MEDICAL_EDIT)),
    (lazy_gettext("Guardians"), (P.GUARDIAN_VIEW, P.GUARDIAN_EDIT)),
    (lazy_gettext("Classes"), (P.CLASS_VIEW, P.CLASS_EDIT, P.ROSTER_IMPORT)),
    (
        lazy_gettext("Files"),
        (
            P.FILE_VIEW,
            P.FILE_UPLOAD,
            P.FILE_SHARE,
            P.FILE_ARCHIVE,
            P.FILE_DELETE,
            P.FILE_HOLD,
        ),
    ),
    (lazy_gettext("History"), (P.HISTORY_VIEW, P.HISTORY_UNDO)),
    (
        lazy_gettext("The school"),
        (P.MEMBER_VIEW, P.MEMBER_INVITE, P.MEMBER_EDIT, P.SCHOOL_SETTINGS, P.API_TOKEN),
    ),
    (lazy_gettext("All schools"), (P.PLATFORM_SCHOOLS, P.PLATFORM_USERS, P.PLATFORM_OPERATE)),
)
"""Every permission once, in the order of the page."""

ONE_OF: dict[Role, Any] = {
    Role.ADMINISTRATOR: lazy_gettext("an administrator"),
    Role.REGISTRAR: lazy_gettext("a registrar"),
    Role.TEACHER: lazy_gettext("a teacher"),
    Role.GUARDIAN: lazy_gettext("a guardian"),
    Role.STUDENT: lazy_gettext("a student"),
}
MANY_OF: dict[Role, Any] = {
    Role.ADMINISTRATOR: lazy_gettext("administrators"),
    Role.REGISTRAR: lazy_gettext("registrars"),
    Role.TEACHER: lazy_gettext("teachers"),
    Role.GUARDIAN: lazy_gettext("guardians"),
    Role.STUDENT: lazy_gettext("students"),
}
ONLY: dict[tuple[Role, Permission], Any] = {
    (Role.TEACHER, P.FILE_ARCHIVE): lazy_gettext("only their own"),
    (Role.TEACHER, P.FILE_DELETE): lazy_gettext("only their own"),
    (Role.GUARDIAN, P.STUDENT_VIEW): lazy_gettext("only their own children"),
    (Role.GUARDIAN, P.MEDICAL_VIEW): lazy_gettext("only of their own children"),
    (Role.GUARDIAN, P.FILE_VIEW): lazy_gettext(
        "only of their own children, and what is shared with them"
    ),
    (Role.GUARDIAN, P.GUARDIAN_VIEW): lazy_gettext("only themselves"),
    (Role.STUDENT, P.STUDENT_VIEW): lazy_gettext("only themselves"),
    (Role.STUDENT, P.FILE_VIEW): lazy_gettext("only their own, and what is shared with them"),
}
"""How rights are narrowed by the pages themselves (policy.py of students and of files)."""


def act(permission: Permission) -> str:
    return str(ACTS[permission])


def title(permission: Permission) -> str:
    """The same at the beginning of a line."""
    words = act(permission)
    return words[:1].upper() + words[1:]


def listed(words: Iterable[Any]) -> str:
    """'a teacher and a guardian', as the reader's language joins them."""
    return format_list([str(word) for word in words], locale=get_locale())


def roles_in_words(roles: Iterable[Role]) -> str:
    """'a teacher and a guardian'; 'without a role' for none."""
    held = frozenset(roles)
    return listed(ONE_OF[role] for role in Role if role in held) or _("without a role")
