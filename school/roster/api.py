"""Endpoints: a spreadsheet comes in, is looked at, saved, undone or thrown away."""

from __future__ import annotations

import io
from typing import Any
from uuid import UUID

from flask import url_for

from school.db import db, transaction
from school.jobs.models import Job
from school.jobs.queue import find_job, progress_of
from school.permissions import Permission, Person
from school.roster import policy, queries, schemas
from school.roster.models import RosterImport, RosterRow
from school.roster.service import staging, uploads
from school.roster.service.reporting import plain_counts
from school.roster.sheet.problems import Problem
from school.web.access import requires, the_person
from school.web.api import (
    VERSION_HEADERS,
    Endpoints,
    page_schema,
    place_of,
    sent_file,
    upload_body,
    version_header,
)
from school.web.idempotency import idempotent, idempotent_upload
from school.web.pagination import Place
from school.web.storage import storage_in_use

P = Permission
Said = dict[str, Any]
Answer = tuple[Said, dict[str, str]]
imports = Endpoints(
    "Imports", __name__, description="A whole roster from one spreadsheet, looked at before saved."
)
_PLAIN = ("id", "version", "filename", "size_bytes", "sha256", "state", "refusal", "encoding")
_ROW = ("outcome", "is_blocked", "is_left_out", "student_id")


@imports.route("/imports", methods=["POST"])
@requires(P.ROSTER_IMPORT)
@idempotent_upload
@imports.doc(requestBody=upload_body())
@imports.response(202, schemas.ImportSchema, headers=VERSION_HEADERS)
def upload() -> Answer:
    """Send a spreadsheet.

    It is read in the background; nothing is saved before `commit`.
    """
    sent, _values = sent_file(schemas.NoFieldsSchema)
    size = sent.stream.seek(0, io.SEEK_END)
    sent.stream.seek(0)
    imported = uploads.receive(
        storage_in_use(), sent.stream, filename=sent.filename or "", size_bytes=size
    )
    said, headers = _one(imported)
    return said, {**headers, "Location": url_for("api_imports.show", import_id=imported.id)}


@imports.route("/imports/<uuid:import_id>")
@requires(P.ROSTER_IMPORT)
@imports.response(200, schemas.ImportSchema, headers=VERSION_HEADERS)
def show(import_id: UUID) -> Answer:
    """Wherever an import stands, with its job."""
    return _one(staging.get_import(import_id))


@imports.route("/imports/<uuid:import_id>/rows")
@requires(P.ROSTER_IMPORT)
@imports.arguments(schemas.RowsQuery, location="query")
@imports.response(200, page_schema(schemas.ImportRowSchema))
def rows(wanted: Said, import_id: UUID) -> Said:
    """The rows with their problems, in the order of the file."""
    imported = staging.get_import(import_id)
    place = place_of(wanted["after"], size=1)
    found = queries.list_rows(
        imported.id,
        wanted["show"],
        after=RosterRow.line > _line(place),
        order=[RosterRow.line],
        limit=wanted["limit"] + 1,
    )
    page = found[: wanted["limit"]]
    more = len(found) > len(page)
    person = the_person()
    return {
        "items": [_row(person, row) for row in page],
        "next": str(Place((str(page[-1].line),))) if more else None,
    }


@imports.route("/imports/<uuid:import_id>/commit", methods=["POST"])
@requires(P.ROSTER_IMPORT)
@idempotent
@imports.arguments(schemas.CommitSchema)
@imports.response(202, schemas.ImportSchema, headers=VERSION_HEADERS)
def commit(values: Said, import_id: UUID) -> Answer:
    """Save what the preview shows, as one act; in the background."""
    with transaction():
        imported = staging.get_import(import_id)
        policy.check_commit(the_person(), imported, archive_gone=values["archive_gone"])
        imported = uploads.begin_commit(import_id, **values)
        db.session.flush()
    return _one(imported)


@imports.route("/imports/<uuid:import_id>/undo", methods=["POST"])
@requires(P.ROSTER_IMPORT, P.HISTORY_UNDO)
@idempotent
@imports.response(202, schemas.ImportSchema, headers=VERSION_HEADERS)
def undo(import_id: UUID) -> Answer:
    """Take a saved import back, in the background. What people edited since stays."""
    with transaction():
        imported = uploads.begin_undo(import_id)
        db.session.flush()
    return _one(imported)


@imports.route("/imports/<uuid:import_id>/discard", methods=["POST"])
@requires(P.ROSTER_IMPORT)
@idempotent
@imports.response(202, schemas.ImportSchema, headers=VERSION_HEADERS)
def discard(import_id: UUID) -> Answer:
    """Keep nothing of an import that was not saved."""
    with transaction():
        staging.discard(import_id)
        imported = staging.get_import(import_id)
        uploads.forget_file(storage_in_use(), imported)
        db.session.flush()
    return _one(imported)


def _one(imported: RosterImport) -> Answer:
    job = imported.job_id and find_job(imported.job_id, school_id=imported.school_id)
    said: Said = {name: getattr(imported, name) for name in _PLAIN} | {
        "counts": plain_counts(imported),
        "job": _job(job) if job else None,
        "created_by": imported.created_by_name,
        "created_at": imported.created_at,
        "committed_at": imported.committed_at,
    }
    return said, version_header(imported.version)


# A fault of ours: its own text may hold data and SQL.
_ERROR = "It stopped before the end. Nothing was saved."


def _job(job: Job) -> Said:
    now = progress_of(job)
    return {
        "id": job.id,
        "state": job.state,
        "progress": now.fraction,
        "sentence": now.sentence % now.numbers if now.numbers else now.sentence,
        "error": _ERROR if job.error and not job.result else job.error,
    }


def _line(place: Place | None) -> int:
    """The line a page begins behind; a place nobody gave out begins at the top."""
    text = str(place.values[0]) if place else "0"
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _row(person: Person, row: RosterRow) -> Said:
    hidden = set() if person.may(P.MEDICAL_VIEW) else {"medical_note"}
    return {name: getattr(row, name) for name in _ROW} | {
        "row": row.line,
        "changes": {name: both for name, both in row.changes.items() if name not in hidden},
        "problems": [_problem(Problem.from_json(stored)) for stored in row.problems],
    }


def _problem(one: Problem) -> Said:
    return {
        "column": one.column,
        "value": one.value,
        "code": one.code,
        "message": one.sentence,
        "is_blocking": one.blocking,
    }
