"""Flask-Security on our own accounts: sign-in, reset, second factors, passkeys, sessions."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, g, session
from flask_babel import gettext
from flask_login import user_logged_out
from flask_security import MailUtil, Security, SQLAlchemyUserDatastore, user_authenticated
from flask_security.core import _default_messages

from config_enhanced import Settings
from school import clock
from school.accounts import queries
from school.accounts.forms import SignInForm
from school.accounts.models import User, WebAuthn
from school.accounts.service.people import SHORTEST_PASSWORD
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


class Accounts(SQLAlchemyUserDatastore):  # type: ignore[misc]
    """Flask-Security's hands on our tables: it commits the way everything else does."""

    def commit(self) -> None:
        with transaction():
            pass


class Letters(MailUtil):  # type: ignore[misc]
    """Flask-Security's mails go through our outbox."""

    def send_mail(
        self,
        template: str,
        subject: str,
        recipient: str | tuple[str, str],
        sender: Any,  # noqa: ARG002
        body: str | None,
        html: str | None,
        **_context: Any,
    ) -> None:
        to = recipient if isinstance(recipient, str) else recipient[1]
        with transaction():
            mail.queue_text(to, str(subject), body or "")


def init_sign_in(app: Flask) -> None:
    """Install sign-in and the recognition of people."""
    settings: Settings = app.config["SETTINGS"]
    _configure(app, settings)
    mail.connect(_find_post)
    security = Security()
    security.init_app(
        app,
        Accounts(db, User, None, WebAuthn),
        register_blueprint=True,
        login_form=SignInForm,
        mail_util_cls=Letters,
    )
    security._mail_util = Letters(app)  # noqa: SLF001 - init_app takes it only from the constructor
    _keep_accounts_out_of_ordinary_pages(app, security)
    declare_library_routes(app, ROUTES)
    user_authenticated.connect(_on_sign_in, app)
    user_logged_out.connect(_on_sign_out, app)
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
                "WEBAUTHN": True,
                "WAN_RP_NAME": "Schoolhouse",
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
                "EMAIL_SUBJECT_PASSWORD_RESET": "Your link to set a new password",
                "EMAIL_SUBJECT_PASSWORD_NOTICE": "Your password was changed",
                "EMAIL_SUBJECT_PASSWORD_CHANGE_NOTICE": "Your password was changed",
            }.items()
        }
    )
    for key, (text, category) in _default_messages.items():
        kind = "problem" if category == "error" else "done"
        app.config[f"SECURITY_MSG_{key}"] = (text, kind)


def _find_post() -> mail.Post:
    settings: Settings = current_app.config["SETTINGS"]
    return mail.Post(
        smtp_url=settings.smtp_url,
        sender=settings.mail_from,
        folder=Path(settings.data_dir) / "mail",
        public_url=settings.public_url,
        translate=gettext,
    )


def _keep_accounts_out_of_ordinary_pages(app: Flask, security: Security) -> None:
    """Flask-Principal and Flask-Login would read the account row for every page; ours is remembered."""
    app.before_request_funcs[None].remove(security.principal._on_before_request)  # noqa: SLF001
    processors = app.template_context_processors[None]
    processors[:] = [p for p in processors if p.__name__ != "_user_context_processor"]


def _on_sign_in(app: Flask, user: User, **_more: Any) -> None:  # noqa: ARG001
    """Whoever knew the session id before knows nothing now."""
    for stale in ("_remember", "_remember_seconds", "school_id", "rights", "csrf_token"):
        session.pop(stale, None)
    g.pop("csrf_token", None)
    session["signed_in_at"] = clock.now().timestamp()
    rotate_session_id()


def _on_sign_out(app: Flask, **_more: Any) -> None:  # noqa: ARG001
    session.clear()
    rotate_session_id()


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
    return f"{person.school_id or '-'}:{','.join(sorted(person.roles))}:{int(person.is_platform_admin)}"


def _tell_failed_sign_in(response: Response) -> Response:
    """A refused sign-in is an error to programs and to whoever counts them."""
    form = g.get("sign_in_form")
    if form is not None and response.status_code == 200:
        response.status_code = form.status
        if form.retry_after_s:
            response.headers["Retry-After"] = str(form.retry_after_s)
    return response
