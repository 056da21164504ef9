"""Lists of files: one row, and a page of what lies in a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from school.files import queries
from school.files.policy import Standing
from school.files.queries import Spot
from school.files.service.families import BY_CONTENT_TYPE, MIB, PURPOSES, accept_list
from school.files.service.shelf import shelf
from school.web.pagination import read_place

ICONS = {
    "image": "photo",
    "pdf": "file-type-pdf",
    "office": "file-text",
    "sheet": "file-spreadsheet",
    "slides": "presentation",
    "text": "file-text",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the list, ready to be shown."""

    row: queries.FileRow
    icon: str
    url: str
    # Of its small picture, where it has one.
    thumbnail: str | None = None


def line_of(row: queries.FileRow) -> Line:
    kind = BY_CONTENT_TYPE.get(row.content_type)
    icon = ICONS[kind.family] if kind else "file-text"
    return Line(row, icon, f"/files/{row.id}", _thumbnail_url(row))


def _thumbnail_url(row: queries.FileRow) -> str | None:
    if not row.has_thumbnail or row.scan_state not in queries.AVAILABLE:
        return None
    return url_for("files.thumbnail", file_id=row.id, v=row.number)


def list_of(spot: Spot, standing: Standing) -> dict[str, Any]:
    """What the list of a place needs: folders first, then a page of files."""
    sort = request.args.get("sort", "")
    by = sort.removeprefix("-")
    if by not in queries.SORTS:
        sort = by = "name"
    place = read_place(request.args.get("place"))
    page = queries.list_in(
        spot,
        closed=standing.closed,
        by=by,
        descending=sort.startswith("-"),
        place=place,
    )
    return {
        "spot": spot,
        "at": str(spot),
        "sort": sort,
        "page": page,
        "lines": [line_of(row) for row in page.rows],
        "folders": [] if place else queries.list_folders(spot),
        "may_fill": standing.fill,
        "limit_mb": shelf().most_bytes // MIB,
        "accept": accept_list(PURPOSES["document"].kinds),
    }
