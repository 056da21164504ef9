"""An upload ends: its pieces go, and with them the room that was kept."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.audit.log import plain, record
from school.db import changes_one, db, take_write_lock, transaction
from school.errors import DomainError, Unavailable
from school.files.models import UNDER_WAY, StorageTask, Upload, UploadPart, UploadState
from school.files.service import quotas
from school.files.service.outbox import AT_ONCE, DELETE, LATE_WRITE, NO_WAIT, plan_sweep
from school.files.service.shelf import shelf
from school.files.service.uploading.finding import find_upload, get_upload
from school.permissions import Person
from school.storage.hybrid import members_of

LIFETIME = timedelta(hours=24)
"""So long after its last byte, an upload ends."""
UNSTARTED_LIFETIME = timedelta(hours=1)
"""Of one that never brought a byte: the room it keeps is others' too."""
IDLE = timedelta(hours=2)
"""So long after its last byte, the room kept for what has not arrived is others' again."""
REMEMBERED = timedelta(days=30)
PIECES, DIRECT_PIECES = "part", "part/direct"
"""Where the objects lie until the file does."""


class Gone(DomainError):
    """The upload was there once."""

    status = 410
    code = "upload_gone"


def is_too_old(upload: Upload) -> bool:
    return upload.state == UploadState.OPEN and upload.expires_at < clock.now()


def too_old() -> Gone:
    return Gone("This upload has ended. Send the file again from the beginning.")


def unfinishable() -> Unavailable:
    return Unavailable("This file could not be checked for a whole day. Send it again.")


def give_up(person: Person, upload_id: UUID) -> None:
    """The person does not want it any more, in the caller's transaction; what was refused is no
    longer listed. Twice is once. Raises NotFound."""
    upload = get_upload(person, upload_id)
    if leave(upload, UploadState.ENDED, only_from=UNDER_WAY):
        record("upload.ended", "upload", upload.id, after={"offset_bytes": upload.offset_bytes})
    else:
        _move(upload, UploadState.ENDED, only_from=(UploadState.REFUSED,))


def refuse(upload: Upload, error: DomainError) -> bool:
    """What came of it is not taken, in the caller's transaction; the person is told why. False
    when it was under way no more."""
    params = {name: plain(value) for name, value in error.params.items()}
    problem = {"code": error.code, "message": error.message, "params": params}
    if not leave(upload, UploadState.REFUSED, only_from=UNDER_WAY, problem=problem):
        return False
    after = {"filename": upload.filename, "reason": str(error)}
    record("upload.refused", "upload", upload.id, after=after)
    return True


def leave(upload: Upload, state: UploadState, *, only_from: Collection[str], **more: Any) -> bool:
    """By compare and swap, in the caller's transaction: it is under way no more. False when it
    was in none of those states."""
    if not _move(upload, state, only_from=only_from, **more):
        return False
    drop_pieces(upload.id)
    # As it is now: part of it may have been released since the upload was read.
    room_bytes = db.session.scalar(sa.select(Upload.room_bytes).where(Upload.id == upload.id)) or 0
    quotas.release_upload(room_bytes, user_id=upload.user_id)
    return True


def _move(upload: Upload, state: UploadState, *, only_from: Collection[str], **more: Any) -> bool:
    take_write_lock(db.session())
    return changes_one(
        sa.update(Upload)
        .where(Upload.id == upload.id, Upload.state.in_(only_from))
        .values(state=state, lease_until=None, **more)
    )


def drop_pieces(upload_id: UUID, *, only: UUID | None = None, late: bool | None = None) -> None:
    """Pieces are wanted no more, in the caller's transaction.

    `late`: a write may still land; None where nobody knows: it may, of pieces on their way.
    """
    wanted = sa.select(UploadPart).where(UploadPart.upload_id == upload_id)
    if only is not None:
        wanted = wanted.where(UploadPart.id == only)
    pieces = db.session.scalars(wanted).all()
    for piece in pieces:
        is_late = piece.size_bytes is None if late is None else late
        after = LATE_WRITE if is_late or _has_link(piece) else NO_WAIT
        # Each key was made for one piece, so nobody has written this task down yet.
        task = StorageTask(
            operation=DELETE, provider=piece.provider, key=piece.key, next_at=clock.now() + after
        )
        db.session.add(task)
        db.session.delete(piece)
    db.session.flush()
    if pieces:
        plan_sweep(after=NO_WAIT)


