"""Places files lie in: folders, the way to them, what lies below."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from school import cache
from school.db import db
from school.files.models import (
    File,
    Folder,
)
from school.files.queries.limits import DEEPEST, MOST_LISTED, file_gone
from school.files.queries.shares import is_shared
from school.tenancy.scope import current_school_id


class Spot(NamedTuple):
    """A place files lie in: a folder of an owner, or the top of the owner's files."""

    owner_kind: str
    owner_id: UUID
    folder_id: UUID | None = None

    @property
    def owner(self) -> tuple[str, UUID]:
        return self.owner_kind, self.owner_id

    def __str__(self) -> str:
        return ":".join(str(part) for part in self if part is not None)


def read_spot(text: str | None) -> Spot:
    """The place an address or a form names. Raises NotFound for what names none."""
    kind, _, rest = (text or "").partition(":")
    owner_id, _, folder_id = rest.partition(":")
    try:
        return Spot(kind, UUID(owner_id), UUID(folder_id) if folder_id else None)
    except ValueError:
        raise file_gone() from None


def spot_of(thing: File | Folder) -> Spot:
    """The place it lies in."""
    inside = thing.folder_id if isinstance(thing, File) else thing.parent_id
    return Spot(thing.owner_kind, thing.owner_id, inside)


def trail_to(folder_id: UUID | None) -> list[Folder]:
    """The folder and all it lies in, the outermost first; none without a folder, when it is not
    there, or when one of them lies in the trash."""
    trail = way_to(folder_id)
    return [] if any(folder.trashed_at for folder in trail) else trail


def way_to(folder_id: UUID | None) -> list[Folder]:
    """The folder and all it lies in, the outermost first, those in the trash too; none without a
    folder."""
    if folder_id is None:
        return []
    way = (
        sa.select(Folder.id, Folder.parent_id, sa.literal(0).label("step"))
        .where(Folder.id == folder_id, Folder.school_id == current_school_id())
        .cte("way", recursive=True)
    )
    above = aliased(Folder)
    way = way.union_all(
        sa.select(above.id, above.parent_id, way.c.step + 1).where(
            above.id == way.c.parent_id,
            above.school_id == current_school_id(),
            way.c.step < DEEPEST,
        )
    )
    return list(
        db.session.scalars(
            sa.select(Folder)
            .join(way, way.c.id == Folder.id)
            .order_by(way.c.step.desc())
            .execution_options(populate_existing=True)
        )
    )


def below(folder_ids: Any, *, with_trash: bool = False) -> sa.CTE:
    """Ids of these folders and of all folders in them: a table with `id`, to select from."""
    kept = sa.true() if with_trash else Folder.trashed_at.is_(None)
    tree = (
        sa.select(Folder.id)
        .where(Folder.id.in_(folder_ids), kept, Folder.school_id == current_school_id())
        .cte(recursive=True)  # without a name: one statement may look below several
    )
    inner = aliased(Folder)
    return tree.union(
        sa.select(inner.id).where(
            inner.parent_id == tree.c.id,
            inner.school_id == current_school_id(),
            sa.true() if with_trash else inner.trashed_at.is_(None),
        )
    )


def is_empty(folder_id: UUID) -> bool:
    """Nothing lies in this folder, nothing put away or deleted from it either."""
    here = (
        sa.select(File.id).where(File.folder_id == folder_id),
        sa.select(Folder.id).where(Folder.parent_id == folder_id),
    )
    return all(db.session.scalar(one.limit(1)) is None for one in here)


def has_purpose(folder_id: UUID, purposes: Collection[str]) -> bool:
    """Whether a file kept for one of these purposes lies in this folder or below it, the trash
    included."""
    tree = sa.select(below([folder_id], with_trash=True).c.id)
    found = sa.select(File.id).where(File.folder_id.in_(tree), File.purpose.in_(purposes))
    return db.session.scalar(found.limit(1)) is not None


def names_of_folders(folder_ids: Collection[UUID], *, owner: tuple[str, UUID]) -> dict[UUID, str]:
    """What those of these folders are called that are this owner's."""
    if not folder_ids:
        return {}
    found = sa.select(Folder.id, Folder.name).where(
        Folder.id.in_(folder_ids), Folder.owner_kind == owner[0], Folder.owner_id == owner[1]
    )
    return {row.id: row.name for row in db.session.execute(found)}


class FolderRow(NamedTuple):
    """A folder as a list shows it."""

    id: UUID
    name: str
    version: int
    updated_at: datetime
    is_shared: bool


def list_folders(spot: Spot) -> list[FolderRow]:
    """The folders of a place by name, few hundred at most; remembered until something changes."""
    rows = cache.remember(
        current_school_id(),
        "files",
        f"folders:{spot}",
        lambda: [
            [str(row.id), row.name, row.version, row.updated_at.isoformat(), row.is_shared]
            for row in _read_folders(spot)
        ],
        seconds=60,
    )
    return [
        FolderRow(UUID(row[0]), row[1], row[2], datetime.fromisoformat(row[3]), row[4])
        for row in rows
    ]


def _read_folders(spot: Spot) -> Sequence[Any]:
    return db.session.execute(
        sa.select(Folder.id, Folder.name, Folder.version, Folder.updated_at, is_shared(Folder))
        .where(*lies_in(Folder, spot), Folder.trashed_at.is_(None))
        .order_by(Folder.sort_name, Folder.id)
        .limit(MOST_LISTED)
    ).all()


def lies_in(model: Any, spot: Spot) -> list[sa.ColumnElement[bool]]:
    """Conditions on files or folders: they lie in this place itself, in no folder of it."""
    inside = model.folder_id if model is File else model.parent_id
    return [
        inside == spot.folder_id,
        model.owner_kind == spot.owner_kind,
        model.owner_id == spot.owner_id,
    ]
