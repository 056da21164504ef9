"""Guardians as people of their own: the list, one of them, editing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from school.enrollment.queries import classes_of
from school.permissions import Permission
from school.students import forms, policy, queries, service
from school.students.queries.families import list_guardians, students_of
from school.students.queries.visibility import visible_to
from school.students.views import words
from school.students.views.blueprint import guardians as bp
from school.students.views.history import entries_of
from school.students.views.links import guardian_values
from school.students.views.saving import About, save
from school.web.access import requires, the_person
from school.web.formats import initials, tint
from school.web.history import page_of
from school.web.pagination import read_place


@bp.get("")
@requires(Permission.GUARDIAN_VIEW)
def index() -> str:
    person = the_person()
    q = request.args.get("q", "").strip()[:100]
    page = list_guardians(person, q, read_place(request.args.get("place")))
    children = students_of([row.id for row in page.rows], visible_to(person))
    root = url_for("guardians.index")
    return render_template(
        "guardians/index.html",
        q=q,
        page=page,
        rows=[
            {
                "url": f"{root}/{row.id}",
                "name": row.name,
                "initials": initials(row.name),
                "tint": tint(row.id),
                "phone": row.phone,
                "email": row.email,
                "students": ", ".join(
                    words.full_name(student) for student, _r in children.get(row.id, [])
                ),
            }
            for row in page.rows
        ],
    )


@bp.get("/<uuid:guardian_id>")
@requires(Permission.GUARDIAN_VIEW)
def show(guardian_id: UUID) -> str:
    person = the_person()
    guardian = policy.get_visible_guardian(person, guardian_id)
    children = students_of([guardian.id], visible_to(person)).get(guardian.id, [])
    classes = classes_of([student.id for student, _r in children])
    entries: list[dict[str, Any]] = []
    if person.may(Permission.HISTORY_VIEW):
        events, _older = page_of(guardian.id, "guardian", (), None)
        entries = entries_of(events, person)
    return render_template(
        "guardians/show.html",
        guardian=guardian,
        initials=initials(guardian.name),
        tint=tint(guardian.id),
        facts=[
            (_("Phone"), guardian.phone),
            (_("E-mail"), guardian.email),
            (_("Address"), guardian.address),
            (_("Prefers to speak"), guardian.language),
        ],
        children=[
            {
                "name": words.full_name(student),
                "initials": words.letters(student),
                "tint": tint(student.id),
                "url": url_for("students.show", student_id=student.id),
                "second": " · ".join(
                    part
                    for part in (
                        relationship,
                        _("Class %(name)s", name=classes[student.id].name)
                        if student.id in classes
                        else None,
                    )
                    if part
                ),
            }
            for student, relationship in children
        ],
        entries=entries,
        may_edit=person.is_staff and person.may(Permission.GUARDIAN_EDIT),
    )


@bp.route("/<uuid:guardian_id>/edit", methods=["GET", "POST"])
@requires(Permission.GUARDIAN_VIEW, Permission.GUARDIAN_EDIT)
def edit(guardian_id: UUID) -> Response | tuple[str, int] | str:
    guardian = policy.get_visible_guardian(the_person(), guardian_id)
    form = forms.GuardianForm(obj=guardian)
    if form.validate_on_submit():
        answer = save(
            form,
            lambda: service.edit_guardian(
                guardian, version=form.version.data or 0, **guardian_values(form)
            ),
            fresh_version=lambda: queries.get_guardian(guardian_id).version,
            about=About("guardian", guardian_id, guardian.name),
        )
        if answer is not None:
            return answer
        if not form.errors:
            flash(_("Saved"), "done")
            return redirect(url_for("guardians.show", guardian_id=guardian_id), 303)
    page = render_template("guardians/edit.html", form=form, guardian=guardian)
    return (page, 422) if form.is_submitted() else page
