"""Find files by the words of their names and by kind, among all that a person may see."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from school.db import db
from school.files.models import Blob, File, Folder, Share, Target
from school.files.policy import seen_files
from school.files.queries import FileRow, Spot, is_for, is_lent, is_live, rows_of, with_current
from school.files.service.families import KINDS
from school.permissions import Person
from school.search.matching import match
from school.search.models import Kind
from school.web.pagination import PAGE_ROWS, Page, Place, after_place, in_direction, take_page

FAMILIES: dict[str, tuple[str, ...]] = {
    "pdf": ("pdf",),
    "picture": ("image",),
    "document": ("office", "text"),
    "sheet": ("sheet",),
    "slides": ("slides",),
}
"""What people narrow a search to, and the families of kinds it means."""


class SharedRow(NamedTuple):
    """A file or folder somebody shared with the person."""

    kind: str
    id: UUID
    name: str
    access: str
    by: str
    spot: Spot


def find_files(
    person: Person,
    question: str,
    *,
    family: str = "",
    place: Place | None = None,
    size: int = PAGE_ROWS,
) -> Page[FileRow]:
    """Files in use whose name has a word beginning with each word asked for, the newest first."""
    columns = (File.id,)
    order = in_direction(columns, place, descending=True)
    wanted = sa.select(File.id).where(
        *match(Kind.FILE, File.id, question).conditions,
        seen_files(person),
        after_place(columns, place, descending=True),
    )
    if family in FAMILIES:
        wanted = _of_family(wanted, family)
    return take_page(
        lambda limit: rows_of(wanted.order_by(*order).limit(limit), order),
        place=place,
        key=lambda row: (str(row.id),),
        size=size,
    )


def _of_family(wanted: sa.Select[UUID], family: str) -> sa.Select[UUID]:
    types = [k.content_type for k in KINDS.values() if k.family in FAMILIES[family]]
    return with_current(wanted).where(Blob.content_type.in_(types))


def list_shared_with(person: Person, *, limit: int = 200) -> list[SharedRow]:
    """What was shared with the person or a role of theirs, folders first; two queries."""
    folders = (
        sa.select(Folder, Share)
        .join(Share, sa.and_(Share.school_id == Folder.school_id, Share.target_id == Folder.id))
        .where(Folder.trashed_at.is_(None), is_lent(Folder), Share.target_kind == Target.FOLDER)
        .order_by(Folder.sort_name, Folder.id)
    )
    files = (
        sa.select(File, Share)
        .join(Share, sa.and_(Share.school_id == File.school_id, Share.target_id == File.id))
        .where(seen_files(person), Share.target_kind == Target.FILE)
        .order_by(File.sort_name, File.id)
    )
    found: dict[UUID, SharedRow] = {}
    for statement in (folders, files):
        rows = db.session.execute(statement.where(is_live(), is_for(person)).limit(limit))
        for thing, share in rows:
            row = _shared_row(thing, share)
            if thing.id not in found or row.access == "edit":
                found[thing.id] = row
    return list(found.values())


def _shared_row(thing: File | Folder, share: Share) -> SharedRow:
    spot = Spot(thing.owner_kind, thing.owner_id)
    return SharedRow(
        share.target_kind, thing.id, thing.name, share.access, share.created_by_name, spot
    )
