"""Folders: made, renamed, moved; and files moved from one place to another.

Everything that puts something into a place takes the owner's turn, so that what was looked at (the
names beside it, the folders above it) is still so when it is written.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from school import cache, clock
from school.audit.log import Facts, difference, facts, record, record_change
from school.db import db, new_id, take_turn, take_write_lock
from school.errors import Conflict, Invalid
from school.files.models import File, Folder, HoldTarget, OwnerKind
from school.files.policy import PURPOSE_PERMISSIONS, trail_in
from school.files.queries import (
    DEEPEST,
    PHOTO,
    Spot,
    below,
    file_gone,
    lies_in,
    spot_of,
    way_to,
)
from school.files.service.changing import FACTS, changed_meanwhile, flush_file, take_file
from school.files.service.holding import aims_at, is_any_held, list_standing, take_deleting_turn
from school.files.service.names import clean_name, is_blank, numbered, numbered_folder
from school.search.words import fold
from school.tenancy.scope import current_school_id

FOLDER_FACTS = ("name", "owner_kind", "owner_id", "parent_id")
MOST_BESIDE = 500
"""So many folders lie side by side at most: a page shows them all."""
MOST_AT_ONCE = 1000
_SLASHES = str.maketrans({"/": "-", "\\": "-"})
# What stays with whom it was kept for.
_STAYING = (*PURPOSE_PERMISSIONS, PHOTO)


def get_folder(folder_id: UUID, *, from_trash: bool = False) -> Folder:
    """The folder. Raises NotFound, for another school's and, unless it is meant, one in the trash
    too."""
    folder = db.session.scalar(sa.select(Folder).where(Folder.id == folder_id))
    if folder is None or (folder.trashed_at is not None and not from_trash):
        raise file_gone()
    return folder


def inside(folder: Folder) -> Spot:
    """The place the folder is."""
    return Spot(folder.owner_kind, folder.owner_id, folder.id)


def take_place(spot: Spot) -> list[Folder]:
    """Hold a place until the transaction ends: nothing is put in or moved meanwhile. The folders
    that lead to it. Raises NotFound when it is not there any more."""
    _take_turns([spot])
    return trail_in(spot)


def _take_turns(spots: Collection[Spot]) -> None:
    take_write_lock(db.session())
    for kind, owner_id in sorted({(spot.owner_kind, str(spot.owner_id)) for spot in spots}):
        take_turn(db.session(), f"files:{kind}:{owner_id}")


def make_folder(spot: Spot, name: str | None) -> Folder:
    """A new folder in a place. Raises NotFound, Invalid for a name that is taken or too deep."""
    if len(take_place(spot)) >= DEEPEST:
        raise _too_deep()
    check_few(spot)
    clean = clean_folder_name(name)
    check_free(Folder, spot, clean)
    folder = Folder(
        id=new_id(),
        owner_kind=spot.owner_kind,
        owner_id=spot.owner_id,
        parent_id=spot.folder_id,
        name=clean,
    )
    db.session.add(folder)
    db.session.flush()
    record("folder.made", "folder", folder.id, after=facts(folder, FOLDER_FACTS))
    _changed()
    return folder


def check_few(spot: Spot) -> None:
    """Raises Invalid where no more folders may lie in a place."""
    beside = sa.select(sa.func.count()).select_from(Folder).where(*lies_in(Folder, spot))
    if (db.session.scalar(beside) or 0) >= MOST_BESIDE:
        raise Invalid(
            "%(count)s folders lie here already. Put this one inside another.",
            field="name",
            count=MOST_BESIDE,
        )


def rename_folder(folder: Folder, name: str | None, *, expected_version: int | None = None) -> None:
    """Give a folder another name. Raises NotFound, Invalid, Stale."""
    take_place(spot_of(folder))
    current = take_folder(folder.id, expected_version)
    clean = clean_folder_name(name)
    check_free(Folder, spot_of(current), clean, besides=current.id)
    before = facts(current, FOLDER_FACTS)
    current.name = clean
    flush_file()
    record_change(
        "folder.renamed", "folder", current, before=before, after=facts(current, FOLDER_FACTS)
    )
    _changed()


def move(files: Sequence[File], folders: Sequence[Folder], to: Spot) -> int:
    """Put these into another place, all or none; how many moved.

    Raises NotFound, Invalid for what cannot lie there (its name is taken, a folder would lie in
    itself, too deep or beside too many), Conflict for what must stay with its owner.
    """
    if len(files) + len(folders) > MOST_AT_ONCE:
        raise Invalid("At most %(count)s can be moved at once.", count=MOST_AT_ONCE)
    places = {*map(spot_of, files), *map(spot_of, folders)}
    _take_turns({to, *places})
    take_deleting_turn()  # no hold is placed meanwhile
    trail = trail_in(to)
    moved = sum(_move_folder(folder, to, trail) for folder in folders)
    moved += sum(_move_file(file, to) for file in files)
    _changed()
    return moved


def check_no_photo(files: Collection[File]) -> None:
    """Raises Conflict when one of them is a photo."""
    if any(file.purpose == PHOTO for file in files):
        raise Conflict("A photo lies in no folder: it stays on the page of its student.")


def _check_may_leave(which: sa.ColumnElement[bool]) -> None:
    """What was kept for one owner is of no other."""
    staying = sa.select(File.name).where(which, File.purpose.in_(_STAYING)).limit(1)
    if (name := db.session.scalar(staying)) is not None:
        raise Conflict("“%(name)s” stays with whom it was kept for.", name=name)


def _check_not_held_here(thing: File | Folder, old: Spot, to: Spot) -> None:
    """What is held stays with its owner, and what a folder's hold covers stays below that folder:
    elsewhere it could be deleted."""
    aims = aims_at(thing)
    if to.owner == old.owner:
        kept = {folder.id for folder in way_to(to.folder_id)}
        aims = [aim for aim in aims[:-1] if aim[0] is HoldTarget.FOLDER and aim[1] not in kept]
        if aims and list_standing(aims):
            raise Conflict("What is under a legal hold with its folder stays in that folder.")
        return
    is_inside = isinstance(thing, Folder) and is_any_held(
        sa.select(below([thing.id], with_trash=True).c.id)
    )
    if is_inside or list_standing(aims):
        raise Conflict(
            "What is under a legal hold stays with whom it belongs to until the hold is lifted."
        )


def _student_of(before: Spot, to: Spot) -> UUID | None:
    """On whose page a move is told: the student it took something from, else the one it gave to."""
    for kind, owner_id, _folder_id in (before, to):
        if kind == OwnerKind.STUDENT and before.owner != to.owner:
            return owner_id
    return None


def _move_file(file: File, to: Spot) -> bool:
    current = take_file(file.id)
    check_no_photo([current])
    old = spot_of(current)
    if old == to:
        return False
    _check_not_held_here(current, old, to)
    if to.owner != old.owner:
        _check_may_leave(File.id == current.id)
    check_free(File, to, current.name)
    before = facts(current, FACTS)
    current.owner_kind, current.owner_id, current.folder_id = to
    flush_file()
    _record_moved("file", current.id, before, facts(current, FACTS), _student_of(old, to))
    return True


def _move_folder(folder: Folder, to: Spot, trail: Sequence[Folder]) -> bool:
    current = take_folder(folder.id, None)
    old = spot_of(current)
    if old == to:
        return False
    if any(above.id == current.id for above in trail):
        raise Invalid("“%(name)s” cannot lie in itself.", name=current.name)
    if len(trail) + _height(current) > DEEPEST:
        raise _too_deep()
    check_few(to)
    check_free(Folder, to, current.name)
    _check_not_held_here(current, old, to)
    before = facts(current, FOLDER_FACTS)
    if to.owner != old.owner:
        _hand_over(current, to)
    current.parent_id = to.folder_id
    flush_file()
    _record_moved("folder", current.id, before, facts(current, FOLDER_FACTS), _student_of(old, to))
    return True


def _hand_over(folder: Folder, to: Spot) -> None:
    """All that lies in the folder gets the new owner with it, what lies in the trash too."""
    tree = [row.id for row in db.session.execute(sa.select(below([folder.id], with_trash=True)))]
    in_tree = File.folder_id.in_(tree)
    _check_may_leave(in_tree)
    _record_handed_over(in_tree, spot_of(folder), to)
    owner = {"owner_kind": to.owner_kind, "owner_id": to.owner_id, "updated_at": clock.now()}
    for model, where in ((Folder, Folder.id.in_(tree)), (File, in_tree)):
        db.session.execute(
            sa.update(model)
            .where(where)
            .values(**owner, version=model.version + 1)
            .execution_options(synchronize_session=False)
        )
    for known in db.session:
        if isinstance(known, File | Folder):
            db.session.expire(known)


def _record_handed_over(which: sa.ColumnElement[bool], old: Spot, to: Spot) -> None:
    before, after = ({"owner_kind": s.owner_kind, "owner_id": str(s.owner_id)} for s in (old, to))
    about_id = _student_of(old, to)
    for file_id, name in db.session.execute(sa.select(File.id, File.name).where(which)).all():
        _record_moved("file", file_id, before, {**after, "name": name}, about_id)


def _record_moved(
    entity: str, thing_id: UUID, before: Facts, after: Facts, about_id: UUID | None
) -> None:
    """With its name, by which it is told on the student's page."""
    was, now = difference(before, after)
    is_called = {"name": after["name"]}
    record(
        f"{entity}.moved", entity, thing_id, before=was, after=now | is_called, about_id=about_id
    )


