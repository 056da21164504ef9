"""Folders in the trash: with all that lies in them, and back again whole.

What goes along is marked with the folder it went with (`trashed_with`). So what was deleted before
its folder stays in the trash when the folder comes back, and what went along is listed and deleted
for good with its folder only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from school import cache, clock
from school.audit.actor import current_actor
from school.audit.log import difference, facts, record
from school.db import db, take_write_lock
from school.files.models import File, Folder
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
from school.files.service.sharing import forget_shares
from school.search import index as search
from school.search.models import Kind as Found
from school.search.words import words_of_all
from school.tenancy.scope import current_school_id

AT_ONCE = 500
TRASH_FACTS = (*FOLDER_FACTS, "trashed_at")
_NOT_TRASHED = {"trashed_at": None, "trashed_by_name": None, "trashed_with": None}


class Inside(NamedTuple):
    """What went into the trash with a folder, or came back with it."""

    files: int
    folders: int


def trash_folder(
    folder: Folder,
    *,
    expected_version: int | None = None,
    check: Callable[[Folder], None] = lambda _: None,
) -> Inside:
    """Put a folder into the trash with all that lies in it. Twice is once.

    `check`: asks who may, of the folder as it is now, while nothing can be put into it.

    Raises NotFound, Stale, Conflict while a legal hold stands on it or on anything in it.
    """
    current = _take(folder, expected_version)
    if current.trashed_at is not None:
        return Inside(0, 0)
    check(current)
    check_folder_not_held(current)
    before, tree = facts(current, TRASH_FACTS), _tree_of(current.id)
    at, by = clock.now(), current_actor().name
    inside = [folder_id for folder_id in tree if folder_id != current.id]
    files = _trash_files(current, tree, at=at, by=by)
    for some in _chunks(inside):
        inner = Folder.id.in_(some)
        _update(Folder, inner, trashed_at=at, trashed_by_name=by, trashed_with=current.id)
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
    went_along = [_went_along(model, current) for model in (File, Folder)]
    if place != spot_of(current):
        check_few(place)
        current.parent_id = place.folder_id
    current.name = name_coming_back(current)
    current.trashed_at = current.trashed_by_name = current.trashed_with = None
    db.session.flush()
    files = _untrash_files(current, went_along[0])
    folders = _update(Folder, went_along[1], **_NOT_TRASHED)
    came = Inside(files, folders)
    _record("folder.taken_out", current, before, came)
    return came


def _take(folder: Folder, expected_version: int | None = None) -> Folder:
    """The folder as it is now, held with all of its owner's places until the transaction ends."""
    owner = spot_of(folder).owner  # before the very same row is read anew
    take_place(Spot(*owner))
    take_deleting_turn()
    current = take_folder(folder.id, expected_version, from_trash=True)
    if spot_of(current).owner != owner:
        raise changed_meanwhile(current.name, current.version)
    return current


def _tree_of(folder_id: UUID, *, with_trash: bool = False) -> list[UUID]:
    tree = below([folder_id], with_trash=with_trash)
    return [row.id for row in db.session.execute(sa.select(tree))]


def _trash_files(folder: Folder, tree: Sequence[UUID], *, at: datetime, by: str) -> int:
    count = 0
    for some in _chunks(tree):
        lies_here = sa.and_(File.folder_id.in_(some), File.trashed_at.is_(None))
        going = db.session.execute(sa.select(File.id, File.name).where(lies_here)).all()
        _update(File, lies_here, trashed_at=at, trashed_by_name=by, trashed_with=folder.id)
        search.forget(Found.FILE, [row.id for row in going])
        _record_files("file.trashed", going, folder)
        count += len(going)
    return count


def _went_along(model: Any, folder: Folder) -> sa.ColumnElement[bool]:
    """A condition on what comes back with a folder: all that went with it, or, where it went along
    with one above itself, so much of that as lies in it."""
    along: sa.ColumnElement[bool] = model.trashed_with == (folder.trashed_with or folder.id)
    if folder.trashed_with is None:
        return along
    inside = model.folder_id if model is File else model.parent_id
    return sa.and_(along, inside.in_(_tree_of(folder.id, with_trash=True)))


def _untrash_files(folder: Folder, went_along: sa.ColumnElement[bool]) -> int:
    coming = db.session.execute(
        sa.select(File.id, File.name, File.archived_at).where(went_along)
    ).all()
    _update(File, went_along, **_NOT_TRASHED)
    found = {row.id: words_of_all([row.name]) for row in coming if row.archived_at is None}
    search.replace_words(Found.FILE, found)
    _record_files("file.taken_out", coming, folder)
    return len(coming)


def _update(model: Any, where: Any, **values: Any) -> int:
    """Many rows in one statement; what the session knows of them is read anew."""
    take_write_lock(db.session())
    done: Any = db.session.execute(
        sa.update(model)
        .where(where)
        .values(**values, updated_at=clock.now(), version=model.version + 1)
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
    by = {"folder": folder.name, "with_folder_id": str(folder.id)}
    for row in rows:
        record(action, "file", row.id, after={"name": row.name, **by})
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
    forget_shares(current)
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
