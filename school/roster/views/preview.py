"""Check before importing: counts that filter, rows as a diff, problems repaired in the cell."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask_babel import format_decimal
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from school.db import transaction
from school.errors import Invalid, NotFound
from school.roster import policy, queries
from school.roster.models import ImportState, RosterImport, RosterRow
from school.roster.service import repairing, staging, uploads
from school.roster.service.gone import gone_from
from school.roster.views import bp
from school.roster.views.lines import line_of, lines_of
from school.roster.views.pages import (
    IMPORT,
    OPTIONS,
    commit_label,
    gone_count,
    job_row,
    mapping_of,
)
from school.roster.views.words import remarks
from school.students.models import Student
from school.web.access import requires, the_person
from school.web.pagination import after_place, in_direction, read_place, take_page

MOST_DIGITS = 5
"""A cell's field is "c" and the number of its column."""
_UNSAVED = re.compile(r"f(\d{1,7})-(?:c(\d{1,5})|take)", re.ASCII)
"""Fields of a row's form ("f" and its line) that the script sends along with the import."""


@bp.get("/<uuid:import_id>/preview")
@requires(IMPORT)
def preview(import_id: UUID) -> str | BaseResponse:
    """What would change, problems first."""
    imported = staging.get_import(import_id)
    if imported.state != ImportState.PREVIEW or job_row(imported)["moving"]:
        return redirect(url_for("roster.show", import_id=import_id), 303)
    show = request.args.get("show", "")
    show = show if show in queries.SHOWN else ""
    counts = queries.count_rows(import_id)
    counts["gone"] = gone_count(imported)
    return render_template(
        "roster/preview.html",
        imported=imported,
        counts=counts,
        show=show,
        tally=_tally(import_id, counts, show),
        summary=imported.counts,
        remarks=remarks(imported),
        commit_label=commit_label(counts),
        **(_gone_page(import_id) if show == "gone" else _row_page(imported, show)),
    )


def _tally(import_id: UUID, counts: dict[str, int], show: str) -> list[dict[str, Any]]:
    words = [
        ("repair", "bad", "alert-circle", _("to repair")),
        ("new", "good", "plus", _("new")),
        ("changed", "warn", "pencil", _("changed")),
        ("same", "", None, _("the same")),
        ("gone", "", None, _("no longer in the file")),
    ]
    return [
        {
            "count": format_decimal(counts[name]),
            "kind": kind if counts[name] else "",
            "icon": icon,
            "text": text,
            "current": show == name,
            "url": url_for(
                "roster.preview", import_id=import_id, show=None if show == name else name
            ),
        }
        for name, kind, icon, text in words
    ]


def _row_page(imported: RosterImport, show: str) -> dict[str, Any]:
    place = read_place(request.args.get("place"))
    key = (RosterRow.rank, RosterRow.line)
    page = take_page(
        lambda limit: queries.list_rows(
            imported.id,
            show,
            after=after_place(key, place),
            order=in_direction(key, place),
            limit=limit,
        ),
        place=place,
        key=lambda row: (row.rank, row.line),
    )
    return {"page": page, "lines": lines_of(page.rows, mapping_of(imported)), "gone": None}


def _gone_page(import_id: UUID) -> dict[str, Any]:
    place = read_place(request.args.get("place"))
    key = (Student.sort_name, Student.id)
    page = take_page(
        lambda limit: queries.list_gone(
            gone_from(import_id),
            after=after_place(key, place),
            order=in_direction(key, place),
            limit=limit,
        ),
        place=place,
        key=lambda row: (row.sort_name, str(row.id)),
    )
    return {"page": page, "lines": [], "gone": page.rows}


@bp.post("/<uuid:import_id>/rows/<int(max=2_000_000):line>")
@requires(IMPORT)
def repair(import_id: UUID, line: int) -> str | BaseResponse:
    """Save what was typed into a row's cells, or what was decided about it; judge it anew."""
    cells, take = _sent_cells(), request.form.getlist("take")
    choice = request.form.get("choice", "")
    with transaction():
        # Whichever button was pressed: nothing typed or ticked beside it is lost.
        if cells or not choice:
            repairing.repair(import_id, line, cells)
        if take or choice == "take":
            repairing.take_from_file(import_id, line, take, is_more=choice != "take")
        if choice in {"out", "in"}:
            repairing.leave_out(import_id, line, left_out=choice == "out")
    if not request.headers.get("HX-Request"):
        return redirect(_back(import_id, line), 303)
    return _one_row(import_id, line)


def _sent_cells() -> dict[int, str]:
    """What was typed, by the number of its column. Raises Invalid for a number no file reaches."""
    found = {
        name[1:]: text
        for name, text in request.form.items()
        if name[:1] == "c" and name[1:].isdecimal()
    }
    if any(len(number) > MOST_DIGITS for number in found):
        raise Invalid("There is no such column in this file.")
    return {int(number): text for number, text in found.items()}


@bp.post("/<uuid:import_id>/commit")
@requires(IMPORT)
def commit(import_id: UUID) -> BaseResponse:
    """Save what the preview shows. What was typed and not saved is judged and shown first."""
    options = {name: name in request.form for name in OPTIONS}
    unsaved = _unsaved_rows()
    with transaction():
        for line, (cells, take) in unsaved.items():
            if cells:
                repairing.repair(import_id, line, cells)
            if take:
                repairing.take_from_file(import_id, line, take, is_more=True)
        if not unsaved:
            imported = staging.get_import(import_id)
            policy.check_commit(
                the_person(), imported, archive_gone=options.get("archive_gone", False)
            )
            uploads.begin_commit(import_id, **options)
    if not unsaved:
        return redirect(url_for("roster.show", import_id=import_id), 303)
    flash(_("What you typed is saved and checked now. Look at it, then import."), "warn")
    chosen: dict[str, Any] = {name: "on" for name, is_chosen in options.items() if is_chosen}
    return redirect(url_for("roster.preview", import_id=import_id, **chosen), 303)


def _unsaved_rows() -> dict[int, tuple[dict[int, str], list[str]]]:
    """{line: (cells, fields to take from the file)}."""
    rows: dict[int, tuple[dict[int, str], list[str]]] = {}
    for name, text in request.form.items(multi=True):
        found = _UNSAVED.fullmatch(name)
        if found:
            cells, take = rows.setdefault(int(found[1]), ({}, []))
            if found[2]:
                cells[int(found[2])] = text
            else:
                take.append(text)
    return rows


def _one_row(import_id: UUID, line: int) -> str:
    imported = staging.get_import(import_id)
    row = queries.get_row(import_id, line)
    if row is None:
        raise NotFound("There is no such row.")
    counts = queries.count_rows(import_id)
    counts["gone"] = gone_count(imported)
    return render_template(
        "roster/_row.html",
        imported=imported,
        line=line_of(row, mapping_of(imported)),
        counts=counts,
        tally=_tally(import_id, counts, request.form.get("show", "")),
        show=request.form.get("show", ""),
        is_fragment=True,
        commit_label=commit_label(counts),
    )


def _back(import_id: UUID, line: int) -> str:
    show = request.form.get("show", "")
    return url_for(
        "roster.preview",
        import_id=import_id,
        show=show if show in queries.SHOWN else None,
        place=request.form.get("place") or None,
        _anchor=f"row-{line}",
    )
