"""The list of imports, one import from file to done, and its background work."""

from __future__ import annotations

import io
from typing import Any
from uuid import UUID

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from school import clock
from school.db import transaction
from school.errors import DomainError, Invalid
from school.jobs.models import Job, JobState
from school.jobs.queue import find_job
from school.permissions import Permission, Person
from school.roster import queries
from school.roster.models import ImportState, RosterImport
from school.roster.service import staging, uploads
from school.roster.service.gone import count_gone
from school.roster.service.reporting import problem_headings, problem_rows
from school.roster.sheet.mapping import Mapping
from school.roster.views import bp
from school.roster.views.words import field_label, refusal, sentence
from school.spreadsheets.workbook import MAX_FILE_BYTES
from school.spreadsheets.writing import write_csv, write_xlsx
from school.students.queries import list_fields
from school.web.access import requires, the_person
from school.web.errors import message_of
from school.web.progress import told
from school.web.storage import storage_in_use
from school.web.todo import Task, add_task

IMPORT = Permission.ROSTER_IMPORT
OPTIONS = ("overwrite_edited", "archive_gone")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@bp.get("")
@requires(IMPORT)
def index() -> str:
    """Drop a file; what was imported before."""
    return _index_page()


def _index_page(problem: str | None = None) -> str:
    return render_template(
        "roster/index.html",
        imports=queries.list_imports(),
        problem=problem,
        limit_mb=MAX_FILE_BYTES // 1024 // 1024,
        states=state_words(),
    )


def state_words() -> dict[str, tuple[str, str, str]]:
    """state: (kind, icon, words)."""
    return {
        ImportState.UPLOADED: ("", "clock", _("Being read")),
        ImportState.READING: ("", "clock", _("Being read")),
        ImportState.PREVIEW: ("warn", "pencil", _("To check")),
        ImportState.COMMITTING: ("", "clock", _("Being saved")),
        ImportState.COMMITTED: ("good", "check", _("Imported")),
        ImportState.UNDOING: ("", "clock", _("Being undone")),
        ImportState.UNDONE: ("", "x", _("Undone")),
        ImportState.REFUSED: ("bad", "alert-circle", _("Could not be read")),
    }


@bp.post("")
@requires(IMPORT)
def upload() -> BaseResponse | tuple[str, int]:
    """A file arrives; reading it begins."""
    sent = request.files.get("file")
    try:
        if sent is None or not sent.filename:
            raise Invalid("No file was chosen. Choose one, then send it.", field="file")
        size = sent.stream.seek(0, io.SEEK_END)
        sent.stream.seek(0)
        imported = uploads.receive(
            storage_in_use(), sent.stream, filename=sent.filename, size_bytes=size
        )
    except DomainError as error:
        return _index_page(message_of(error)), error.status
    return redirect(url_for("roster.show", import_id=imported.id), 303)


@bp.get("/<uuid:import_id>")
@requires(IMPORT)
def show(import_id: UUID) -> str | BaseResponse:
    """Wherever this import stands: being worked on, refused, to be checked, done, undone."""
    imported = staging.get_import(import_id)
    row = job_row(imported)
    if row["moving"] or row["stopped"]:
        return render_template("roster/working.html", imported=imported, **row)
    if imported.state == ImportState.PREVIEW:
        if imported.counts.get("faults"):
            return redirect(url_for("roster.columns", import_id=import_id), 303)
        return redirect(url_for("roster.preview", import_id=import_id), 303)
    if imported.state == ImportState.REFUSED:
        return render_template("roster/refused.html", imported=imported, reason=refusal(imported))
    if imported.state == ImportState.DISCARDED:
        return render_template("roster/discarded.html", imported=imported)
    return render_template("roster/show.html", **_done_page(imported))


