"""Legal holds: while one stands, nothing of its file, its student or its school is deleted.

Whoever deletes takes the school's turn before asking for holds, and whoever places one takes it
too: a hold that is committed is seen by every deletion after it, and a deletion that came first is
over when the hold is placed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.audit.actor import current_actor
from school.audit.log import facts, record, record_change
from school.db import db, take_turn
from school.errors import Conflict, Invalid, NotFound
from school.files.models import UNDER_WAY, File, HoldTarget, LegalHold, OwnerKind, Upload
from school.tenancy.scope import current_school_id

LONGEST_REASON = 300
MOST_LISTED = 500
FACTS = ("target_kind", "target_id", "reason", "placed_by_name", "lifted_at", "lifted_by_name")
Aim = tuple[HoldTarget, UUID]
"""What a hold is on."""


class HoldRow(NamedTuple):
    """A hold as a list shows it; `file_name` where it is on a file that is still there."""

    hold: LegalHold
    file_name: str | None
    # The file lies in the trash: it has no page.
    is_trashed: bool = False


def take_deleting_turn() -> None:
    """Until the transaction ends nothing else is deleted in this school, and no hold is placed."""
    take_turn(db.session(), f"holds:{current_school_id()}")


def aims_at(file: File) -> list[Aim]:
    """All that a hold on this file may be on, the file itself last."""
    aims = [(HoldTarget.SCHOOL, current_school_id())]
    if file.owner_kind == OwnerKind.STUDENT:
        aims.append((HoldTarget.STUDENT, file.owner_id))
    return [*aims, (HoldTarget.FILE, file.id)]


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
    if list_standing_on(file):
        raise Conflict(
            "“%(name)s” is under a legal hold, so nothing of it can be deleted until the hold is "
            "lifted.",
            name=file.name,
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
    if kind is not OwnerKind.STUDENT:
        return ()
    return db.session.scalars(
        sa.select(LegalHold.target_id).where(
            LegalHold.lifted_at.is_(None),
            LegalHold.target_kind == HoldTarget.STUDENT,
            LegalHold.target_id.in_(owner_ids),
        )
    ).all()


def held() -> sa.ColumnElement[bool]:
    """Condition on `File`: a hold stands on it, on its student or on its school."""
    is_on_file = sa.and_(LegalHold.target_kind == HoldTarget.FILE, LegalHold.target_id == File.id)
    is_on_student = sa.and_(
        LegalHold.target_kind == HoldTarget.STUDENT,
        LegalHold.target_id == File.owner_id,
        File.owner_kind == OwnerKind.STUDENT,
    )
    return sa.exists(
        sa.select(1).where(
            LegalHold.school_id == File.school_id,
            LegalHold.lifted_at.is_(None),
            sa.or_(LegalHold.target_kind == HoldTarget.SCHOOL, is_on_file, is_on_student),
        )
    )


def place_hold(kind: HoldTarget, target_id: UUID, reason: str) -> LegalHold:
    """Let nothing of a file, a student's files or the school's be deleted from now on.

    Raises Invalid without a reason, NotFound for a file that was deleted meanwhile, Conflict when
    one stands there already.
    """
    reason = reason.strip()
    if not 1 <= len(reason) <= LONGEST_REASON:
        raise Invalid(
            "Say why, in %(most)s characters at most.", field="reason", most=LONGEST_REASON
        )
    take_deleting_turn()
    if kind is HoldTarget.FILE and not _is_there(target_id):
        raise NotFound("This file is not here.")
    if list_standing([(kind, target_id)]):
        raise Conflict("A hold stands here already. Lift it first to write another reason.")
    hold = LegalHold(
        target_kind=kind,
        target_id=target_id,
        reason=reason,
        placed_by_name=current_actor().name,
    )
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


def _whom_it_concerns(hold: LegalHold) -> UUID | None:
    return hold.target_id if hold.target_kind == HoldTarget.STUDENT else None


def _is_there(file_id: UUID) -> bool:
    return db.session.scalar(sa.select(File.id).where(File.id == file_id)) is not None


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
        sa.select(LegalHold, File.name, File.trashed_at)
        .outerjoin(
            File,
            sa.and_(
                File.school_id == LegalHold.school_id,
                LegalHold.target_kind == HoldTarget.FILE,
                File.id == LegalHold.target_id,
            ),
        )
        .order_by(LegalHold.lifted_at.is_not(None), LegalHold.placed_at.desc(), LegalHold.id)
        .limit(MOST_LISTED)
    )
    return [HoldRow(hold, name, trashed_at is not None) for hold, name, trashed_at in rows]
