"""Who may see and change a file: whoever its owner's domain says and whoever it is shared with,
narrowed by its purpose.

Files lie below the domains they hang on (students, later classes and departments). Such a domain
registers itself here at start; a kind nobody registered is closed to everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.errors import Conflict, Forbidden, Invalid, NotFound
from school.files.models import Access, File, Folder, OwnerKind, Share, Target
from school.files.queries import (
    PHOTO,
    Spot,
    VersionRow,
    below,
    file_gone,
    is_for,
    is_lent,
    is_live,
    list_access,
    trail_to,
    works_here,
)
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
    # Where the owner's files begin, and what that place is called.
    files_url: str = ""
    place: str | None = None


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


_owners: dict[str, Owner] = {}


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
    _owners[kind] = Owner(may_view, may_edit, card, seen, may_take or may_edit, set_photo, titles)


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


def may_view_purpose(person: Person, purpose: str) -> bool:
    needed = PURPOSE_PERMISSIONS.get(purpose)
    return needed is None or person.may(needed)


def may_view_archived(person: Person) -> bool:
    """What was put away is the school's own: families do not see it any more."""
    return person.is_staff


def may_view_file(person: Person, file: File) -> bool:
    return may_view_beside(person, file) and (
        owner_named(file.owner_kind).may_view(person, file.owner_id)
        or _shared_file(person, file) is not None
    )


def _shared_file(person: Person, file: File) -> Access | None:
    trail = trail_to(file.folder_id) if file.folder_id else []
    if file.folder_id and not trail:
        return None
    return shared_access(person, trail, file)


def shared_access(
    person: Person, trail: Sequence[Folder], file: File | None = None
) -> Access | None:
    """What a share of one of these folders or of the file in them gives, whatever its owner says.

    Nobody gets a medical file by a share who does not work here; families see their own
    child's, and a share would show them another's. What lies in somebody's own files is lent
    only while that person works here.
    """
    if file is not None and file.purpose in PURPOSE_PERMISSIONS and not person.is_staff:
        return None
    targets = [folder.id for folder in trail] + ([file.id] if file else [])
    given = set(list_access(person, targets)) if targets else set()
    thing = file or (trail[-1] if trail else None)
    if given and thing and thing.owner_kind == OwnerKind.PERSON and not works_here(thing.owner_id):
        return None
    return next((access for access in (Access.EDIT, Access.VIEW) if access in given), None)


def seen_files(person: Person) -> sa.ColumnElement[bool]:
    """A condition on files: in use, no photos, and this person may see them. `may_view_file` for
    lists."""
    closed = [p for p, needed in PURPOSE_PERMISSIONS.items() if not person.may(needed)]
    if not person.may(Permission.FILE_VIEW):
        return sa.false()
    owned = [
        sa.and_(File.owner_kind == kind, owner.seen(person, File.owner_id))
        for kind, owner in _owners.items()
    ]
    return sa.and_(
        File.archived_at.is_(None),
        File.trashed_at.is_(None),
        File.purpose.not_in([*closed, PHOTO]),
        sa.or_(*owned, _is_shared_with(person)),
    )


def seen_trash(person: Person) -> sa.ColumnElement[bool]:
    """A condition on files: in the trash, and this person may take them out. `check_trashed` for
    lists."""
    closed = [p for p, needed in PURPOSE_PERMISSIONS.items() if not person.may(needed)]
    if not person.may(Permission.FILE_DELETE):
        return sa.false()
    owned = [
        sa.and_(File.owner_kind == kind, owner.seen(person, File.owner_id))
        for kind, owner in _owners.items()
    ]
    return sa.and_(File.trashed_at.is_not(None), File.purpose.not_in(closed), sa.or_(*owned))


def _is_shared_with(person: Person) -> sa.ColumnElement[bool]:
    def targets(kind: Target) -> sa.Select[Any]:
        return sa.select(Share.target_id).where(
            Share.target_kind == kind, is_live(), is_for(person)
        )

    found = sa.or_(
        File.id.in_(targets(Target.FILE)),
        File.folder_id.in_(sa.select(below(targets(Target.FOLDER)).c.id)),
    )
    if person.is_staff:
        return sa.and_(found, is_lent(File))
    return sa.and_(found, is_lent(File), File.purpose.not_in(list(PURPOSE_PERMISSIONS)))


