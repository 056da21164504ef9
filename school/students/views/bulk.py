"""Ticked rows of the list: move, export, archive. Each can be undone as one."""

from __future__ import annotations

from uuid import UUID

from flask import Response as FlaskResponse
from flask import flash, redirect, render_template, request, url_for
from flask_babel import ngettext
from werkzeug.wrappers import Response

from school import clock
from school.academics.queries import get_class, list_classes
from school.audit.models import ChangeSet
from school.db import transaction
from school.errors import DomainError, Invalid
from school.permissions import Permission
from school.students import queries, service
from school.students.forms import MoveForm
from school.students.queries.listing import StudentFilter
from school.students.views import words
from school.students.views.blueprint import students as bp
from school.students.views.listing import send_students
from school.web.access import requires
from school.web.forms import show_on_form

MOST_IDS = 5_000


def _ticked() -> list[UUID]:
    """The ids sent. Raises Invalid for none, too many, or what is no id."""
    try:
        ids = [UUID(text) for text in request.form.getlist("ids")]
    except ValueError:
        raise Invalid("One of the ticked rows is not a student.") from None
    if not ids:
        raise Invalid("Tick at least one student first.")
    if len(ids) > MOST_IDS:
        raise Invalid("Tick at most %(limit)s students at once.", limit=MOST_IDS)
    return ids


def _offer_undo(sentence: str, change_set: ChangeSet) -> None:
    undo_url = url_for("history.undo_change_set", change_set_id=change_set.id)
    flash({"message": sentence, "url": undo_url}, "undo")  # type: ignore[arg-type]


@bp.post("/bulk/archive")
@requires(Permission.STUDENT_ARCHIVE)
def bulk_archive() -> Response:
    ids = _ticked()
    with transaction():
        change_set = service.archive_students(ids)
    count = change_set.counts["students"]
    _offer_undo(
        ngettext("%(num)s student archived", "%(num)s students archived", count), change_set
    )
    return redirect(url_for("students.index"), 303)


@bp.post("/bulk/export")
@requires(Permission.STUDENT_EXPORT)
def bulk_export() -> FlaskResponse:
    return send_students("csv", StudentFilter(status="all"), ids=_ticked())


@bp.post("/bulk/move")
@requires(Permission.STUDENT_EDIT)
def bulk_move() -> Response | tuple[str, int] | str:
    """First asks for the class, then moves; both are this one address."""
    students = queries.get_students(_ticked())
    form = MoveForm()
    form.class_id.choices = [(str(c.id), c.name) for c in list_classes()]
    asked = "class_id" in request.form
    if asked and form.validate():
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
    page = render_template(
        "students/move.html",
        form=form,
        students=[(student.id, words.full_name(student)) for student in students],
    )
    return (page, 422) if asked else page


def _moved(change_set: ChangeSet, class_name: str) -> Response:
    count = change_set.counts["students"]
    sentence = ngettext(
        "%(num)s student moved to class %(name)s",
        "%(num)s students moved to class %(name)s",
        count,
        name=class_name,
    )
    _offer_undo(sentence, change_set)
    return redirect(url_for("students.index"), 303)
