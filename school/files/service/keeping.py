"""What people do with files: add, replace, bring back, rename, put away and take out again.

Functions that take a stream open their own transactions (see `writing`) and must not be called
inside one; the others are called inside the caller's, like every service.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm.exc import StaleDataError

from school import cache, clock
from school.audit.actor import current_actor
from school.audit.log import Facts, facts, record, record_change
from school.db import db, new_id, take_turn, take_write_lock, transaction
from school.errors import Conflict, DomainError, Invalid, NotFound, Stale
from school.files.models import File, FileVersion
from school.files.policy import owner_named
from school.files.queries import MOST_VERSIONS, file_gone, find_photo, find_same_name
from school.files.service import photos
from school.files.service.clamd import Scan, Verdict
from school.files.service.content import Refused
from school.files.service.families import BY_EXTENSION, PURPOSES, Purpose
from school.files.service.names import clean_name, extension_of, with_extension
from school.files.service.scanning import scan_arrival
from school.files.service.shelf import shelf
from school.files.service.staging import Staged, check_size, staged
from school.files.service.writing import Written, give_up, settle, write
from school.search import index as search
from school.search.models import Kind as Found
from school.tenancy.scope import current_school_id

FACTS = ("name", "owner_kind", "owner_id", "purpose", "current_version", "archived_at")
LONGEST_NOTE = 300


def store_upload(
    stream: IO[bytes],
    *,
    owner_kind: str,
    owner_id: UUID,
    filename: str | None,
    purpose: str = "document",
    size_hint: int | None = None,
    note: str | None = None,
) -> File:
    """Take a new file in. Not inside a transaction.

    Raises TooLarge, Refused (its message says what was wrong with the content), Unavailable.
    """
    owner_named(owner_kind)
    with _written(
        stream,
        about=(owner_kind, owner_id),
        filename=filename,
        purpose=_purpose(purpose),
        size_hint=size_hint,
    ) as arrived:
        return _add_file(arrived, owner_kind, owner_id, purpose=purpose, note=note)


def add_version(
    file: File,
    stream: IO[bytes],
    *,
    filename: str | None,
    note: str | None = None,
    size_hint: int | None = None,
    expected_version: int | None = None,
) -> FileVersion:
    """Replace a file's content; what was there before stays as a version. Not inside a transaction.

    `expected_version` is the `File.version` the person saw. Raises Stale when the file has
    changed since (nothing is kept then), else what `store_upload` raises.
    """
    with _written(
        stream,
        about=("file", file.id),
        filename=filename,
        purpose=_purpose(file.purpose),
        size_hint=size_hint,
    ) as arrived:
        return _add_version(arrived, _take(file.id, expected_version), note=note)


def keep_upload(
    stream: IO[bytes],
    *,
    owner_kind: str,
    owner_id: UUID,
    filename: str | None,
    purpose: str = "document",
    size_hint: int | None = None,
) -> File:
    """Take a file in; one of the same name becomes its new version. Not inside a transaction."""
    owner_named(owner_kind)
    with _written(
        stream,
        about=(owner_kind, owner_id),
        filename=filename,
        purpose=_purpose(purpose),
        size_hint=size_hint,
    ) as arrived:
        # Of several sent at once under one name, each but the first is a version.
        take_turn(db.session(), f"files:{owner_kind}:{owner_id}")
        same = find_same_name(owner_kind, owner_id, name=arrived.content.name, purpose=purpose)
        if same is None:
            return _add_file(arrived, owner_kind, owner_id, purpose=purpose, note=None)
        current = _take(same.id, None)
        _add_version(arrived, current, note=None)
        return current


def restore_version(file: File, number: int, *, expected_version: int | None = None) -> FileVersion:
    """Bring an old version back: a new version with the old content. Raises NotFound, Stale."""
    current = _take(file.id, expected_version)
    old = None
    if number <= MOST_VERSIONS:
        old = db.session.scalar(
            sa.select(FileVersion).where(
                FileVersion.file_id == current.id, FileVersion.number == number
            )
        )
    if old is None:
        raise NotFound("This file has no version %(number)s.", number=number)
    if old.number == current.current_version:
        raise Conflict("Version %(number)s is the current one already.", number=number)
    version = _advance(current, blob_id=old.blob_id, name=old.name, note=None)
    old_extension = extension_of(old.name)
    if old_extension and old_extension != extension_of(current.name):
        current.name = with_extension(current.name, old_extension)
    _record_version("file.version_restored", version, content={"from_version": number})
    _changed(current)
    return version


def rename_file(file: File, name: str, *, expected_version: int | None = None) -> File:
    """Give a file another name; its extension stays what its content is. Raises Stale, Invalid."""
    current = _take(file.id, expected_version)
    if not name.strip():
        raise Invalid("Type a name.", field="name")
    new, own = clean_name(name), extension_of(current.name)
    if extension_of(new) != own:
        known = BY_EXTENSION.get(extension_of(new))
        if known is not None and known is not BY_EXTENSION.get(own):
            raise Refused("misnamed", field="name", extension=extension_of(new), inside=own)
        new = clean_name(f"{new}.{own}") if known is None and own else new
    before = facts(current, FACTS)
    current.name = new
    _flush()
    record_change("file.renamed", "file", current, before=before, after=facts(current, FACTS))
    _changed(current)
    return current


def archive_file(file: File, *, expected_version: int | None = None) -> File:
    """Put a file away: out of lists and search, nothing is deleted. Twice is once."""
    current = _take(file.id, expected_version)
    if current.archived_at is None:
        before = facts(current, FACTS)
        current.archived_at = clock.now()
        _flush()
        record_change("file.archived", "file", current, before=before, after=facts(current, FACTS))
        _show_photo(current, is_shown=False)
        _changed(current)
    return current


def restore_file(file: File) -> File:
    """Take a file that was put away out again. Twice is once."""
    current = _take(file.id, None)
    if current.archived_at is not None:
        before = facts(current, FACTS)
        current.archived_at = None
        _flush()
        record_change("file.restored", "file", current, before=before, after=facts(current, FACTS))
        _show_photo(current, is_shown=True)
        _changed(current)
    return current


def set_photo(stream: IO[bytes], *, owner_kind: str, owner_id: UUID, filename: str | None) -> File:
    """Make this the owner's photo, drawn anew without whatever else was in it.

    Not inside a transaction. Raises what `store_upload` raises.
    """
    owner = owner_named(owner_kind)
    purpose = PURPOSES["photo"]
    with staged(stream, filename=filename, purpose=purpose, most_bytes=shelf().most_bytes) as sent:
        drawn = photos.redraw(sent.stream)
    file = find_photo(owner_kind, owner_id)
    if file is None:
        file = store_upload(
            drawn, owner_kind=owner_kind, owner_id=owner_id, filename="photo.jpg", purpose="photo"
        )
    else:
        add_version(file, drawn, filename="photo.jpg")
    with transaction():
        restore_file(file)
        if owner.set_photo is not None:
            owner.set_photo(owner_id, file.id)
    return file


def remove_photo(*, owner_kind: str, owner_id: UUID) -> File | None:
    """Put the owner's photo away; None when there is none."""
    file = find_photo(owner_kind, owner_id)
    if file is None:
        return None
    return archive_file(file)


