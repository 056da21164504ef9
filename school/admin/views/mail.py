"""The outbox: what left, what waits, what failed and why."""

from __future__ import annotations

from uuid import UUID

from flask import abort, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response

from config_enhanced import Settings
from school.admin import queries, service
from school.admin.views.blueprint import bp
from school.audit.log import record_platform
from school.db import transaction
from school.mail.models import MailState
from school.permissions import Permission, Role
from school.web.access import requires, signed_in, the_person
from school.web.pagination import read_place

STATES = {
    MailState.WAITING: lazy_gettext("Waiting"),
    MailState.SENT: lazy_gettext("Sent"),
    MailState.FAILED: lazy_gettext("Failed"),
}


@bp.get("/mail")
@signed_in
def mail() -> str:
    of_school = _check_reader()
    state = request.args.get("state", "")
    wanted = MailState(state) if state in set(MailState) else None
    page = queries.list_mail(
        of_school=of_school, state=wanted, place=read_place(request.args.get("place"))
    )
    return render_template(
        "admin/mail.html",
        page=page,
        states=list(STATES.items()),
        wanted=wanted,
        has_server=_has_server(),
    )


@bp.get("/mail/<uuid:message_id>")
@signed_in
def message(message_id: UUID) -> str:
    """One mail. Its text is shown only where nothing carries it: it may hold a way in."""
    shown = queries.get_mail(message_id, of_school=_check_reader())
    if not _has_server():
        with transaction():
            record_platform("mail.read", "mail_message", shown.id)
    return render_template(
        "admin/message.html",
        message=shown,
        state_word=STATES[MailState(shown.state)],
        body=None if _has_server() else shown.body,
    )


@bp.post("/mail/<uuid:message_id>/again")
@requires(Permission.PLATFORM_OPERATE)
def send_again(message_id: UUID) -> Response:
    shown = queries.get_mail(message_id)
    with transaction():
        service.send_again(shown)
    flash(_("The mail is on its way again"), "done")
    return redirect(url_for("admin.message", message_id=message_id), 303)


def _check_reader() -> UUID | None:
    """Whose mail may be read: None for all. On a demo its administrators read their school's."""
    person = the_person()
    if person.may(Permission.PLATFORM_OPERATE):
        return None
    if not _settings().demo or Role.ADMINISTRATOR not in person.roles:
        abort(403)
    return person.school_id


def _has_server() -> bool:
    return bool(_settings().smtp_url)


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings
