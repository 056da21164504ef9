"""The page that sends a link to set a new password: one answer, and one work, for everybody."""

from __future__ import annotations

from flask import flash, make_response, render_template, request
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from school.accounts import service
from school.accounts.forms import ForgottenForm, pepper
from school.errors import TooMany
from school.web.access import current_person
from school.web.errors import message_of


def ask_for_link() -> str | tuple[str, int] | Response:
    """Who asks learns nothing: a job sends the mail, or finds that there is nobody to send to."""
    form = ForgottenForm()
    if form.validate_on_submit():
        try:
            service.ask_for_reset_link(
                form.email.data,
                address=request.remote_addr or "",
                pepper=pepper(),
                locale=str(get_locale() or "en"),
            )
        except TooMany as error:
            form.email.errors = [message_of(error)]
            return _refused(form, error)
        flash(_("If there is an account with this address, a letter is on its way."), "done")
    elif not form.is_submitted() and (person := current_person()):
        form.email.data = person.email
    return _page(form), 422 if form.errors else 200


def _refused(form: ForgottenForm, error: TooMany) -> Response:
    response = make_response(_page(form), error.status)
    response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _page(form: ForgottenForm) -> str:
    return render_template("security/forgot_password.html", forgot_password_form=form)
