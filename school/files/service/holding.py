"""Legal holds: while one stands, nothing of its file, its folder with all in it, its student or its
school is deleted.

Whoever deletes takes the school's turn before asking for holds, and whoever places one takes it
too: a hold that is committed is seen by every deletion after it, and a deletion that came first is
over when the hold is placed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from school import clock
from school.audit.actor import current_actor
from school.audit.log import facts, record, record_change
from school.db import db, take_turn
from school.errors import Conflict, Invalid, NotFound
from school.files.models import (
    UNDER_WAY,
    File,
    Folder,
    HoldTarget,
    LegalHold,
    OwnerKind,
    Upload,
)
from school.files.queries import below, spot_of, way_to
from school.tenancy.scope import current_school_id

LONGEST_REASON = 300
MOST_LISTED = 500
FACTS = ("target_kind", "target_id", "reason", "placed_by_name", "lifted_at", "lifted_by_name")
Aim = tuple[HoldTarget, UUID]
"""What a hold is on."""


class HoldRow(NamedTuple):
    """A hold as a list shows it; `name` where it is on a file or folder that is still there."""

    hold: LegalHold
    name: str | None
    # It lies in the trash: it has no page.
    is_trashed: bool = False


def take_deleting_turn() -> None:
    """Until the transaction ends nothing else is deleted in this school, and no hold is placed."""
    take_turn(db.session(), f"holds:{current_school_id()}")


def aims_at(thing: File | Folder, above: Sequence[Folder] | None = None) -> list[Aim]:
    """All that a hold on this may be on, the thing itself last.

    `above`: the folders it lies in, where the caller has read them already.
    """
    if above is None:
        above = way_to(spot_of(thing).folder_id)
    aims = [(HoldTarget.SCHOOL, current_school_id())]
    if thing.owner_kind == OwnerKind.STUDENT:
        aims.append((HoldTarget.STUDENT, thing.owner_id))
    kind = HoldTarget.FILE if isinstance(thing, File) else HoldTarget.FOLDER
    return [*aims, *((HoldTarget.FOLDER, folder.id) for folder in above), (kind, thing.id)]


def list_standing(aims: Collection[Aim]) -> list[LegalHold]:
    """The holds that stand on any of these, the oldest first."""
    is_aimed = [
        sa.and_(LegalHold.target_kind == kind, LegalHold.target_id == target_id)
        for kind, target_id in aims
    ]
    return list(
        db.session.scalars(
            sa.select(LegalHold)
            .where(LegalHold.lifted_at.is_(None), sa.or_(*is_aimed))
            .order_by(LegalHold.placed_at, LegalHold.id)
        )
    )


def list_standing_on(file: File) -> list[LegalHold]:
    """The holds that keep this file from being deleted."""
    return list_standing(aims_at(file))


def check_not_held(file: File) -> None:
    """To be asked in the transaction that deletes. Raises Conflict while a hold stands."""
    take_deleting_turn()
    if list_standing_on(file) or (file.trashed_with and is_deleted_and_held(file.trashed_with)):
        raise held_back(file.name)


def check_folder_not_held(folder: Folder) -> None:
    """To be asked in the transaction that deletes. Raises Conflict while a hold stands on the
    folder, on what it lies in, or on anything in it."""
    take_deleting_turn()
    tree = sa.select(below([folder.id]).c.id)
    if list_standing(aims_at(folder)) or is_any_held(tree):
        raise held_back(folder.name)


def is_any_held(tree: Any) -> bool:
    """Whether a hold stands on one of these folders (a select of ids) or on a file in them."""
    on_file = sa.select(File.id).where(File.folder_id.in_(tree), held())
    on_folder = _standing_on_folders().where(LegalHold.target_id.in_(tree))
    return any(db.session.scalar(one.limit(1)) is not None for one in (on_folder, on_file))


def held_back(name: str) -> Conflict:
    return Conflict(
        "“%(name)s” is under a legal hold, so nothing of it can be deleted until the hold is "
        "lifted.",
        name=name,
    )


def what_keeps(kind: OwnerKind, owner_ids: Collection[UUID]) -> dict[UUID, str]:
    """Of these owners, those that must not be removed, and why: a "file" of theirs, trash included,
    an "upload" on its way to them, or a "legal_hold". To be asked in the transaction that removes.
    """
    take_deleting_turn()
    found: dict[UUID, str] = {}
    for why, model, conditions in (
        ("file", File, ()),
        ("upload", Upload, (Upload.state.in_(UNDER_WAY),)),
    ):
        owner: Any = model.owner_id
        theirs = sa.select(owner).where(owner.in_(owner_ids), model.owner_kind == kind, *conditions)
        found |= dict.fromkeys(db.session.scalars(theirs), why)
    return found | dict.fromkeys(_held_owners(kind, owner_ids), "legal_hold")


def _held_owners(kind: OwnerKind, owner_ids: Collection[UUID]) -> Collection[UUID]:
    if list_standing([(HoldTarget.SCHOOL, current_school_id())]):
        return owner_ids
    of_folders = db.session.scalars(
        sa.select(Folder.owner_id).where(
            Folder.owner_kind == kind,
            Folder.owner_id.in_(owner_ids),
            Folder.id.in_(_standing_on_folders()),
        )
    ).all()
    if kind is not OwnerKind.STUDENT:
        return of_folders
    of_students = db.session.scalars(
        sa.select(LegalHold.target_id).where(
            LegalHold.lifted_at.is_(None),
            LegalHold.target_kind == HoldTarget.STUDENT,
            LegalHold.target_id.in_(owner_ids),
        )
    ).all()
    return [*of_folders, *of_students]


def _standing_on_folders() -> sa.Select[UUID]:
    return sa.select(LegalHold.target_id).where(
        LegalHold.lifted_at.is_(None),
        LegalHold.target_kind == HoldTarget.FOLDER,
        LegalHold.school_id == current_school_id(),
    )


def _held_folders() -> sa.Select[UUID]:
    """Folders under a hold of their own or of one above them, in the trash or not."""
    return sa.select(below(_standing_on_folders(), with_trash=True).c.id)


def held(file: Any = File) -> sa.ColumnElement[bool]:
    """Condition on files: a hold stands on it, on a folder it lies in, on its student or on its
    school."""
    is_in_held = sa.and_(file.folder_id.is_not(None), file.folder_id.in_(_held_folders()))
    return sa.or_(_aimed_at(file, HoldTarget.FILE), is_in_held)


def _aimed_at(thing: Any, kind: HoldTarget) -> sa.ColumnElement[bool]:
    """A hold stands on it itself, on its student or on its school."""
    is_on_it = sa.and_(LegalHold.target_kind == kind, LegalHold.target_id == thing.id)
    is_on_student = sa.and_(
        LegalHold.target_kind == HoldTarget.STUDENT,
        LegalHold.target_id == thing.owner_id,
        thing.owner_kind == OwnerKind.STUDENT,
    )
    return sa.exists(
        sa.select(1).where(
            LegalHold.school_id == thing.school_id,
            LegalHold.lifted_at.is_(None),
            sa.or_(LegalHold.target_kind == HoldTarget.SCHOOL, is_on_it, is_on_student),
        )
    )


def held_deleted() -> sa.Select[Any]:
    """Ids of deleted folders that are kept whole, because a hold stands on something in them."""
    other, folder = aliased(File), aliased(Folder)
    by_file = sa.select(other.trashed_with).where(other.trashed_with.is_not(None), held(other))
    by_folder = sa.select(sa.func.coalesce(folder.trashed_with, folder.id)).where(
        folder.trashed_at.is_not(None), folder.id.in_(_held_folders())
    )
    kept = sa.union(by_file, by_folder).subquery()
    return sa.select(kept.c[0])


def held_in_trash() -> sa.ColumnElement[bool]:
    """Condition on `File`: `held`, or it was deleted with a folder that is kept whole."""
    went_along = sa.and_(File.trashed_with.is_not(None), File.trashed_with.in_(held_deleted()))
    return sa.or_(held(), went_along)


def held_folder() -> sa.ColumnElement[bool]:
    """Condition on `Folder` in the trash: a hold keeps it there."""
    root = sa.func.coalesce(Folder.trashed_with, Folder.id)
    return sa.or_(_aimed_at(Folder, HoldTarget.FOLDER), root.in_(held_deleted()))


def is_deleted_and_held(folder_id: UUID) -> bool:
    """Whether a hold keeps this folder of the trash with all that went there with it."""
    kept = sa.select(Folder.id).where(Folder.id == folder_id, held_folder())
    return db.session.scalar(kept) is not None


def place_hold(kind: HoldTarget, target_id: UUID, reason: str) -> LegalHold:
    """Let nothing of a file, a folder, a student's files or the school's be deleted from now on.

    Said twice it is one hold. Raises Invalid without a reason, NotFound for a file that was deleted
    meanwhile, Conflict when another one stands there already.
    """
    reason, actor = reason.strip(), current_actor().name
    if not 1 <= len(reason) <= LONGEST_REASON:
        raise Invalid(
            "Say why, in %(most)s characters at most.", field="reason", most=LONGEST_REASON
        )
    take_deleting_turn()
    _check_is_there(kind, target_id)
    for standing in list_standing([(kind, target_id)]):
        if (standing.reason, standing.placed_by_name) == (reason, actor):
            return standing
        raise Conflict("A hold stands here already. Lift it first to write another reason.")
    hold = LegalHold(target_kind=kind, target_id=target_id, reason=reason, placed_by_name=actor)
    db.session.add(hold)
    db.session.flush()
    record(
        "legal_hold.placed",
        "legal_hold",
        hold.id,
        after=facts(hold, FACTS),
        about_id=_whom_it_concerns(hold),
    )
    return hold


def _check_is_there(kind: HoldTarget, target_id: UUID) -> None:
    model: Any = {HoldTarget.FILE: File, HoldTarget.FOLDER: Folder}.get(kind)
    if model and db.session.scalar(sa.select(model.id).where(model.id == target_id)) is None:
        raise NotFound("This file is not here.")


def _whom_it_concerns(hold: LegalHold) -> UUID | None:
    """Whose history tells it too."""
    return hold.target_id if hold.target_kind != HoldTarget.SCHOOL else None


def lift_hold(hold_id: UUID) -> LegalHold:
    """Let the ordinary rules hold again; the row stays as history. Twice is once."""
    take_deleting_turn()
    hold = get_hold(hold_id)
    if hold.lifted_at is None:
        before = facts(hold, FACTS)
        hold.lifted_at, hold.lifted_by_name = clock.now(), current_actor().name
        db.session.flush()
        record_change(
            "legal_hold.lifted",
            "legal_hold",
            hold,
            before=before,
            after=facts(hold, FACTS),
            about_id=_whom_it_concerns(hold),
        )
    return hold


def get_hold(hold_id: UUID) -> LegalHold:
    """Raises NotFound, for another school's too."""
    hold = db.session.scalar(
        sa.select(LegalHold)
        .where(LegalHold.id == hold_id)
        .execution_options(populate_existing=True)
    )
    if hold is None:
        raise NotFound("There is no such hold.")
    return hold


def list_holds() -> list[HoldRow]:
    """Every hold of the school: those that stand first, then the newest."""
    rows = db.session.execute(
        sa.select(
            LegalHold,
            sa.func.coalesce(File.name, Folder.name),
            sa.func.coalesce(File.trashed_at, Folder.trashed_at),
        )
        .outerjoin(File, _is_on(File, HoldTarget.FILE))
        .outerjoin(Folder, _is_on(Folder, HoldTarget.FOLDER))
        .order_by(LegalHold.lifted_at.is_not(None), LegalHold.placed_at.desc(), LegalHold.id)
        .limit(MOST_LISTED)
    )
    return [HoldRow(hold, name, trashed_at is not None) for hold, name, trashed_at in rows]


def _is_on(model: Any, kind: HoldTarget) -> sa.ColumnElement[bool]:
    return sa.and_(
        model.school_id == LegalHold.school_id,
        LegalHold.target_kind == kind,
        model.id == LegalHold.target_id,
    )
