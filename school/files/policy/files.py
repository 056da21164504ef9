"""Who may do what with one file."""

from __future__ import annotations

from dataclasses import dataclass, replace

from school.errors import Conflict, Forbidden
from school.files.models import Access, File
from school.files.policy.owners import is_cleared_by, may_see_trash, owner_named, owner_says
from school.files.policy.purposes import may_view_archived, may_view_purpose
from school.files.policy.shares import shared_access
from school.files.queries import VersionRow, file_gone, trail_to
from school.permissions import Permission, Person


def may_view_file(person: Person, file: File) -> bool:
    return may_view_beside(person, file) and (
        owner_named(file.owner_kind).may_view(person, file.owner_id)
        or _shared_file(person, file) is not None
    )


def _shared_file(person: Person, file: File) -> Access | None:
    trail = trail_to(file.folder_id)
    if file.folder_id and not trail:
        return None
    return shared_access(person, trail, file)


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
    is_theirs, sees_owner = owner_says(person, file.owner_kind, file.owner_id)
    shared = None
    if not is_theirs and (not sees_owner or person.may(Permission.FILE_UPLOAD)):
        shared = _shared_file(person, file)
    if not (may_view_beside(person, file) and (sees_owner or shared)):
        raise file_gone()
    may_edit = is_theirs or (person.may(Permission.FILE_UPLOAD) and shared is Access.EDIT)
    is_cleared = is_theirs and is_cleared_by(person, file.owner_kind)
    return Rights(
        edit=may_edit and file.archived_at is None,
        archive=is_cleared and person.may(Permission.FILE_ARCHIVE),
        delete=is_cleared and person.may(Permission.FILE_DELETE),
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
        raise Forbidden("Only the office may put files away that are not your own.")


def check_delete(person: Person, file: File) -> None:
    """May put it into the trash. Raises NotFound or Forbidden."""
    if not rights_on(person, file).delete:
        raise Forbidden("Only the office may delete files that are not your own.")


def check_trashed(person: Person, file: File) -> None:
    """May see a file of the trash and take it out again. Raises NotFound: to everybody else what
    lies there is gone."""
    may_see_it = may_view_purpose(person, file.purpose) and owner_named(file.owner_kind).may_view(
        person, file.owner_id
    )
    if not (may_see_it and may_see_trash(person, file.owner_kind, file.owner_id)):
        raise file_gone()
