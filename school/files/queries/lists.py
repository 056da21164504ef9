"""Files as lists show them, each with what its current version says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.db import db
from school.files.models import (
    Blob,
    BlobDerivative,
    DerivativeKind,
    File,
    FileVersion,
)
from school.files.queries.current import with_current
from school.files.queries.limits import PHOTO
from school.files.queries.places import Spot, below, lies_in
from school.files.queries.shares import is_shared
from school.search.words import fold
from school.web.pagination import PAGE_ROWS, Page, Place, after_place, in_direction, take_page


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
    has_thumbnail: bool = False
    is_shared: bool = False
    # Of the folder it lies in; None at the top of its owner's files.
    folder_id: UUID | None = None


def list_files(
    owner_kind: str,
    owner_id: UUID,
    *,
    archived: bool = False,
    closed: Collection[str] = (),
    place: Place | None = None,
    size: int = PAGE_ROWS,
) -> Page[FileRow]:
    """All of the owner's files, in whatever folder, without photos and without these purposes: the
    newest change first, a page at a time."""
    wanted = sa.and_(
        File.owner_kind == owner_kind,
        File.owner_id == owner_id,
        File.archived_at.is_not(None) if archived else File.archived_at.is_(None),
    )
    return _list(wanted, closed, by="changed", descending=True, place=place, size=size)


def _current() -> Any:
    return with_current(
        sa.select(
            File.id,
            File.name,
            File.purpose,
            File.version,
            FileVersion.number,
            Blob.size_bytes,
            Blob.content_type,
            File.changed_at,
            FileVersion.created_by_name.label("changed_by"),
            File.archived_at,
            Blob.scan_state,
            _has_thumbnail(),
        )
    )


def _has_thumbnail() -> sa.Label[bool]:
    made = sa.select(1).where(
        BlobDerivative.school_id == Blob.school_id,
        BlobDerivative.blob_id == Blob.id,
        BlobDerivative.kind == DerivativeKind.THUMBNAIL,
        BlobDerivative.derived_id.is_not(None),
    )
    return made.exists().label("has_thumbnail")


def list_all_files(*, limit: int = 1000) -> Sequence[Any]:
    """The school's files outside the trash, for the command line: rows like FileRow, with owner."""
    return db.session.execute(
        _current()
        .add_columns(File.owner_kind, File.owner_id)
        .where(File.trashed_at.is_(None))
        .order_by(File.id)
        .limit(limit)
    ).all()


SORTS = {"name": File.sort_name, "changed": File.changed_at, "size": File.size_bytes}
"""What a folder's files can be put in order by."""


def list_in(
    spot: Spot,
    *,
    closed: Collection[str] = (),
    by: str = "name",
    descending: bool = False,
    place: Place | None = None,
    size: int = PAGE_ROWS,
) -> Page[FileRow]:
    """The files of a place without photos and without these purposes, a page at a time."""
    wanted = sa.and_(*lies_in(File, spot), File.archived_at.is_(None))
    return _list(wanted, closed, by=by, descending=descending, place=place, size=size)


def list_put_away(
    spot: Spot,
    *,
    closed: Collection[str] = (),
    by: str = "name",
    descending: bool = False,
    place: Place | None = None,
) -> Page[FileRow]:
    """What was put away of a place and of all folders in it, as `list_in`."""
    wanted = sa.and_(
        File.owner_kind == spot.owner_kind,
        File.owner_id == spot.owner_id,
        File.archived_at.is_not(None),
        File.folder_id.in_(sa.select(below([spot.folder_id]).c.id))
        if spot.folder_id
        else sa.true(),
    )
    return _list(wanted, closed, by=by, descending=descending, place=place, size=PAGE_ROWS)


def _list(
    wanted: sa.ColumnElement[bool],
    closed: Collection[str],
    *,
    by: str,
    descending: bool,
    place: Place | None,
    size: int,
) -> Page[FileRow]:
    columns = (SORTS[by], File.id)
    order = in_direction(columns, place, descending=descending)
    conditions = [
        wanted,
        File.trashed_at.is_(None),
        File.purpose.not_in([*closed, PHOTO]),
        after_place(columns, place, descending=descending),
    ]
    return take_page(
        lambda limit: rows_of(
            sa.select(File.id).where(*conditions).order_by(*order).limit(limit), order
        ),
        place=place,
        key=lambda row: (_sort_value(row, by), str(row.id)),
        size=size,
    )


def rows_of(ids: Any, order: Sequence[Any]) -> list[FileRow]:
    """The files with these ids (a select): first who is on the page, then what the page says."""
    statement = _current().add_columns(File.folder_id, is_shared(File))
    rows = db.session.execute(statement.where(File.id.in_(ids)).order_by(*order))
    return [FileRow(**row._mapping) for row in rows]  # noqa: SLF001 - as above


def _sort_value(row: FileRow, by: str) -> Any:
    if by == "name":
        return fold(row.name)
    return row.changed_at.isoformat() if by == "changed" else row.size_bytes
