"""Ticked rows of the list, or all that match it: move, export, archive. Each can be undone as one.

"All" is said with the list's filter, never with ids: who it is, the server finds as the list does.
The page that asks names their number, and the act is done only while that is still true.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

from flask import Response as FlaskResponse
from flask import redirect, render_template, request, url_for
from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from school import clock
from school.academics.queries import get_class, list_classes
from school.audit.models import ChangeSet
from school.db import transaction
from school.errors import Conflict, DomainError, Invalid
from school.permissions import Permission
from school.students import queries, service
from school.students.forms import MoveForm
from school.students.models import Student, StudentStatus
from school.students.queries.listing import StudentFilter, matching_ids
from school.students.views import words
from school.students.views.blueprint import students as bp
from school.students.views.listing import MOST_AT_ONCE, chips_of, filter_of, send_students
from school.web.access import requires, the_person
from school.web.forms import show_on_form
from school.web.notices import offer_undo

_NAMED = 20
"""Students the asking page calls by name."""


def _ticked() -> list[UUID]:
    """The ids sent. Raises Invalid for none, too many, or what is no id."""
    try:
        ids = [UUID(text) for text in request.form.getlist("ids")]
    except ValueError:
        raise Invalid("One of the ticked rows is not a student.") from None
    if not ids:
        raise Invalid("Tick at least one student first.")
    if len(ids) > MOST_AT_ONCE:
        raise Invalid("Tick at most %(limit)s students at once.", limit=MOST_AT_ONCE)
    return ids


def _is_for_all() -> bool:
    return "every" in request.form


def _wanted() -> StudentFilter:
    """The filter of the list. Raises Invalid when none came along: that would mean everybody."""
    if "filter" not in request.form:
        raise Invalid("The filter of the list is missing. Go back to the list and choose again.")
    return filter_of(MultiDict(parse_qsl(request.form["filter"])))


def _matching() -> list[UUID]:
    ids = matching_ids(the_person(), _wanted(), limit=MOST_AT_ONCE + 1)
    if len(ids) > MOST_AT_ONCE:
        raise Invalid(
            "More than %(limit)s students match. Narrow the list first.", limit=MOST_AT_ONCE
        )
    return ids


def _chosen() -> list[Student]:
    """The ticked, or all that match; without the archived, who stay as they are."""
    students = queries.get_students(_matching() if _is_for_all() else _ticked())
    kept = [student for student in students if student.status != StudentStatus.ARCHIVED]
    if not kept:
        raise Conflict("All of these students are archived. Restore them first.")
    return kept


def _must_ask(students: list[Student]) -> bool:
    """Whether their number was not seen yet, or is another by now."""
    return _is_for_all() and request.form.get("count") != str(len(students))


def _asking(students: list[Student]) -> dict[str, Any]:
    """What a page that asks needs to name them and to send them back."""
    wanted = _wanted() if _is_for_all() else None
    return {
        "count": len(students),
        "named": [words.full_name(student) for student in students[:_NAMED]],
        "ids": [] if wanted else [student.id for student in students],
        "filter": request.form.get("filter"),
        "filters": [text for _name, text in chips_of(wanted)] if wanted else [],
        "is_all": wanted is not None,
        "has_changed": "count" in request.form and _must_ask(students),
        "back": _list_url(),
    }


def _offer_undo(sentence: str, change_set: ChangeSet) -> None:
    undo_url = url_for("history.undo_change_set", change_set_id=change_set.id)
    offer_undo(sentence, undo_url)


def _list_url() -> str:
    """The list as it was when the rows were ticked: search, filters and page."""
    where = urlsplit(request.form.get("back") or request.referrer or "")
    root = url_for("students.index")
    kept = urlencode(parse_qsl(where.query)) if where.path == root else ""
    return f"{root}?{kept}" if kept else root


@bp.post("/bulk/archive")
@requires(Permission.STUDENT_ARCHIVE)
def bulk_archive() -> Response | str:
    """Ticked ones at once; all that match after a page that says how many."""
    students = _chosen()
    if _must_ask(students):
        return render_template("students/archive.html", **_asking(students))
    with transaction():
        change_set = service.archive_students([student.id for student in students])
    count = change_set.counts["students"]
    _offer_undo(
        ngettext(
            "%(n)s student archived",
            "%(n)s students archived",
            count,
            n=format_decimal(count),
        ),
        change_set,
    )
    return redirect(_list_url(), 303)


@bp.post("/bulk/export")
@requires(Permission.STUDENT_EXPORT)
def bulk_export() -> FlaskResponse:
    if _is_for_all():
        return send_students("csv", _wanted(), ids=None)
    return send_students("csv", StudentFilter(status="all"), ids=_ticked())


@bp.post("/bulk/move")
@requires(Permission.STUDENT_EDIT)
def bulk_move() -> Response | tuple[str, int] | str:
    """First asks for the class, then moves; both are this one address."""
    students = _chosen()
    form = MoveForm()
    classes = [(str(c.id), c.name) for c in list_classes()]
    form.class_id.choices = [("", _("Choose a class.")), *classes]
    asked = "class_id" in request.form
    if asked and form.validate() and not _must_ask(students):
        try:
            school_class = get_class(UUID(form.class_id.data))
            with transaction():
                change_set = service.move_to_class(
                    [student.id for student in students],
                    school_class,
                    form.on.data or clock.today(),
                )
            return _moved(change_set, school_class.name)
        except DomainError as error:
            show_on_form(form, error)
    if not asked:
        form.on.process_data(clock.today())
    page = render_template("students/move.html", form=form, **_asking(students))
    return (page, 422) if asked else page


def _moved(change_set: ChangeSet, class_name: str) -> Response:
    count = change_set.counts["students"]
    sentence = ngettext(
        "%(n)s student moved to class %(name)s",
        "%(n)s students moved to class %(name)s",
        count,
        n=format_decimal(count),
        name=class_name,
    )
    _offer_undo(sentence, change_set)
    return redirect(_list_url(), 303)
