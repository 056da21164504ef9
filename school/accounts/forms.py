"""Browser fields: signing in, accounts, members, tokens."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from flask import current_app, g, request
from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _l
from flask_login import current_user  # type: ignore[import-untyped]
from flask_security import (
    ChangePasswordForm,
    LoginForm,
    MfRecoveryForm,
    TwoFactorVerifyCodeForm,
    VerifyForm,
)
from flask_security.utils import get_message
from wtforms import (
    EmailField,
    FileField,
    PasswordField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    SubmitField,
)
from wtforms.validators import DataRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from school.accounts import queries, service
from school.accounts.service.attempts import TOLD_FROM
from school.accounts.service.people import LONGEST_PASSWORD, SHORTEST_PASSWORD
from school.errors import TooMany
from school.permissions import Role
from school.web.errors import message_of
from school.web.forms import Form

ROLE_WORDS = {
    Role.ADMINISTRATOR: _l("Administrator"),
    Role.REGISTRAR: _l("Registrar"),
    Role.TEACHER: _l("Teacher"),
    Role.GUARDIAN: _l("Guardian"),
    Role.STUDENT: _l("Student"),
}
"""Roles as people say them."""

PARTS_OF_THE_WORLD = {
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
}


def required(sentence: Any) -> DataRequired:
    return DataRequired(message=sentence)


class SignInForm(LoginForm):
    """E-mail or user name, and a password. Counts tries; never says which of the two was wrong."""

    email = StringField(
        _l("E-mail or user name"),
        validators=[required(_l("Type your e-mail or user name.")), Length(max=320)],
    )
    password = PasswordField(
        _l("Password"),
        validators=[required(_l("Type your password.")), Length(max=LONGEST_PASSWORD)],
    )
    remember = None
    submit = SubmitField(_l("Sign in"))
    status = 422
    retry_after_s: int | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Flask-Security hangs its own link below; ours stands beside the label.
        self.password.description = ""

    def validate(self, **kwargs: Any) -> bool:
        if self._is_right(**kwargs):
            return True
        g.sign_in_form = self
        return False

    def _is_right(self, **kwargs: Any) -> bool:
        if not super(LoginForm, self).validate(**kwargs):
            return False
        self.ifield = self.email
        self.user = queries.find_for_sign_in(self.email.data)
        try:
            attempt_id, left = service.begin_attempt(
                self.email.data,
                account_id=self.user.id if self.user else None,
                address=request.remote_addr or "",
                pepper=pepper(),
                password_set_at=self.user.password_set_at if self.user else None,
            )
        except TooMany as error:
            self.status, self.retry_after_s = 429, error.retry_after_s
            self.form_errors.append(message_of(error))
            return False
        if super().validate(**kwargs) and self.user is not None:
            names = (str(self.user.id), self.user.email, self.user.username or "")
            service.note_success(attempt_id, filter(None, names), pepper=pepper())
            return True
        self._say_generally(left)
        return False

    def _say_generally(self, left: int) -> None:
        """The same words whichever of the two was wrong, or the account ended."""
        for field in (self.email, self.password):
            field.errors = []
        self.form_errors[:] = [gettext("Name and password do not match.")]
        if left == 0:
            self.form_errors.append(
                gettext("This was the last try for now. Wait 15 minutes, or set a new password.")
            )
        elif left <= TOLD_FROM:
            self.form_errors.append(
                ngettext(
                    "You have %(num)d more try, then a wait of 15 minutes.",
                    "You have %(num)d more tries, then a wait of 15 minutes.",
                    left,
                )
            )


def pepper() -> str:
    return str(current_app.config["SETTINGS"].password_salt.get_secret_value())


class _SecondStep:
    """A step that may be tried ten times in a quarter of an hour."""

    user: Any
    status = 429
    retry_after_s: int | None = None

    def validate(self, **kwargs: Any) -> bool:
        try:
            service.check_second_step(self.user.id, pepper=pepper())
        except TooMany as error:
            self.retry_after_s = error.retry_after_s
            self.step_field.errors = [message_of(error)]
            g.sign_in_form = self
            return False
        return bool(super().validate(**kwargs))  # type: ignore[misc]

    @property
    def step_field(self) -> Any:
        return getattr(self, "code", None) or self.password  # type: ignore[attr-defined]


class CodeForm(_SecondStep, TwoFactorVerifyCodeForm):
    """The code of an authenticator app."""

    def validate(self, **kwargs: Any) -> bool:
        if super().validate(**kwargs):
            return True
        if self.is_setup:
            g.wrong_code = self
        return False


class StillYouForm(_SecondStep, VerifyForm):
    """The password, once more."""


class ChangeForm(_SecondStep, ChangePasswordForm):
    """The password until now, and a new one. Whoever finds an open session guesses no longer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = current_user

    def validate(self, **kwargs: Any) -> bool:
        if super().validate(**kwargs):
            return True
        if get_message("INVALID_PASSWORD")[0] in self.password.errors:
            self.user.track_failed_authn("password")
        return False


