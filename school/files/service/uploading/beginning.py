"""An upload begins: what is coming, where it goes, and the room kept for it."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from school import clock
from school.audit.log import facts, record
from school.db import db, new_id, take_turn
from school.errors import Invalid, TooMany
from school.files.models import Upload, UploadState
from school.files.queries import Spot, file_gone, get_file, spot_of
from school.files.service import quotas
from school.files.service.changing import changed_meanwhile
from school.files.service.families import PURPOSES
from school.files.service.keeping import LONGEST_NOTE
from school.files.service.outbox import plan_sweep
from school.files.service.shelf import shelf
from school.files.service.staging import check_size
from school.files.service.uploading.ending import LIFETIME, UNSTARTED_LIFETIME
from school.files.service.uploading.finding import MOST_OPEN, check_may_send, count_under_way
from school.files.service.uploading.planning import plan_finish
from school.permissions import Person
from school.unseen import drop_unseen

SENT_FOR = frozenset({"document", "medical"})
"""Purposes people send files for; a photo has a way of its own."""
LONGEST_NAME = 300
FACTS = ("filename", "owner_kind", "owner_id", "purpose", "replaces_id", "length_bytes")


class Wanted(NamedTuple):
    """What somebody says they will send: to a spot, or as a new version of `replaces_id`, which
    then says where it lies and what for."""

    filename: str
    length_bytes: int
    spot: Spot | None = None
    purpose: str = "document"
    replaces_id: UUID | None = None
    # The `File.version` of the file it replaces, as the person saw it; None: whatever it is then.
    replaces_version: int | None = None
    note: str | None = None


def begin(person: Person, wanted: Wanted) -> Upload:
    """Say what is coming, in the caller's transaction. Audited.

    Raises TooLarge (NoRoom), Invalid, Forbidden, NotFound, Stale, or TooMany for more than
    `MOST_OPEN`.
    """
    upload = _row(person, wanted)
    check_may_send(person, upload)
    _check_unchanged(upload)
    _check(upload)
    take_turn(db.session(), f"uploads:{person.user_id}")
    if count_under_way(person.user_id) >= MOST_OPEN:
        raise TooMany(
            "You are sending %(most)s files already. Let some arrive, or give them up.",
            retry_after_s=60,
            most=MOST_OPEN,
        )
    quotas.reserve_upload(upload.length_bytes, user_id=person.user_id)
    db.session.add(upload)
    db.session.flush()
    record("upload.begun", "upload", upload.id, after=facts(upload, FACTS))
    plan_sweep(after=UNSTARTED_LIFETIME)
    if upload.state == UploadState.FINISHING:
        plan_finish(upload.id, wait_s=0)
    return upload


def _row(person: Person, wanted: Wanted) -> Upload:
    spot, purpose = wanted.spot, wanted.purpose
    if wanted.replaces_id is not None:
        file = get_file(wanted.replaces_id)
        spot, purpose = spot_of(file), file.purpose
    elif purpose not in SENT_FOR:
        raise Invalid("Files are not kept for “%(purpose)s”.", field="purpose", purpose=purpose)
    if spot is None:
        raise file_gone()
    # Of an empty file everything is there already.
    is_empty = wanted.length_bytes == 0
    return Upload(
        id=new_id(),
        user_id=person.user_id,
        **spot._asdict(),
        purpose=purpose,
        replaces_id=wanted.replaces_id,
        replaces_version=wanted.replaces_version if wanted.replaces_id else None,
        note=(wanted.note or "").strip()[:LONGEST_NOTE] or None,
        filename=drop_unseen(wanted.filename) or "file",
        length_bytes=wanted.length_bytes,
        offset_bytes=0,
        state=UploadState.FINISHING if is_empty else UploadState.OPEN,
        expires_at=clock.now() + (LIFETIME if is_empty else UNSTARTED_LIFETIME),
    )


def _check_unchanged(upload: Upload) -> None:
    """Only after it was asked who may: what is said names the file."""
    if upload.replaces_id is None or upload.replaces_version is None:
        return
    file = get_file(upload.replaces_id)
    if upload.replaces_version != file.version:
        raise changed_meanwhile(file.name, file.current_version)


def _check(upload: Upload) -> None:
    if upload.length_bytes < 0:
        raise Invalid("A file cannot be shorter than 0 bytes.", field="length")
    if not 1 <= len(upload.filename) <= LONGEST_NAME:
        raise Invalid("This name is too long.", field="filename")
    check_size(upload.length_bytes, purpose=PURPOSES[upload.purpose], most_bytes=shelf().most_bytes)
