"""Whoever answers for files: the domain of their owner.

Files lie below the domains they hang on (students, later classes and departments). Such a domain
registers itself here at start; a kind nobody registered is closed to everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.files.models import OwnerKind
from school.files.queries import file_gone
from school.permissions import Permission, Person


@dataclass(frozen=True, slots=True)
class OwnerCard:
    """What a page about files says of their owner: a heading and the way back."""

    title: str
    url: str
    sentence: str | None = None
    # The way to the owner, the owner included: (text, address).
    crumbs: tuple[tuple[str, str | None], ...] = ()
    initials: str = ""
    # {label, url, current} of the owner's own page, that of the files being the current one.
    tabs: tuple[dict[str, Any], ...] = ()
    # Where the owner's files begin, and what that place is called.
    files_url: str = ""
    place: str | None = None
    # Who sees the files: one sentence, for whoever is about to put something there.
    seen_by: str = ""


Question = Callable[[Person, UUID], bool]
Titles = Callable[[Collection[UUID]], dict[UUID, str]]
Condition = Callable[[Person, Any], sa.ColumnElement[bool]]
"""(person, a column of owners' ids) → which of them this person may see the files of."""


@dataclass(frozen=True, slots=True)
class Owner:
    """How one kind of owner answers for its files."""

    may_view: Question
    may_edit: Question
    card: Callable[[UUID], OwnerCard | None]
    seen: Condition
    may_take: Question
    set_photo: Callable[[UUID, UUID | None], None] | None = None
    titles: Titles | None = None


OWNERS: dict[str, Owner] = {}
"""Who has registered, by kind."""


def register_owner(
    kind: str,
    *,
    may_view: Question,
    may_edit: Question,
    card: Callable[[UUID], OwnerCard | None],
    seen: Condition,
    may_take: Question | None = None,
    set_photo: Callable[[UUID, UUID | None], None] | None = None,
    titles: Titles | None = None,
) -> None:
    """Let the domain above answer for files of this kind. Naming a kind twice replaces it.

    `may_view` and `may_edit` take the person and the owner's id, and say no for an id that is
    not there; `seen` says what `may_view` says of all owners at once, for lists. `may_take`: who
    may move files away to another owner, where that is not everybody who may edit. `set_photo`
    is told the file that now is the owner's photo, or None. `titles`: what the card says, of many
    at once, where the card asks the database.
    """
    OWNERS[kind] = Owner(may_view, may_edit, card, seen, may_take or may_edit, set_photo, titles)


def owner_named(kind: str) -> Owner:
    """The registered owner. Raises NotFound for a kind nobody answers for."""
    owner = OWNERS.get(kind)
    if owner is None:
        raise file_gone()
    return owner


def card_of(kind: str, owner_id: UUID) -> OwnerCard:
    """What to say of the owner. Raises NotFound when it is not there."""
    card = owner_named(kind).card(owner_id)
    if card is None:
        raise file_gone()
    return card


def titles_of(owners: Iterable[tuple[str, UUID]]) -> dict[UUID, str]:
    """What these owners (kind and id) are called; one query for a kind, however many there are."""
    ids: dict[str, set[UUID]] = {}
    for kind, owner_id in owners:
        ids.setdefault(kind, set()).add(owner_id)
    found: dict[UUID, str] = {}
    for kind, some in ids.items():
        owner = owner_named(kind)
        if owner.titles is not None:
            found |= owner.titles(some)
        else:
            cards = ((one, owner.card(one)) for one in some)
            found |= {one: card.title for one, card in cards if card}
    return found


def owner_says(person: Person, kind: str, owner_id: UUID) -> tuple[bool, bool]:
    """May change, may see: asked once where one answer gives the other."""
    may_change = may_add(person, kind, owner_id)
    return may_change, may_change or owner_named(kind).may_view(person, owner_id)


def may_add(person: Person, kind: str, owner_id: UUID) -> bool:
    return person.may(Permission.FILE_UPLOAD) and owner_named(kind).may_edit(person, owner_id)


def is_cleared_by(person: Person, kind: str) -> bool:
    """Of those who may change an owner's files: who may put them away and delete them. What the
    school keeps, its office; in their own place everybody."""
    return person.is_office or kind == OwnerKind.PERSON


def may_see_trash(person: Person, kind: str, owner_id: UUID) -> bool:
    """Whoever may delete this owner's files sees those that are deleted."""
    may_delete = person.may(Permission.FILE_DELETE) and is_cleared_by(person, kind)
    return may_delete and may_add(person, kind, owner_id)