def _height(folder: Folder) -> int:
    """How many folders lie in one another here, this one included."""
    tree = (
        sa.select(Folder.id, sa.literal(1).label("step"))
        .where(Folder.id == folder.id, Folder.school_id == current_school_id())
        .cte("steps", recursive=True)
    )
    lower = aliased(Folder)
    tree = tree.union_all(
        sa.select(lower.id, tree.c.step + 1).where(
            lower.parent_id == tree.c.id, lower.school_id == current_school_id()
        )
    )
    return db.session.scalar(sa.select(sa.func.max(tree.c.step))) or 1


def check_free(
    model: type[File | Folder], spot: Spot, name: str, *, besides: UUID | None = None
) -> None:
    """Raises Invalid when another file (or folder) of this name lies there, big or small letters
    aside."""
    if (other := _find_alike(model, spot, name, besides)) is not None:
        raise Invalid("“%(name)s” lies there already. Use another name.", field="name", name=other)


def living_place(spot: Spot) -> Spot:
    """The place itself, or the nearest one above that does not lie in the trash."""
    way = way_to(spot.folder_id)
    alive = list(itertools.takewhile(lambda folder: folder.trashed_at is None, way))
    return spot._replace(folder_id=alive[-1].id if alive else None)


def name_coming_back(thing: File | Folder) -> str:
    """What a file or folder is called that comes back to its place: as before, or with a number
    where another one of its name lies there by now. To be asked while the place is held
    (`take_place`).
    """
    if isinstance(thing, File) and thing.purpose == PHOTO:
        return thing.name
    model, with_number = (File, numbered) if isinstance(thing, File) else (Folder, numbered_folder)
    later = (with_number(thing.name, number) for number in itertools.count(2))
    names = itertools.chain([thing.name], later)
    spot = spot_of(thing)
    return next(name for name in names if _find_alike(model, spot, name, thing.id) is None)


