"""The trash: put in, look, take out, delete for good."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as BaseResponse

from school.db import transaction
from school.errors import NotFound
from school.files import policy, queries
from school.files.forms import VersionedForm
from school.files.models import File, Folder, OwnerKind
from school.files.service import folders, holding, trashing, trashing_folders
from school.files.service.shelf import shelf
from school.files.views.blueprint import bp
from school.files.views.holds import shown_holds
from school.files.views.showing import tell_back, url_of
from school.permissions import Permission
from school.web.access import requires, the_person
from school.web.notices import offer_undo, was_done
from school.web.pagination import read_place

STUDENT = OwnerKind.STUDENT.value


@bp.get("/files/trash")
@requires(Permission.FILE_DELETE)
def trash() -> str:
    """What this person may take out again, of the whole school; the newest first."""
    person = the_person()
    return _page(lambda thing: policy.seen_trash(person, thing), card=None)


@bp.get("/students/<uuid:student_id>/files/trash")
@requires(Permission.FILE_DELETE)
def trash_of_student(student_id: UUID) -> str:
    """What was deleted of one student's files."""
    person = the_person()
    policy.check_trash(person, STUDENT, student_id)

    def theirs(thing: Any) -> sa.ColumnElement[bool]:
        is_theirs = sa.and_(thing.owner_kind == STUDENT, thing.owner_id == student_id)
        return sa.and_(policy.seen_trash(person, thing), is_theirs)

    return _page(theirs, card=policy.card_of(STUDENT, student_id))


def _page(which: Callable[[Any], sa.ColumnElement[bool]], card: policy.OwnerCard | None) -> str:
    page = trashing.list_trashed(which, place=read_place(request.args.get("place")))
    owners = {(row.owner_kind, row.owner_id) for row in page.rows}
    person = the_person()
    return render_template(
        "files/trash.html",
        card=card,
        page=page,
        titles={} if card else policy.titles_of(owners),
        days=shelf().trash_days,
        may_end=person.may(Permission.FILE_HOLD),
    )


@bp.post("/files/<uuid:file_id>/trash")
@requires(Permission.FILE_DELETE)
def put_into_trash(file_id: UUID) -> BaseResponse:
    """Delete the file; the bar at the foot takes it back."""
    file = queries.get_file(file_id)
    policy.check_delete(the_person(), file)
    back = url_of(queries.spot_of(file))
    with transaction():
        trashing.trash_file(file)
    offer_undo(
        _("“%(name)s” is in the trash", name=file.name),
        url_for("files.take_out", file_id=file.id),
    )
    return redirect(back, 303)


@bp.post("/files/<uuid:file_id>/trash/restore")
@requires(Permission.FILE_DELETE)
def take_out(file_id: UUID) -> BaseResponse:
    """Take the file out of the trash; whoever came from there stays there."""
    file = queries.get_file(file_id)
    policy.check_trashed(the_person(), file)
    name = file.name
    with transaction():
        taken_out = trashing.take_out(file)
    tell_back(taken_out, name)
    return redirect(_trash_left(file) or url_of(queries.spot_of(file)), 303)


@bp.post("/files/folders/<uuid:folder_id>/trash")
@requires(Permission.FILE_UPLOAD)
def put_folder_into_trash(folder_id: UUID) -> BaseResponse:
    """Delete the folder with all that lies in it; the bar at the foot takes it back."""
    folder = folders.get_folder(folder_id)
    policy.check_delete_folder(the_person(), folder)
    name, above = folder.name, queries.spot_of(folder)
    went = trashing_folders.Inside(0, 0)

    def act() -> None:
        nonlocal went
        went = trashing_folders.trash_folder(
            folder,
            expected_version=VersionedForm().version.data,
            check=partial(policy.check_delete_folder, the_person()),
        )

    if not was_done(act):
        return redirect(url_for("files.folder", folder_id=folder_id), 303)
    words = _("The empty folder “%(name)s” is in the trash", name=name)
    if went.files:
        words = ngettext(
            "“%(name)s” is in the trash, and 1 file with it",
            "“%(name)s” is in the trash, and %(num)s files with it",
            went.files,
            name=name,
        )
    elif went.folders:
        words = _("“%(name)s” is in the trash, with the folders in it", name=name)
    offer_undo(words, url_for("files.take_out_folder", folder_id=folder_id))
    return redirect(_seen_place(above), 303)


@bp.post("/files/folders/<uuid:folder_id>/trash/restore")
@requires(Permission.FILE_UPLOAD)
def take_out_folder(folder_id: UUID) -> BaseResponse:
    """Take the folder out of the trash with all that went there with it."""
    folder = folders.get_folder(folder_id, from_trash=True)
    policy.check_trashed_folder(the_person(), folder)
    name, place = folder.name, queries.spot_of(folder)
    if was_done(lambda: trashing_folders.take_out_folder(folder)):
        tell_back(folder, name)
        if queries.spot_of(folder) != place:
            flash(_("The folder it lay in is deleted, so it lies one place further up."), "done")
    return redirect(_trash_left(folder) or _seen_place(queries.spot_of(folder)), 303)


def _seen_place(spot: queries.Spot) -> str:
    """Its page, or what is shared for who sees nothing of it."""
    try:
        policy.standing_in(the_person(), spot)
    except NotFound:
        return url_for("files.shared")
    return url_of(spot)


@bp.get("/files/<uuid:file_id>/delete")
@requires(Permission.FILE_DELETE, Permission.FILE_HOLD)
def confirm_deletion(file_id: UUID) -> str:
    """Ask once more: this cannot be taken back."""
    file = _in_trash(file_id)
    return render_template(
        "files/delete.html",
        file=file,
        versions=queries.list_versions(file),
        owner=policy.card_of(file.owner_kind, file.owner_id),
        **shown_holds(
            the_person(),
            holding.aims_at(file),
            url_for("files.hold_file", file_id=file.id, to=request.args.get("to")),
            may_delete=True,
        ),
        trash_url=_trash_left(file) or url_for("files.trash"),
        to=request.args.get("to"),
    )


@bp.post("/files/<uuid:file_id>/delete")
@requires(Permission.FILE_DELETE, Permission.FILE_HOLD)
def delete_for_good(file_id: UUID) -> BaseResponse:
    """Delete a file of the trash now, instead of when its time is over."""
    file = _in_trash(file_id)
    name, back = file.name, _trash_left(file) or url_for("files.trash")
    with transaction():
        trashing.delete_for_good(file_id)
    flash(_("“%(name)s” is deleted for good", name=name), "done")
    return redirect(back, 303)


def _in_trash(file_id: UUID) -> File:
    """Raises NotFound for what does not lie there."""
    file = queries.get_file(file_id)
    policy.check_trashed(the_person(), file)
    if file.trashed_at is None:
        raise queries.file_gone()
    return file


def _trash_left(thing: File | Folder) -> str | None:
    """The page of the trash a button was pressed on."""
    to = request.values.get("to")
    if to == "owner" and thing.owner_kind == STUDENT:
        return url_for("files.trash_of_student", student_id=thing.owner_id)
    return url_for("files.trash") if to == "trash" else None