def _show_photo(file: File, *, is_shown: bool) -> None:
    """A photo put away is nobody's picture any more; one taken out again is its owner's."""
    owner = owner_named(file.owner_kind)
    if file.purpose == "photo" and owner.set_photo is not None:
        owner.set_photo(file.owner_id, file.id if is_shown else None)


class _Arrived(NamedTuple):
    """Bytes at rest, in the transaction in which they begin to count."""

    content: Staged
    written: Written


def _add_file(
    arrived: _Arrived, owner_kind: str, owner_id: UUID, *, purpose: str, note: str | None
) -> File:
    content, written = arrived
    settle(written)
    file = File(
        id=new_id(), owner_kind=owner_kind, owner_id=owner_id, purpose=purpose, name=content.name
    )
    db.session.add(file)
    db.session.flush()
    _add_row(file, number=1, blob_id=written.blob_id, name=content.name, note=note)
    after = facts(file, FACTS) | _content_facts(content)
    record("file.added", "file", file.id, after=after)
    _changed(file)
    return file


def _add_version(arrived: _Arrived, current: File, *, note: str | None) -> FileVersion:
    content, written = arrived
    settle(written)
    version = _advance(current, blob_id=written.blob_id, name=content.name, note=note)
    if BY_EXTENSION.get(extension_of(current.name)) is not content.kind:
        current.name = with_extension(current.name, content.kind.extensions[0])
    _record_version("file.version_added", version, content=_content_facts(content))
    _changed(current)
    return version


