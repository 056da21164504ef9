"""What follows when Flask-Security says that somebody signed in or changed their ways in."""

from __future__ import annotations

from typing import Any

from flask import Flask, g, request, session
from flask_login import user_logged_out  # type: ignore[import-untyped]
from flask_security import (
    password_changed,
    password_reset,
    tf_disabled,
    tf_profile_changed,
    user_authenticated,
    user_failed_authn,
    wan_deleted,
    wan_registered,
)

from school import clock
from school.accounts import service
from school.accounts.forms import pepper
from school.accounts.models import User
from school.audit.actor import Actor, acting_as
from school.audit.log import record_platform
from school.web.sessions import rotate_session_id


def watch(app: Flask) -> None:
    """Hear of everything below. None of it commits: it becomes true with what it tells of."""
    user_authenticated.connect(_on_sign_in, app)
    user_logged_out.connect(_on_sign_out, app)
    user_failed_authn.connect(_on_failed_second_step, app)
    password_reset.connect(_on_reset, app)
    password_changed.connect(_on_change, app)
    tf_profile_changed.connect(_on_second_step_on, app)
    tf_disabled.connect(_on_second_step_off, app)
    wan_registered.connect(_on_passkey_added, app)
    wan_deleted.connect(_on_passkey_removed, app)


def _on_sign_in(
    app: Flask,  # noqa: ARG001
    user: User,
    authn_via: list[str] | None = None,
    **_more: Any,
) -> None:
    """Whoever knew the session id before knows nothing now."""
    for stale in ("_remember", "_remember_seconds", "school_id", "rights", "csrf_token"):
        session.pop(stale, None)
    g.pop("csrf_token", None)
    session["signed_in_at"] = clock.now().timestamp()
    rotate_session_id()
    # Changing the password signs its owner in anew, which tells nothing of its own.
    if authn_via != ["change"]:
        _record(user, "user.signed_in", via=", ".join(authn_via or ["second step"]))


def _on_sign_out(app: Flask, **_more: Any) -> None:  # noqa: ARG001
    session.clear()
    rotate_session_id()


def _on_failed_second_step(app: Flask, user: User, **_more: Any) -> None:  # noqa: ARG001
    """Wrong codes, passkeys and repeated passwords; the sign-in form counts its own."""
    if request.endpoint != "security.login":
        service.note_second_step(user.id, address=request.remote_addr or "", pepper=pepper())


def _on_reset(app: Flask, user: User, **_more: Any) -> None:  # noqa: ARG001
    with _as_owner(user):
        service.note_password_set(user, by="reset")


def _on_change(app: Flask, user: User, **_more: Any) -> None:  # noqa: ARG001
    service.note_password_set(user, by="change")


def _on_second_step_on(app: Flask, user: User, **_more: Any) -> None:  # noqa: ARG001
    _record(user, "user.second_step_on")


def _on_second_step_off(app: Flask, user: User, **_more: Any) -> None:  # noqa: ARG001
    _record(user, "user.second_step_off")


def _on_passkey_added(app: Flask, user: User, name: str, **_more: Any) -> None:  # noqa: ARG001
    _record(user, "user.passkey_added", name=name)


def _on_passkey_removed(app: Flask, user: User, name: str, **_more: Any) -> None:  # noqa: ARG001
    _record(user, "user.passkey_removed", name=name)


def _record(user: User, action: str, **details: str) -> None:
    with _as_owner(user):
        record_platform(action, "user", user.id, details=details or None)


def _as_owner(user: User) -> Any:
    """On the way in nobody is signed in yet, but it is the account's owner who acts."""
    return acting_as(Actor(user.display_name, user.id, g.get("request_id")))
