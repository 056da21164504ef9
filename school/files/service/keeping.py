"""What people do with files: add, replace, bring back, rename, put away and take out again.

Functions that take a stream open their own transactions (see `writing`) and must not be called
inside one; the others are called inside the caller's, like every service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.audit.actor import current_actor
from school.audit.log import Facts, facts, record, record_change
from school.db import db, new_id, take_write_lock, transaction
from school.errors import Conflict, DomainError, Invalid, NotFound
from school.files.models import Blob, File, FileVersion
from school.files.policy import owner_named
from school.files.queries import MOST_VERSIONS, PHOTO, Spot, find_photo, find_same_name, spot_of
from school.files.service import quotas
from school.files.service.changing import FACTS, file_changed, flush_file, show_photo, take_file
from school.files.service.clamd import Scan, Verdict
from school.files.service.content import Refused
from school.files.service.families import BY_EXTENSION, PURPOSES, Purpose
from school.files.service.folders import check_free, name_coming_back, take_place
from school.files.service.names import clean_name, extension_of, with_extension
from school.files.service.scanning import scan_arrival
from school.files.service.shelf import shelf
from school.files.service.staging import Staged, check_size, staged
from school.files.service.thumbnails.planning import plan_thumbnail
from school.files.service.writing import Written, give_up, settle, write

LONGEST_NOTE = 300
Also = Callable[[File], None]
"""What becomes true together with a file that is kept: done in the same transaction."""


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

    Raises TooLarge (NoRoom where the space is used up), Refused (its message says what was wrong
    with the content), Unavailable.
    """
    owner_named(owner_kind)
    with _written(
        stream,
        about=(owner_kind, owner_id),
        filename=filename,
        purpose=_purpose(purpose),
        size_hint=size_hint,
    ) as arrived:
        return _add_file(arrived, Spot(owner_kind, owner_id), purpose=purpose, note=note)


