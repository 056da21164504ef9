"""The school's own settings: name and time zone, genders, fields."""

from __future__ import annotations

import zoneinfo
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from school.db import transaction
from school.permissions import Permission
from school.students import forms, queries, service
from school.students.service.school import allow_links, edit_school, get_school
from school.students.views.blueprint import settings as bp
from school.students.views.saving import save
from school.web.access import requires


def _school_form(**more: Any) -> forms.SchoolForm:
    form = forms.SchoolForm(obj=get_school(), **more)
    form.time_zone.choices = [(z, z.replace("_", " ")) for z in _zones()]
    return form


def _zones() -> list[str]:
    return sorted(zone for zone in zoneinfo.available_timezones() if "/" in zone or zone == "UTC")


def _genders_form(**more: Any) -> forms.GendersForm:
    pairs = ((gender.code, gender.label) for gender in queries.list_genders())
    return forms.GendersForm(
        version=service.genders_version(), genders=service.genders_text(pairs), **more
    )


@bp.get("")
@requires(Permission.SCHOOL_SETTINGS)
def index() -> str:
    return _page(_school_form(), _genders_form())


def _page(school_form: Any, genders_form: Any) -> str:
    fields = queries.list_fields(include_archived=True)
    shown = [field for field in fields if not field.is_archived]
    kinds = dict(forms.CustomFieldForm.kind.kwargs["choices"])
    return render_template(
        "settings/index.html",
        school_form=school_form,
        genders_form=genders_form,
        fields=[
            {
                "id": field.id,
                "label": field.label,
                "kind": kinds[field.kind],
                "choices": ", ".join(field.choices or []),
                "is_first": number == 0,
                "is_last": number == len(shown) - 1,
            }
            for number, field in enumerate(shown)
        ],
        archived=[field for field in fields if field.is_archived],
        allows_links=get_school().allows_links,
    )


@bp.post("/school")
@requires(Permission.SCHOOL_SETTINGS)
def save_school() -> Response | tuple[str, int]:
    form = _school_form()
    if form.validate():
        answer = save(
            form,
            lambda: edit_school(
                version=form.version.data or 0,
                name=form.name.data,
                time_zone=form.time_zone.data,
                phone=form.phone.data,
            ),
            fresh_version=lambda: get_school().version,
        )
        if answer is not None:
            return answer
        if not form.errors:
            flash(_("Saved"), "done")
            return redirect(url_for("settings.index"), 303)
    return _page(form, _genders_form(formdata=None)), 422


@bp.post("/links/<any(on, off):what>")
@requires(Permission.SCHOOL_SETTINGS)
def save_links(what: str) -> Response:
    """Allow links to files that open without an account, or end them all."""
    with transaction():
        allow_links(allowed=what == "on")
    flash(_("Files may be shared by link") if what == "on" else _("No link opens any more"), "done")
    return redirect(url_for("settings.index"), 303)


@bp.post("/genders")
@requires(Permission.SCHOOL_SETTINGS)
def save_genders() -> Response | tuple[str, int]:
    form = _genders_form()
    answer = save(
        form,
        lambda: service.save_genders(_pairs(form), version=form.version.data or ""),
        fresh_version=service.genders_version,
    )
    if answer is not None:
        return answer
    if not form.errors:
        flash(_("Saved"), "done")
        return redirect(url_for("settings.index"), 303)
    return _page(_school_form(formdata=None), form), 422


def _pairs(form: Any) -> list[tuple[str, str]]:
    """What each line says: (code, label)."""
    lines = (line.partition("=") for line in (form.genders.data or "").splitlines() if line)
    return [(code.strip(), label.strip()) for code, _sep, label in lines]


@bp.route("/fields/add", methods=["GET", "POST"])
@requires(Permission.SCHOOL_SETTINGS)
def add_field() -> Response | tuple[str, int] | str:
    form = forms.CustomFieldForm()
    if form.validate_on_submit():
        save(
            form,
            lambda: service.add_field(
                form.label.data,
                form.kind.data,
                choices=(form.choices.data or "").splitlines(),
                help=form.help.data,
            ),
            fresh_version=lambda: 1,
        )
        if not form.errors:
            flash(_("The field %(label)s is added.", label=form.label.data), "done")
            return redirect(url_for("settings.index"), 303)
    page = render_template("settings/field.html", form=form, field=None)
    return (page, 422) if form.is_submitted() else page


@bp.route("/fields/<uuid:field_id>", methods=["GET", "POST"])
@requires(Permission.SCHOOL_SETTINGS)
def edit_field(field_id: UUID) -> Response | tuple[str, int] | str:
    field = queries.get_field(field_id)
    form = forms.CustomFieldForm(data=_field_data(field))
    del form.kind  # values of this kind are stored, so it stays
    if form.validate_on_submit():
        answer = save(
            form,
            lambda: service.edit_field(
                field,
                version=form.version.data or 0,
                label=form.label.data,
                choices=(form.choices.data or "").splitlines(),
                help=form.help.data,
            ),
            fresh_version=lambda: queries.get_field(field_id).version,
        )
        if answer is not None:
            return answer
        if not form.errors:
            flash(_("Saved"), "done")
            return redirect(url_for("settings.index"), 303)
    page = render_template("settings/field.html", form=form, field=field)
    return (page, 422) if form.is_submitted() else page


def _field_data(field: Any) -> dict[str, Any]:
    return {
        "version": field.version,
        "label": field.label,
        "choices": "\n".join(field.choices or []),
        "help": field.help,
    }


@bp.post("/fields/<uuid:field_id>/<any(up, down, archive, restore):what>")
@requires(Permission.SCHOOL_SETTINGS)
def move_field(field_id: UUID, what: str) -> Response:
    field = queries.get_field(field_id)
    with transaction():
        if what == "archive":
            service.archive_field(field)
        elif what == "restore":
            service.restore_field(field)
        else:
            service.move_field(field, by=-1 if what == "up" else 1)
    return redirect(url_for("settings.index"), 303)