class RecoveryForm(_SecondStep, MfRecoveryForm):
    """A recovery code."""

    def validate(self, **kwargs: Any) -> bool:
        if super().validate(**kwargs):
            return True
        if self.user is not None and self.retry_after_s is None:
            self.user.track_failed_authn("recovery code", True)
        return False


class ForgottenForm(Form):
    """Where to send the link."""

    email = EmailField(
        _l("E-mail"), validators=[required(_l("Type an e-mail address.")), Length(max=320)]
    )


class NewPasswordForm(Form):
    """The page behind a one-time link."""

    password = PasswordField(
        _l("New password"),
        validators=[
            required(_l("Type a password.")),
            Length(min=SHORTEST_PASSWORD, message=_l("Use at least 10 characters.")),
            Length(max=LONGEST_PASSWORD, message=_l("Use at most 200 characters.")),
        ],
    )


class AcceptForm(Form):
    """Yes to an invitation."""


class ProfileForm(Form):
    display_name = StringField(
        _l("Name"), validators=[required(_l("Type your name.")), Length(max=200)]
    )
    locale = SelectField(_l("Language"))
    time_zone = SelectField(_l("Time zone"))


@cache
def zone_choices() -> dict[str, list[tuple[str, str]]]:
    """Every time zone by its part of the world: ("Europe/London", "London")."""
    parts: dict[str, list[tuple[str, str]]] = {"UTC": [("UTC", "UTC")]}
    for zone in sorted(available_timezones()):
        part, _slash, place = zone.partition("/")
        if place and part in PARTS_OF_THE_WORLD:
            name = place.replace("_", " ").replace("/", ", ")
            parts.setdefault(part, []).append((zone, name))
    return parts


class LookForm(Form):
    theme = RadioField(
        _l("Appearance"),
        choices=[("auto", _l("As my device")), ("light", _l("Light")), ("dark", _l("Dark"))],
    )
    density = RadioField(_l("Rows"), choices=[("normal", _l("Roomy")), ("compact", _l("Compact"))])


class AvatarForm(Form):
    picture = FileField(_l("Picture"), validators=[required(_l("Choose a picture first."))])


class TickBoxes(SelectMultipleField):
    """Several of several."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class InviteForm(Form):
    display_name = StringField(
        _l("Name"), validators=[required(_l("Type the person's name.")), Length(max=200)]
    )
    email = EmailField(
        _l("E-mail"), validators=[required(_l("Type an e-mail address.")), Length(max=320)]
    )
    role = SelectField(_l("Role"), validators=[required(_l("Choose a role."))])


class RolesForm(Form):
    roles = TickBoxes(_l("Roles"))


class TokenForm(Form):
    name = StringField(
        _l("What uses it"),
        validators=[required(_l("Name the token after what uses it.")), Length(max=100)],
    )
    scopes = TickBoxes(_l("What it may do"))
    days = SelectField(
        _l("Works for"),
        coerce=int,
        choices=[(30, _l("30 days")), (90, _l("90 days")), (365, _l("a year"))],
        default=90,
    )
