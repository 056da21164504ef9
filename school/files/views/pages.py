"""Pages: an owner's files, one file with its versions, and what a person can do with them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import (
    Response,
    after_this_request,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as BaseResponse

from school.db import transaction
from school.errors import DomainError, Forbidden, Invalid, NotFound
from school.files import policy, queries
from school.files.forms import RenameForm, ReplaceForm, UploadForm, VersionedForm
from school.files.models import File, OwnerKind, ScanState
from school.files.service import documents, holding, keeping, previews, sharing
from school.files.service.families import (
    BY_CONTENT_TYPE,
    MIB,
    PURPOSES,
    accept_list,
    is_safe_inline,
)
from school.files.service.shelf import shelf
from school.files.views import held
from school.files.views.blueprint import bp
from school.files.views.holds import shown_holds, student_aims
from school.files.views.lists import list_of, put_away_in
from school.files.views.showing import frame_of, grantee_words, tell_back, url_of
from school.files.views.uploads import unfinished_in
from school.permissions import Permission
from school.web.access import requires, the_person, wants_json
from school.web.errors import message_of
from school.web.formats import moment
from school.web.forms import show_on_form
from school.web.headers import POLICY
from school.web.notices import offer_undo

STUDENT = OwnerKind.STUDENT.value
SENT = "sent"
"""In the address to which the page moves when its script has sent a new version."""


@bp.get("/students/<uuid:student_id>/files")
@requires(Permission.FILE_VIEW)
def of_student(student_id: UUID) -> str:
    """The files of one student."""
    person = the_person()
    archived = request.args.get("show") == "archived"
    spot = queries.Spot(STUDENT, student_id)
    standing = policy.standing_in(person, spot)
    listed = put_away_in(person, spot, standing) if archived else list_of(spot, standing)
    card = policy.card_of(STUDENT, student_id)
    return render_template(
        "files/of_student.html",
        **listed,
        card=card,
        zip_url=url_for(
            "files.bundle", student_id=student_id, show="archived" if archived else None
        ),
        archived=archived,
        may_restore=standing.archive,
        may_view_archived=policy.may_view_archived(person),
        may_keep_medical=policy.may_view_purpose(person, "medical"),
        student_id=student_id,
        may_see_trash=standing.delete,
        **shown_holds(
            person,
            student_aims(student_id),
            url_for("files.hold_student", student_id=student_id),
            may_delete=standing.delete,
        ),
        photo=queries.find_photo(STUDENT, student_id),
        unfinished=unfinished_in(person, spot) if listed["may_fill"] else [],
        accept_photo=accept_list(PURPOSES["photo"].kinds),
    )


@bp.post("/students/<uuid:student_id>/files")
@requires(Permission.FILE_UPLOAD)
def upload(student_id: UUID) -> BaseResponse | tuple[Response, int]:
    """Take one file or many. A program gets JSON; one broken file does not stop the others."""
    person = the_person()
    form = UploadForm()
    purpose = form.purpose.data or "document"
    if purpose not in {"document", "medical"}:
        raise Invalid("Files are not kept for “%(purpose)s”.", field="purpose", purpose=purpose)
    policy.check_add(person, STUDENT, student_id, purpose=purpose)
    spot = queries.Spot(STUDENT, student_id)
    sent = [item for item in request.files.getlist("file") if item.filename]
    if not sent:
        raise Invalid("Choose a file.", field="file")
    if wants_json():
        kept = keep_all(sent, spot, purpose)
        return jsonify([{"id": str(file.id), "name": file.name} for file in kept]), 201
    keep_each(sent, spot, purpose)
    return redirect(url_for("files.of_student", student_id=student_id), 303)


def _keep(item: FileStorage, spot: queries.Spot, purpose: str) -> File:
    return keeping.keep_upload(
        item.stream,
        **spot._asdict(),
        filename=item.filename,
        purpose=purpose,
        size_hint=item.content_length or None,
    )


def keep_all(sent: list[FileStorage], spot: queries.Spot, purpose: str = "document") -> list[File]:
    """Take these in, for a program: the first that is refused is the answer."""
    return [_keep(item, spot, purpose) for item in sent]


def keep_each(sent: list[FileStorage], spot: queries.Spot, purpose: str = "document") -> None:
    """Take these in, for a page: those refused are named, the others are kept."""
    kept = 0
    for item in sent:
        try:
            _keep(item, spot, purpose)
            kept += 1
        except DomainError as error:
            flash(f"{item.filename}: {message_of(error)}", "error")
    if kept:
        flash(ngettext("1 file is kept", "%(num)s files are kept", kept), "done")


@bp.get("/files/<uuid:file_id>")
@requires(Permission.FILE_VIEW)
def show(file_id: UUID) -> str:
    """One file: what it is, its versions, and what can be done with it."""
    return _file_page(queries.get_file(file_id))


def _file_page(
    file: File, *, rename: RenameForm | None = None, replace: ReplaceForm | None = None
) -> str:
    person = the_person()
    rights = policy.rights_on(person, file)
    versions = policy.seen_versions(rights, queries.list_versions(file))
    current = next(v for v in versions if v.is_current)
    spot = queries.spot_of(file)
    above = queries.trail_to(spot.folder_id)
    frame = frame_of(person, spot, above, sees_owner=rights.sees_owner)
    if SENT in request.args:
        flash(_("Version %(number)s is the current one now", number=current.number), "done")
    return render_template(
        "files/show.html",
        file=file,
        card=frame.card,
        trail=frame.crumbs,
        may_share=rights.share and file.purpose != queries.PHOTO,
        shares=sharing.list_shares(file, above=above) if rights.share else [],
        share_words=grantee_words,
        **_shown_versions(versions),
        **_current_content(file, current),
        may_scan=rights.edit and held.may_scan(person, file, current.scan_state),
        may_edit=rights.edit,
        may_archive=rights.archive,
        may_delete=rights.delete,
        may_see_history=policy.may_see_history(person, rights, spot),
        **shown_holds(
            person,
            holding.aims_at(file, above),
            url_for("files.hold_file", file_id=file.id),
            may_delete=rights.delete,
        ),
        rename=rename or RenameForm(data={"name": file.name, "version": file.version}),
        replace=replace or ReplaceForm(data={"version": file.version}),
        is_sealed=PURPOSES[file.purpose].is_sensitive,
        unfinished=unfinished_in(person, spot, replaces_id=file.id) if rights.edit else [],
        accept=accept_list(PURPOSES[file.purpose].kinds),
        limit_mb=PURPOSES[file.purpose].limit_bytes(shelf().most_bytes) // MIB,
    )


def _shown_versions(versions: list[queries.VersionRow]) -> dict[str, Any]:
    """Versions, and the numbers of those that open, and that open in the browser itself."""
    given = [v for v in versions if v.scan_state in queries.AVAILABLE and not v.pruned_at]
    return {
        "versions": versions,
        "opened": {v.number for v in given},
        "shown": {v.number for v in versions if is_safe_inline(v.content_type)},
    }


def _current_content(file: File, current: queries.VersionRow) -> dict[str, Any]:
    """What the page shows and says of the content itself."""
    is_open = current.scan_state in queries.AVAILABLE
    kind = BY_CONTENT_TYPE.get(current.content_type)
    return {
        "current": current,
        "words": _(kind.words) if kind else "",
        "is_inline": kind is not None and kind.inline,
        "is_open": is_open,
        "held_why": _held_why(current),
        "preview": _preview(current) if is_open else None,
        "told": _told(file, current) if is_open else [],
        "no_preview": _no_preview(current),
    }


def _held_why(current: queries.VersionRow) -> tuple[str, str] | None:
    """What the page says of content nobody can open: the sentence and the reason."""
    if current.scan_state in queries.AVAILABLE:
        return None
    sentence = str(_(queries.HELD_SENTENCES[ScanState(current.scan_state)]))
    return sentence, held.reason_words(current.scan_state, current.scan_reason)


def _preview(current: queries.VersionRow) -> str | None:
    """'image', 'pdf' or 'text' where the page shows the file; the last two in a frame."""
    family = previews.family_shown(current.content_type, current.size_bytes)
    if family in {"pdf", "text"}:
        after_this_request(_allow_frames)
    return family


def _no_preview(current: queries.VersionRow) -> str:
    if previews.family_shown(current.content_type, 0) is not None:
        return str(_("This file is too large for a preview."))
    return str(_("There is no preview of this kind of file."))


def _allow_frames(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = f"{POLICY}; frame-src 'self'"
    return response


def _told(file: File, current: queries.VersionRow) -> list[tuple[str, Any]]:
    """What an office document says of itself, for a list of facts."""
    if not documents.is_document(current.content_type):
        return []
    try:
        told = documents.told_by(file)
    except NotFound:
        return []
    changed_at = told.get("changed_at")
    return [
        (_("Title"), told.get("title")),
        (_("Author"), told.get("author")),
        (_("Last changed by"), told.get("changed_by")),
        (_("Last changed"), moment(datetime.fromisoformat(str(changed_at))) if changed_at else ""),
        (_("Pages"), told.get("pages")),
        (_("Sheets"), told.get("sheets")),
        (_("Slides"), told.get("slides")),
    ]


@bp.post("/files/<uuid:file_id>/versions")
@requires(Permission.FILE_UPLOAD)
def add_version(file_id: UUID) -> BaseResponse | tuple[Any, int]:
    """Replace the content; the old one stays as a version."""
    file = _changeable(file_id)
    form = ReplaceForm()
    if not form.validate_on_submit():
        return _file_page(file, replace=form), 422
    item: FileStorage = form.file.data
    try:
        version = keeping.add_version(
            file,
            item.stream,
            filename=item.filename,
            note=form.note.data,
            expected_version=form.version.data,
        )
    except (Invalid, Forbidden) as error:
        if wants_json():
            raise
        show_on_form(form, error)
        return _file_page(queries.get_file(file_id), replace=form), 422
    if wants_json():
        return jsonify({"id": str(file.id), "version": version.number}), 201
    flash(_("Version %(number)s is the current one now", number=version.number), "done")
    return _to(file)


@bp.post("/files/<uuid:file_id>/versions/<int:number>/restore")
@requires(Permission.FILE_UPLOAD)
def bring_back(file_id: UUID, number: int) -> BaseResponse:
    """Bring an old version back as a new one."""
    file = _changeable(file_id)
    expected = VersionedForm().version.data
    with transaction():
        version = keeping.restore_version(file, number, expected_version=expected)
    flash(_("Version %(old)s is back, as version %(new)s", old=number, new=version.number), "done")
    return _to(file)


@bp.post("/files/<uuid:file_id>/rename")
@requires(Permission.FILE_UPLOAD)
def rename(file_id: UUID) -> BaseResponse | tuple[str, int]:
    """Give the file another name."""
    file = _changeable(file_id)
    form = RenameForm()
    if not form.validate_on_submit():
        return _file_page(file, rename=form), 422
    try:
        with transaction():
            renamed = keeping.rename_file(file, form.name.data, expected_version=form.version.data)
    except Invalid as error:
        show_on_form(form, error)
        return _file_page(queries.get_file(file_id), rename=form), 422
    flash(_("Saved as “%(name)s”", name=renamed.name), "done")
    return _to(renamed)


@bp.post("/files/<uuid:file_id>/archive")
@requires(Permission.FILE_ARCHIVE)
def archive(file_id: UUID) -> BaseResponse:
    """Put the file away; the bar at the foot takes it back."""
    file = queries.get_file(file_id)
    policy.check_archive(the_person(), file)
    with transaction():
        keeping.archive_file(file)
    offer_undo(
        _("“%(name)s” is put away", name=file.name), url_for("files.restore", file_id=file.id)
    )
    return redirect(url_of(queries.spot_of(file)), 303)


@bp.post("/files/<uuid:file_id>/restore")
@requires(Permission.FILE_ARCHIVE)
def restore(file_id: UUID) -> BaseResponse:
    """Take the file out again."""
    file = queries.get_file(file_id)
    policy.check_archive(the_person(), file)
    name = file.name
    with transaction():
        restored = keeping.restore_file(file)
    tell_back(restored, name)
    return redirect(url_of(queries.spot_of(file)), 303)


def _changeable(file_id: UUID) -> File:
    file = queries.get_file(file_id)
    policy.check_edit(the_person(), file)
    return file


def _to(file: File) -> BaseResponse:
    return redirect(url_for("files.show", file_id=file.id), 303)