def _done_page(imported: RosterImport) -> dict[str, Any]:
    change_set = queries.find_change_set(imported)
    may_undo = (
        change_set is not None
        and imported.state == ImportState.COMMITTED
        and change_set.is_undoable(clock.now())
        and the_person().may(Permission.HISTORY_UNDO)
    )
    return {
        "imported": imported,
        "counts": imported.counts,
        "may_undo": may_undo,
        "undo_until": change_set.undo_until if change_set else None,
        "kept": _kept(imported),
        **_undo_fault(imported),
    }


def _kept(imported: RosterImport) -> list[dict[str, Any]]:
    """What undoing left as it is, each with the person it is about."""
    kept = imported.counts.get("undone", {}).get("kept_list", [])
    about = [one.get("about") or one["id"] for one in kept]
    names = queries.people_named([UUID(one) for one in about])
    labels = {str(field.id): field.label for field in list_fields(include_archived=True)}
    return [
        {
            **one,
            "label": _label_of(one["field"], labels),
            "theirs": _own_words(one.get("theirs"), labels),
            "person": names.get(UUID(whom)),
            "url": f"/{'guardians' if one['entity'] == 'guardian' else 'students'}/{whom}",
        }
        for one, whom in zip(kept, about, strict=True)
    ]


def _label_of(name: str, labels: dict[str, str]) -> str:
    """A field's name; the audit calls those of the school's own "custom.<id>"."""
    own = name.removeprefix("custom.")
    return labels.get(own, own) if own != name else field_label(name)


def _own_words(value: Any, labels: dict[str, str]) -> Any:
    """Own fields by their names: "House: Blue"."""
    if not isinstance(value, dict):
        return value
    return ", ".join(f"{labels.get(key, key)}: {text}" for key, text in value.items())


def _undo_fault(imported: RosterImport) -> dict[str, Any]:
    """Whether undoing this import stopped (nothing was changed then), and the rule it broke."""
    job = imported.job_id and find_job(imported.job_id, school_id=imported.school_id)
    has_stopped = bool(job and job.kind == uploads.UNDO and job.state == JobState.FAILED)
    return {"undo_stopped": has_stopped, "undo_fault": told(job)["error"] if job else None}


def job_row(imported: RosterImport) -> dict[str, Any]:
    """What the job macro shows of this import's work."""
    from_job = None
    if imported.job_id is not None:
        from_job = find_job(imported.job_id, school_id=imported.school_id)
    if from_job is None:
        return {"job": None, "moving": False, "stopped": False, "label": ""}
    is_stopped = from_job.state == JobState.FAILED and imported.state != ImportState.REFUSED
    labels = {
        uploads.STAGE: _("Reading %(name)s", name=imported.filename),
        uploads.COMMIT: _("Importing %(name)s", name=imported.filename),
        uploads.UNDO: _("Undoing the import of %(name)s", name=imported.filename),
    }
    moving = from_job.state in {JobState.WAITING, JobState.RUNNING}
    return {
        "job": {
            "id": from_job.id,
            "state": "stopped" if is_stopped else str(from_job.state),
            **told(from_job),
        },
        "moving": moving,
        "stopped": is_stopped and imported.state not in _OVER,
        "label": labels.get(from_job.kind, imported.filename),
        "retry_url": None
        if _is_stale(from_job)
        else url_for("roster.retry", import_id=imported.id),
        "may_check_again": is_stopped and imported.state in staging.OPEN_STATES,
    }


def _is_stale(job: Job) -> bool:
    """It could not be saved for a reason that stays: only checking the file again mends it."""
    return bool(job.kind == uploads.COMMIT and job.state == JobState.FAILED and job.result)


_OVER = {ImportState.COMMITTED, ImportState.UNDONE}


@bp.get("/<uuid:import_id>/work")
@requires(IMPORT)
def work(import_id: UUID) -> str | BaseResponse:
    """The job's row alone, for the page that watches it; leads on when the work is done."""
    imported = staging.get_import(import_id)
    row = job_row(imported)
    if not row["moving"] and request.headers.get("HX-Request"):
        return Response(
            status=200, headers={"HX-Redirect": url_for("roster.show", import_id=import_id)}
        )
    return render_template("roster/_work.html", imported=imported, **row)