def _find_alike(
    model: type[File | Folder], spot: Spot, name: str, besides: UUID | None
) -> str | None:
    alike = sa.select(model.id, model.name).where(
        *lies_in(model, spot), model.sort_name == fold(name), model.trashed_at.is_(None)
    )
    if model is File:
        alike = alike.where(File.archived_at.is_(None), File.purpose != PHOTO)
    taken = (
        other
        for other_id, other in db.session.execute(alike)
        if other_id != besides and other.casefold() == name.casefold()
    )
    return next(taken, None)


def clean_folder_name(name: str | None) -> str:
    """The name as it is kept: safe on every system. Raises Invalid for none."""
    if is_blank(name):
        raise Invalid("Type a name.", field="name")
    return clean_name((name or "").translate(_SLASHES))


def take_folder(
    folder_id: UUID, expected_version: int | None = None, *, from_trash: bool = False
) -> Folder:
    """As `take_file`. Raises NotFound, Stale."""
    folder = db.session.scalar(
        sa.select(Folder)
        .where(Folder.id == folder_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if folder is None or (folder.trashed_at is not None and not from_trash):
        raise file_gone()
    if expected_version is not None and folder.version != expected_version:
        raise changed_meanwhile(folder.name, folder.version)
    return folder


def _too_deep() -> Invalid:
    return Invalid("At most %(count)s folders can lie in one another.", field="name", count=DEEPEST)


def _changed() -> None:
    cache.forget(current_school_id(), "files")