def add_version(
    file: File,
    stream: IO[bytes],
    *,
    filename: str | None,
    note: str | None = None,
    size_hint: int | None = None,
    expected_version: int | None = None,
    also: Also | None = None,
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
        current = take_file(file.id, expected_version)
        version = _add_version(arrived, current, note=note)
        if also is not None:
            also(current)
        return version


def keep_upload(
    stream: IO[bytes],
    *,
    owner_kind: str,
    owner_id: UUID,
    filename: str | None,
    purpose: str = "document",
    folder_id: UUID | None = None,
    size_hint: int | None = None,
    also: Also | None = None,
) -> File:
    """Take a file in; one of the same name beside it becomes its new version. Not inside a
    transaction.

    Raises what `store_upload` raises, and NotFound for a folder that is no longer there.
    """
    owner_named(owner_kind)
    spot = Spot(owner_kind, owner_id, folder_id)
    with _written(
        stream,
        about=(owner_kind, owner_id),
        filename=filename,
        purpose=_purpose(purpose),
        size_hint=size_hint,
    ) as arrived:
        # Of several sent at once under one name, each but the first is a version.
        take_place(spot)
        same = find_same_name(
            owner_kind, owner_id, folder_id=folder_id, name=arrived.content.name, purpose=purpose
        )
        if same is None:
            kept = _add_file(arrived, spot, purpose=purpose, note=None)
        else:
            kept = take_file(same.id, None)
            _add_version(arrived, kept, note=None)
        if also is not None:
            also(kept)
        return kept


def restore_version(file: File, number: int, *, expected_version: int | None = None) -> FileVersion:
    """Bring an old version back: a new version with the old content. Raises NotFound, Stale."""
    current = take_file(file.id, expected_version)
    old = None
    if number <= MOST_VERSIONS:
        old = db.session.scalar(
            sa.select(FileVersion).where(
                FileVersion.file_id == current.id, FileVersion.number == number
            )
        )
    if old is None:
        raise NotFound("This file has no version %(number)s.", number=number)
    if old.pruned_at is not None:
        raise Conflict("Version %(number)s is not kept any more.", number=number)
    if old.number == current.current_version:
        raise Conflict("Version %(number)s is the current one already.", number=number)
    version = _advance(current, blob_id=old.blob_id, name=old.name, note=None)
    old_extension = extension_of(old.name)
    if old_extension and old_extension != extension_of(current.name):
        current.name = with_extension(current.name, old_extension)
    _record_version("file.version_restored", version, content={"from_version": number})
    file_changed(current)
    return version


def rename_file(file: File, name: str, *, expected_version: int | None = None) -> File:
    """Give a file another name; its extension stays what its content is.

    Raises Stale, and Invalid for no name or that of a file beside it.
    """
    take_place(spot_of(file))
    current = take_file(file.id, expected_version)
    if not name.strip():
        raise Invalid("Type a name.", field="name")
    new, own = clean_name(name), extension_of(current.name)
    if extension_of(new) != own:
        known = BY_EXTENSION.get(extension_of(new))
        if known is not None and known is not BY_EXTENSION.get(own):
            raise Refused("misnamed", field="name", extension=extension_of(new), inside=own)
        new = clean_name(f"{new}.{own}") if known is None and own else new
    check_free(File, spot_of(current), new, besides=current.id)
    before = facts(current, FACTS)
    current.name = new
    flush_file()
    record_change("file.renamed", "file", current, before=before, after=facts(current, FACTS))
    file_changed(current)
    return current


def archive_file(file: File, *, expected_version: int | None = None) -> File:
    """Put a file away: out of lists and search, nothing is deleted. Twice is once."""
    current = take_file(file.id, expected_version)
    if current.archived_at is None:
        before = facts(current, FACTS)
        current.archived_at = clock.now()
        flush_file()
        record_change("file.archived", "file", current, before=before, after=facts(current, FACTS))
        show_photo(current, is_shown=False)
        file_changed(current)
    return current


def restore_file(file: File) -> File:
    """Take a file that was put away out again; with a number in its name where another one of that
    name lies in its place by now. Twice is once."""
    take_place(spot_of(file))
    current = take_file(file.id, None)
    if current.archived_at is not None:
        before = facts(current, FACTS)
        current.name = name_coming_back(current)
        current.archived_at = None
        flush_file()
        record_change("file.restored", "file", current, before=before, after=facts(current, FACTS))
        show_photo(current, is_shown=True)
        file_changed(current)
    return current


def set_photo(stream: IO[bytes], *, owner_kind: str, owner_id: UUID, filename: str | None) -> File:
    """Make this the owner's photo, drawn anew without whatever else was in it.

    Not inside a transaction. Raises what `store_upload` raises.
    """
    owner = owner_named(owner_kind)
    file = find_photo(owner_kind, owner_id)
    if file is None:
        file = store_upload(
            stream, owner_kind=owner_kind, owner_id=owner_id, filename=filename, purpose=PHOTO
        )
    else:
        add_version(file, stream, filename=filename)
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


class _Arrived(NamedTuple):
    """Bytes at rest, in the transaction in which they begin to count."""

    content: Staged
    written: Written


def _add_file(arrived: _Arrived, spot: Spot, *, purpose: str, note: str | None) -> File:
    content, written = arrived
    _settle(arrived, purpose)
    file = File(
        id=new_id(),
        **spot._asdict(),
        purpose=purpose,
        name=content.name,
        size_bytes=content.size_bytes,
    )
    db.session.add(file)
    db.session.flush()
    _add_row(file, number=1, blob_id=written.blob_id, name=content.name, note=note)
    after = facts(file, FACTS) | _content_facts(content)
    record("file.added", "file", file.id, after=after)
    file_changed(file)
    return file


def _add_version(arrived: _Arrived, current: File, *, note: str | None) -> FileVersion:
    content, written = arrived
    _settle(arrived, current.purpose)
    version = _advance(current, blob_id=written.blob_id, name=content.name, note=note)
    if BY_EXTENSION.get(extension_of(current.name)) is not content.kind:
        current.name = with_extension(current.name, content.kind.extensions[0])
    _record_version("file.version_added", version, content=_content_facts(content))
    file_changed(current)
    return version


def _settle(arrived: _Arrived, purpose: str) -> None:
    settle(arrived.written)
    if not arrived.written.is_held and purpose != PHOTO:
        plan_thumbnail(arrived.written.blob_id, arrived.content.kind.content_type)


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
    sent_by = current_actor().user_id
    quotas.check_room(size_hint, sent_by=sent_by)
    with staged(stream, filename=filename, purpose=purpose, most_bytes=most_bytes) as content:
        scan = _scan(content, about)
        written = write(content, purpose=purpose.code, scan=scan, sent_by=sent_by)
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


def _advance(file: File, *, blob_id: UUID, name: str, note: str | None) -> FileVersion:
    """A new row in the history, and the file points at it (by compare and swap)."""
    newest = db.session.scalar(
        sa.select(sa.func.max(FileVersion.number)).where(FileVersion.file_id == file.id)
    )
    version = _add_row(file, number=(newest or 0) + 1, blob_id=blob_id, name=name, note=note)
    file.current_version = version.number
    file.changed_at = version.created_at = clock.now()
    file.size_bytes = db.session.scalar(sa.select(Blob.size_bytes).where(Blob.id == blob_id)) or 0
    flush_file()
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


def _record_version(action: str, version: FileVersion, *, content: Facts) -> None:
    after = {"version": version.number, "name": version.name, "note": version.note} | content
    record(action, "file", version.file_id, before={"version": version.number - 1}, after=after)


def _content_facts(content: Staged) -> Facts:
    return {
        "size_bytes": content.size_bytes,
        "content_type": content.kind.content_type,
        "sha256": content.sha256,
    }
