"""Uploads that go on where they stopped: tus 1.0 (https://tus.io/protocols/resumable-upload).

Core, creation (also with the first bytes), expiration, termination and checksum (SHA-256). Every
answer, refusals included, carries `Tus-Resumable`. The address of an upload tells with `GET`, in
JSON, what `HEAD` tells in headers, and what became of the file.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Response, jsonify, request, url_for
from flask_babel import gettext as _
from werkzeug.exceptions import ClientDisconnected
from werkzeug.http import http_date
from werkzeug.wrappers import Response as BaseResponse

from school.db import transaction
from school.errors import DomainError, Invalid
from school.files import queries
from school.files.models import Upload, UploadState
from school.files.service.shelf import shelf
from school.files.service.uploading import arriving, beginning, ending, finding, finishing
from school.files.views.blueprint import bp
from school.permissions import Permission
from school.web.access import requires, the_person
from school.web.errors import answer, message_of
from school.web.keepable import UNKEEPABLE, is_keepable

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,termination,checksum"
CHECKSUMS = "sha256"
PIECE_TYPE = "application/offset+octet-stream"
CHECKSUM_MISMATCH = 460
PLACE = "/files/uploads"
_LONGEST_NUMBER = 15


class _OtherVersion(DomainError):
    status = 412
    code = "tus_version"


class _OtherType(DomainError):
    status = 415
    code = "piece_type"


class _OtherBytes(Exception):
    """The checksum of a piece is not the announced one."""


@bp.after_request
def _say_version(response: Response) -> Response:
    if request.path.startswith(PLACE):
        response.headers["Tus-Resumable"] = VERSION
        if response.status_code == _OtherVersion.status:
            response.headers["Tus-Version"] = VERSION
    return response


@bp.route(PLACE, methods=["OPTIONS"], provide_automatic_options=False)
@bp.route(f"{PLACE}/<uuid:upload_id>", methods=["OPTIONS"], provide_automatic_options=False)
@requires(Permission.FILE_UPLOAD)
def upload_options(upload_id: UUID | None = None) -> Response:  # noqa: ARG001 - one answer for all
    """What we speak."""
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(shelf().most_bytes),
        "Tus-Checksum-Algorithm": CHECKSUMS,
    }
    return Response(status=204, headers=headers)


@bp.post(PLACE, provide_automatic_options=False)
@requires(Permission.FILE_UPLOAD)
def begin_upload() -> BaseResponse:
    """Say what is coming; the answer's `Location` takes it. May bring the first piece along."""
    _check_version()
    wanted = wanted_of(_metadata(), _number("Upload-Length"))
    with_piece = request.mimetype == PIECE_TYPE
    if with_piece:
        _check_length()
    with transaction():
        upload = beginning.begin(the_person(), wanted)
    try:
        upload = _first_piece(upload.id) if with_piece else finished_if_small(upload)
    except _OtherBytes:
        return _mismatch()
    response = _told(upload, 201)
    response.headers["Location"] = url_for("files.upload_state", upload_id=upload.id)
    return response


def _first_piece(upload_id: UUID) -> Upload:
    """Of an upload whose address nobody knows yet: without it there is no upload either."""
    try:
        return _take_piece(upload_id, offset=0)
    except (DomainError, _OtherBytes):
        with transaction():
            ending.give_up(the_person(), upload_id)
        raise


@bp.get(f"{PLACE}/<uuid:upload_id>", provide_automatic_options=False)
@requires(Permission.FILE_UPLOAD)
def upload_state(upload_id: UUID) -> BaseResponse:
    """How far it is and what became of it. 410 once it has ended."""
    upload = finding.get_upload(the_person(), upload_id)
    if upload.state == UploadState.ENDED or ending.is_too_old(upload):
        raise ending.too_old()
    response = jsonify(_facts(upload))
    _say_offset(response, upload)
    response.headers["Upload-Length"] = str(upload.length_bytes)
    return response


@bp.patch(f"{PLACE}/<uuid:upload_id>", provide_automatic_options=False)
@requires(Permission.FILE_UPLOAD)
def append_to_upload(upload_id: UUID) -> BaseResponse:
    """The next piece."""
    _check_version()
    if request.mimetype != PIECE_TYPE:
        raise _OtherType("Send a piece as %(type)s.", type=PIECE_TYPE)
    _check_length()
    try:
        return _told(_take_piece(upload_id, offset=_number("Upload-Offset")), 204)
    except _OtherBytes:
        return _mismatch()


@bp.delete(f"{PLACE}/<uuid:upload_id>", provide_automatic_options=False)
@requires(Permission.FILE_UPLOAD)
def end_upload(upload_id: UUID) -> BaseResponse:
    """Give it up; what arrived of it goes."""
    _check_version()
    with transaction():
        ending.give_up(the_person(), upload_id)
    return Response(status=204)


