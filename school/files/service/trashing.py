"""The trash: what is deleted lies there for a while, and then goes for good.

Into the trash and out of it again is a matter of one column. For good goes a file with all its
versions in one transaction; in that transaction each blob that nobody else has begins to be deleted
(`sweeping.let_go`), and the sweep takes its objects away later. Cut off in between, the next sweep
goes on; nothing is ever deleted at a provider before the rows say so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.audit.actor import current_actor
from school.audit.log import facts, record, record_change
from school.db import db, transaction
from school.errors import Conflict, NotFound
from school.files.models import Blob, File, FileVersion, Folder
from school.files.queries import PHOTO, Spot, file_gone, find_photo, spot_of
from school.files.service.changing import (
    FACTS,
    changed_meanwhile,
    file_changed,
    flush_file,
    show_photo,
    take_file,
)
from school.files.service.folders import living_place, name_coming_back, take_place
from school.files.service.holding import (
    check_not_held,
    held,
    held_folder,
    held_in_trash,
    take_deleting_turn,
)
from school.files.service.sharing import forget_shares
from school.files.service.shelf import shelf
from school.files.service.sweeping import let_go
from school.files.service.trashing_folders import delete_empty_folder, expired_empty_folders
from school.jobs.queue import enqueue, find_unfinished, progress
from school.web.pagination import Page, Place, after_place, in_direction, take_page

PURGE = "files.purge"
AT_ONCE = 200
NIGHT_S = 30 * 60.0


def trash_file(file: File, *, expected_version: int | None = None) -> File:
    """Put a file into the trash: gone for everybody until somebody takes it out. Twice is once.

    Raises Conflict while a legal hold stands on it, NotFound, Stale.
    """
    take_deleting_turn()
    current = take_file(file.id, expected_version, from_trash=True)
    if current.trashed_at is None:
        check_not_held(current)
        before = facts(current, FACTS)
        current.trashed_at, current.trashed_by_name = clock.now(), current_actor().name
        flush_file()
        record_change("file.trashed", "file", current, before=before, after=facts(current, FACTS))
        if current.archived_at is None:
            show_photo(current, is_shown=False)
        file_changed(current)
    return current


def take_out(file: File) -> File:
    """Take a file out of the trash; one that was put away before is put away again. Twice is once.

    A photo whose place another has taken meanwhile comes back as put away; a file gets a number in
    its name where another one of that name lies in its place by now, and comes back to the nearest
    place above where its folder lies in the trash. Raises NotFound, Stale when it has become
    somebody else's meanwhile.
    """
    owner = spot_of(file).owner  # before the very same row is read anew
    take_place(Spot(*owner))
    current = take_file(file.id, from_trash=True)
    if spot_of(current).owner != owner:
        raise changed_meanwhile(current.name, current.current_version)
    if current.trashed_at is not None:
        before = facts(current, FACTS)
        current.folder_id = living_place(spot_of(current)).folder_id
        if _is_replaced_photo(current):
            current.archived_at = current.archived_at or clock.now()
        if current.archived_at is None:
            current.name = name_coming_back(current)
        current.trashed_at = current.trashed_by_name = current.trashed_with = None
        flush_file()
        record_change("file.taken_out", "file", current, before=before, after=facts(current, FACTS))
        if current.archived_at is None:
            show_photo(current, is_shown=True)
        file_changed(current)
    return current


def _is_replaced_photo(file: File) -> bool:
    if file.purpose != PHOTO:
        return False
    photo = find_photo(file.owner_kind, file.owner_id)
    return photo is not None and photo.archived_at is None


def delete_for_good(file_id: UUID, *, trashed_before: datetime | None = None) -> None:
    """Delete a file of the trash with all its versions, in the caller's transaction.

    `trashed_before`: only if it went there before that moment. Raises NotFound when it was deleted
    already or taken out meanwhile, Conflict while a legal hold stands on it.
    """
    take_deleting_turn()
    current = take_file(file_id, from_trash=True)
    if current.trashed_at is None or (trashed_before and current.trashed_at >= trashed_before):
        raise file_gone()
    check_not_held(current)
    versions = _versions_of(current.id)
    record("file.deleted", "file", current.id, before=facts(current, FACTS) | _told(versions))
    forget_shares(current)
    file_changed(current)
    # The versions go with their file (ON DELETE CASCADE).
    db.session.delete(current)
    flush_file()
    for blob_id in dict.fromkeys(version.blob_id for version in versions):
        let_go(blob_id)


def _versions_of(file_id: UUID) -> list[Any]:
    return list(
        db.session.execute(
            sa.select(FileVersion.number, FileVersion.name, FileVersion.blob_id, Blob.sha256)
            .join(
                Blob,
                sa.and_(Blob.school_id == FileVersion.school_id, Blob.id == FileVersion.blob_id),
            )
            .where(FileVersion.file_id == file_id)
            .order_by(FileVersion.number)
        )
    )


def _told(versions: list[Any]) -> dict[str, Any]:
    """What the history keeps of content that is gone."""
    return {
        "versions": [
            {"number": one.number, "name": one.name, "sha256": one.sha256} for one in versions
        ]
    }


# ---- every night ----


@dataclass(slots=True)
class Purged:
    """What one purge did."""

    files: int = 0
    folders: int = 0
    # Files under a legal hold.
    held: int = 0


def plan_purge() -> bool:
    """For the school in scope, where something has lain in the trash long enough. Opens its own
    transaction; one job at a time."""
    with transaction():
        before = _ends_before()
        is_any = _expired(before, limit=1) or expired_empty_folders(before, limit=1)
        if find_unfinished(PURGE) is not None or not is_any:
            return False
        enqueue(PURGE)
    return True


def purge() -> Purged:
    """Delete for good what has lain in the trash long enough; a file at a time, each in its own
    transaction, for half an hour at most. Run again it goes on where it was cut off."""
    purged, before = Purged(held=count_held_back()), _ends_before()
    stops_at = time.monotonic() + NIGHT_S
    while (batch := _expired(before, limit=AT_ONCE)) and time.monotonic() < stops_at:
        gone = sum(_purge_one(file_id, before) for file_id in batch)
        purged.files += gone
        progress(0.5, "%(files)s files are deleted for good", files=purged.files)
        if not gone:
            break  # a hold was placed on all of these meanwhile
    # Each round those in which nothing lies any more, the innermost first.
    while time.monotonic() < stops_at:
        batch = expired_empty_folders(before, limit=AT_ONCE)
        gone = sum(_purge_one(folder_id, before, delete_empty_folder) for folder_id in batch)
        purged.folders += gone
        if not gone:
            break
    return purged


def _purge_one(
    thing_id: UUID, before: datetime, delete: Callable[..., None] = delete_for_good
) -> bool:
    try:
        with transaction():
            delete(thing_id, trashed_before=before)
    except (NotFound, Conflict):
        return False  # taken out, deleted by somebody, or held meanwhile
    finally:
        db.session.expunge_all()
    return True


def _ends_before() -> datetime:
    return clock.now() - timedelta(days=shelf().trash_days)


def _expired(before: datetime, *, limit: int) -> list[UUID]:
    """What went into the trash before that moment and is not held, the longest there first."""
    return list(
        db.session.scalars(
            sa.select(File.id)
            .where(File.trashed_at < before, ~held_in_trash())
            .order_by(File.trashed_at, File.id)
            .limit(limit)
        )
    )


def count_held_back() -> int:
    """Files whose time in the trash is over, kept by a legal hold."""
    count = sa.select(sa.func.count()).select_from(File)
    return db.session.scalar(count.where(File.trashed_at < _ends_before(), held_in_trash())) or 0


# ---- looking into the trash ----


class Trashed(NamedTuple):
    """One file of the trash, or a folder with all that went there with it."""

    id: UUID
    name: str
    # Empty for a folder.
    purpose: str
    owner_kind: str
    owner_id: UUID
    at: datetime
    by: str
    size_bytes: int
    is_held: bool
    is_folder: bool = False
    # In the folder.
    files: int = 0

    @property
    def days_left(self) -> int:
        """Whole days until it is deleted for good; 0: tonight."""
        return max(0, shelf().trash_days - (clock.now() - self.at).days)


def list_trashed(
    which: Callable[[Any], sa.ColumnElement[bool]], *, place: Place | None
) -> Page[Trashed]:
    """A page of the trash, the newest first: what was deleted by itself, not what went along with a
    folder. `which` narrows `File` and `Folder`."""
    return take_page(
        lambda limit: _merged(which, place, limit),
        place=place,
        key=lambda row: (row.at.isoformat(), str(row.id)),
    )


def _merged(
    which: Callable[[Any], sa.ColumnElement[bool]], place: Place | None, limit: int
) -> list[Trashed]:
    """So many files and so many folders hold the first of both, whatever their order is."""
    found: list[Trashed] = []
    for model, rows in ((File, _trashed_files()), (Folder, _trashed_folders())):
        columns = (model.trashed_at, model.id)
        wanted = rows.where(which(model), after_place(columns, place, descending=True)).limit(limit)
        order = in_direction(columns, place, descending=True)
        found += [Trashed(*row) for row in db.session.execute(wanted.order_by(*order))]
    is_back = place is not None and place.backwards
    return sorted(found, key=lambda row: (row.at, row.id.bytes), reverse=not is_back)[:limit]


def _trashed_files() -> Any:
    return sa.select(
        File.id,
        File.name,
        File.purpose,
        File.owner_kind,
        File.owner_id,
        File.trashed_at,
        File.trashed_by_name,
        File.size_bytes,
        held().label("is_held"),
    ).where(File.trashed_at.is_not(None), File.trashed_with.is_(None))


def _trashed_folders() -> Any:
    inside = sa.and_(File.school_id == Folder.school_id, File.trashed_with == Folder.id)

    def told(value: Any) -> Any:
        return sa.select(value).where(inside).correlate(Folder).scalar_subquery()

    return sa.select(
        Folder.id,
        Folder.name,
        sa.literal(""),
        Folder.owner_kind,
        Folder.owner_id,
        Folder.trashed_at,
        Folder.trashed_by_name,
        told(sa.func.coalesce(sa.func.sum(File.size_bytes), 0)),
        held_folder().label("is_held"),
        sa.true(),
        told(sa.func.count()),
    ).where(Folder.trashed_at.is_not(None), Folder.trashed_with.is_(None))
