"""A student's photo: set, shown, taken away."""

from __future__ import annotations

from uuid import UUID

from flask import Response, flash, redirect, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from school.db import transaction
from school.errors import DomainError
from school.files import policy, queries
from school.files.forms import PhotoForm
from school.files.models import OwnerKind
from school.files.service import keeping
from school.files.views.blueprint import bp
from school.files.views.sending import send
from school.permissions import Permission
from school.web.access import requires, the_person
from school.web.errors import message_of

STUDENT = OwnerKind.STUDENT.value


@bp.get("/files/<uuid:file_id>/photo")
@requires(Permission.FILE_VIEW)
def photo(file_id: UUID) -> Response:
    """The photo itself, for the pages that show it. Not audited: a list shows fifty."""
    file = queries.get_file(file_id)
    if file.purpose != queries.PHOTO:
        raise queries.file_gone()
    policy.check_view(the_person(), file)
    content = queries.get_content(file)
    return send(content, disposition="inline", cache_control="private, max-age=300")


@bp.post("/students/<uuid:student_id>/photo")
@requires(Permission.FILE_UPLOAD)
def set_photo(student_id: UUID) -> BaseResponse:
    """Make the picture that was sent the student's photo."""
    policy.check_add(the_person(), STUDENT, student_id, purpose="photo")
    form = PhotoForm()
    if not form.validate_on_submit():
        flash(_("Choose a picture."), "error")
        return _back(student_id)
    try:
        keeping.set_photo(
            form.file.data.stream,
            owner_kind=STUDENT,
            owner_id=student_id,
            filename=form.file.data.filename,
        )
    except DomainError as error:
        flash(message_of(error), "error")
    else:
        flash(_("The photo is kept"), "done")
    return _back(student_id)


@bp.post("/students/<uuid:student_id>/photo/remove")
@requires(Permission.FILE_UPLOAD)
def remove_photo(student_id: UUID) -> BaseResponse:
    """Take the photo away; the initials show again."""
    policy.check_add(the_person(), STUDENT, student_id, purpose="photo")
    with transaction():
        keeping.remove_photo(owner_kind=STUDENT, owner_id=student_id)
    flash(_("The photo is taken away"), "done")
    return _back(student_id)


def _back(student_id: UUID) -> BaseResponse:
    return redirect(url_for("files.of_student", student_id=student_id), 303)
