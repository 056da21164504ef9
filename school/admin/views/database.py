"""What the rows lie in, and how they get into PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from flask import (
    abort,
    current_app,
    get_template_attribute,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from school.admin.forms import AddressForm
from school.admin.queries import DatabaseInUse, find_database, find_last_job
from school.admin.service.moving_database import JOB, Desk, is_clear, plan_look, plan_move
from school.admin.views.blueprint import bp
from school.errors import Conflict, Invalid
from school.jobs.models import Job, JobState
from school.jobs.queue import find_job
from school.permissions import Permission
from school.upgrade.standing import has_moved, mark_beside
from school.web.access import requires
from school.web.forms import show_on_form
from school.web.progress import told


@bp.get("/database")
@requires(Permission.PLATFORM_OPERATE)
def database() -> str:
    return _page(AddressForm())


@bp.post("/database/look")
@requires(Permission.PLATFORM_OPERATE)
def look_at_database() -> Response | tuple[str, int]:
    """What would stand in the way of a move; writes nothing there."""
    _only_from_sqlite()
    form = AddressForm()
    if form.validate_on_submit():
        try:
            plan_look(_desk(), str(form.address_with_password.data).strip())
            return redirect(url_for("admin.database"), 303)
        except Invalid as error:
            show_on_form(form, error)
    return _page(form), 422


@bp.post("/database/move")
@requires(Permission.PLATFORM_OPERATE)
def move_database() -> Response:
    _only_from_sqlite()
    plan_move(_desk())
    return redirect(url_for("admin.database"), 303)


@bp.get("/database/work/<uuid:job_id>")
@requires(Permission.PLATFORM_OPERATE)
def database_work(job_id: UUID) -> str | Response:
    """The job's row alone, for the page that watches it; leads on when there is more to say."""
    job = find_job(job_id, school_id=None)
    if job is None or job.kind != JOB:
        abort(404)
    is_over = job.state == JobState.DONE or has_moved(_file(find_database()))
    if is_over and request.headers.get("HX-Request"):
        return Response(status=200, headers={"HX-Redirect": url_for("admin.database")})
    row = get_template_attribute("_macros/jobs.html", "job_row")
    url = url_for("admin.database_work", job_id=job_id)
    return str(row(_row(job), url, _label(), done_url=url_for("admin.database")))


@bp.get("/database/report")
@requires(Permission.PLATFORM_OPERATE)
def database_report() -> str:
    """The last look or move, table by table."""
    report = _desk().report()
    if report is None:
        abort(404)
    return render_template("admin/database_report.html", report=report, is_clear=is_clear(report))


def _page(form: AddressForm) -> str:
    found, desk = find_database(), _desk()
    file = _file(found)
    moved = has_moved(file)
    job = find_last_job(JOB)
    report = desk.report()
    is_running = job is not None and not job.is_finished and not moved
    return render_template(
        "admin/database.html",
        form=form,
        found=found,
        mark=mark_beside(file) if moved and file else None,
        work={"job": _row(job), "label": _label()} if job and _is_told(job, moved=moved) else None,
        is_running=is_running,
        report=report,
        ready=desk.shown_address() if report and is_clear(report) and not is_running else None,
        may_move=file is not None and not moved and not is_running,
    )


def _is_told(job: Job, *, moved: bool) -> bool:
    """Under way, or broken off."""
    return not moved and job.state != JobState.DONE


def _row(job: Job) -> dict[str, Any]:
    state = "stopped" if job.state == JobState.FAILED else str(job.state)
    return {"id": job.id, "state": state, **told(job)}


def _label() -> str:
    return str(_("Moving to PostgreSQL"))


def _file(found: DatabaseInUse) -> str | None:
    return None if found.server else found.place


def _only_from_sqlite() -> None:
    """Raises Conflict."""
    file = _file(find_database())
    if file is None or has_moved(file):
        raise Conflict("This installation uses PostgreSQL already.")


def _desk() -> Desk:
    return Desk(Path(current_app.config["SETTINGS"].data_dir) / "database-move")
