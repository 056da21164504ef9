"""The trash: put in, look, take out, delete for good."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from school.db import db, transaction
from school.files import policy, queries
from school.files.models import File, OwnerKind
from school.files.service import holding, trashing
from school.files.service.shelf import shelf
from school.files.views.blueprint import bp
from school.files.views.holds import shown_holds
from school.files.views.showing import tell_back, url_of
from school.permissions import Permission
from school.web.access import requires, the_person
from school.web.notices import offer_undo
from school.web.pagination import after_place, in_direction, read_place, take_page

STUDENT = OwnerKind.STUDENT.value


@bp.get("/files/trash")
@requires(Permission.FILE_DELETE)
def trash() -> str:
    """What this person may take out again, of the whole school; the newest first."""
    return _page(policy.seen_trash(the_person()), card=None)


@bp.get("/students/<uuid:student_id>/files/trash")
@requires(Permission.FILE_DELETE)
def trash_of_student(student_id: UUID) -> str:
    """What was deleted of one student's files."""
    policy.check_trash(the_person(), STUDENT, student_id)
    theirs = (File.owner_kind == STUDENT) & (File.owner_id == student_id)
    seen = policy.seen_trash(the_person())
    return _page(seen & theirs, card=policy.card_of(STUDENT, student_id))


def _page(which: Any, card: policy.OwnerCard | None) -> str:
    place = read_place(request.args.get("place"))
    columns = (File.trashed_at, File.id)
    wanted = trashing.trashed().where(which, after_place(columns, place, descending=True))
    wanted = wanted.order_by(*in_direction(columns, place, descending=True))
    page = take_page(
        lambda limit: [trashing.Trashed(*row) for row in db.session.execute(wanted.limit(limit))],
        place=place,
        key=lambda row: (row.at.isoformat(), row.id),
    )
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


def _trash_left(file: File) -> str | None:
    """The page of the trash a button was pressed on."""
    to = request.values.get("to")
    if to == "owner" and file.owner_kind == STUDENT:
        return url_for("files.trash_of_student", student_id=file.owner_id)
    return url_for("files.trash") if to == "trash" else None
