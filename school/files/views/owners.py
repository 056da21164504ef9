"""Owners of files that are no record of their own: the school, a role, a person.

Each has a top place of its files and the rule who may look and change there. Families see
nothing of these; what is meant for them is shared with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from school.files.models import OwnerKind
from school.files.policy import OwnerCard, register_owner
from school.files.queries import Spot
from school.files.service.places import ROLE_IDS, spot_of_person, spot_of_role, spot_of_school
from school.permissions import Person, Role
from school.tenancy.scope import current_school_id
from school.web.access import the_person

ROLE_PLACES: dict[Role, Any] = {
    Role.TEACHER: lazy_gettext("Teachers"),
    Role.REGISTRAR: lazy_gettext("Registrars"),
    Role.ADMINISTRATOR: lazy_gettext("Administrators"),
}
"""The roles that keep files together: those who work here."""
_SEEN_BY: dict[Role, Any] = {
    Role.TEACHER: lazy_gettext("All teachers and administrators see what lies here."),
    Role.REGISTRAR: lazy_gettext("All registrars and administrators see what lies here."),
    Role.ADMINISTRATOR: lazy_gettext("All administrators see what lies here."),
}
_BY_ID = {role_id: role for role, role_id in ROLE_IDS.items()}


@dataclass(frozen=True, slots=True)
class PlaceCard:
    """A place on the first page of files."""

    label: str
    sentence: str
    icon: str
    url: str
    spot: Spot


def places_of(person: Person) -> list[PlaceCard]:
    """Where this person keeps files or looks for them; none for families."""
    if not person.is_staff:
        return []
    roles = [role for role in ROLE_PLACES if _sees_role(person, ROLE_IDS[role])]
    return [
        PlaceCard(
            _("My files"),
            _("Seen by you alone, until you share them."),
            "lock",
            url_for("files.mine"),
            spot_of_person(person.user_id),
        ),
        PlaceCard(
            _("The school's files"),
            _("Everybody who works here looks, the office changes."),
            "school",
            url_for("files.of_school"),
            spot_of_school(),
        ),
        *(
            PlaceCard(
                str(ROLE_PLACES[role]),
                _("Kept together by everybody with this role."),
                "users",
                url_for("files.of_role", role=role.value),
                spot_of_role(role),
            )
            for role in roles
        ),
    ]


def _sees_school(person: Person, owner_id: UUID) -> bool:
    return person.is_staff and owner_id == current_school_id()


def _edits_school(person: Person, owner_id: UUID) -> bool:
    return person.is_office and _sees_school(person, owner_id)


def _sees_role(person: Person, owner_id: UUID) -> bool:
    role = _BY_ID.get(owner_id)
    return role is not None and bool(person.roles & {role, Role.ADMINISTRATOR})


def _takes_from_role(person: Person, owner_id: UUID) -> bool:
    """What is kept together leaves by the office only: in a place of one's own it could be
    deleted."""
    return person.is_office and _sees_role(person, owner_id)


def _is_self(person: Person, owner_id: UUID) -> bool:
    return person.is_staff and owner_id == person.user_id


def _seen_school(person: Person, owner_id: Any) -> sa.ColumnElement[bool]:
    seen: sa.ColumnElement[bool] = owner_id == current_school_id()
    return seen if person.is_staff else sa.false()


def _seen_roles(person: Person, owner_id: Any) -> sa.ColumnElement[bool]:
    seen = [role_id for role_id in _BY_ID if _sees_role(person, role_id)]
    condition: sa.ColumnElement[bool] = owner_id.in_(seen)
    return condition


def _seen_person(person: Person, owner_id: Any) -> sa.ColumnElement[bool]:
    seen: sa.ColumnElement[bool] = owner_id == person.user_id
    return seen if person.is_staff else sa.false()


def _card(title: str, url: str, sentence: str, seen_by: str) -> OwnerCard:
    return OwnerCard(
        title=title,
        url=url,
        sentence=sentence,
        crumbs=((_("Files"), url_for("files.index")), (title, url)),
        files_url=url,
        place=title,
        seen_by=seen_by,
    )


def _school_card(owner_id: UUID) -> OwnerCard | None:
    if owner_id != current_school_id():
        return None
    sentence = _("Everybody who works here looks, the office changes.")
    seen_by = _("Everybody who works here sees what lies here.")
    return _card(_("The school's files"), url_for("files.of_school"), sentence, seen_by)


def _role_card(owner_id: UUID) -> OwnerCard | None:
    role = _BY_ID.get(owner_id)
    if role is None:
        return None
    sentence = _("Kept together by everybody with this role.")
    url = url_for("files.of_role", role=role.value)
    return _card(str(ROLE_PLACES[role]), url, sentence, str(_SEEN_BY[role]))


def _person_card(owner_id: UUID) -> OwnerCard | None:
    if owner_id != the_person().user_id:
        return None
    sentence = _("Seen by you alone, until you share them.")
    return _card(_("My files"), url_for("files.mine"), sentence, _("Only you see what lies here."))


register_owner(
    OwnerKind.SCHOOL,
    may_view=_sees_school,
    may_edit=_edits_school,
    card=_school_card,
    seen=_seen_school,
)
register_owner(
    OwnerKind.ROLE,
    may_view=_sees_role,
    may_edit=_sees_role,
    may_take=_takes_from_role,
    card=_role_card,
    seen=_seen_roles,
)
register_owner(
    OwnerKind.PERSON, may_view=_is_self, may_edit=_is_self, card=_person_card, seen=_seen_person
)
