"""A student's guardians: add or link, change their part, put in order, unlink."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from school.audit.history import list_events
from school.db import transaction
from school.errors import Invalid
from school.permissions import Permission
from school.students import forms, policy, queries, service
from school.students.models import Guardian, Student
from school.students.queries.families import students_of
from school.students.views import words
from school.students.views.blueprint import students as bp
from school.students.views.saving import About, save
from school.web.access import requires, the_person
from school.web.formats import initials, tint
from school.web.notices import offer_undo

_LINK = ("relationship", "has_custody", "may_be_contacted", "lives_with")
_GUARDIAN = ("name", "phone", "email", "address", "language")


def _link_values(form: Any) -> dict[str, Any]:
    return {name: form[name].data for name in _LINK}


def guardian_values(form: Any) -> dict[str, Any]:
    return {name: form[name].data for name in _GUARDIAN}


def _manage_url(student: Student) -> str:
    return url_for("students.guardians", student_id=student.id)


@bp.get("/<uuid:student_id>/guardians")
@requires(Permission.STUDENT_VIEW, Permission.GUARDIAN_EDIT)
def guardians(student_id: UUID) -> str:
    student = policy.get_visible(the_person(), student_id)
    links = queries.guardian_links(student.id)
    return render_template(
        "students/guardians.html",
        student=student,
        name=words.full_name(student),
        ties=[
            {
                "id": link.id,
                "name": guardian.name,
                "url": url_for("guardians.show", guardian_id=guardian.id),
                "initials": initials(guardian.name),
                "tint": tint(guardian.id),
                "relationship": link.relationship,
                "phone": guardian.phone,
                "email": guardian.email,
                "is_first": number == 0,
                "is_last": number == len(links) - 1,
            }
            for number, (link, guardian) in enumerate(links)
        ],
    )


@bp.route("/<uuid:student_id>/guardians/add", methods=["GET", "POST"])
@requires(Permission.STUDENT_VIEW, Permission.GUARDIAN_EDIT)
def add_guardian(student_id: UUID) -> Response | tuple[str, int] | str:
    """A new person, unless the school knows them already: then they are offered first."""
    student = policy.get_visible(the_person(), student_id)
    form = forms.NewGuardianForm()
    matches: list[Guardian] = []
    if form.validate_on_submit():
        if not form.is_new.data:
            matches = queries.suggest_guardians(form.name.data, form.phone.data)
        if not matches:
            answer = save(form, lambda: _add(student, form), fresh_version=lambda: 1)
            if answer is None and not form.errors:
                flash(_("%(name)s is added.", name=form.name.data), "done")
                return redirect(_manage_url(student), 303)
    elif not form.is_submitted() and request.args.get("q"):
        q = request.args["q"][:100]
        matches = queries.suggest_guardians(q, q)
    page = render_template(
        "students/add_guardian.html",
        form=form,
        student=student,
        name=words.full_name(student),
        matches=_offered(matches, student),
        asked=form.is_submitted(),
    )
    return (page, 422) if form.errors else page


def _add(student: Student, form: Any) -> None:
    guardian = service.add_guardian(**guardian_values(form))
    service.link_guardian(student, guardian, **_link_values(form))


def _offered(matches: list[Guardian], student: Student) -> list[dict[str, Any]]:
    """People the school knows, with the students they belong to."""
    linked = {guardian.id for _l, guardian in queries.guardian_links(student.id)}
    children = students_of([guardian.id for guardian in matches])
    return [
        {
            "id": guardian.id,
            "name": guardian.name,
            "initials": initials(guardian.name),
            "tint": tint(guardian.id),
            "second": " · ".join(
                part
                for part in (
                    guardian.phone,
                    ", ".join(
                        words.full_name(child) for child, _r in children.get(guardian.id, [])
                    ),
                )
                if part
            ),
            "is_linked": guardian.id in linked,
        }
        for guardian in matches
    ]


@bp.post("/<uuid:student_id>/guardians/link")
@requires(Permission.STUDENT_VIEW, Permission.GUARDIAN_EDIT)
def link_guardian(student_id: UUID) -> Response:
    student = policy.get_visible(the_person(), student_id)
    guardian = queries.get_guardian(_uuid(request.form.get("guardian_id", "")))
    with transaction():
        link = service.link_guardian(
            student, guardian, relationship=request.form.get("relationship") or None
        )
    flash(_("%(name)s is linked.", name=guardian.name), "done")
    edit_url = url_for("students.edit_link", student_id=student.id, link_id=link.id)
    return redirect(edit_url, 303)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid("Choose a guardian first.") from None


@bp.route("/<uuid:student_id>/guardians/<uuid:link_id>", methods=["GET", "POST"])
@requires(Permission.STUDENT_VIEW, Permission.GUARDIAN_EDIT)
def edit_link(student_id: UUID, link_id: UUID) -> Response | tuple[str, int] | str:
    student = policy.get_visible(the_person(), student_id)
    link = queries.get_link(student.id, link_id)
    guardian = queries.get_guardian(link.guardian_id)
    form = forms.LinkForm(obj=link)
    if form.validate_on_submit():
        answer = save(
            form,
            lambda: service.edit_link(link, version=form.version.data or 0, **_link_values(form)),
            fresh_version=lambda: queries.get_link(student.id, link_id).version,
            about=About("student_guardian", link_id, guardian.name),
        )
        if answer is not None:
            return answer
        if not form.errors:
            flash(_("Saved"), "done")
            return redirect(_manage_url(student), 303)
    page = render_template(
        "students/edit_link.html",
        form=form,
        student=student,
        guardian=guardian,
        name=words.full_name(student),
    )
    return (page, 422) if form.is_submitted() else page


@bp.post("/<uuid:student_id>/guardians/<uuid:link_id>/<any(up, down):way>")
@requires(Permission.STUDENT_VIEW, Permission.GUARDIAN_EDIT)
def move_link(student_id: UUID, link_id: UUID, way: str) -> Response:
    student = policy.get_visible(the_person(), student_id)
    link = queries.get_link(student.id, link_id)
    with transaction():
        service.move_link(link, by=-1 if way == "up" else 1)
    return redirect(_manage_url(student), 303)


@bp.post("/<uuid:student_id>/guardians/<uuid:link_id>/unlink")
@requires(Permission.STUDENT_VIEW, Permission.GUARDIAN_EDIT)
def unlink_guardian(student_id: UUID, link_id: UUID) -> Response:
    person = the_person()
    student = policy.get_visible(person, student_id)
    link = queries.get_link(student.id, link_id)
    guardian = queries.get_guardian(link.guardian_id)
    with transaction():
        service.unlink_guardian(link)
    sentence = _("%(name)s is unlinked.", name=guardian.name)
    if person.may(Permission.HISTORY_UNDO):
        event = list_events(student.id, entity="student", limit=1)[0]
        undo_url = url_for("history.undo_event", event_id=event.id)
        offer_undo(sentence, undo_url)
    else:
        flash(sentence, "done")
    return redirect(_manage_url(student), 303)
