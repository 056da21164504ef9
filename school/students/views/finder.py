"""The search over everything, as a page and as the panel under the field.

It stands with the students because most of what it finds are people, and because no lower floor
knows them.
"""

from __future__ import annotations

from typing import Any

from flask import current_app, render_template, request, url_for
from flask_babel import gettext as _

from school.files.service.finding import find_files
from school.permissions import Permission, Person
from school.search.words import fold
from school.students.queries import finding
from school.students.views import words
from school.students.views.blueprint import search as bp
from school.web.access import requires, the_person
from school.web.formats import initials, tint
from school.web.navigation import navigation_for

IN_PANEL = 5
ON_PAGE = 20


@bp.get("/search")
@requires(Permission.STUDENT_VIEW)
def results() -> str:
    person = the_person()
    q = request.args.get("q", "").strip()[:100]
    is_panel = bool(request.headers.get("HX-Request"))
    groups = found_groups(person, q, IN_PANEL if is_panel else ON_PAGE) if q else []
    if is_panel:
        return render_template("_partials/search_results.html", groups=groups)
    return render_template(
        "search/results.html", q=q, groups=[group for group in groups if group["items"]]
    )


def found_groups(person: Person, q: str, limit: int) -> list[dict[str, Any]]:
    """Students, guardians, classes, files and pages, in this order."""
    return [
        {"label": _("Students"), "items": _students(person, q, limit)},
        {"label": _("Guardians"), "items": _guardians(person, q, limit)},
        {"label": _("Classes"), "items": _classes(person, q, limit)},
        {"label": _("Files"), "items": _files(person, q, limit)},
        {"label": _("Pages"), "items": _pages(person, q)},
    ]


def _students(person: Person, q: str, limit: int) -> list[dict[str, Any]]:
    root = url_for("students.index")
    return [
        {
            "url": f"{root}/{row.id}",
            "title": row.name,
            "second": " · ".join(
                part
                for part in (
                    _("Class %(name)s", name=row.class_name) if row.class_name else "",
                    row.admission_number,
                    str(words.STATUS[row.status]) if row.status == "archived" else "",  # type: ignore[index]
                )
                if part
            ),
            "initials": words.letters(row),
            "tint": tint(row.id),
        }
        for row in finding.find_students(person, q, limit)
    ]


def _guardians(person: Person, q: str, limit: int) -> list[dict[str, Any]]:
    root = url_for("guardians.index")
    return [
        {
            "url": f"{root}/{row.id}",
            "title": row.name,
            "second": row.phone,
            "initials": initials(row.name),
            "tint": tint(row.id),
        }
        for row in finding.find_guardians(person, q, limit)
    ]


def _classes(person: Person, q: str, limit: int) -> list[dict[str, Any]]:
    root = url_for("classes.index")
    return [
        {
            "url": f"{root}/{row.id}",
            "title": _("Class %(name)s", name=row.name),
            "second": row.grade_level,
            "icon": "school",
        }
        for row in finding.find_classes(person, q, limit)
    ]


def _files(person: Person, q: str, limit: int) -> list[dict[str, Any]]:
    if "files.show" not in current_app.view_functions:
        return []
    return [
        {"url": url_for("files.show", file_id=row.id), "title": row.name, "icon": "file-text"}
        for row in find_files(person, q, size=limit).rows
    ]


def _pages(person: Person, q: str) -> list[dict[str, Any]]:
    nav = navigation_for(person)
    places = [*nav.main, *nav.manage, *nav.platform]
    return [
        {"url": item.url, "title": item.label, "icon": item.icon}
        for item in places
        if fold(item.label).startswith(fold(q))
    ]