def _purpose(code: str) -> Purpose:
    purpose = PURPOSES.get(code)
    if purpose is None:
        raise Invalid("Files are not kept for “%(purpose)s”.", field="purpose", purpose=code)
    return purpose


@contextmanager
def _written(
    stream: IO[bytes],
    *,
    about: tuple[str, UUID],
    filename: str | None,
    purpose: Purpose,
    size_hint: int | None,
) -> Iterator[_Arrived]:
    """Take the bytes in, and open the transaction in which they begin to count.

    When that transaction breaks a rule, the bytes are let go at once; when the process dies in
    it, the sweep lets them go.
    """
    most_bytes = shelf().most_bytes
    check_size(size_hint, purpose=purpose, most_bytes=most_bytes)
    with staged(stream, filename=filename, purpose=purpose, most_bytes=most_bytes) as content:
        written = write(content, purpose=purpose.code, scan=_scan(content, about))
        try:
            with transaction() as session:
                take_write_lock(session)
                yield _Arrived(content, written)
        except DomainError:
            give_up(written.blob_id)
            raise


def _scan(content: Staged, about: tuple[str, UUID]) -> Scan | None:
    """Raises Refused for what is harmful; that somebody sent it is told in the history."""
    scan = scan_arrival(content.stream)
    if scan is not None and scan.verdict is Verdict.INFECTED:
        after = {"name": content.name, "signature": scan.signature, "sha256": content.sha256}
        with transaction():
            record("file.refused", *about, after=after)
        raise Refused("infected", signature=scan.signature)
    return scan


def _take(file_id: UUID, expected_version: int | None) -> File:
    """The file as it is now, held until the transaction ends. Raises NotFound, Stale."""
    take_write_lock(db.session())
    file = db.session.scalar(
        sa.select(File)
        .where(File.id == file_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if file is None:
        raise file_gone()
    if expected_version is not None and file.version != expected_version:
        raise Stale(
            "“%(name)s” was changed by somebody else meanwhile, so nothing was done. Look at it "
            "again.",
            theirs={"version": file.current_version, "name": file.name},
            yours={},
            name=file.name,
        )
    return file


def _advance(file: File, *, blob_id: UUID, name: str, note: str | None) -> FileVersion:
    """A new row in the history, and the file points at it (by compare and swap)."""
    newest = db.session.scalar(
        sa.select(sa.func.max(FileVersion.number)).where(FileVersion.file_id == file.id)
    )
    version = _add_row(file, number=(newest or 0) + 1, blob_id=blob_id, name=name, note=note)
    file.current_version = version.number
    _flush()
    return version


def _add_row(file: File, *, number: int, blob_id: UUID, name: str, note: str | None) -> FileVersion:
    actor = current_actor()
    version = FileVersion(
        file_id=file.id,
        number=number,
        blob_id=blob_id,
        name=name,
        note=(note or "").strip()[:LONGEST_NOTE] or None,
        created_by=actor.user_id,
        created_by_name=actor.name,
    )
    db.session.add(version)
    return version


def _flush() -> None:
    try:
        db.session.flush()
    except StaleDataError:
        raise Conflict("Somebody else changed this file at the same moment. Try again.") from None


def _record_version(action: str, version: FileVersion, *, content: Facts) -> None:
    after = {"version": version.number, "name": version.name, "note": version.note} | content
    record(action, "file", version.file_id, before={"version": version.number - 1}, after=after)


def _content_facts(content: Staged) -> Facts:
    return {
        "size_bytes": content.size_bytes,
        "content_type": content.kind.content_type,
        "sha256": content.sha256,
    }


def _changed(file: File) -> None:
    """Search and what is remembered follow, in the same transaction or right after it."""
    if file.archived_at is None and file.purpose != "photo":
        search.index_words(Found.FILE, file.id, [file.name])
    else:
        search.forget(Found.FILE, [file.id])
    cache.forget(current_school_id(), "files")