@bp.post("/<uuid:import_id>/retry")
@requires(IMPORT)
def retry(import_id: UUID) -> BaseResponse:
    """Begin again what stopped."""
    imported = staging.get_import(import_id)
    with transaction():
        if imported.state == ImportState.PREVIEW and not _failed_reading(imported):
            uploads.begin_commit(import_id, **_options(imported))
        elif imported.state == ImportState.COMMITTED:
            uploads.begin_undo(import_id)
        else:
            uploads.begin_stage(import_id)
    return redirect(url_for("roster.show", import_id=import_id), 303)


def _failed_reading(imported: RosterImport) -> bool:
    job = imported.job_id and find_job(imported.job_id, school_id=imported.school_id)
    return bool(job and job.kind == uploads.STAGE and job.state == JobState.FAILED)


def _options(imported: RosterImport) -> dict[str, bool]:
    return {name: bool(imported.options.get(name)) for name in OPTIONS}


@bp.post("/<uuid:import_id>/again")
@requires(IMPORT)
def check_again(import_id: UUID) -> BaseResponse:
    """Read the file again, against the school as it is now; what was repaired stays repaired."""
    with transaction():
        uploads.begin_stage(import_id)
    return redirect(url_for("roster.show", import_id=import_id), 303)


@bp.post("/<uuid:import_id>/discard")
@requires(IMPORT)
def discard(import_id: UUID) -> BaseResponse:
    """Keep nothing."""
    with transaction():
        staging.discard(import_id)
        uploads.forget_file(storage_in_use(), staging.get_import(import_id))
    flash(_("Nothing was kept of this file."), "done")
    return redirect(url_for("roster.index"), 303)


@bp.post("/<uuid:import_id>/undo")
@requires(IMPORT, Permission.HISTORY_UNDO)
def undo(import_id: UUID) -> BaseResponse:
    """Take the whole import back."""
    with transaction():
        uploads.begin_undo(import_id)
    return redirect(url_for("roster.show", import_id=import_id), 303)


@bp.get("/<uuid:import_id>/problems.<any(csv, xlsx):kind>")
@requires(IMPORT)
def problems(import_id: UUID, kind: str) -> Response:
    """The rows that lack something, to repair in a spreadsheet and upload again."""
    imported = staging.get_import(import_id)
    headings = [*problem_headings(imported), _("What to repair")]
    rows = problem_rows(imported, sentence)
    stream = io.BytesIO()
    if kind == "csv":
        write_csv([headings, *rows], stream)
    else:
        write_xlsx(rows, stream, columns=headings, sheet_name=_("To repair"))
    response = Response(stream.getvalue(), mimetype="text/csv" if kind == "csv" else XLSX)
    response.headers.set("Content-Disposition", "attachment", filename=f"to-repair.{kind}")
    return response


def commit_label(counts: dict[str, int]) -> str:
    """Exactly what the button does: "Import 243, leave 4 out"."""
    importing, left_out = counts["import"], counts["repair"] + counts["out"]
    if counts["all"] and importing == counts["same"] == counts["all"]:
        return str(_("Done"))
    if left_out:
        return str(
            _(
                "Import %(count)s, leave %(out)s out",
                count=format_decimal(importing),
                out=format_decimal(left_out),
            )
        )
    return str(
        ngettext(
            "Import %(n)s row",
            "Import all %(n)s rows",
            importing,
            n=format_decimal(importing),
        )
    )


def mapping_of(imported: RosterImport) -> Mapping:
    return Mapping.from_json(imported.mapping)


def gone_count(imported: RosterImport) -> int:
    return count_gone(imported.id)


def _unfinished(_person: Person) -> Task | None:
    count = queries.count_unfinished()
    if not count:
        return None
    return Task(
        ngettext(
            "%(num)s import waits to be finished", "%(num)s imports wait to be finished", count
        ),
        _("Go on"),
        url_for("roster.index"),
        icon="upload",
        order=10,
    )


add_task("roster.unfinished", IMPORT, _unfinished)
