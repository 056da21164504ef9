"""Turning codes on: a mistyped one is asked for again, under the same picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import current_app, g, make_response, render_template, session
from flask_login import current_user  # type: ignore[import-untyped]
from werkzeug.wrappers import Response

from school.accounts.forms import CodeForm

View = Callable[..., Any]


def ask_again(confirm: View) -> View:
    """Flask-Security's page that takes the first code would begin again, with another key."""

    @wraps(confirm)
    def view(token: str) -> Response:
        g.pop("wrong_code", None)
        told_before = session.get("_flashes")
        answer = make_response(confirm(token=token))
        form: CodeForm | None = g.pop("wrong_code", None)
        if form is None or answer.status_code != 302:
            return answer
        # What is wrong is said beside the field, and not once more above.
        session.pop("_flashes", None)
        if told_before:
            session["_flashes"] = told_before
        # The wait after too many is told by `sign_in._tell_failed_sign_in`.
        return make_response(_page(form, token), 200 if form.retry_after_s else 422)

    return view


def _page(form: CodeForm, token: str) -> str:
    codes = current_app.extensions["security"].totp_factory
    shown = codes.fetch_setup_values(form.tf_totp_secret, current_user)
    return render_template(
        "security/two_factor_setup.html",
        two_factor_verify_code_form=form,
        chosen_method="authenticator",
        changing=True,
        state_token=token,
        authr_qrcode=shown["image"],
        authr_key=shown["key"],
    )
