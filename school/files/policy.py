"""Who may see and change a file: whoever its owner's domain says, narrowed by its purpose.

Files lie below the domains they hang on (students, later classes and departments). Such a domain
registers itself here at start; a kind nobody registered is closed to everybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from school.errors import Conflict, Forbidden
from school.files.models import File
from school.files.queries import file_gone
from school.permissions import Permission, Person

PURPOSE_PERMISSIONS: dict[str, Permission] = {"medical": Permission.MEDICAL_VIEW}
"""What more it takes to see files of this purpose."""


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


Question = Callable[[Person, UUID], bool]


@dataclass(frozen=True, slots=True)
class Owner:
    """How one kind of owner answers for its files."""

    may_view: Question
    may_edit: Question
    card: Callable[[UUID], OwnerCard | None]
    set_photo: Callable[[UUID, UUID | None], None] | None = None


_owners: dict[str, Owner] = {}


def register_owner(
    kind: str,
    *,
    may_view: Question,
    may_edit: Question,
    card: Callable[[UUID], OwnerCard | None],
    set_photo: Callable[[UUID, UUID | None], None] | None = None,
) -> None:
    """Let the domain above answer for files of this kind. Naming a kind twice replaces it.

    `may_view` and `may_edit` take the person and the owner's id, and say no for an id that is
    not there; `set_photo` is told the file that now is the owner's photo, or None.
    """
    _owners[kind] = Owner(may_view, may_edit, card, set_photo)


def owner_named(kind: str) -> Owner:
    """The registered owner. Raises NotFound for a kind nobody answers for."""
    owner = _owners.get(kind)
    if owner is None:
        raise file_gone()
    return owner


def card_of(kind: str, owner_id: UUID) -> OwnerCard:
    """What to say of the owner. Raises NotFound when it is not there."""
    card = owner_named(kind).card(owner_id)
    if card is None:
        raise file_gone()
    return card


def may_view_purpose(person: Person, purpose: str) -> bool:
    needed = PURPOSE_PERMISSIONS.get(purpose)
    return needed is None or person.may(needed)


def may_view_archived(person: Person) -> bool:
    """What was put away is the school's own: families do not see it any more."""
    return person.is_staff


def may_view_file(person: Person, file: File) -> bool:
    return may_view_beside(person, file) and owner_named(file.owner_kind).may_view(
        person, file.owner_id
    )


def may_view_beside(person: Person, file: File) -> bool:
    """May see this one among files whose owner was asked already (`check_owner`)."""
    return (
        person.may(Permission.FILE_VIEW)
        and may_view_purpose(person, file.purpose)
        and (file.archived_at is None or may_view_archived(person))
    )


@dataclass(frozen=True, slots=True)
class Rights:
    """What a person may do with a file they may see."""

    edit: bool
    archive: bool


def rights_on(person: Person, file: File) -> Rights:
    """Raises NotFound: who may not see a file is not told that it exists."""
    check_view(person, file)
    is_theirs = may_add(person, file.owner_kind, file.owner_id)
    return Rights(
        edit=is_theirs and file.archived_at is None,
        archive=is_theirs and person.may(Permission.FILE_ARCHIVE),
    )


def may_add(person: Person, kind: str, owner_id: UUID) -> bool:
    return person.may(Permission.FILE_UPLOAD) and owner_named(kind).may_edit(person, owner_id)


def check_view(person: Person, file: File) -> None:
    """Raises NotFound: who may not see a file is not told that it exists."""
    if not may_view_file(person, file):
        raise file_gone()


def check_edit(person: Person, file: File) -> None:
    """Raises NotFound, Forbidden, or Conflict for a file that was put away."""
    if not rights_on(person, file).edit:
        if file.archived_at is not None:
            raise Conflict("This file was put away. Take it out again first.")
        raise Forbidden("You may look at this file, but not change it.")


def check_archive(person: Person, file: File) -> None:
    """Raises NotFound or Forbidden."""
    if not rights_on(person, file).archive:
        raise Forbidden("Only the office may put files away.")


def check_owner(person: Person, kind: str, owner_id: UUID, *, archived: bool = False) -> None:
    """May see this owner's files at all, or those put away. Raises NotFound."""
    is_shown = not archived or may_view_archived(person)
    if not (is_shown and owner_named(kind).may_view(person, owner_id)):
        raise file_gone()


def check_add(person: Person, kind: str, owner_id: UUID, *, purpose: str = "document") -> None:
    """May add a file here. Raises NotFound or Forbidden."""
    check_owner(person, kind, owner_id)
    if not (may_add(person, kind, owner_id) and may_view_purpose(person, purpose)):
        raise Forbidden("You may look at these files, but not add to them.")
