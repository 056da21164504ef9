"""Reads: an owner's files, one file with its versions, where the bytes lie."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from school import cache
from school.accounts.models import Membership, User
from school.db import db
from school.errors import Conflict, NotFound
from school.files.models import (
    Blob,
    BlobLocation,
    BlobState,
    File,
    FileVersion,
    LocationState,
    ScanState,
)
from school.permissions import Person, Role
from school.tenancy.models import School, SchoolStatus
from school.tenancy.scope import current_school_id

MOST_LISTED = 500
MOST_VERSIONS = 1_000_000
"""No file has more; a longer number does not fit into every database's column."""
PHOTO = "photo"


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file as a list shows it, with what its current version says."""

    id: UUID
    name: str
    purpose: str
    version: int
    number: int
    size_bytes: int
    content_type: str
    changed_at: datetime
    changed_by: str
    archived_at: datetime | None
    scan_state: str


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version as a page shows it."""

    number: int
    name: str
    note: str | None
    size_bytes: int
    content_type: str
    sha256: str
    at: datetime
    by: str
    is_current: bool
    scan_state: str
    scan_reason: str | None
    # The version whose content this is, where an old one was brought back.
    brought_back: int | None


@dataclass(frozen=True, slots=True)
class Content:
    """What sending one version needs."""

    file_id: UUID
    number: int
    name: str
    purpose: str
    key: str
    size_bytes: int
    sha256: str
    content_type: str
    blob_id: UUID
    # The wrapped data key of what lies encrypted.
    envelope: str | None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file with its current version and what sending it needs; no content: no place has it, or
    it is held."""

    file: File
    number: int
    at: datetime
    content: Content | None
    is_held: bool = False


HELD_SENTENCES = {
    ScanState.HELD: "This file waits for the virus check, so nobody can open it yet.",
    ScanState.INFECTED: "A virus was found in this file, so nobody can open it. "
    "Ask whoever sent it for a clean copy.",
}
AVAILABLE = (ScanState.CLEAN, ScanState.UNSCANNED)
"""What may be handed out."""


class Held(Conflict):
    """The file is there, and its content is given to nobody for now."""

    code = "file_held"


def file_gone() -> NotFound:
    """The one answer for a file that is not there, hidden, or another school's."""
    return NotFound("This file is not here.")


def get_file(file_id: UUID) -> File:
    """The file. Raises NotFound, for another school's too."""
    file = db.session.scalar(sa.select(File).where(File.id == file_id))
    if file is None:
        raise file_gone()
    return file


def list_files(owner_kind: str, owner_id: UUID, *, archived: bool = False) -> list[FileRow]:
    """The owner's files without photos, the newest change first; remembered until one changes."""
    rows = cache.remember(
        current_school_id(),
        "files",
        f"{owner_kind}:{owner_id}:{int(archived)}",
        lambda: [_as_json(row) for row in _read_files(owner_kind, owner_id, archived=archived)],
    )
    return [_as_row(row) for row in rows]


def _read_files(owner_kind: str, owner_id: UUID, *, archived: bool) -> Sequence[Any]:
    put_away = File.archived_at.is_not(None) if archived else File.archived_at.is_(None)
    return db.session.execute(
        _current()
        .where(
            File.owner_kind == owner_kind,
            File.owner_id == owner_id,
            File.purpose != PHOTO,
            put_away,
        )
        .order_by(FileVersion.created_at.desc(), File.id.desc())
        .limit(MOST_LISTED)
    ).all()


def _current() -> Any:
    return (
        sa.select(
            File.id,
            File.name,
            File.purpose,
            File.version,
            FileVersion.number,
            Blob.size_bytes,
            Blob.content_type,
            FileVersion.created_at.label("changed_at"),
            FileVersion.created_by_name.label("changed_by"),
            File.archived_at,
            Blob.scan_state,
        )
        .join(
            FileVersion,
            sa.and_(
                FileVersion.school_id == File.school_id,
                FileVersion.file_id == File.id,
                FileVersion.number == File.current_version,
            ),
        )
        .join(
            Blob, sa.and_(Blob.school_id == FileVersion.school_id, Blob.id == FileVersion.blob_id)
        )
    )


def _as_json(row: Any) -> dict[str, Any]:
    return {
        **row._mapping,  # noqa: SLF001 - SQLAlchemy's public name begins with an underscore
        "id": str(row.id),
        "changed_at": row.changed_at.isoformat(),
        "archived_at": row.archived_at.isoformat() if row.archived_at else None,
    }


def _as_row(values: dict[str, Any]) -> FileRow:
    archived_at = values["archived_at"]
    return FileRow(
        **{
            **values,
            "id": UUID(values["id"]),
            "changed_at": datetime.fromisoformat(values["changed_at"]),
            "archived_at": datetime.fromisoformat(archived_at) if archived_at else None,
        }
    )