def may_view_beside(person: Person, file: File) -> bool:
    """May see this one among files whose owner was asked already (`check_owner`)."""
    return (
        file.trashed_at is None
        and person.may(Permission.FILE_VIEW)
        and may_view_purpose(person, file.purpose)
        and (file.archived_at is None or may_view_archived(person))
    )


@dataclass(frozen=True, slots=True)
class Rights:
    """What a person may do with a file they may see."""

    edit: bool
    archive: bool
    delete: bool
    share: bool
    # Earlier versions and what was noted of them: a share to look gives the file as it is.
    history: bool
    # All the owner has, rather than this file by a share.
    sees_owner: bool


def rights_on(person: Person, file: File) -> Rights:
    """Raises NotFound: who may not see a file is not told that it exists."""
    is_theirs, sees_owner = _owner_says(person, file.owner_kind, file.owner_id)
    shared = None
    if not is_theirs and (not sees_owner or person.may(Permission.FILE_UPLOAD)):
        shared = _shared_file(person, file)
    if not (may_view_beside(person, file) and (sees_owner or shared)):
        raise file_gone()
    may_edit = is_theirs or (person.may(Permission.FILE_UPLOAD) and shared is Access.EDIT)
    return Rights(
        edit=may_edit and file.archived_at is None,
        archive=is_theirs and person.may(Permission.FILE_ARCHIVE),
        delete=is_theirs and person.may(Permission.FILE_DELETE),
        share=is_theirs and person.may(Permission.FILE_SHARE),
        history=sees_owner or shared is Access.EDIT,
        sees_owner=sees_owner,
    )


def check_version(person: Person, file: File, number: int | None) -> None:
    """May see this version; None is the current one. Raises NotFound."""
    if number is None or number == file.current_version:
        check_view(person, file)
    elif not rights_on(person, file).history:
        raise file_gone()


def seen_versions(rights: Rights, versions: list[VersionRow]) -> list[VersionRow]:
    """Of a file's versions those its reader sees; the current one is always among them."""
    if rights.history:
        return versions
    return [replace(v, note=None, brought_back=None) for v in versions if v.is_current]


def _owner_says(person: Person, kind: str, owner_id: UUID) -> tuple[bool, bool]:
    """May change, may see: asked once where one answer gives the other."""
    may_change = may_add(person, kind, owner_id)
    return may_change, may_change or owner_named(kind).may_view(person, owner_id)


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


def check_delete(person: Person, file: File) -> None:
    """May put it into the trash. Raises NotFound or Forbidden."""
    if not rights_on(person, file).delete:
        raise Forbidden("Only the office may delete files.")


def check_trashed(person: Person, file: File) -> None:
    """May see a file of the trash and take it out again. Raises NotFound: to everybody else what
    lies there is gone."""
    may_see_it = may_view_purpose(person, file.purpose) and owner_named(file.owner_kind).may_view(
        person, file.owner_id
    )
    if not (may_see_it and may_see_trash(person, file.owner_kind, file.owner_id)):
        raise file_gone()


def may_see_trash(person: Person, kind: str, owner_id: UUID) -> bool:
    """Whoever may delete this owner's files sees those that are deleted."""
    return person.may(Permission.FILE_DELETE) and may_add(person, kind, owner_id)


def check_trash(person: Person, kind: str, owner_id: UUID) -> None:
    """Raises NotFound."""
    check_owner(person, kind, owner_id)
    if not may_see_trash(person, kind, owner_id):
        raise file_gone()


def check_owner(person: Person, kind: str, owner_id: UUID, *, archived: bool = False) -> None:
    """May see this owner's files at all, or those put away. Raises NotFound."""
    is_shown = not archived or may_view_archived(person)
    if not (is_shown and owner_named(kind).may_view(person, owner_id)):
        raise file_gone()


def check_add(person: Person, kind: str, owner_id: UUID, *, purpose: str = "document") -> None:
    """May add a file here. Raises NotFound, Forbidden, or Invalid as `check_fill` does."""
    check_owner(person, kind, owner_id)
    if not (may_add(person, kind, owner_id) and may_view_purpose(person, purpose)):
        raise Forbidden("You may look at these files, but not add to them.")
    _check_purpose(kind, purpose)


def _check_purpose(kind: str, purpose: str) -> None:
    """Elsewhere a medical document would be read by more people than its student's."""
    if purpose in PURPOSE_PERMISSIONS and kind != OwnerKind.STUDENT:
        raise Invalid("Medical documents are kept with the student only.", field="purpose")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person stands to a place they may look into."""

    # The folders that lead there, the outermost first.
    trail: list[Folder]
    # May add, rename and move what lies here, by the owner's rule or by a share.
    fill: bool
    share: bool
    # All the owner has, rather than this folder by a share.
    sees_owner: bool
    # The purposes whose files they do not see here.
    closed: list[str]


def standing_in(person: Person, spot: Spot, trail: list[Folder] | None = None) -> Standing:
    """Raises NotFound: who may not look into a place is not told that it exists.

    `trail`: that of the place, where the caller has read it already.
    """
    trail = trail_in(spot) if trail is None else trail
    is_theirs, sees_owner = _owner_says(person, spot.owner_kind, spot.owner_id)
    shared = None
    if trail and not is_theirs and (not sees_owner or person.may(Permission.FILE_UPLOAD)):
        shared = shared_access(person, trail)
    if not person.may(Permission.FILE_VIEW) or not (sees_owner or shared):
        raise file_gone()
    closed = [p for p, needed in PURPOSE_PERMISSIONS.items() if not person.may(needed)]
    return Standing(
        trail=trail,
        fill=is_theirs or (shared is Access.EDIT and person.may(Permission.FILE_UPLOAD)),
        share=is_theirs and person.may(Permission.FILE_SHARE),
        sees_owner=sees_owner,
        # By a share; see `shared_access`.
        closed=closed if person.is_staff or sees_owner else list(PURPOSE_PERMISSIONS),
    )


def trail_in(spot: Spot) -> list[Folder]:
    """The folders that lead to a place. Raises NotFound when it is not there (any more)."""
    trail = trail_to(spot.folder_id) if spot.folder_id else []
    if spot.folder_id:
        inside = trail[-1] if trail else None
        if inside is None or (inside.owner_kind, inside.owner_id) != spot[:2]:
            raise file_gone()
    return trail


def may_fill(person: Person, spot: Spot) -> bool:
    """May look into this place, and add, rename and move what lies in it."""
    try:
        return standing_in(person, spot).fill
    except NotFound:
        return False


def check_fill(person: Person, spot: Spot, *, purpose: str = "document") -> None:
    """Raises NotFound, Forbidden, or Invalid for a purpose files are not kept for here."""
    if not (standing_in(person, spot).fill and may_view_purpose(person, purpose)):
        raise Forbidden("You may look at these files, but not add to them.")
    _check_purpose(spot.owner_kind, purpose)


def check_moves(person: Person, places: Collection[Spot], to: Spot) -> None:
    """May take things this person sees out of these places and put them there. Raises NotFound,
    Forbidden."""
    check_fill(person, to)
    for place in places:
        if not may_fill(person, place):
            raise Forbidden("You may not take this out of the place where it lies.")
    for kind, owner_id in {place[:2] for place in places} - {to[:2]}:
        if not (owner_named(kind).may_take(person, owner_id) and may_add(person, *to[:2])):
            raise Forbidden("You may not take this away from whom it belongs to.")


def check_share(person: Person, thing: File | Folder) -> None:
    """May share it: whoever may change it by its owner's rule. What was shared with one is not
    theirs to share on. Raises NotFound or Forbidden."""
    if isinstance(thing, File):
        may_share = rights_on(person, thing).share
    else:
        may_share = standing_in(person, Spot(thing.owner_kind, thing.owner_id, thing.id)).share
    if not may_share:
        raise Forbidden("You may look at this, but not share it.")
