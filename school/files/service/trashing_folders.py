"""Folders in the trash: with all that lies in them, and back again whole.

What goes along is marked with the folder it went with (`trashed_with`). So what was deleted before
its folder stays in the trash when the folder comes back, and what went along is listed and deleted
for good with its folder only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from school import cache, clock
from school.audit.actor import current_actor
from school.audit.log import difference, facts, record
from school.db import db, take_write_lock
from school.files.models import File, Folder, Share, Target
from school.files.queries import Spot, below, file_gone, spot_of
from school.files.service.changing import changed_meanwhile
from school.files.service.folders import (
    FOLDER_FACTS,
    check_few,
    living_place,
    name_coming_back,
    take_folder,
    take_place,
)
from school.files.service.holding import check_folder_not_held, held_folder, take_deleting_turn
from school.search import index as search
from school.search.models import Kind as Found
from school.search.words import words_of_all
from school.tenancy.scope import current_school_id

AT_ONCE = 500
TRASH_FACTS = (*FOLDER_FACTS, "trashed_at")


class Inside(NamedTuple):
    """What went into the trash with a folder, or came back with it."""

    files: int
    folders: int


def trash_folder(folder: Folder, *, expected_version: int | None = None) -> Inside:
    """Put a folder into the trash with all that lies in it. Twice is once.

    Raises NotFound, Stale, Conflict while a legal hold stands on it or on anything in it.
    """
    current = _take(folder, expected_version)
    if current.trashed_at is not None:
        return Inside(0, 0)
    check_folder_not_held(current)
    before, tree = facts(current, TRASH_FACTS), _tree_of(current.id)
    at, by = clock.now(), current_actor().name
    inside = [folder_id for folder_id in tree if folder_id != current.id]
    files = _trash_files(current, tree, at=at, by=by)
    for some in _chunks(inside):
        _update(Folder, Folder.id.in_(some), trashed_at=at, trashed_by_name=by, with_=current.id)
    current.trashed_at, current.trashed_by_name = at, by
    db.session.flush()
    went = Inside(files, len(inside))
    _record("folder.trashed", current, before, went)
    return went


def take_out_folder(folder: Folder) -> Inside:
    """Take a folder out of the trash with all that went there with it. Twice is once.

    It comes back to where it was, or to the nearest place above that is still there; with a number
    in its name where that is taken by now. Raises NotFound, Invalid beside too many folders.
    """
    current = _take(folder)
    if current.trashed_at is None:
        return Inside(0, 0)
    before, place = facts(current, TRASH_FACTS), living_place(spot_of(current))
    if place != spot_of(current):
        check_few(place)
        current.parent_id = place.folder_id
    current.name = name_coming_back(current)
    current.trashed_at = current.trashed_by_name = current.trashed_with = None
    db.session.flush()
    files = _untrash_files(current)
    folders = _update(
        Folder, Folder.trashed_with == current.id, trashed_at=None, trashed_by_name=None, with_=None
    )
    came = Inside(files, folders)
    _record("folder.taken_out", current, before, came)
    return came


def _take(folder: Folder, expected_version: int | None = None) -> Folder:
    """The folder as it is now, held with all of its owner's places until the transaction ends."""
    take_place(Spot(folder.owner_kind, folder.owner_id))
    take_deleting_turn()
    current = take_folder(folder.id, expected_version, from_trash=True)
    if (current.owner_kind, current.owner_id) != (folder.owner_kind, folder.owner_id):
        raise changed_meanwhile(current.name, current.version)
    return current


def _tree_of(folder_id: UUID) -> list[UUID]:
    return [row.id for row in db.session.execute(sa.select(below([folder_id])))]


def _trash_files(folder: Folder, tree: Sequence[UUID], *, at: datetime, by: str) -> int:
    count = 0
    for some in _chunks(tree):
        lies_here = sa.and_(File.folder_id.in_(some), File.trashed_at.is_(None))
        going = db.session.execute(sa.select(File.id, File.name).where(lies_here)).all()
        _update(File, lies_here, trashed_at=at, trashed_by_name=by, with_=folder.id)
        search.forget(Found.FILE, [row.id for row in going])
        _record_files("file.trashed", going, folder)
        count += len(going)
    return count


def _untrash_files(folder: Folder) -> int:
    went_along = File.trashed_with == folder.id
    coming = db.session.execute(
        sa.select(File.id, File.name, File.archived_at).where(went_along)
    ).all()
    _update(File, went_along, trashed_at=None, trashed_by_name=None, with_=None)
    found = {row.id: words_of_all([row.name]) for row in coming if row.archived_at is None}
    search.replace_words(Found.FILE, found)
    _record_files("file.taken_out", coming, folder)
    return len(coming)


def _update(model: Any, where: Any, *, with_: UUID | None, **values: Any) -> int:
    """Many rows in one statement; what the session knows of them is read anew."""
    take_write_lock(db.session())
    done: Any = db.session.execute(
        sa.update(model)
        .where(where)
        .values(**values, trashed_with=with_, updated_at=clock.now(), version=model.version + 1)
        .execution_options(synchronize_session=False)
    )
    for known in db.session:
        if isinstance(known, model):
            db.session.expire(known)
    return int(done.rowcount)


def _chunks(ids: Sequence[UUID]) -> Iterable[Sequence[UUID]]:
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))


def _record(action: str, folder: Folder, before: dict[str, Any], inside: Inside) -> None:
    was, now = difference(before, facts(folder, TRASH_FACTS))
    record(action, "folder", folder.id, before=was, after=now | inside._asdict())
    cache.forget(current_school_id(), "files")


def _record_files(action: str, rows: Sequence[Any], folder: Folder) -> None:
    """Each file's own history says by which folder."""
    for row in rows:
        record(action, "file", row.id, after={"name": row.name, "folder": folder.name})
    db.session.flush()


# ---- for good ----


def delete_empty_folder(folder_id: UUID, *, trashed_before: datetime) -> None:
    """Delete the row of a folder of the trash in which nothing lies any more, in the caller's
    transaction. Raises NotFound when it was taken out, or something lies in it or holds it."""
    take_deleting_turn()
    current = take_folder(folder_id, from_trash=True)
    is_over = sa.select(Folder.id).where(Folder.id == folder_id, _is_over(trashed_before))
    if db.session.scalar(is_over) is None:
        raise file_gone()
    record("folder.deleted", "folder", current.id, before=facts(current, TRASH_FACTS))
    db.session.execute(
        sa.delete(Share)
        .where(Share.target_kind == Target.FOLDER, Share.target_id == current.id)
        .execution_options(synchronize_session=False)
    )
    db.session.delete(current)
    db.session.flush()


def expired_empty_folders(before: datetime, *, limit: int) -> list[UUID]:
    """Folders deleted before that moment in which nothing lies any more, and that no hold keeps."""
    over = sa.select(Folder.id).where(_is_over(before))
    return list(db.session.scalars(over.order_by(Folder.trashed_at, Folder.id).limit(limit)))


def _is_over(before: datetime) -> sa.ColumnElement[bool]:
    inner = aliased(Folder)
    file_in_it = sa.select(1).where(File.school_id == Folder.school_id, File.folder_id == Folder.id)
    folder_in_it = sa.select(1).where(
        inner.school_id == Folder.school_id, inner.parent_id == Folder.id
    )
    return sa.and_(
        Folder.trashed_at < before,
        ~sa.exists(file_in_it),
        ~sa.exists(folder_in_it),
        ~held_folder(),
    )
