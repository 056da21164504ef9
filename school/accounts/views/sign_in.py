"""Flask-Security on our own accounts: sign-in, reset, second factors, passkeys, sessions."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from flask import Flask, Response, current_app, g, session
from flask_babel import force_locale, gettext
from flask_login import current_user  # type: ignore[import-untyped]
from flask_security import (
    MailUtil,
    RoleMixin,
    Security,
    SQLAlchemyUserDatastore,
    Totp,
    UserMixin,
    WebauthnUtil,
)
from flask_security.core import _default_messages
from passlib.exc import TokenError  # type: ignore[import-untyped]
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    UserVerificationRequirement,
)

from config_enhanced import Settings
from school import clock
from school.accounts import queries, service
from school.accounts.forms import (
    ChangeForm,
    CodeForm,
    RecoveryForm,
    SignInForm,
    StillYouForm,
)
from school.accounts.models import User, WebAuthn
from school.accounts.service.people import SHORTEST_PASSWORD
from school.accounts.views import events
from school.accounts.views.reset import ask_for_link
from school.accounts.views.second_step import ask_again
from school.accounts.views.sentences import Sentences
from school.db import db, transaction
from school.mail import service as mail
from school.permissions import Person
from school.web.access import Access, current_person, declare_library_routes, init_access
from school.web.sessions import rotate_session_id

PUBLIC, SIGNED_IN = Access("public"), Access("signed_in")
ROUTES = {
    "security.login": PUBLIC,
    "security.logout": PUBLIC,
    "security.forgot_password": PUBLIC,
    "security.reset_password": PUBLIC,
    "security.two_factor_token_validation": PUBLIC,
    "security.tf_select": PUBLIC,
    "security.mf_recovery": PUBLIC,
    "security.wan_signin": PUBLIC,
    "security.wan_signin_response": PUBLIC,
    "security.verify": SIGNED_IN,
    "security.change_password": SIGNED_IN,
    "security.two_factor_setup": SIGNED_IN,
    "security.two_factor_setup_validate": SIGNED_IN,
    "security.mf_recovery_codes": SIGNED_IN,
    "security.wan_register": SIGNED_IN,
    "security.wan_register_response": SIGNED_IN,
    "security.wan_delete": SIGNED_IN,
    "security.wan_verify": SIGNED_IN,
    "security.wan_verify_response": SIGNED_IN,
}
"""Flask-Security's pages that may be opened; whatever else it registers is refused."""


class Accounts(SQLAlchemyUserDatastore):
    """Flask-Security's hands on our tables: it commits the way everything else does."""

    def commit(self) -> None:
        with transaction():
            pass


class Letters(MailUtil):
    """Flask-Security's mails go through our outbox, in our words.

    No transaction of its own: what the mail tells of is committed with it, after the request.
    """

    def send_mail(  # noqa: PLR0917 - Flask-Security's signature
        self,
        template: str,  # noqa: ARG002 - the words are ours
        subject: str,  # noqa: ARG002
        recipient: str | tuple[str, str],  # noqa: ARG002 - it is the user's
        sender: str | tuple[str, str],  # noqa: ARG002
        body: str | None,  # noqa: ARG002
        html: str | None,  # noqa: ARG002
        **context: Any,
    ) -> None:
        service.tell_password_changed(context["user"])


class Codes(Totp):
    """Codes of an authenticator app; each opens once."""

    def verify_totp(self, token: str, totp_secret: str, user: UserMixin, window: int = 0) -> bool:
        """Right, and claimed: reading and writing a last counter would let two through at once."""
        try:
            match = self._totp.verify(token, totp_secret, window=window)
        except TokenError:
            return False
        return service.claim_code(cast("User", user).id, match.counter)


class Passkeys(WebauthnUtil):
    """On the phone, in the computer or on a key; it always asks that it is its owner's hand."""

    def authenticator_selection(
        self, user: UserMixin, usage: str
    ) -> AuthenticatorSelectionCriteria:
        criteria = super().authenticator_selection(user, usage)
        criteria.authenticator_attachment = None
        criteria.user_verification = UserVerificationRequirement.REQUIRED
        return criteria

    def user_verification(
        self,
        user: UserMixin | None,  # noqa: ARG002
        usage: list[str],  # noqa: ARG002 - for every use alike
    ) -> UserVerificationRequirement:
        return UserVerificationRequirement.REQUIRED


def init_sign_in(app: Flask) -> None:
    """Install sign-in and the recognition of people."""
    settings: Settings = app.config["SETTINGS"]
    _configure(app, settings)
    mail.connect(_find_post)
    security = Security(mail_util_cls=Letters, totp_cls=Codes, webauthn_util_cls=Passkeys)
    security.init_app(
        app,
        Accounts(db, User, RoleMixin, WebAuthn),
        login_form=SignInForm,
        verify_form=StillYouForm,
        change_password_form=ChangeForm,
        two_factor_verify_code_form=CodeForm,
        mf_recovery_form=RecoveryForm,
    )
    _keep_accounts_out_of_ordinary_pages(app, security)
    security.i18n_domain = Sentences(app)  # type: ignore[no-untyped-call]
    security.context_processor(lambda: {"current_user": current_user})
    # Flask-Security's own would work longer for an address that has an account.
    app.view_functions["security.forgot_password"] = ask_for_link
    confirm = "security.two_factor_setup_validate"
    app.view_functions[confirm] = ask_again(app.view_functions[confirm])
    declare_library_routes(app, ROUTES)
    events.watch(app)
    init_access(app, load_person=queries.load_person, load_token=queries.load_token)
    app.before_request(_rotate_after_change_of_rights)
    app.after_request(_tell_failed_sign_in)


