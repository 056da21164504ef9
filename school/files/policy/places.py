"""Who may do what in a place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from school.errors import Forbidden, NotFound
from school.files.models import Access, Folder
from school.files.policy.owners import (
    is_cleared_by,
    may_add,
    may_see_trash,
    owner_named,
    owner_says,
)
from school.files.policy.purposes import (
    PURPOSE_PERMISSIONS,
    check_purpose,
    closed_to,
    may_view_archived,
    may_view_purpose,
)
from school.files.policy.shares import shared_access
from school.files.queries import Spot, file_gone, spot_of, trail_to
from school.permissions import Permission, Person


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
    check_purpose(kind, purpose)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person stands to a place they may look into."""

    # The folders that lead there, the outermost first.
    trail: list[Folder]
    # May add, rename and move what lies here, by the owner's rule or by a share.
    fill: bool
    share: bool
    # May put away and delete what lies here, or see what was.
    archive: bool
    delete: bool
    # All the owner has, rather than this folder by a share.
    sees_owner: bool
    # The purposes whose files they do not see here.
    closed: list[str]


def standing_in(person: Person, spot: Spot, trail: list[Folder] | None = None) -> Standing:
    """Raises NotFound: who may not look into a place is not told that it exists.

    `trail`: that of the place, where the caller has read it already.
    """
    trail = trail_in(spot) if trail is None else trail
    is_theirs, sees_owner = owner_says(person, spot.owner_kind, spot.owner_id)
    shared = None
    if trail and not is_theirs and (not sees_owner or person.may(Permission.FILE_UPLOAD)):
        shared = shared_access(person, trail)
    if not person.may(Permission.FILE_VIEW) or not (sees_owner or shared):
        raise file_gone()
    is_cleared = is_theirs and is_cleared_by(person, spot.owner_kind)
    return Standing(
        trail=trail,
        fill=is_theirs or (shared is Access.EDIT and person.may(Permission.FILE_UPLOAD)),
        share=is_theirs and person.may(Permission.FILE_SHARE),
        archive=is_cleared and person.may(Permission.FILE_ARCHIVE),
        delete=is_cleared and person.may(Permission.FILE_DELETE),
        sees_owner=sees_owner,
        # By a share; see `shared_access`.
        closed=closed_to(person) if person.is_staff or sees_owner else list(PURPOSE_PERMISSIONS),
    )


def trail_in(spot: Spot) -> list[Folder]:
    """The folders that lead to a place. Raises NotFound when it is not there (any more)."""
    trail = trail_to(spot.folder_id)
    if spot.folder_id and not (trail and spot_of(trail[-1]).owner == spot.owner):
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
    check_purpose(spot.owner_kind, purpose)


def check_moves(person: Person, places: Collection[Spot], to: Spot) -> None:
    """May take things this person sees out of these places and put them there. Raises NotFound,
    Forbidden."""
    check_fill(person, to)
    for place in places:
        if not may_fill(person, place):
            raise Forbidden("You may not take this out of the place where it lies.")
    for kind, owner_id in {place.owner for place in places} - {to.owner}:
        if not (owner_named(kind).may_take(person, owner_id) and may_add(person, *to.owner)):
            raise Forbidden("You may not take this away from whom it belongs to.")