def list_all_files(*, limit: int = 1000) -> Sequence[Any]:
    """Every file of the school, for the command line: rows like FileRow, with their owner."""
    return db.session.execute(
        _current().add_columns(File.owner_kind, File.owner_id).order_by(File.id).limit(limit)
    ).all()


def list_versions(file: File) -> list[VersionRow]:
    """Every version, the newest first."""
    rows = db.session.execute(
        sa.select(
            FileVersion.number,
            FileVersion.name,
            FileVersion.note,
            Blob.size_bytes,
            Blob.content_type,
            Blob.sha256,
            FileVersion.created_at,
            FileVersion.created_by_name,
            FileVersion.blob_id,
            Blob.scan_state,
            Blob.scan_reason,
        )
        .join(
            Blob, sa.and_(Blob.school_id == FileVersion.school_id, Blob.id == FileVersion.blob_id)
        )
        .where(FileVersion.file_id == file.id)
        .order_by(FileVersion.number.desc())
    ).all()
    first: dict[UUID, int] = {}
    for row in reversed(rows):
        first.setdefault(row.blob_id, row.number)
    return [_as_version(row, file.current_version, first[row.blob_id]) for row in rows]


def _as_version(row: Any, current: int, first: int) -> VersionRow:
    return VersionRow(
        number=row.number,
        name=row.name,
        note=row.note,
        size_bytes=row.size_bytes,
        content_type=row.content_type,
        sha256=row.sha256,
        at=row.created_at,
        by=row.created_by_name,
        is_current=row.number == current,
        scan_state=row.scan_state,
        scan_reason=row.scan_reason,
        brought_back=first if first != row.number else None,
    )


class HeldRow(NamedTuple):
    """One version nobody can open, and why."""

    id: UUID
    name: str
    number: int
    is_current: bool
    by: str
    scan_state: str
    scan_reason: str | None
    scanned_at: datetime | None


def list_held() -> list[HeldRow]:
    """What the virus check holds back in the whole school, whoever's it is; the worst first."""
    is_current = FileVersion.number == File.current_version
    rows = db.session.execute(
        sa.select(
            File.id,
            FileVersion.name,
            FileVersion.number,
            is_current.label("is_current"),
            FileVersion.created_by_name,
            Blob.scan_state,
            Blob.scan_reason,
            Blob.scanned_at,
        )
        .join(
            FileVersion,
            sa.and_(FileVersion.school_id == File.school_id, FileVersion.file_id == File.id),
        )
        .join(
            Blob, sa.and_(Blob.school_id == FileVersion.school_id, Blob.id == FileVersion.blob_id)
        )
        .where(*_IS_HELD)
        .order_by(Blob.scan_state.desc(), FileVersion.created_at.desc())
        .limit(MOST_LISTED)
    )
    return [HeldRow(*row) for row in rows]


def count_held() -> int:
    """Contents nobody can open."""
    return db.session.scalar(sa.select(sa.func.count()).select_from(Blob).where(*_IS_HELD)) or 0


_IS_HELD = (
    Blob.state == BlobState.STORED,
    Blob.scan_state.in_((ScanState.HELD, ScanState.INFECTED)),
)


def find_same_name(owner_kind: str, owner_id: UUID, *, name: str, purpose: str) -> File | None:
    """The owner's file of this name, whose new version an upload then is."""
    return db.session.scalars(
        sa.select(File)
        .where(
            File.owner_kind == owner_kind,
            File.owner_id == owner_id,
            File.purpose == purpose,
            File.name == name,
            File.archived_at.is_(None),
        )
        .order_by(File.id.desc())
    ).first()


def find_photo(owner_kind: str, owner_id: UUID) -> File | None:
    """The owner's photo, put away or not."""
    return db.session.scalars(
        sa.select(File)
        .where(File.owner_kind == owner_kind, File.owner_id == owner_id, File.purpose == PHOTO)
        .order_by(File.id.desc())
    ).first()


def get_content(file: File, number: int | None = None) -> Content:
    """Where this version's bytes are; the current one by default. Raises NotFound, Held."""
    number = file.current_version if number is None else number
    if not 1 <= number <= MOST_VERSIONS:
        raise file_gone()
    row = db.session.execute(
        sa.select(FileVersion, Blob, BlobLocation)
        .join(
            Blob, sa.and_(Blob.school_id == FileVersion.school_id, Blob.id == FileVersion.blob_id)
        )
        .join(
            BlobLocation,
            sa.and_(BlobLocation.school_id == Blob.school_id, BlobLocation.blob_id == Blob.id),
        )
        .where(
            FileVersion.file_id == file.id,
            FileVersion.number == number,
            Blob.state == BlobState.STORED,
            BlobLocation.state == LocationState.PRESENT,
        )
        .order_by(BlobLocation.id)
    ).first()
    if row is None:
        raise file_gone()
    check_available(row.Blob)
    return _content_of(file, *row)


