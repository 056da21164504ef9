"""Legal holds: who placed which, and why; on a file, a folder, a student's files or the school."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from school.db import transaction
from school.files import policy, queries
from school.files.models import HoldTarget, OwnerKind
from school.files.service import folders, holding
from school.files.views.blueprint import bp
from school.permissions import Permission, Person
from school.tenancy.scope import current_school_id
from school.web.access import requires, the_person
from school.web.notices import was_done

STUDENT = OwnerKind.STUDENT.value
HOLD = Permission.FILE_HOLD


def shown_holds(
    person: Person, aims: list[holding.Aim], place_url: str, *, may_delete: bool
) -> dict[str, Any]:
    """What a page says of holds to those whom they stop or who place them; nothing to others.

    The last of `aims` is what the page is about.
    """
    may_hold = person.may(HOLD)
    holds = holding.list_standing(aims) if may_hold or may_delete else []
    return {
        "holds": holds,
        "may_hold": may_hold,
        "hold_url": place_url,
        "is_held_here": any((hold.target_kind, hold.target_id) == aims[-1] for hold in holds),
        "longest_reason": holding.LONGEST_REASON,
    }


def student_aims(student_id: UUID) -> list[holding.Aim]:
    """All that a hold on a student's files may be on."""
    return [(HoldTarget.SCHOOL, current_school_id()), (HoldTarget.STUDENT, student_id)]


@bp.get("/files/holds")
@requires(HOLD)
def holds() -> str:
    """Every hold of the school, those that stand first."""
    rows = holding.list_holds()
    students = {
        (STUDENT, row.hold.target_id) for row in rows if row.hold.target_kind == HoldTarget.STUDENT
    }
    is_held = any(
        row.hold.lifted_at is None and row.hold.target_kind == HoldTarget.SCHOOL for row in rows
    )
    return render_template(
        "files/holds.html",
        rows=rows,
        names=policy.titles_of(students),
        most=holding.MOST_LISTED,
        is_held_here=is_held,
        longest_reason=holding.LONGEST_REASON,
    )


@bp.post("/files/holds")
@requires(HOLD)
def hold_school() -> BaseResponse:
    """Let nothing of the whole school be deleted."""
    return _place(HoldTarget.SCHOOL, current_school_id(), url_for("files.holds"))


@bp.post("/students/<uuid:student_id>/files/hold")
@requires(HOLD)
def hold_student(student_id: UUID) -> BaseResponse:
    """Let nothing of a student's files be deleted."""
    policy.check_owner(the_person(), STUDENT, student_id)
    back = url_for("files.of_student", student_id=student_id)
    return _place(HoldTarget.STUDENT, student_id, back)


@bp.post("/files/folders/<uuid:folder_id>/hold")
@requires(HOLD)
def hold_folder(folder_id: UUID) -> BaseResponse:
    """Let nothing of a folder be deleted, whatever lies in it or comes into it."""
    folder = folders.get_folder(folder_id)
    standing = policy.standing_in(the_person(), folders.inside(folder))
    if not standing.sees_owner:
        raise queries.file_gone()
    return _place(HoldTarget.FOLDER, folder_id, url_for("files.folder", folder_id=folder_id))


@bp.post("/files/<uuid:file_id>/hold")
@requires(HOLD)
def hold_file(file_id: UUID) -> BaseResponse:
    """Let nothing of a file be deleted, also of one that lies in the trash."""
    file = queries.get_file(file_id)
    if file.trashed_at is None:
        policy.check_view(the_person(), file)
        back = url_for("files.show", file_id=file_id)
    else:
        policy.check_trashed(the_person(), file)
        back = url_for("files.confirm_deletion", file_id=file_id, to=request.args.get("to"))
    return _place(HoldTarget.FILE, file_id, back)


def _place(kind: HoldTarget, target_id: UUID, back: str) -> BaseResponse:
    reason = request.form.get("reason", "")
    if was_done(lambda: holding.place_hold(kind, target_id, reason)):
        flash(_("The hold is in place"), "done")
    return redirect(back, 303)


@bp.post("/files/holds/<uuid:hold_id>/lift")
@requires(HOLD)
def lift(hold_id: UUID) -> BaseResponse:
    """Let the ordinary rules hold again."""
    with transaction():
        holding.lift_hold(hold_id)
    flash(_("The hold is lifted"), "done")
    return redirect(url_for("files.holds"), 303)
