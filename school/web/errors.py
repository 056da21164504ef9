"""Errors as answers: a page for a person, application/problem+json (RFC 9457) for a program."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, current_app, g, jsonify, render_template, request
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from school.db import db
from school.errors import DomainError, MovedAway, TooMany, Unavailable
from school.web.access import NoSchool, SignedOut, is_signed_out, wants_json

log = structlog.get_logger(__name__)
PAGES = {401, 403, 404, 405, 409, 413, 422, 429, 500, 503}


def init_errors(app: Flask) -> None:
    """Register the handlers."""
    app.register_error_handler(DomainError, answer_domain_error)
    app.register_error_handler(CSRFError, _answer_csrf)
    app.register_error_handler(SignedOut, _answer_signed_out)
    app.register_error_handler(NoSchool, _answer_no_school)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(IntegrityError, _answer_conflict)
    app.register_error_handler(OperationalError, _answer_database_gone)
    app.register_error_handler(PoolTimeout, _answer_database_gone)
    app.register_error_handler(Exception, _answer_bug)


def message_of(error: DomainError) -> str:
    """The error's sentence in the reader's language."""
    return str(gettext(error.message, **error.params))


def answer(
    status: int,
    title: str,
    detail: str,
    *,
    code: str | None = None,
    retry_after_s: int | None = None,
    **more: Any,
) -> Response:
    """A page or a problem document; never a traceback, never blank."""
    if wants_json():
        response = jsonify(
            {
                "type": f"urn:schoolhouse:problem:{code or status}",
                "title": title,
                "status": status,
                "detail": detail,
                "request_id": g.get("request_id"),
                **more,
            }
        )
        response.mimetype = "application/problem+json"
    else:
        response = Response(
            render_template(
                _template_for(status),
                status=status,
                title=title,
                detail=detail,
                code=code,
                request_id=g.get("request_id"),
                retry_after_s=retry_after_s,
                back=way_back(),
                **more,
            )
        )
        if request.headers.get("HX-Request"):
            response.headers["HX-Reswap"] = "none"  # no page takes the place of a row
    response.status_code = status
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def _template_for(status: int) -> str:
    if request.headers.get("HX-Request"):
        return "errors/_said.html"
    page = status if status in PAGES else (500 if status >= 500 else 422)
    return f"errors/{page}.html"


def way_back() -> str:
    """The page an act was on: this address, or the nearest above it that can be opened."""
    adapter = current_app.create_url_adapter(request)
    parts = request.path.strip("/").split("/")
    for length in range(len(parts), 0, -1):
        path = "/" + "/".join(parts[:length])
        if adapter is not None and adapter.test(path, "GET"):
            return path
    return "/"


def answer_domain_error(error: DomainError) -> Response:
    retry = error.retry_after_s if isinstance(error, TooMany | Unavailable) else None
    more: dict[str, Any] = {"errors": {error.field: [message_of(error)]}} if error.field else {}
    if isinstance(error, MovedAway):
        db.session.rollback()
        more |= _typed()
    for side in ("theirs", "yours"):
        if hasattr(error, side):
            more[side] = getattr(error, side)
    return answer(
        error.status,
        HTTPStatus(error.status).phrase,
        message_of(error),
        code=error.code,
        retry_after_s=retry,
        **more,
    )


def _answer_http(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400:
        return error
    data = getattr(error, "data", None) or {}
    more = {"errors": data["messages"]} if "messages" in data else {}
    response = answer(error.code, error.name, error.description or error.name, **more)
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            response.headers[name] = value
    return response


def _answer_csrf(_error: CSRFError) -> Response:
    if is_signed_out():
        return _answer_signed_out(SignedOut())
    return answer(
        422,
        gettext("This page was open too long"),
        gettext("Nothing was saved yet. What you typed is still here: send it again."),
        code="csrf",
        **_typed(),
    )


def _answer_signed_out(_state: SignedOut) -> Response:
    return answer(
        401,
        gettext("You were signed out"),
        gettext("Nothing was saved yet. Sign in in a new tab, then come back and send it again."),
        code="signed_out",
        **_typed(),
    )


def _answer_no_school(_state: NoSchool) -> Response:
    return answer(
        409,
        gettext("This was not saved"),
        gettext("Choose your school in a new tab, then come back and send it again."),
        code="no_school",
        **_typed(needs_school=True),
    )


def _typed(*, needs_school: bool = False) -> dict[str, Any]:
    """What a form sent, to be sent `again`. Nothing when it was no form of our own pages:
    nobody shall send for a stranger what the token keeps out."""
    if wants_json() or request.blueprint == "security" or not _is_from_here():
        return {}
    fields = [
        (name, text)
        for name, text in request.form.items(multi=True)
        if name != "csrf_token" and "password" not in name
    ]
    url = request.full_path.rstrip("?")
    again = {"url": url, "fields": fields, "files": list(request.files)}
    return {"again": {**again, "needs_school": needs_school}}


def _is_from_here() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return f"{request.headers.get('Origin')}/" == request.host_url


def _answer_conflict(error: IntegrityError) -> Response:
    db.session.rollback()
    log.info("request.conflict", constraint=type(error.orig).__name__)
    return answer(
        409,
        gettext("Somebody was faster"),
        gettext("Another change got in first, so nothing was saved. Load the page again and look."),
        code="conflict",
    )


def _answer_database_gone(error: Exception) -> Response:
    if "database is locked" in str(getattr(error, "orig", "")):
        return _answer_busy()
    log.error("database.unavailable", error=type(error).__name__, exc_info=error)
    return answer(
        503,
        gettext("The database does not answer"),
        gettext("Nothing was saved. Try again in a few seconds."),
        code="database_unavailable",
        retry_after_s=5,
    )


def _answer_busy() -> Response:
    """SQLite's one writer works for longer than we wait: the records are being moved, say."""
    db.session.rollback()
    log.warning("database.busy")
    return answer(
        503,
        gettext("Somebody else is writing just now"),
        gettext(
            "The school's records are being moved or checked. Nothing was saved yet. What you "
            "typed is still here: send it again in a minute."
        ),
        code="database_busy",
        retry_after_s=60,
        **_typed(),
    )


def _answer_bug(error: Exception) -> Response:
    db.session.rollback()
    log.error("request.failed", exc_info=error)
    return answer(
        500,
        gettext("Something broke on our side"),
        gettext("Nothing was saved. If it happens again, tell your administrator the code below."),
        code="bug",
    )
