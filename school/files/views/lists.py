"""Lists of files: one row, and a page of what lies in a place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from school.files import policy, queries
from school.files.policy import Standing
from school.files.queries import Spot
from school.files.service.families import BY_CONTENT_TYPE, MIB, PURPOSES, accept_list
from school.files.service.shelf import shelf
from school.permissions import Person
from school.web.pagination import Page, read_place

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
    is_first = "place" not in request.args
    return {
        **_page(queries.list_in, spot, standing),
        "folders": queries.list_folders(spot) if is_first else [],
        "may_fill": standing.fill,
        "limit_mb": shelf().most_bytes // MIB,
        "accept": accept_list(PURPOSES["document"].kinds),
    }


def put_away_in(person: Person, spot: Spot, standing: Standing) -> dict[str, Any]:
    """What the list of what was put away of a place needs. Raises NotFound for who may not see
    it."""
    if not (standing.sees_owner and policy.may_view_archived(person)):
        raise queries.file_gone()
    return {**_page(queries.list_put_away, spot, standing), "folders": [], "may_fill": False}


def _page(
    read: Callable[..., Page[queries.FileRow]], spot: Spot, standing: Standing
) -> dict[str, Any]:
    """A page of files in the order and from the place that the address names."""
    sort = request.args.get("sort", "")
    by = sort.removeprefix("-")
    if by not in queries.SORTS:
        sort = by = "name"
    page = read(
        spot,
        closed=standing.closed,
        by=by,
        descending=sort.startswith("-"),
        place=read_place(request.args.get("place")),
    )
    return {
        "spot": spot,
        "at": str(spot),
        "sort": sort,
        "page": page,
        "lines": [line_of(row) for row in page.rows],
    }
