"""Who may open what. Deny by default: a route that declares nothing is refused.

A route declares exactly one of `@public`, `@signed_in` (any account, no school) or
`@requires(Permission…)` (a membership in the school in scope that holds all of them). Here, once
per request, the person is recognised, the school put in scope, and the declaration enforced.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from uuid import UUID, uuid4

import structlog
from flask import (
    Flask,
    Response,
    abort,
    current_app,
    g,
    redirect,
    request,
    request_started,
    session,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from school import clock
from school.audit.actor import Actor, acting_as
from school.errors import Forbidden, Invalid, TooLarge
from school.permissions import Permission, Person
from school.tenancy.scope import school_scope
from school.web.keepable import UNKEEPABLE, find_faults, is_keepable

View = TypeVar("View", bound=Callable[..., Any])
PAGE_JSON_BYTES = 64 * 1024

PersonLoader = Callable[[str, UUID | None], Person | None]
"""(session's user key, wanted school) → the person, with the school they are in."""
TokenLoader = Callable[[str], Person | None]
"""Bearer token → the person it acts as, narrowed to its scopes."""


class SignedOut(Exception):
    """A form arrived and its writer is signed in no more."""


class NoSchool(Exception):
    """A form arrived and its writer, signed in anew, has chosen no school yet."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a route declares."""

    kind: str  # public | signed_in | permission
    permissions: tuple[Permission, ...] = ()


def public(view: View) -> View:
    """Anybody may open this."""
    return _declare(view, Access("public"))


def signed_in(view: View) -> View:
    """Any signed-in person may open this; no school is put in scope unless they are in one."""
    return _declare(view, Access("signed_in"))


def requires(*permissions: Permission) -> Callable[[View], View]:
    """Only a member of the school who holds all of these may open this."""
    return lambda view: _declare(view, Access("permission", permissions))


def _declare(view: View, access: Access) -> View:
    view.access = access  # type: ignore[attr-defined]
    return view


def access_of(app: Flask, endpoint: str) -> Access | None:
    """What an endpoint declares, or None."""
    view: Any = app.view_functions.get(endpoint)
    while view is not None and not hasattr(view, "access"):
        view = getattr(view, "view_class", None) or getattr(view, "__wrapped__", None)
    return cast("Access | None", getattr(view, "access", None))


def declare_library_routes(app: Flask, endpoints: dict[str, Access]) -> None:
    """Give routes that a library registered their declaration."""
    for endpoint, access in endpoints.items():
        if endpoint in app.view_functions:
            _declare(app.view_functions[endpoint], access)


def init_access(app: Flask, *, load_person: PersonLoader, load_token: TokenLoader) -> None:
    """Enforce access on every request of this app."""
    app.extensions["school.access"] = (load_person, load_token)
    # Before everything else that may stop a request, such as the check of the form token.
    request_started.connect(_name_request, app)
    app.before_request(_open_request)
    app.teardown_request(_close_request)


def current_person() -> Person | None:
    """Whoever asks, or None."""
    return cast("Person | None", g.get("person"))


def the_person() -> Person:
    """Whoever asks; for views that require somebody."""
    person = current_person()
    if person is None:
        abort(401)
    return person


def is_signed_out() -> bool:
    """Nobody is signed in (any more) and this page needs somebody; also where the request was
    stopped before anybody was recognised."""
    access = access_of(current_app, request.endpoint or "")
    if access is None or access.kind == "public":
        return False
    return (current_person() or _recognise()) is None


def is_api_request() -> bool:
    return request.path.startswith("/api/")


def wants_json() -> bool:
    """The asker is a program: the API, one that prefers JSON to HTML, or one that speaks tus and
    does not ask for HTML."""
    kinds = ["text/html", "application/json"]
    if "Tus-Resumable" in request.headers:
        kinds.reverse()  # the first is taken where both are as welcome, or nothing is said
    best = request.accept_mimetypes.best_match(kinds, default=kinds[0])
    return is_api_request() or best == "application/json"


def _name_request(_app: Flask) -> None:
    """What is logged and answered from here on bears this request's id, not the last one's."""
    g.request_id = uuid4().hex
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _open_request() -> BaseResponse | None:
    g.scope = ExitStack()
    g.person = person = _recognise()
    _enter(person)
    if request.endpoint is None:
        return None  # 404 and 405 answer themselves
    _refuse_unkeepable()
    access = access_of(current_app, request.endpoint)
    if access is None:
        abort(403)
    if access.kind == "public":
        return None
    if person is None:
        return _ask_to_sign_in()
    if access.kind == "permission":
        return _check_permissions(person, access)
    return None


def _refuse_unkeepable() -> None:
    """Raises Invalid for a character no database keeps; a path with one names nothing (404)."""
    if not all(is_keepable(str(part)) for part in (request.view_args or {}).values()):
        abort(404)
    sent = list(request.args.items(multi=True))
    if not is_api_request() and _form_is_small():
        sent += request.form.items(multi=True)
    for name, value in sent:
        if not is_keepable(name) or not is_keepable(value):
            raise Invalid(
                "This text holds a character that cannot be kept.",
                field=name if is_keepable(name) else None,
            )
    if request.is_json and not is_api_request():
        _check_page_json()


def _form_is_small() -> bool:
    """A large upload is not read for this: its forms look at their own texts (web/forms.py)."""
    return "form" in request.__dict__ or request.mimetype == "application/x-www-form-urlencoded"


def _check_page_json() -> None:
    """Pages take a flat object of texts (a passkey's answer), never more. Raises DomainError.

    The length is looked at first: what is parsed here may come from anybody.
    """
    if request.content_length is None or request.content_length > PAGE_JSON_BYTES:
        raise TooLarge("This is too long.")
    try:
        sent = request.get_json(silent=True)
    except RecursionError:  # a nest that nobody can read
        sent = None
    if not isinstance(sent, dict) or not all(_is_plain(value) for value in sent.values()):
        raise Invalid("This address takes a JSON object of texts.")
    if find_faults(sent) is not None:
        raise Invalid(UNKEEPABLE)


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | bool)


