"""What a share gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from school.files.models import Access, File, Folder, OwnerKind, Share, Target
from school.files.policy.purposes import PURPOSE_PERMISSIONS
from school.files.queries import below, is_for, is_lent, is_live, list_access, works_here
from school.permissions import Person


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


def is_shared_with(person: Person) -> sa.ColumnElement[bool]:
    """A condition on files: as `shared_access`, for lists."""

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
