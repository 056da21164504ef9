"""The list of students and its export."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from typing import Any
from uuid import UUID

from flask import Response, render_template, request, send_file, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from school import clock
from school.academics.queries import get_class, list_classes
from school.audit.log import record
from school.cache import remember
from school.db import transaction
from school.errors import Invalid
from school.permissions import Permission
from school.spreadsheets.writing import write_csv, write_xlsx
from school.students.queries import export as export_queries
from school.students.queries import listing
from school.students.queries.families import FirstGuardian, first_guardians
from school.students.queries.listing import Row, StudentFilter
from school.students.views import words
from school.students.views.blueprint import students as bp
from school.tenancy.scope import current_school_id
from school.web.access import requires, the_person
from school.web.formats import tint
from school.web.pagination import read_place

MOST_LETTERS = 100
# Beyond this a menu of classes helps nobody; their own page leads to each of them.
MOST_CLASSES = 300
MOST_AT_ONCE = 5_000
"""Students moved or archived in one act."""


@bp.get("")
@requires(Permission.STUDENT_VIEW)
def index() -> str:
    person = the_person()
    wanted = read_filter()
    sort = request.args.get("sort", "name")
    sort = sort if sort in listing.SORTS else "name"
    place = read_place(request.args.get("place"))
    found = listing.list_students(person, wanted, sort=sort, place=place)
    guardians = _guardians_of(found.page.rows)
    root = url_for("students.index")
    return render_template(
        "students/index.html",
        rows=[_shown(row, root, guardians.get(row.id)) for row in found.page.rows],
        page=found.page,
        total=found.total,
        wanted=wanted,
        sort=sort,
        chips=chips_of(wanted),
        most_at_once=MOST_AT_ONCE,
        choices=filter_choices() if person.is_staff else {},
        shows_guardians=person.is_staff and person.may(Permission.GUARDIAN_VIEW),
    )


def _guardians_of(rows: Any) -> dict[UUID, FirstGuardian]:
    person = the_person()
    if not (rows and person.is_staff and person.may(Permission.GUARDIAN_VIEW)):
        return {}
    return first_guardians([row.id for row in rows])


def _shown(row: Row, root: str, guardian: FirstGuardian | None) -> dict[str, Any]:
    """A row as the template takes it: no look-ups left."""
    return {
        "id": row.id,
        "url": f"{root}/{row.id}",
        "number": row.admission_number,
        "given": row.given_name,
        "family": row.family_name,
        "family_first": row.family_name_first,
        "name": row.name,
        "initials": words.letters(row),
        "tint": tint(row.id),
        "class_name": row.class_name,
        "status": row.status,
        "guardian": guardian.name if guardian else None,
        "phone": guardian.phone if guardian else None,
    }


def read_filter() -> StudentFilter:
    """What the address asks for."""
    return filter_of(request.args)


def filter_of(args: MultiDict[str, str]) -> StudentFilter:
    """What the parameters of a list ask for. Raises Invalid for a class that is no id."""
    class_text = args.get("class", "")
    try:
        class_id = UUID(class_text) if class_text and class_text != "none" else None
    except ValueError:
        raise Invalid("There is no such class.") from None
    status = args.get("status", "")
    return StudentFilter(
        q=args.get("q", "").strip()[:MOST_LETTERS],
        status=status if status in {"all", *words.STATUS} else "",
        class_id=class_id,
        no_class=class_text == "none",
        grade_level=args.get("grade", "")[:60],
        gender=args.get("gender", "")[:10],
        without_guardian=args.get("guardian") == "none",
    )


def filter_choices() -> dict[str, list[tuple[str, str]]]:
    """The values of each filter, remembered until a class or a student changes."""
    return remember(current_school_id(), "students", "choices", _filter_choices)


def _filter_choices() -> dict[str, list[tuple[str, str]]]:
    classes = list_classes()
    return {
        "class": [(str(c.id), c.name) for c in classes] if len(classes) <= MOST_CLASSES else [],
        "grade": [(level, level) for level in listing.grade_levels()],
        "gender": list(words.gender_labels().items()),
    }


def chips_of(wanted: StudentFilter) -> list[tuple[str, str]]:
    """The filters in force: (parameter, words)."""
    if wanted == StudentFilter():
        return []
    known = {name: {v: t for v, t in pairs} for name, pairs in filter_choices().items()}  # noqa: C416
    chips = [
        ("q", f"“{wanted.q}”" if wanted.q else ""),
        ("status", _("Everybody") if wanted.status == "all" else _status(wanted.status)),
        ("class", _("No class") if wanted.no_class else _class(wanted)),
        ("grade", wanted.grade_level and _("Grade level %(grade)s", grade=wanted.grade_level)),
        ("gender", wanted.gender and known["gender"].get(wanted.gender, wanted.gender)),
        ("guardian", _("Without guardian") if wanted.without_guardian else ""),
    ]
    return [(name, text) for name, text in chips if text]


def _status(status: str) -> str:
    return str(words.STATUS[status]) if status else ""  # type: ignore[index]


def _class(wanted: StudentFilter) -> str:
    if wanted.class_id is None:
        return ""
    return str(_("Class %(name)s", name=get_class(wanted.class_id).name))


@bp.get("/export.<any(csv, xlsx):kind>")
@requires(Permission.STUDENT_EXPORT)
def export(kind: str) -> Response:
    """The list as it is filtered, as a file."""
    return send_students(kind, read_filter(), ids=None)


def send_students(kind: str, wanted: StudentFilter, *, ids: list[UUID] | None) -> Response:
    """Written to a file on disk a thousand at a time, then sent from there."""
    person = the_person()
    with transaction():
        record(
            "student.exported",
            "school",
            current_school_id(),
            after={
                "format": kind,
                "filters": {k: str(v) for k, v in asdict(wanted).items() if v},
                "students": len(ids) if ids else None,
                "medical": person.may(Permission.MEDICAL_VIEW),
            },
        )
    headings = export_queries.headings(person, _)
    statuses = {status.value: str(text) for status, text in words.STATUS.items()}
    rows = export_queries.rows(person, wanted, ids, statuses=statuses)
    out = tempfile.TemporaryFile()  # noqa: SIM115 - closed by send_file's response
    if kind == "csv":
        write_csv((row for part in ([headings], rows) for row in part), out)
    else:
        write_xlsx(rows, out, columns=headings)
    out.seek(0)
    mimetype = (
        "text/csv; charset=utf-8"
        if kind == "csv"
        else "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    )
    name = f"{_('students')}-{clock.today():%Y-%m-%d}.{kind}"
    response = send_file(out, mimetype=mimetype, as_attachment=True, download_name=name)
    response.headers["Cache-Control"] = "no-store"
    return response