def _recognise() -> Person | None:
    load_person, load_token = current_app.extensions["school.access"]
    if is_api_request():
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return load_token(token.strip()) if scheme.lower() == "bearer" else None
    key = session.get("_user_id")
    if key is None:
        return None
    wanted = session.get("school_id")
    person = None if _is_over() else load_person(key, UUID(str(wanted)) if wanted else None)
    if person is None:
        # Over, ended or deactivated: nothing of it may look signed in to anybody.
        session.clear()
    return cast("Person | None", person)


def _is_over() -> bool:
    """The session is older than the absolute limit, used or not."""
    began = session.get("signed_in_at")
    limit_s = current_app.config["SETTINGS"].session_max_hours * 3600
    return began is not None and clock.now().timestamp() - float(began) > limit_s


def _enter(person: Person | None) -> None:
    if person is None:
        return
    if person.school_id is not None:
        g.scope.enter_context(school_scope(person.school_id))
    actor = Actor(name=person.display_name, user_id=person.user_id, request_id=g.request_id)
    g.scope.enter_context(acting_as(actor))


def _check_permissions(person: Person, access: Access) -> BaseResponse | None:
    platform = all(p.value.startswith("platform:") for p in access.permissions)
    if person.school_id is None and not platform and not is_api_request():
        if request.method not in {"GET", "HEAD"}:
            raise NoSchool
        return redirect(url_for("accounts.choose_school", next=_here()))
    missing = [permission for permission in access.permissions if not person.may(permission)]
    if missing and is_api_request():
        raise Forbidden("Your key or role lacks: %(missing)s", missing=", ".join(missing))
    if missing:
        abort(403)
    return None


def _ask_to_sign_in() -> BaseResponse:
    if request.method not in {"GET", "HEAD"} and not is_api_request():
        raise SignedOut
    if wants_json():
        response = Response(status=401)
        response.headers["WWW-Authenticate"] = "Bearer"
        abort(response if not is_api_request() else 401)
    if request.headers.get("HX-Request"):
        # A fragment cannot show the sign-in page: let htmx load the whole of it.
        return Response(status=401, headers={"HX-Redirect": url_for("security.login")})
    return redirect(url_for("security.login", next=_here()))


def _here() -> str:
    return request.full_path.rstrip("?") if request.method == "GET" else "/"


def _close_request(_error: BaseException | None) -> None:
    scope = g.pop("scope", None)
    if scope is not None:
        scope.close()
