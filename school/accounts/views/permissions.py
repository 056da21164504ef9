"""Who may do what, and why somebody may or may not."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from flask import abort, render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from school.accounts import policy, queries
from school.accounts.forms import ROLE_WORDS
from school.accounts.views import words
from school.accounts.views.door import bp
from school.errors import NotFound
from school.permissions import ROLE_PERMISSIONS, Permission, Person, Role, permissions_of
from school.web.access import signed_in, the_person
from school.web.navigation import Place, add_place

add_place(
    Place(
        lazy_gettext("Who may do what"),
        "accounts.permissions",
        "lock",
        Permission.MEMBER_VIEW,
        group="manage",
        order=70,
    )
)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose rights are explained."""

    user_id: UUID
    name: str
    roles: frozenset[Role]
    held: frozenset[Permission]
    is_me: bool
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Reason:
    """The answer in plain words."""

    may: bool
    sentence: str
    more: tuple[str, ...] = ()


@bp.get("/permissions")
@signed_in
def permissions() -> str:
    """Every right and the roles that hold it, from the rights themselves."""
    person = the_person()
    return render_template(
        "accounts/permissions.html",
        groups=[
            (label, [_line(permission) for permission in members])
            for label, members in words.GROUPS
            if not policy.is_platform_permission(members[0]) or person.is_platform_admin
        ],
        roles=[(role, ROLE_WORDS[role]) for role in Role],
        mine=person.roles,
        my_words=words.roles_in_words(person.roles) if person.roles else None,
    )


def _line(permission: Permission) -> dict[str, object]:
    holders = [role for role in Role if permission in ROLE_PERMISSIONS[role]]
    return {
        "permission": permission.value,
        "title": words.title(permission),
        "holders": {role: words.ONLY.get((role, permission)) for role in holders},
        "who": _who(holders, permission),
    }


def _who(holders: list[Role], permission: Permission) -> str:
    if not holders:
        return str(_("those who look after all schools"))
    only = {role: words.ONLY.get((role, permission)) for role in holders}
    return words.listed(
        f"{words.MANY_OF[role]} ({only[role]})" if only[role] else words.MANY_OF[role]
        for role in holders
    )


@bp.get("/permissions/explain")
@signed_in
def explain() -> str:
    """Why a person may do this and not that: oneself, or a member for those who see members."""
    person = the_person()
    subject = _subject(person)
    wanted = _wanted_permission()
    return render_template(
        "accounts/explain.html",
        subject=subject,
        reason=_reason(person, subject, wanted) if wanted else None,
        wanted=wanted,
        groups=[(label, _of_school(person, subject, some)) for label, some in words.GROUPS],
        title_of=words.title,
        role_words=[ROLE_WORDS[role] for role in Role if role in subject.roles],
    )


def _of_school(
    person: Person, subject: Subject, permissions: tuple[Permission, ...]
) -> list[tuple[Permission, bool]]:
    """Rights over all schools are nobody's business but one's own."""
    return [
        (permission, permission in subject.held)
        for permission in permissions
        if not policy.is_platform_permission(permission)
        or (subject.is_me and person.is_platform_admin)
    ]


def _wanted_permission() -> Permission | None:
    wanted = request.args.get("permission", "")
    if not wanted:
        return None
    if wanted not in set(Permission):
        abort(404)
    return Permission(wanted)


def _subject(person: Person) -> Subject:
    """Raises NotFound for somebody who is not of this school."""
    user_id = request.args.get("person", type=UUID, default=person.user_id)
    if user_id == person.user_id:
        return Subject(
            person.user_id, person.display_name, person.roles, person.permissions, is_me=True
        )
    if person.school_id is None or not person.may(Permission.MEMBER_VIEW):
        abort(403)
    member = queries.get_member(person.school_id, user_id)
    if member.is_offer:
        raise NotFound("There is no such person in this school.")
    roles = frozenset(member.roles)
    held = permissions_of(roles) if member.is_active else frozenset()
    return Subject(
        user_id, member.display_name, roles, held, is_me=False, is_active=member.is_active
    )


def _reason(person: Person, subject: Subject, permission: Permission) -> Reason:
    if policy.is_platform_permission(permission):
        return _platform_reason(person, subject, permission)
    if permission in subject.held:
        return _why(person, subject, permission)
    return _why_not(person, subject, permission)


def _why(person: Person, subject: Subject, permission: Permission) -> Reason:
    """'Sarah Lee may see students: they are a teacher at Northfield School.'"""
    giving = [role for role in policy.roles_with(permission) if role in subject.roles]
    fill = {
        "name": subject.name,
        "act": words.act(permission),
        "roles": words.roles_in_words(giving),
        "school": _school_name(person),
    }
    if subject.is_me:
        sentence = _("You may %(act)s because you are %(roles)s at %(school)s.", **fill)
    else:
        sentence = _("%(name)s may %(act)s because they are %(roles)s at %(school)s.", **fill)
    only = [words.ONLY.get((role, permission)) for role in giving]
    if not all(only):
        return Reason(may=True, sentence=sentence)
    limits = words.listed(dict.fromkeys(str(limit) for limit in only))
    return Reason(may=True, sentence=sentence, more=(_("But %(limits)s.", limits=limits),))


def _why_not(person: Person, subject: Subject, permission: Permission) -> Reason:
    may_it = policy.roles_with(permission)
    fill = {
        "name": subject.name,
        "act": words.act(permission),
        "roles": words.roles_in_words(subject.roles),
        "school": _school_name(person),
        "others": words.listed(words.MANY_OF[role] for role in may_it),
    }
    if not subject.is_active:
        return Reason(may=False, sentence=_("%(name)s may do nothing: the account ended.", **fill))
    if person.school_id is None:
        return Reason(may=False, sentence=_("You may not %(act)s: you are in no school.", **fill))
    if subject.is_me:
        sentence = _("You may not %(act)s: you are %(roles)s at %(school)s.", **fill)
    else:
        sentence = _("%(name)s may not %(act)s: they are %(roles)s at %(school)s.", **fill)
    more = [_("Those who may: %(others)s.", **fill)]
    administrators = _administrators(person.school_id)
    if administrators:
        more.append(_("%(names)s can change that.", names=words.listed(administrators)))
    return Reason(may=False, sentence=sentence, more=tuple(more))


def _platform_reason(person: Person, subject: Subject, permission: Permission) -> Reason:
    if not subject.is_me:
        abort(404)
    act = words.act(permission)
    if person.is_platform_admin:
        return Reason(may=True, sentence=_("You may %(act)s: you look after all schools.", act=act))
    return Reason(
        may=False,
        sentence=_("You may not %(act)s: that is for those who look after all schools.", act=act),
    )


def _administrators(school_id: UUID) -> list[str]:
    """Names of some who can change roles."""
    found = queries.list_members(school_id, role=Role.ADMINISTRATOR, limit=6)
    return [member.display_name for member in found.rows if member.is_active][:5]


def _school_name(person: Person) -> str:
    return dict(person.schools).get(person.school_id, "") if person.school_id else ""