def finished_if_small(upload: Upload) -> Upload:
    """What is small is checked while the person waits; a job does what this does not come to."""
    if upload.state == UploadState.FINISHING and arriving.is_small(upload):
        person, upload_id = the_person(), upload.id
        finishing.finish(upload_id)
        return finding.get_upload(person, upload_id)
    return upload


def wanted_of(told: dict[str, str], length_bytes: int) -> beginning.Wanted:
    """What a request says of the file to come. Raises NotFound for what names nothing."""
    replaces = told.get("replaces_id")
    try:
        replaces_id = UUID(replaces) if replaces else None
    except ValueError:
        raise queries.file_gone() from None
    version = told.get("replaces_version", "")
    if version and not _is_number(version):
        raise Invalid("replaces_version has to be a number.", field="replaces_version")
    return beginning.Wanted(
        filename=told.get("filename") or "file",
        length_bytes=length_bytes,
        spot=None if replaces_id else queries.read_spot(told.get("at")),
        purpose=told.get("purpose") or "document",
        replaces_id=replaces_id,
        replaces_version=int(version) if version else None,
        note=told.get("note"),
    )


@dataclass(slots=True)
class _Body:
    """The request's body. Where the server hands it on while it comes, a line that breaks off is
    its end; waitress hands over whole requests only, so there such a piece never gets here."""

    is_cut_off: bool = False

    def read(self, count: int, /) -> bytes:
        try:
            return bytes(request.stream.read(count))
        except (ClientDisconnected, OSError):
            self.is_cut_off = True
            return b""


def _take_piece(upload_id: UUID, *, offset: int) -> Upload:
    """Raises _OtherBytes; then nothing of the piece is kept."""
    announced = _checksum()
    with arriving.spooled(_Body()) as piece:
        if announced is not None and announced != piece.sha256:
            raise _OtherBytes
        upload = arriving.append(the_person(), upload_id, piece, offset=offset)
    return finished_if_small(upload)


def _check_length() -> None:
    if (request.content_length or 0) > arriving.PIECE_BYTES:
        raise arriving.piece_too_large()


def _check_version() -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        raise _OtherVersion("This address speaks tus %(version)s.", version=VERSION)


def _number(header: str) -> int:
    text = request.headers.get(header, "")
    if not _is_number(text):
        raise Invalid("%(header)s has to be a number.", header=header)
    return int(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER


def _checksum() -> str | None:
    """The announced SHA-256 in hex. Raises Invalid for another one."""
    header = request.headers.get("Upload-Checksum")
    if header is None:
        return None
    algorithm, _space, digest = header.partition(" ")
    try:
        found = b64decode(digest, validate=True).hex()
    except (binascii.Error, ValueError):
        found = ""
    if algorithm != CHECKSUMS or len(found) != 64:
        raise Invalid("Upload-Checksum has to be a SHA-256 in base64.")
    return found


def _metadata() -> dict[str, str]:
    """`Upload-Metadata`: pairs of a name and base64 of UTF-8. Raises Invalid."""
    told: dict[str, str] = {}
    try:
        for pair in filter(None, request.headers.get("Upload-Metadata", "").split(",")):
            name, _space, value = pair.strip().partition(" ")
            told[name] = b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        raise Invalid("Upload-Metadata cannot be read.") from None
    if not all(map(is_keepable, told.values())):
        raise Invalid(UNKEEPABLE)
    return told


def _mismatch() -> Response:
    detail = _("This piece was damaged on its way. Send it again.")
    # A status of the protocol's own, which has no name in HTTP.
    return answer(CHECKSUM_MISMATCH, "Checksum Mismatch", detail, code="checksum_mismatch")


def _told(upload: Upload, status: int) -> Response:
    response = Response(status=status)
    _say_offset(response, upload)
    return response


def _say_offset(response: Response, upload: Upload) -> None:
    response.headers["Upload-Offset"] = str(upload.offset_bytes)
    if upload.state == UploadState.OPEN:
        response.headers["Upload-Expires"] = http_date(upload.expires_at)


def _facts(upload: Upload) -> dict[str, Any]:
    pieces = finding.list_pieces(upload.id) if upload.state == UploadState.OPEN else ()
    return {
        "id": str(upload.id),
        "state": upload.state,
        "filename": upload.filename,
        "length_bytes": upload.length_bytes,
        "offset_bytes": upload.offset_bytes,
        "file_id": str(upload.file_id) if upload.file_id else None,
        "detail": why_refused(upload),
        # So that whoever goes on can see that it is the same file.
        "pieces": [[piece.start_byte, piece.size_bytes, piece.sha256] for piece in pieces],
    }


def why_refused(upload: Upload | finding.UploadRow) -> str | None:
    """In the reader's language."""
    problem = finding.problem_of(upload)
    if problem is None:
        return None
    return message_of(DomainError(problem[0], **problem[1]))