def _has_link(piece: UploadPart) -> bool:
    """Somebody may hold a cloud's link to it, which we cannot take back."""
    if not piece.key.startswith(f"{DIRECT_PIECES}/"):
        return False
    members = members_of(shelf().provider)
    return not any(one.name == piece.provider and one.caps.local_path for one in members)


def end_old() -> int:
    """End what nobody has gone on with in the school in scope, and forget what ended long ago.
    Opens its own transactions; returns how many ended."""
    ended = 0
    for upload_id in _expired():
        with transaction():
            ended += _end(upload_id)
    with transaction() as session:
        session.execute(
            sa.delete(Upload)
            .where(Upload.state.not_in(UNDER_WAY), Upload.updated_at < clock.now() - REMEMBERED)
            .execution_options(synchronize_session=False)
        )
    return ended


def _expired() -> list[UUID]:
    found = db.session.scalars(
        sa.select(Upload.id)
        .where(Upload.state.in_(UNDER_WAY), Upload.expires_at < clock.now())
        .order_by(Upload.expires_at)
        .limit(AT_ONCE)
    )
    return list(found)


def _end(upload_id: UUID) -> bool:
    take_write_lock(db.session())
    upload = db.session.scalar(
        sa.select(Upload)
        .where(Upload.id == upload_id, Upload.expires_at < clock.now())
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if upload is None:
        return False
    if upload.state == UploadState.FINISHING:
        return refuse(upload, unfinishable())
    after = {"offset_bytes": upload.offset_bytes, "length_bytes": upload.length_bytes}
    is_left = leave(upload, UploadState.ENDED, only_from=UNDER_WAY)
    if is_left:
        record("upload.expired", "upload", upload.id, after=after)
    return is_left


def next_end() -> datetime | None:
    """When the next upload of the school in scope is too old, or has kept its room too long."""
    too_old, untouched = db.session.execute(
        sa.select(
            sa.func.min(sa.case((Upload.state.in_(UNDER_WAY), Upload.expires_at))),
            sa.func.min(sa.case((_keeps_room(), Upload.expires_at))),
        ).where(Upload.state.in_(UNDER_WAY))
    ).one()
    idle = untouched - LIFETIME + IDLE if untouched else None
    return min((at for at in (too_old, idle) if at is not None), default=None)


def release_idle() -> int:
    """Give back the room of what has not arrived and nobody sends, in the school in scope; going on
    takes it again (`take_room`). Opens its own transactions; returns how many uploads gave some."""
    released = 0
    for upload_id in db.session.scalars(_idle().limit(AT_ONCE)).all():
        with transaction():
            released += _release(upload_id)
    return released


def _keeps_room() -> sa.ColumnElement[bool]:
    """Begun, and counted for more than has arrived. What never brought a byte ends soon enough."""
    return sa.and_(
        Upload.state == UploadState.OPEN,
        Upload.offset_bytes > 0,
        Upload.room_bytes > Upload.offset_bytes,
    )


def _idle() -> sa.Select[UUID]:
    now = clock.now()
    return (
        sa.select(Upload.id)
        .where(_keeps_room(), Upload.expires_at < now + LIFETIME - IDLE)
        .where(sa.or_(Upload.lease_until.is_(None), Upload.lease_until <= now))
        .order_by(Upload.expires_at)
    )


def _release(upload_id: UUID) -> bool:
    take_write_lock(db.session())
    still = _idle().where(Upload.id == upload_id).with_for_update()
    if db.session.scalar(still) is None:
        return False
    upload = find_upload(upload_id)
    if upload is None:
        return False
    left = upload.room_bytes - upload.offset_bytes
    upload.room_bytes = upload.offset_bytes
    db.session.flush()
    quotas.release_upload(left, user_id=upload.user_id)
    record("upload.room_released", "upload", upload.id, after={"bytes": left})
    return True


def take_room(upload: Upload) -> None:
    """Somebody goes on with it: room for all of it again, in the caller's transaction, which holds
    the upload. Raises NoRoom."""
    if upload.offset_bytes:
        # From now on it is nobody's to release, although the piece is still on its way.
        upload.expires_at = clock.now() + LIFETIME
    lacking = upload.length_bytes - upload.room_bytes
    if lacking:
        quotas.reserve_upload(lacking, user_id=upload.user_id)
        upload.room_bytes = upload.length_bytes
        record("upload.room_taken", "upload", upload.id, after={"bytes": lacking})
