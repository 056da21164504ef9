"""A file's row while somebody changes it: held, written back, and what follows from the change."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm.exc import StaleDataError

from school import cache
from school.db import db, take_write_lock
from school.errors import Conflict, Stale
from school.files.models import File
from school.files.policy import owner_named
from school.files.queries import PHOTO, file_gone
from school.search import index as search
from school.search.models import Kind as Found
from school.tenancy.scope import current_school_id

FACTS = (
    "name",
    "owner_kind",
    "owner_id",
    "folder_id",
    "purpose",
    "current_version",
    "archived_at",
    "trashed_at",
)
"""What the history keeps of a file."""


def take_file(
    file_id: UUID, expected_version: int | None = None, *, from_trash: bool = False
) -> File:
    """The file as it is now, held until the transaction ends.

    What lies in the trash is there only for whoever means it: `from_trash`. Raises NotFound, Stale.
    """
    take_write_lock(db.session())
    file = db.session.scalar(
        sa.select(File)
        .where(File.id == file_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if file is None or (file.trashed_at is not None and not from_trash):
        raise file_gone()
    if expected_version is not None and file.version != expected_version:
        raise changed_meanwhile(file.name, file.current_version)
    return file


def changed_meanwhile(name: str, version: int) -> Stale:
    """For whoever acts on what a page showed before somebody else changed it."""
    return Stale(
        "“%(name)s” was changed by somebody else meanwhile, so nothing was done. Look at it again.",
        theirs={"version": version, "name": name},
        yours={},
        name=name,
    )


def flush_file() -> None:
    """Write the row back by compare and swap. Raises Conflict."""
    try:
        db.session.flush()
    except StaleDataError:
        raise Conflict("Somebody else changed this file at the same moment. Try again.") from None


def show_photo(file: File, *, is_shown: bool) -> None:
    """A photo put away is nobody's picture any more; one taken out again is its owner's."""
    owner = owner_named(file.owner_kind)
    if file.purpose == PHOTO and owner.set_photo is not None:
        owner.set_photo(file.owner_id, file.id if is_shown else None)


def file_changed(file: File) -> None:
    """Search and what is remembered follow, in the same transaction or right after it."""
    is_found = file.archived_at is None and file.trashed_at is None and file.purpose != PHOTO
    if is_found:
        search.index_words(Found.FILE, file.id, [file.name])
    else:
        search.forget(Found.FILE, [file.id])
    cache.forget(current_school_id(), "files")
