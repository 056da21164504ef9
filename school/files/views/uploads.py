"""Uploads beside the protocol: by a signed link, and what a page does with those under way."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from flask import Response, flash, jsonify, redirect, request, url_for
from flask.blueprints import BlueprintSetupState
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from school.db import transaction
from school.errors import DomainError, Invalid
from school.files.forms import DirectUploadForm
from school.files.models import Upload, UploadState
from school.files.queries import Spot
from school.files.service.families import BY_EXTENSION
from school.files.service.names import clean_name, extension_of
from school.files.service.uploading import direct, ending, finding
from school.files.views.blueprint import bp
from school.files.views.showing import url_of
from school.files.views.tus import PLACE, finished_if_small, wanted_of, why_refused
from school.permissions import Permission, Person
from school.storage.protocol import MOST_PUT_BYTES
from school.web.access import requires, the_person
from school.web.headers import allow_connections_to


def unfinished_in(
    person: Person, spot: Spot, *, replaces_id: UUID | None = None
) -> list[dict[str, Any]]:
    """What this person began to send to a place, or as a new version of a file, and what came of
    it, as pages show it."""
    return [
        {
            **row._asdict(),
            "name": clean_name(row.filename),
            "percent": row.percent,
            "why": why_refused(row),
            "url": url_for("files.upload_state", upload_id=row.id),
            "end_url": url_for("files.forget_upload", upload_id=row.id),
        }
        for row in finding.list_unfinished(person, spot, replaces_id=replaces_id)
    ]


def direct_upload() -> dict[str, Any] | None:
    """For the page that is being made: where it asks for a link past us, and the most bytes one
    takes. None where files are sent to us; otherwise its policy names the cloud."""
    origin = direct.origin()
    if origin is None:
        return None
    allow_connections_to(origin)
    return {"url": url_for("files.begin_direct_upload"), "most_bytes": MOST_PUT_BYTES}


@bp.record
def _tell_templates(state: BlueprintSetupState) -> None:
    state.app.jinja_env.globals["direct_upload"] = direct_upload


@bp.post(f"{PLACE}/direct")
@requires(Permission.FILE_UPLOAD)
def begin_direct_upload() -> tuple[Any, int]:
    """A signed request that brings the whole content past the pieces; `finish` comes after it."""
    form = DirectUploadForm()
    if not form.validate_on_submit():
        name, faults = next(iter(form.errors.items()))
        raise Invalid(str(faults[0]), field=name)
    told = {name: value for name, value in request.form.items() if name != "size"}
    with transaction():
        upload, signed = direct.begin_direct(
            the_person(),
            wanted_of(told, form.size.data),
            content_type=form.type.data or _type_by_name(told.get("filename", "")),
            sha256=form.sha256.data,
        )
    send = {
        "method": signed.method,
        "url": signed.url,
        "headers": dict(signed.headers),
        "expires_at": signed.expires_at.isoformat(),
    }
    place = url_for("files.upload_state", upload_id=upload.id)
    return jsonify({"id": str(upload.id), "url": place, "send": send}), 201


def _type_by_name(filename: str) -> str:
    kind = BY_EXTENSION.get(extension_of(clean_name(filename)))
    return kind.content_type if kind else ""


@bp.put(f"{direct.UPLOAD_PATH}<token>")
@requires(Permission.FILE_UPLOAD)
def take_direct_upload(token: str) -> BaseResponse:
    """Redeem a link of our own. 404 for one we did not make or that is not yours, 410 for an old
    one."""
    direct.receive(
        the_person(),
        token,
        cast("Any", request.stream),
        content_type=request.mimetype,
        size_bytes=request.content_length,
    )
    return Response(status=204)


@bp.post(f"{PLACE}/<uuid:upload_id>/finish")
@requires(Permission.FILE_UPLOAD)
def finish_direct_upload(upload_id: UUID) -> tuple[Any, int]:
    """The content was sent: check it. Its address tells what became of it."""
    upload = finished_if_small(direct.confirm(the_person(), upload_id))
    return jsonify({"id": str(upload.id), "state": upload.state}), 202


@bp.post(f"{PLACE}/<uuid:upload_id>/end")
@requires(Permission.FILE_UPLOAD)
def forget_upload(upload_id: UUID) -> BaseResponse:
    """The button on a page without script: give it up, or take what was refused off the list."""
    upload = finding.get_upload(the_person(), upload_id)
    is_refused = upload.state == UploadState.REFUSED
    with transaction():
        ending.give_up(the_person(), upload_id)
    name = clean_name(upload.filename)
    if is_refused:
        flash(_("“%(name)s” is off the list", name=name), "done")
    else:
        flash(_("“%(name)s” is no longer being sent", name=name), "done")
    return redirect(_page_of(upload), 303)


def _page_of(upload: Upload) -> str:
    """Where it was being sent to; the first page of files when that is gone, or not this person's
    to send to any more."""
    try:
        finding.check_may_send(the_person(), upload)
    except DomainError:
        return url_for("files.index")
    if upload.replaces_id is not None:
        return url_for("files.show", file_id=upload.replaces_id)
    return url_of(Spot(upload.owner_kind, upload.owner_id, upload.folder_id))
