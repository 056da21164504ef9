"""A spreadsheet arrives, and is fetched again by the job that reads it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, BinaryIO, cast
from uuid import UUID

import sqlalchemy as sa

from school.audit.actor import current_actor
from school.audit.log import record
from school.db import db, transaction
from school.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable
from school.files.service.outbox import delete_later, keep_after_all
from school.jobs.models import Job
from school.jobs.queue import enqueue
from school.roster.models import ImportState, RosterImport
from school.roster.service.gone import refuse_unknown_rows
from school.roster.service.staging import OPEN_STATES, get_import, move
from school.roster.sheet.mapping import Mapping
from school.spreadsheets.workbook import MAX_FILE_BYTES
from school.storage.errors import NotFound as ObjectNotFound
from school.storage.errors import StorageError
from school.storage.keys import new_key
from school.storage.protocol import StorageProvider

STAGE, COMMIT, UNDO = "roster.stage", "roster.commit", "roster.undo"
_NAME_LIMIT = 150
_LEASE = timedelta(hours=1)


def receive(
    storage: StorageProvider, stream: IO[bytes], *, filename: str, size_bytes: int
) -> RosterImport:
    """Keep the file under a random key and enqueue reading it. Not inside a transaction."""
    if size_bytes > MAX_FILE_BYTES:
        raise TooLarge(
            "This file is larger than %(limit)s MB. Split it into smaller files.",
            field="file",
            limit=MAX_FILE_BYTES // 1024 // 1024,
        )
    if size_bytes == 0:
        raise Invalid("This file is empty.", field="file")
    key = new_key("import")
    with transaction():
        # Whoever dies in between leaves an object nobody knows: the sweep takes it away.
        delete_later(storage.name, key, after=_LEASE)
    try:
        stored = storage.put(key, cast("BinaryIO", stream), size=size_bytes)
    except StorageError as error:
        raise Unavailable("The file could not be kept. Try again in a minute.") from error
    with transaction() as session:
        if not keep_after_all(storage.name, key):
            raise Unavailable("The file took too long to arrive. Try again.")
        imported = new_import(filename, size_bytes=stored.size_bytes, sha256=stored.sha256 or "")
        imported.storage_key = key
        imported.job_id = enqueue(STAGE, import_id=str(imported.id)).id
        # The job's id is part of the row: said (and versioned) only once that is written.
        session.flush()
    return imported


def new_import(filename: str, *, size_bytes: int, sha256: str) -> RosterImport:
    """An import whose file lies ready."""
    actor = current_actor()
    imported = RosterImport(
        filename=_shown_name(filename),
        size_bytes=size_bytes,
        sha256=sha256,
        created_by=actor.user_id,
        created_by_name=actor.name,
    )
    db.session.add(imported)
    db.session.flush()
    after = {"filename": imported.filename, "size_bytes": size_bytes, "sha256": sha256}
    record("roster_import.uploaded", "roster_import", imported.id, after=after)
    return imported


def _shown_name(filename: str) -> str:
    """A hostile name is only ever shown, never used as a path."""
    name = filename.replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(letter for letter in name if letter.isprintable()).strip()
    return name[-_NAME_LIMIT:] or "file"


@contextmanager
def fetched(storage: StorageProvider, imported: RosterImport) -> Iterator[Path]:
    """The uploaded file on this machine's disk, for as long as it is read."""
    if imported.storage_key is None:
        raise NotFound("The uploaded file is not here any more. Upload it again.")
    with tempfile.NamedTemporaryFile(prefix="roster-") as copy:
        try:
            with storage.open(imported.storage_key) as blocks:
                for block in blocks:
                    copy.write(block)
        except ObjectNotFound:
            raise NotFound("The uploaded file is not here any more. Upload it again.") from None
        copy.flush()
        yield Path(copy.name)


def choose_columns(import_id: UUID, targets: dict[int, str]) -> RosterImport:
    """What a person said the columns mean; the file is read again with it."""
    imported = get_import(import_id)
    if imported.state not in OPEN_STATES or imported.mapping is None:
        raise Conflict("The columns of this import can't be changed any more.")
    mapping = Mapping.from_json(imported.mapping).corrected(targets)
    faults = mapping.faults()
    if faults:
        raise faults[0]
    imported.mapping = mapping.to_json()
    _begin(imported, STAGE, ImportState.READING)
    return imported


def begin_stage(import_id: UUID) -> RosterImport:
    """Read the file again."""
    imported = get_import(import_id)
    if imported.state not in OPEN_STATES:
        raise Conflict("This import was finished already.")
    _begin(imported, STAGE, ImportState.READING)
    return imported


def begin_commit(
    import_id: UUID, *, overwrite_edited: bool = False, archive_gone: bool = False
) -> RosterImport:
    """Enqueue the commit, once, however often the button is pressed."""
    imported = get_import(import_id)
    if imported.state == ImportState.COMMITTED:
        raise Conflict("This import is saved already.")
    if imported.state != ImportState.PREVIEW:
        raise Conflict("This import is not ready to be saved.")
    if is_working(imported):
        return imported
    if archive_gone:
        refuse_unknown_rows(import_id)
    imported.options = {
        **imported.options,
        "overwrite_edited": overwrite_edited,
        "archive_gone": archive_gone,
    }
    imported.job_id = enqueue(COMMIT, import_id=str(import_id)).id
    return imported


def begin_undo(import_id: UUID) -> RosterImport:
    """Enqueue the undoing of a saved import."""
    imported = get_import(import_id)
    if imported.state != ImportState.COMMITTED:
        raise Conflict("Only a saved import can be undone, and only once.")
    if not is_working(imported):
        imported.job_id = enqueue(UNDO, import_id=str(import_id)).id
    return imported


def is_working(imported: RosterImport) -> bool:
    """A job of this import waits or runs."""
    if imported.job_id is None:
        return False
    state = db.session.scalar(sa.select(Job.state).where(Job.id == imported.job_id))
    return state in {"waiting", "running"}


def _begin(imported: RosterImport, kind: str, state: ImportState) -> None:
    if is_working(imported):
        raise Conflict("This file is being worked on. Wait until that is done.")
    move(imported, state)
    imported.job_id = enqueue(kind, import_id=str(imported.id)).id


def forget_file(storage: StorageProvider, imported: RosterImport) -> None:
    """The uploaded file is needed no more."""
    if imported.storage_key:
        storage.delete(imported.storage_key)
        imported.storage_key = None
