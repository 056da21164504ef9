"""Admit a student; edit one section at a time; archive and restore."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError
from werkzeug.wrappers import Response

from school import clock
from school.academics.queries import get_class, list_classes
from school.db import transaction
from school.permissions import Permission
from school.students import forms, policy, queries, service
from school.students.models import CustomFieldKind, Student, StudentStatus
from school.students.queries.listing import grade_levels
from school.students.views import words
from school.students.views.blueprint import students as bp
from school.students.views.saving import About, save
from school.web.access import requires, the_person
from school.web.forms import Form
from school.web.notices import offer_undo

SECTIONS: dict[str, type[Form]] = {
    "names": forms.NamesForm,
    "facts": forms.FactsForm,
    "contact": forms.ContactForm,
}
_NOT_FACTS = {"csrf_token", "version", "class_id", "begins_on"}


def _values(form: Form) -> dict[str, Any]:
    return {
        field.name: field.data
        for field in form
        if field.name not in _NOT_FACTS and not field.name.startswith("custom_")
    }


def _give_choices(form: Form) -> None:
    if hasattr(form, "gender_code"):
        form.gender_code.choices = [("", ""), *words.gender_labels().items()]
    if hasattr(form, "class_id"):
        form.class_id.choices = [("", ""), *((str(c.id), c.name) for c in list_classes())]


@bp.route("/admit", methods=["GET", "POST"])
@requires(Permission.STUDENT_ADMIT)
def admit() -> Response | tuple[str, int] | str:
    form = forms.with_own_fields(forms.AdmitForm, queries.list_fields())(status="enrolled")
    _give_choices(form)
    if form.validate_on_submit():
        student = _admit_once(form)
        if student is not None:
            flash(_("%(name)s is admitted.", name=words.full_name(student)), "done")
            return redirect(url_for("students.show", student_id=student.id), 303)
    elif not form.is_submitted():
        form.admission_number.data = queries.next_admission_number()
        form.begins_on.process_data(clock.today())
    page = render_template("students/admit.html", form=form, grades=grade_levels())
    return (page, 422) if form.is_submitted() else page


def _admit_once(form: Any) -> Student | None:
    """The new student, however often the button was pressed. None: the form says what is wrong."""
    made: list[Student] = []
    try:
        save(form, lambda: made.append(_admit(form)), fresh_version=lambda: 1)
    except IntegrityError:
        # Both presses arrived in the same moment and met at the unique number.
        twin = service.find_just_admitted(**_values(form))
        if twin is None:
            raise
        return twin
    if form.admission_number.errors:
        return service.find_just_admitted(**_values(form))
    return made[0] if made else None


def _admit(form: Any) -> Student:
    class_id = form.class_id.data
    return service.admit_student(
        **_values(form),
        custom=forms.own_values(form),
        school_class=get_class(UUID(class_id)) if class_id else None,
        begins_on=form.begins_on.data,
    )


@bp.route("/<uuid:student_id>/edit/<any(names, facts, contact):section>", methods=["GET", "POST"])
@requires(Permission.STUDENT_EDIT)
def edit(student_id: UUID, section: str) -> Response | tuple[str, int] | str:
    student = policy.get_visible(the_person(), student_id)
    form_class = SECTIONS[section]
    if section == "facts":
        form_class = forms.with_own_fields(form_class, queries.list_fields(), student.custom)
    form = form_class(obj=student, **_own_data(student))
    _give_choices(form)
    if section == "facts" and student.status == StudentStatus.ARCHIVED:
        del form["status"]  # no choice of the list says "archived": saving it would restore
    return _edit(student, form, section)


@bp.route("/<uuid:student_id>/edit/medical", methods=["GET", "POST"])
@requires(Permission.MEDICAL_EDIT, Permission.MEDICAL_VIEW)
def edit_medical(student_id: UUID) -> Response | tuple[str, int] | str:
    student = policy.get_visible(the_person(), student_id)
    return _edit(student, forms.MedicalForm(obj=student), "medical")


def _own_data(student: Student) -> dict[str, Any]:
    """The school's own fields as a form shows them."""
    data: dict[str, Any] = {}
    for field in queries.list_fields():
        value = (student.custom or {}).get(str(field.id))
        if isinstance(value, bool):
            value = "yes" if value else "no"
        elif field.kind == CustomFieldKind.DATE:
            value = words.day_of(value) or value
        data[f"custom_{field.id}"] = value
    return data


def _edit(student: Student, form: Any, section: str) -> Response | tuple[str, int] | str:
    if form.validate_on_submit():

        def act() -> None:
            service.edit_student(
                student,
                version=form.version.data or 0,
                custom=forms.own_values(form),
                **_values(form),
            )

        answer = save(
            form,
            act,
            fresh_version=lambda: queries.get_student(student.id).version,
            about=About("student", student.id, words.full_name(student)),
        )
        if answer is not None:
            return answer
        if not form.errors:
            flash(_("Saved"), "done")
            return redirect(url_for("students.show", student_id=student.id), 303)
    page = render_template(
        "students/edit.html",
        form=form,
        section=section,
        student=student,
        name=words.full_name(student),
        grades=grade_levels(),
    )
    return (page, 422) if form.is_submitted() else page


@bp.post("/<uuid:student_id>/archive")
@requires(Permission.STUDENT_ARCHIVE)
def archive(student_id: UUID) -> Response:
    student = policy.get_visible(the_person(), student_id)
    with transaction():
        change_set = service.archive_students([student.id])
    undo_url = url_for("history.undo_change_set", change_set_id=change_set.id)
    message = _("%(name)s is archived.", name=words.full_name(student))
    offer_undo(message, undo_url)
    return redirect(url_for("students.show", student_id=student.id), 303)


@bp.post("/<uuid:student_id>/restore")
@requires(Permission.STUDENT_ARCHIVE)
def restore(student_id: UUID) -> Response:
    student = policy.get_visible(the_person(), student_id)
    with transaction():
        service.restore_student(student)
    flash(_("%(name)s is back.", name=words.full_name(student)), "done")
    return redirect(url_for("students.show", student_id=student.id), 303)
