"""Classes of the year with how many are in them; one class with its students."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from school.academics import queries, service
from school.cache import remember
from school.permissions import Permission
from school.students.forms import ClassForm
from school.students.queries import count_by_class
from school.students.queries.listing import StudentFilter, list_students
from school.students.service import archive_class
from school.students.views import words
from school.students.views.blueprint import classes as bp
from school.students.views.saving import save
from school.tenancy.scope import current_school_id
from school.web.access import requires, the_person
from school.web.formats import tint
from school.web.notices import offer_undo, was_done
from school.web.pagination import read_place

CLASS_ROWS = 200


def class_counts() -> dict[str, int]:
    """Class id as text → how many are in it, remembered."""
    made: dict[str, int] = remember(
        current_school_id(),
        "students",
        "class-counts",
        lambda: {str(class_id): count for class_id, count in count_by_class().items()},
    )
    return made


def class_rows(*, include_archived: bool = False) -> list[dict[str, Any]]:
    """The classes of the year as a list shows them."""
    counts, root = class_counts(), url_for("classes.index")
    return [
        {
            "url": f"{root}/{school_class.id}",
            "name": school_class.name,
            "grade": school_class.grade_level,
            "count": counts.get(str(school_class.id), 0),
            "is_archived": school_class.is_archived,
        }
        for school_class in queries.list_classes(include_archived=include_archived)
    ]


@bp.get("")
@requires(Permission.CLASS_VIEW)
def index() -> str:
    shows_archived = request.args.get("archived") == "1"
    return render_template(
        "classes/index.html",
        rows=class_rows(include_archived=shows_archived),
        year=queries.find_current_year(),
        shows_archived=shows_archived,
    )


@bp.get("/<uuid:class_id>")
@requires(Permission.CLASS_VIEW)
def show(class_id: UUID) -> str:
    school_class = queries.get_class(class_id)
    found = list_students(
        the_person(),
        StudentFilter(status="kept", class_id=class_id),
        place=read_place(request.args.get("place")),
        size=CLASS_ROWS,
    )
    root = url_for("students.index")
    return render_template(
        "classes/show.html",
        school_class=school_class,
        page=found.page,
        total=found.total,
        rows=[
            {
                "url": f"{root}/{row.id}",
                "given": row.given_name,
                "family": row.family_name,
                "family_first": row.family_name_first,
                "initials": words.letters(row),
                "tint": tint(row.id),
                "number": row.admission_number,
                "born": words.long_date(row.birth_date),
            }
            for row in found.page.rows
        ],
    )


@bp.route("/add", methods=["GET", "POST"])
@requires(Permission.CLASS_EDIT)
def add() -> Response | tuple[str, int] | str:
    form = ClassForm()
    if form.validate_on_submit():
        answer = save(
            form,
            lambda: service.create_class(form.name.data, grade_level=form.grade_level.data),
            fresh_version=lambda: 1,
        )
        if answer is None and not form.errors:
            flash(_("Class %(name)s is added.", name=form.name.data), "done")
            return redirect(url_for("classes.index"), 303)
    page = render_template("classes/add.html", form=form)
    return (page, 422) if form.is_submitted() else page


@bp.route("/<uuid:class_id>/edit", methods=["GET", "POST"])
@requires(Permission.CLASS_EDIT)
def edit(class_id: UUID) -> Response | tuple[str, int] | str:
    school_class = queries.get_class(class_id)
    form = ClassForm(obj=school_class)
    if form.validate_on_submit():
        answer = save(
            form,
            lambda: service.edit_class(
                school_class,
                version=form.version.data or 0,
                name=form.name.data,
                grade_level=form.grade_level.data,
            ),
            fresh_version=lambda: queries.get_class(class_id).version,
        )
        if answer is not None:
            return answer
        if not form.errors:
            flash(_("Saved"), "done")
            return redirect(url_for("classes.show", class_id=class_id), 303)
    page = render_template("classes/edit.html", form=form, school_class=school_class)
    return (page, 422) if form.is_submitted() else page


@bp.post("/<uuid:class_id>/<any(archive, restore):what>")
@requires(Permission.CLASS_EDIT)
def put_away(class_id: UUID, what: str) -> Response:
    school_class = queries.get_class(class_id)
    verb = archive_class if what == "archive" else service.restore_class
    if not was_done(lambda: verb(school_class)):
        return redirect(url_for("classes.show", class_id=class_id), 303)
    name = school_class.name
    if what == "restore":
        flash(_("Class %(name)s is back.", name=name), "done")
    else:
        undo_url = url_for("classes.put_away", class_id=class_id, what="restore")
        message = _("Class %(name)s is archived.", name=name)
        offer_undo(message, undo_url)
    return redirect(url_for("classes.index"), 303)