def check_available(blob: Blob) -> None:
    """The one door content goes out by. Raises Held for what the scanner has not let through."""
    if blob.scan_state not in AVAILABLE:
        raise Held(HELD_SENTENCES[ScanState(blob.scan_state)])


def content_of_blob(blob_id: UUID) -> Content | None:
    """Where content lies, whatever the scanner says of it and whatever it is called; for the
    installation's own work, never to be handed out. None when it lies nowhere."""
    row = db.session.execute(
        sa.select(File, FileVersion, Blob, BlobLocation)
        .join(
            FileVersion,
            sa.and_(FileVersion.school_id == File.school_id, FileVersion.file_id == File.id),
        )
        .join(
            Blob, sa.and_(Blob.school_id == FileVersion.school_id, Blob.id == FileVersion.blob_id)
        )
        .join(
            BlobLocation,
            sa.and_(BlobLocation.school_id == Blob.school_id, BlobLocation.blob_id == Blob.id),
        )
        .where(
            Blob.id == blob_id,
            Blob.state == BlobState.STORED,
            BlobLocation.state == LocationState.PRESENT,
        )
        .order_by(BlobLocation.id)
    ).first()
    return _content_of(*row) if row else None


def _content_of(file: File, version: FileVersion, blob: Blob, location: BlobLocation) -> Content:
    # The current version goes by the file's own name; older ones by the name they came with.
    name = file.name if version.number == file.current_version else version.name
    return Content(
        file_id=file.id,
        number=version.number,
        name=name,
        purpose=file.purpose,
        key=location.key,
        size_bytes=blob.size_bytes or 0,
        sha256=blob.sha256 or "",
        content_type=blob.content_type or "application/octet-stream",
        blob_id=blob.id,
        envelope=blob.envelope,
    )


def list_stored(
    owner_kind: str,
    owner_id: UUID,
    *,
    archived: bool = False,
    ids: Collection[UUID] | None = None,
    limit: int,
) -> list[StoredFile]:
    """The owner's files without photos, by name, or those of these ids; each with its current
    content, in one query."""
    asked = sa.select(File.id).where(
        File.owner_kind == owner_kind,
        File.owner_id == owner_id,
        File.purpose != PHOTO,
        File.archived_at.is_not(None) if archived else File.archived_at.is_(None),
    )
    if ids is not None:
        asked = asked.where(File.id.in_(ids))
    rows = db.session.execute(
        _places().where(File.id.in_(asked.order_by(File.name, File.id).limit(limit)))
    ).all()
    found: dict[UUID, StoredFile] = {}
    for file, version, blob, location in rows:
        is_held = blob.scan_state not in AVAILABLE
        is_given = location and not is_held
        content = _content_of(file, version, blob, location) if is_given else None
        stored = StoredFile(file, version.number, version.created_at, content, is_held)
        found.setdefault(file.id, stored)
    return list(found.values())


def _places() -> Any:
    """Files with their current version and every place it lies in: one row each, or one of none."""
    return (
        sa.select(File, FileVersion, Blob, BlobLocation)
        .join(
            FileVersion,
            sa.and_(
                FileVersion.school_id == File.school_id,
                FileVersion.file_id == File.id,
                FileVersion.number == File.current_version,
            ),
        )
        .join(
            Blob, sa.and_(Blob.school_id == FileVersion.school_id, Blob.id == FileVersion.blob_id)
        )
        .outerjoin(
            BlobLocation,
            sa.and_(
                BlobLocation.school_id == Blob.school_id,
                BlobLocation.blob_id == Blob.id,
                BlobLocation.state == LocationState.PRESENT,
                Blob.state == BlobState.STORED,
            ),
        )
        .order_by(File.name, File.id, BlobLocation.id)
    )


def find_person(user_id: UUID, school_id: UUID) -> Person | None:
    """Whoever a link was made for, as they stand now: active, and with today's roles."""
    rows = db.session.execute(
        sa.select(User.display_name, User.email, Membership.role)
        .join(Membership, Membership.user_id == User.id)
        .join(School, School.id == Membership.school_id)
        .where(
            User.id == user_id,
            User.active.is_(True),
            Membership.school_id == school_id,
            School.status == SchoolStatus.ACTIVE,
        )
    ).all()
    if not rows:
        return None
    return Person(
        user_id=user_id,
        display_name=rows[0].display_name,
        email=rows[0].email,
        school_id=school_id,
        roles=frozenset(Role(row.role) for row in rows),
    )