def _configure(app: Flask, settings: Settings) -> None:
    cheap = {"argon2__rounds": 1, "argon2__memory_cost": 8, "argon2__parallelism": 1}
    app.config.update(
        {
            f"SECURITY_{name}": value
            for name, value in {
                "PASSWORD_SALT": settings.password_salt.get_secret_value(),
                "PASSWORD_HASH": "argon2",
                "PASSWORD_SCHEMES": ["argon2"],
                "PASSWORD_HASH_PASSLIB_OPTIONS": cheap if settings.testing else {},
                "PASSWORD_LENGTH_MIN": SHORTEST_PASSWORD,
                "PASSWORD_NORMALIZE_FORM": None,
                "JOIN_USER_ROLES": False,
                "STATIC_FOLDER": None,
                "RETURN_GENERIC_RESPONSES": True,
                "EMAIL_VALIDATOR_ARGS": {"check_deliverability": False, "test_environment": True},
                "API_ENABLED_METHODS": ["session"],
                "RECOVERABLE": True,
                "RESET_PASSWORD_WITHIN": timedelta(hours=2),
                "CHANGEABLE": True,
                "CHANGE_URL": "/account/password",
                "TRACKABLE": True,
                "SEND_PASSWORD_CHANGE_EMAIL": True,
                "TWO_FACTOR": True,
                "TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
                "TWO_FACTOR_RESCUE_EMAIL": False,
                "TOTP_SECRETS": settings.totp_keys,
                "TOTP_ISSUER": "Schoolhouse",
                "MULTI_FACTOR_RECOVERY_CODES": True,
                "MULTI_FACTOR_RECOVERY_CODES_N": 8,
                "MULTI_FACTOR_RECOVERY_CODES_KEYS": _recovery_keys(settings),
                "WEBAUTHN": True,
                "WAN_RP_NAME": "Schoolhouse",
                "WAN_ALLOW_USER_HINTS": False,
                "WAN_ALLOW_AS_FIRST_FACTOR": True,
                "WAN_ALLOW_AS_MULTI_FACTOR": True,
                "FRESHNESS": timedelta(minutes=30),
                "FRESHNESS_GRACE_PERIOD": timedelta(minutes=5),
                "EMAIL_HTML": False,
                "EMAIL_SENDER": settings.mail_from,
                "REDIRECT_ALLOW_SUBDOMAINS": False,
                "POST_LOGIN_VIEW": "/",
                "POST_LOGOUT_VIEW": "/login",
                "POST_CHANGE_VIEW": "/account",
                "POST_RESET_VIEW": "/login",
                "WAN_POST_REGISTER_VIEW": "/account",
                "TWO_FACTOR_POST_SETUP_VIEW": "/account",
                "CLI_USERS_NAME": None,
                "CLI_ROLES_NAME": None,
                "DATETIME_FACTORY": clock.now,
                "CACHE_CONTROL": None,  # ours stands on every answer (web/headers.py)
            }.items()
        }
    )
    for key, (text, category) in _default_messages.items():
        kind = "problem" if category == "error" else "done"
        app.config[f"SECURITY_MSG_{key}"] = (text, kind)


def _recovery_keys(settings: Settings) -> list[bytes]:
    """Recovery codes are kept encrypted, under the same secrets as the authenticators."""
    newest_first = sorted(settings.totp_keys.items(), key=lambda pair: int(pair[0]), reverse=True)
    return [urlsafe_b64encode(sha256(secret.encode()).digest()) for _, secret in newest_first]


def _find_post() -> mail.Post:
    settings: Settings = current_app.config["SETTINGS"]
    return mail.Post(
        smtp_url=settings.smtp_url,
        sender=settings.mail_from,
        folder=Path(settings.data_dir) / "mail",
        public_url=settings.public_url,
        translate=gettext,
        in_language=force_locale,
    )


def _keep_accounts_out_of_ordinary_pages(app: Flask, security: Security) -> None:
    """Flask-Principal and Flask-Login would read the account row for every page."""
    app.before_request_funcs[None].remove(security.principal._on_before_request)  # noqa: SLF001
    processors = app.template_context_processors[None]
    processors[:] = [p for p in processors if p.__name__ != "_user_context_processor"]


def _rotate_after_change_of_rights() -> None:
    """Other roles, another session id, at the person's next click."""
    person = current_person()
    if person is None or "_user_id" not in session:
        return
    stamp = _rights_of(person)
    known = session.get("rights")
    if known == stamp:
        return
    session["rights"] = stamp
    # Entering another school is the person's own choice and changes nothing about their rights.
    if known is not None and known.partition(":")[0] == stamp.partition(":")[0]:
        rotate_session_id()


def _rights_of(person: Person) -> str:
    roles = ",".join(sorted(person.roles))
    return f"{person.school_id or '-'}:{roles}:{int(person.is_platform_admin)}"


def _tell_failed_sign_in(response: Response) -> Response:
    """A refused sign-in is an error to programs and to whoever counts them."""
    form = g.get("sign_in_form")
    if form is not None and response.status_code == 200:
        response.status_code = form.status
        if form.retry_after_s:
            response.headers["Retry-After"] = str(form.retry_after_s)
    return response
