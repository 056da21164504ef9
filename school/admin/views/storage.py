"""Where files lie: who answers, what waits, what the last comparison found."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import (
    abort,
    flash,
    get_template_attribute,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from school.admin.views import storage_move
from school.admin.views.blueprint import bp
from school.db import transaction
from school.files.models import ReconcileRun
from school.files.service import overview
from school.files.service.moving.books import find_move
from school.files.service.reconciling import (
    RECONCILE,
    Kind,
    Mode,
    Stop,
    find_distrust,
    plan_reconcile,
    trust,
)
from school.jobs.models import Job, JobState
from school.jobs.queue import find_job
from school.permissions import Permission
from school.web.access import requires
from school.web.progress import told


@bp.get("/storage")
@requires(Permission.PLATFORM_OPERATE)
def storage() -> str:
    runs = overview.list_last_runs()
    ids = {found["school"] for run in runs for found in run.findings if found["school"]}
    names = overview.name_schools(sorted(ids))
    return render_template(
        "admin/storage.html",
        scanner=overview.find_scanner(),
        standings=overview.list_standings(),
        runs=[_shown(run, names) for run in runs],
        epoch=find_distrust(),
        move=storage_move.shown(find_move()),
        work=_work(overview.find_reconcile_job()),
    )


@bp.post("/storage/reconcile")
@requires(Permission.PLATFORM_OPERATE)
def reconcile_now() -> Response:
    plan_reconcile()
    return redirect(url_for("admin.storage"), 303)


@bp.get("/storage/work/<uuid:job_id>")
@requires(Permission.PLATFORM_OPERATE)
def storage_work(job_id: UUID) -> str | Response:
    """The job's row alone, for the page that watches it; leads on when the work is done."""
    job = find_job(job_id, school_id=None)
    if job is None or job.kind != RECONCILE:
        abort(404)
    if job.state == JobState.DONE and request.headers.get("HX-Request"):
        return Response(status=200, headers={"HX-Redirect": url_for("admin.storage")})
    url = url_for("admin.storage_work", job_id=job_id)
    row = get_template_attribute("_macros/jobs.html", "job_row")
    return str(row(_told(job), url, _label(), done_url=url_for("admin.storage")))


@bp.post("/storage/trust")
@requires(Permission.PLATFORM_OPERATE)
def trust_again() -> Response:
    with transaction():
        trust()
    flash(_("The database is trusted again. The next comparison puts things right"), "done")
    return redirect(url_for("admin.storage"), 303)


def _label() -> str:
    return str(_("Comparing files and database"))


def _work(job: Job | None) -> dict[str, Any] | None:
    """The comparison under way, or the one that broke off."""
    if job is None or job.state == JobState.DONE:
        return None
    return {"job": _told(job), "label": _label(), "is_moving": overview.is_under_way(job)}


def _told(job: Job) -> dict[str, Any]:
    state = "stopped" if job.state == JobState.FAILED else str(job.state)
    return {"id": job.id, "state": state, **told(job)}


def _shown(run: ReconcileRun, names: dict[str, str]) -> dict[str, Any]:
    return {
        "provider": run.provider,
        "finished_at": run.finished_at,
        "mode": _mode_sentence(run.mode),
        "stopped": _stop_sentence(run.stopped) if run.stopped else None,
        "lost": _lost_sentence(run.counts["lost"]),
        "facts": _facts(run.counts),
        "findings": [_finding(found, names) for found in run.findings],
    }


def _mode_sentence(mode: str) -> str | None:
    if mode == Mode.DRY:
        return str(_("Only looked: nothing was changed."))
    if mode == Mode.REPORT:
        return str(_("Only reported: the database may be older than the files."))
    return None


def _lost_sentence(number: int) -> str | None:
    if not number:
        return None
    return str(
        ngettext(
            "%(number)s file is lost. Look for it in a backup.",
            "%(number)s files are lost. Look for them in a backup.",
            number,
            number=format_decimal(number),
        )
    )


def _facts(counts: dict[str, int]) -> list[tuple[str, str]]:
    """What was counted, in the order it matters; noughts only where they say something."""
    always = ("objects", "verified")
    words = {
        "objects": _("Files in the storage"),
        "verified": _("Read again and compared"),
        "lost": _("Lost"),
        "repaired": _("Copied again from another place"),
        "returned": _("Found again"),
        "moved": _("Moved to lost-and-found"),
        "unknown": _("Known to nobody"),
        "aside": _("In lost-and-found"),
        "stale_uploads": _("Broken uploads removed"),
        "foreign": _("Left alone: not ours"),
        "waiting": _("Copies and deletions behind time"),
    }
    shown = [name for name in words if counts.get(name) or name in always]
    return [(str(words[name]), format_decimal(counts.get(name, 0))) for name in shown]


def _stop_sentence(stopped: dict[str, Any]) -> str:
    number = int(stopped.get("number", 0))
    shown = format_decimal(number)
    match Stop(stopped["reason"]):
        case Stop.UNREADABLE | Stop.CUT_OFF:
            return str(_("The storage stopped answering, so the rest was left as it is."))
        case Stop.UNORDERED:
            return str(_("The storage lists its files in no order, so nothing was changed."))
        case Stop.MANY_MISSING:
            return str(
                _(
                    "%(number)s files are not where they should be. That many means another "
                    "folder or bucket rather than a loss, so nothing was changed.",
                    number=shown,
                )
            )
        case Stop.MANY_STRAYS:
            return str(
                _(
                    "%(number)s files are known to nobody. That many means another database "
                    "rather than leftovers, so nothing was moved.",
                    number=shown,
                )
            )


_LOOKS = {
    Kind.LOST: ("bad", "alert-circle"),
    Kind.DAMAGED: ("bad", "alert-circle"),
    Kind.REPAIRED: ("good", "circle-check"),
    Kind.RETURNED: ("good", "circle-check"),
    Kind.STRAY: ("warn", "alert-triangle"),
    Kind.OLD: ("", "info-circle"),
    Kind.WAITING: ("warn", "clock"),
    Kind.PIECE: ("warn", "alert-triangle"),
    Kind.FAILED: ("warn", "alert-triangle"),
}


def _finding(found: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    kind = Kind(found["kind"])
    return {
        "look": _LOOKS[kind],
        "sentence": _sentence(kind, found),
        "key": found["key"],
        "school": names.get(found["school"] or ""),
    }


def _sentence(kind: Kind, found: dict[str, Any]) -> str:
    if kind == Kind.WAITING:
        number = int(found["number"])
        return str(
            ngettext(
                "%(number)s copy or deletion has waited for more than an hour",
                "%(number)s copies or deletions have waited for more than an hour",
                number,
                number=format_decimal(number),
            )
        )
    return str(
        {
            Kind.LOST: _("Gone, and no other place has it"),
            Kind.DAMAGED: _("Damaged, and no other place has it whole"),
            Kind.REPAIRED: _("Gone or damaged here; copied again from another place"),
            Kind.RETURNED: _("Was gone, and is there again"),
            Kind.STRAY: _("No record names it; it belongs in lost-and-found"),
            Kind.OLD: _("In lost-and-found for more than 30 days"),
            Kind.PIECE: _("A piece of an upload under way is gone; whoever sends it is told"),
            Kind.FAILED: _("The storage refused to change it; left as it is"),
        }[kind]
    )
