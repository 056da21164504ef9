"""Rules that files and folders have in common, and those of folders."""

from __future__ import annotations

from school.errors import Forbidden
from school.files.models import File, Folder, OwnerKind
from school.files.policy.files import Rights, rights_on
from school.files.policy.owners import may_see_trash, owner_named
from school.files.policy.places import Standing, may_fill, standing_in
from school.files.policy.purposes import closed_to
from school.files.queries import Spot, file_gone, has_purpose, is_empty, spot_of
from school.permissions import Permission, Person


def check_delete_folder(person: Person, folder: Folder) -> None:
    """May put a folder into the trash: whoever may delete all that lies in it; an empty one whoever
    may change the place it lies in. Raises NotFound or Forbidden."""
    standing = standing_in(person, Spot(folder.owner_kind, folder.owner_id, folder.id))
    if standing.delete:
        _check_all_open(person, folder)
    elif not (is_empty(folder.id) and may_fill(person, spot_of(folder))):
        raise Forbidden("Only the office may delete a folder in which something lies.")


def check_trashed_folder(person: Person, folder: Folder) -> None:
    """May take a folder out of the trash: whoever may put it there. Raises NotFound: to everybody
    else what lies there is gone."""
    kind, owner_id = folder.owner_kind, folder.owner_id
    if may_see_trash(person, kind, owner_id) and owner_named(kind).may_view(person, owner_id):
        _check_all_open(person, folder)
    elif not (is_empty(folder.id) and may_fill(person, spot_of(folder))):
        raise file_gone()


def _check_all_open(person: Person, folder: Folder) -> None:
    """Raises Forbidden where something lies in it that this person may not see."""
    closed = closed_to(person)
    if closed and has_purpose(folder.id, closed):
        raise Forbidden("Something lies in this folder that is not for you to see.")


def check_history(person: Person, thing: File | Folder, trail: list[Folder] | None = None) -> None:
    """May read who did what with it: the office of what it sees, and everybody of what lies in
    their own place. `trail`: as for `standing_in`. Raises NotFound or Forbidden."""
    spot = Spot(thing.owner_kind, thing.owner_id, None if isinstance(thing, File) else thing.id)
    stands = (
        rights_on(person, thing) if isinstance(thing, File) else standing_in(person, spot, trail)
    )
    if not may_see_history(person, stands, spot):
        raise Forbidden("You may look at this, but not at its history.")


def may_see_history(person: Person, stands: Rights | Standing, spot: Spot) -> bool:
    """`check_history` for who has asked what this person may do with it already."""
    is_shown = person.may(Permission.HISTORY_VIEW) or spot.owner_kind == OwnerKind.PERSON
    return is_shown and stands.sees_owner


def check_share(person: Person, thing: File | Folder) -> None:
    """May share it: whoever may change it by its owner's rule. What was shared with one is not
    theirs to share on. Raises NotFound or Forbidden."""
    if isinstance(thing, File):
        may_share = rights_on(person, thing).share
    else:
        may_share = standing_in(person, Spot(thing.owner_kind, thing.owner_id, thing.id)).share
    if not may_share:
        raise Forbidden("You may look at this, but not share it.")
