"""Conditions for lists: what a person sees of all files, and of the trash."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from school.files.models import File
from school.files.policy.owners import OWNERS, is_cleared_by
from school.files.policy.purposes import closed_to
from school.files.policy.shares import is_shared_with
from school.files.queries import PHOTO
from school.permissions import Permission, Person


def seen_files(person: Person) -> sa.ColumnElement[bool]:
    """A condition on files: in use, no photos, and this person may see them. `may_view_file` for
    lists."""
    if not person.may(Permission.FILE_VIEW):
        return sa.false()
    owned = [
        sa.and_(File.owner_kind == kind, owner.seen(person, File.owner_id))
        for kind, owner in OWNERS.items()
    ]
    return sa.and_(
        File.archived_at.is_(None),
        File.trashed_at.is_(None),
        File.purpose.not_in([*closed_to(person), PHOTO]),
        sa.or_(*owned, is_shared_with(person)),
    )


def seen_trash(person: Person, thing: Any = File) -> sa.ColumnElement[bool]:
    """A condition on files or folders: in the trash, and this person may take them out.
    `check_trashed` for lists."""
    if not (person.may(Permission.FILE_DELETE) and person.may(Permission.FILE_UPLOAD)):
        return sa.false()
    owned = [
        sa.and_(thing.owner_kind == kind, owner.seen(person, thing.owner_id))
        for kind, owner in OWNERS.items()
        if is_cleared_by(person, kind)
    ]
    is_open = thing.purpose.not_in(closed_to(person)) if thing is File else sa.true()
    return sa.and_(thing.trashed_at.is_not(None), is_open, sa.or_(*owned))
