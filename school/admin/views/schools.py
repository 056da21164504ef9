"""Schools: opened, renamed, closed and opened again."""

from __future__ import annotations

from uuid import UUID

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from school.accounts import queries as accounts
from school.accounts import service as accounts_service
from school.accounts.forms import zone_choices
from school.admin import queries, service
from school.admin.forms import AdministratorForm, RenameForm, SchoolForm
from school.admin.views.blueprint import bp
from school.db import transaction
from school.errors import DomainError
from school.files.forms import LimitForm
from school.files.models import HolderKind
from school.files.service import quotas
from school.permissions import Permission
from school.tenancy.models import School, SchoolStatus
from school.web.access import requires, the_person
from school.web.forms import show_on_form
from school.web.gauges import space_gauge
from school.web.notices import offer_undo, was_done


@bp.get("/schools")
@requires(Permission.PLATFORM_SCHOOLS)
def schools() -> str:
    rows = queries.list_schools()
    running = [row for row in rows if row.school.status == SchoolStatus.ACTIVE]
    closed = [row for row in rows if row.school.status != SchoolStatus.ACTIVE]
    return render_template("admin/schools.html", running=running, closed=closed)


@bp.route("/schools/new", methods=["GET", "POST"])
@requires(Permission.PLATFORM_SCHOOLS)
def open_school() -> str | tuple[str, int] | Response:
    """A new school, and an invitation to whoever begins there."""
    form = SchoolForm()
    form.time_zone.choices = zone_choices()
    if form.validate_on_submit():
        try:
            school = service.open_school(
                form.name.data,
                time_zone=form.time_zone.data,
                email=form.email.data,
                display_name=form.display_name.data,
                by=the_person(),
            )
        except DomainError as error:
            show_on_form(form, error)
        else:
            fill = {"name": form.name.data, "email": form.email.data}
            flash(_("%(name)s is open. An invitation is on its way to %(email)s", **fill), "done")
            return redirect(url_for("admin.school", school_id=school.id), 303)
    page = render_template("admin/open_school.html", form=form)
    return (page, 422) if form.errors else page


@bp.get("/schools/<uuid:school_id>")
@requires(Permission.PLATFORM_SCHOOLS)
def school(school_id: UUID) -> str:
    shown = accounts.get_school(school_id)
    return _page(shown, RenameForm(formdata=None, obj=shown), AdministratorForm(formdata=None))


def _page(
    shown: School,
    rename: RenameForm,
    administrator: AdministratorForm,
    limit: LimitForm | None = None,
) -> str:
    space = service.space_of(shown.id)
    return render_template(
        "admin/school.html",
        school=shown,
        rename=rename,
        administrator=administrator,
        members=accounts.count_members(shown.id),
        is_running=shown.status == SchoolStatus.ACTIVE,
        limit=limit or LimitForm.of(space, posted=False),
        gauge=space_gauge(_("Space for files"), space.used_bytes, space.limit_bytes),
        usual=quotas.default_limit(HolderKind.SCHOOL),
    )


@bp.post("/schools/<uuid:school_id>")
@requires(Permission.PLATFORM_SCHOOLS)
def rename_school(school_id: UUID) -> tuple[str, int] | Response:
    shown = accounts.get_school(school_id)
    form = RenameForm()
    if form.validate_on_submit():
        with transaction():
            accounts_service.rename_school(school_id, form.name.data)
        flash(_("Saved"), "done")
        return redirect(url_for("admin.school", school_id=school_id), 303)
    return _page(shown, form, AdministratorForm(formdata=None)), 422


@bp.post("/schools/<uuid:school_id>/space")
@requires(Permission.PLATFORM_SCHOOLS)
def limit_school(school_id: UUID) -> tuple[str, int] | Response:
    """How much space the school may take up."""
    shown = accounts.get_school(school_id)
    form = LimitForm()
    if form.validate_on_submit():
        service.limit_space(school_id, form.limit_bytes)
        flash(_("Saved"), "done")
        return redirect(url_for("admin.school", school_id=school_id), 303)
    rename = RenameForm(formdata=None, obj=shown)
    return _page(shown, rename, AdministratorForm(formdata=None), form), 422


@bp.post("/schools/<uuid:school_id>/administrators")
@requires(Permission.PLATFORM_SCHOOLS)
def invite_administrator(school_id: UUID) -> tuple[str, int] | Response:
    """Also the way back in when a school has lost its administrators."""
    shown = accounts.get_school(school_id)
    form = AdministratorForm()
    if form.validate_on_submit():
        try:
            service.invite_administrator(
                shown, form.email.data, display_name=form.display_name.data, by=the_person()
            )
        except DomainError as error:
            show_on_form(form, error)
        else:
            flash(_("Invitation on its way to %(email)s", email=form.email.data), "done")
            return redirect(url_for("admin.school", school_id=school_id), 303)
    return _page(shown, RenameForm(formdata=None, obj=shown), form), 422


@bp.post("/schools/<uuid:school_id>/close")
@requires(Permission.PLATFORM_SCHOOLS)
def close_school(school_id: UUID) -> Response:
    """Its people cannot enter it any more; nothing in it is lost."""
    name = accounts.get_school(school_id).name
    if was_done(lambda: accounts_service.archive_school(school_id)):
        offer_undo(
            _("%(name)s is closed", name=name), url_for("admin.reopen_school", school_id=school_id)
        )
    return redirect(url_for("admin.schools"), 303)


@bp.post("/schools/<uuid:school_id>/reopen")
@requires(Permission.PLATFORM_SCHOOLS)
def reopen_school(school_id: UUID) -> Response:
    name = accounts.get_school(school_id).name
    if was_done(lambda: accounts_service.restore_school(school_id)):
        flash(_("%(name)s is open again", name=name), "done")
    return redirect(url_for("admin.schools"), 303)
