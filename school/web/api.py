"""What every endpoint of `/api/v1` does alike: problems, pages, versions, the OpenAPI page."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NoReturn, TypeVar

import marshmallow as ma
from flask import Blueprint as PlainBlueprint
from flask import Flask, Response, current_app, jsonify, render_template, request
from flask_babel import gettext as _
from flask_smorest import Api, Blueprint
from sqlalchemy.orm.exc import StaleDataError
from webargs.core import is_json
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    PreconditionFailed,
    PreconditionRequired,
    Unauthorized,
    UnprocessableEntity,
    UnsupportedMediaType,
)

from school import __version__
from school.audit.log import plain
from school.errors import Invalid, Stale
from school.web.access import Access, is_api_request, public
from school.web.errors import answer, answer_domain_error, message_of
from school.web.keepable import find_faults, is_keepable
from school.web.pagination import DAMAGED, Page, Place, read_place

View = TypeVar("View", bound=Callable[..., Any])
PREFIX = "/api/v1"
PROBLEM = "application/problem+json"
ANY_VERSION = "*"
VERSION_HEADERS = {
    "ETag": {
        "description": "The record's version; send it back as If-Match to change the record.",
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
    }
}
docs = PlainBlueprint("api_docs", __name__)


class ProblemSchema(ma.Schema):
    """RFC 9457 problem details."""

    type = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String(required=True)
    request_id = ma.fields.String(allow_none=True)
    errors = ma.fields.Dict(metadata={"description": "What is wrong, by field."})


class StrictParser(FlaskParser):
    """Reads what was sent: an unknown query parameter and a body that is not JSON are refused."""

    DEFAULT_UNKNOWN_BY_LOCATION = {  # noqa: RUF012 - as the library declares it
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "query": None,
    }

    def load_json(self, req: Any, schema: Any) -> Any:
        if req.get_data() and not is_json(req.mimetype):
            raise UnsupportedMediaType("Send JSON, with Content-Type: application/json.")
        try:
            body = super().load_json(req, schema)
            faults = find_faults(body)
        except (ValueError, RecursionError) as error:
            if isinstance(error, ma.ValidationError):
                raise
            raise BadRequest("This is not JSON that can be read.") from error
        if faults:
            raise ma.ValidationError(faults)
        return body

    def handle_error(
        self,
        error: ma.ValidationError,
        req: Any,  # noqa: ARG002
        schema: Any,  # noqa: ARG002
        *,
        error_status_code: int | None,  # noqa: ARG002
        error_headers: Any,  # noqa: ARG002
    ) -> NoReturn:
        refuse(error)


def refuse(error: ma.ValidationError) -> NoReturn:
    """422, with what is wrong by field, wherever the field stood."""
    found: dict[str, Any] = {}
    for place, part in error.messages_dict.items():
        is_place = place in {"json", "query"} and isinstance(part, dict)
        found |= part if is_place else {place: part}
    if "_schema" in found:
        found["body"] = found.pop("_schema")
    refusal = UnprocessableEntity("Some of what was sent cannot be taken; `errors` says what.")
    refusal.data = {"messages": found}  # type: ignore[attr-defined]
    raise refusal from error


class Endpoints(Blueprint):
    """A domain's endpoints. Their declarations (scopes, If-Match, idempotency) document them."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, title: str, import_name: str, *, description: str) -> None:
        super().__init__(f"api_{title.lower()}", import_name, description=description)
        self.title = title
        self._prepare_doc_cbks.append(_document_habits)

    def _store_endpoint_docs(
        self, endpoint: str, obj: Any, parameters: Any, _tags: Any, **options: Any
    ) -> None:
        super()._store_endpoint_docs(endpoint, obj, parameters, [self.title], **options)
        for method, doc in self._docs[endpoint].items():
            if method != "parameters":
                doc["habits"] = {
                    "endpoint": f"{self.name}.{endpoint}",
                    "access": getattr(obj, "access", None),
                    "conditional": getattr(obj, "is_conditional", False),
                    "idempotent": getattr(obj, "is_idempotent", False),
                }


def _document_habits(doc: dict[str, Any], info: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What the declarations of an endpoint mean to whoever calls it."""
    habits, responses = info["habits"], doc.setdefault("responses", {})
    access: Access | None = habits["access"]
    doc["operationId"] = habits["endpoint"].removeprefix("api_")
    doc["security"] = [{"token": [p.value for p in access.permissions] if access else []}]
    statuses = [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN]
    if next(more["app"].url_map.iter_rules(habits["endpoint"])).arguments:
        statuses.append(HTTPStatus.NOT_FOUND)
    if habits["conditional"]:
        doc.setdefault("parameters", []).append("VERSION")
        statuses += [HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED]
    if habits["idempotent"]:
        doc.setdefault("parameters", []).append("KEY")
        statuses.append(HTTPStatus.CONFLICT)
    for status in statuses:
        responses.setdefault(int(status), status.name)
    return doc


class SchoolApi(Api):
    """flask-smorest, with our problem documents instead of its own error body."""

    def _register_error_handlers(self) -> None:
        """Ours are registered by `web.errors`, for pages and API alike."""

    def handle_http_exception(self, error: HTTPException) -> Any:
        return error

    def _register_responses(self) -> None:
        """Every refusal is a problem document."""
        body = {"content": {PROBLEM: {"schema": ProblemSchema}}}
        names = {status.name: status.phrase for status in HTTPStatus if status >= 400}
        names[self.DEFAULT_ERROR_RESPONSE_NAME] = "A problem document says what is wrong."
        for name, description in names.items():
            self.spec.components.response(name, {"description": description, **body}, lazy=True)

    def register_blueprint(self, blp: Endpoints, **options: Any) -> None:
        """Open a domain's endpoints below `/api/v1` and document them under their title."""
        options.setdefault("url_prefix", PREFIX)
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp, **options)
        blp.register_views_in_doc(self, self._app, self.spec, name=blp.name, parameters=None)
        self.spec.tag({"name": blp.title, "description": blp.description})


def init_api(app: Flask) -> SchoolApi:
    """The API of this app; give it each domain's endpoints with `register_blueprint`."""
    app.config.update(
        API_TITLE="Schoolhouse",
        API_VERSION=f"v{__version__}",
        OPENAPI_VERSION="3.1.0",
    )
    api = SchoolApi(
        app,
        spec_kwargs={
            "info": {
                "description": "Schools, users, students, guardians, imports and files.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "security": [{"token": []}],
        },
    )
    _describe_headers(api)
    app.register_blueprint(docs)
    app.register_error_handler(Stale, _answer_stale)
    app.register_error_handler(StaleDataError, _answer_race)
    app.register_error_handler(Unauthorized, _answer_stranger)
    app.after_request(_name_the_scheme)
    app.extensions["school.api"] = api
    return api


def _describe_headers(api: SchoolApi) -> None:
    api.spec.components.security_scheme(
        "token",
        {
            "type": "http",
            "scheme": "bearer",
            "description": "A token made on the page “API tokens”. It acts as its owner, "
            "narrowed to its scopes, in its one school.",
        },
    )
    api.spec.components.parameter(
        "VERSION",
        "header",
        {
            "name": "If-Match",
            "description": "The ETag you read: nothing somebody else wrote is overwritten. "
            "Or `*`: whatever the record's version is now.",
            "required": True,
            "schema": {"type": "string", "pattern": r'^("[0-9]{1,9}"|\*)$'},
        },
    )
    api.spec.components.parameter(
        "KEY",
        "header",
        {
            "name": "Idempotency-Key",
            "description": "Any text of yours. Sent again with the same key, the same request "
            "does nothing and gets the first answer (for two days).",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": 200},
        },
    )


def _answer_stale(error: Stale) -> Response:
    """412 to a program that sent If-Match; pages show both values."""
    if not is_api_request():
        return answer_domain_error(error)
    sides = {side: _plain(getattr(error, side)) for side in ("theirs", "yours")}
    return _precondition_failed(message_of(error), **sides)


def _answer_race(_error: StaleDataError) -> Response:
    """Two wrote the same row at the same moment: the second is told."""
    detail = _("Another change got in first, so nothing was saved. Load the page again and look.")
    if is_api_request():
        return _precondition_failed(detail)
    return answer(409, _("Somebody was faster"), detail, code="conflict")


def _answer_stranger(error: Unauthorized) -> Response:
    detail = "Send a token that is in force: Authorization: Bearer sh_…"
    return answer(401, error.name, detail if is_api_request() else error.name)


def _precondition_failed(detail: str, **more: Any) -> Response:
    return answer(412, HTTPStatus.PRECONDITION_FAILED.phrase, detail, code="stale", **more)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in values.items()}


def _name_the_scheme(response: Response) -> Response:
    if response.status_code == 401 and is_api_request():
        response.headers.setdefault("WWW-Authenticate", "Bearer")
    return response


@docs.route("/api/v1/openapi.json")
@public
def openapi() -> Response:
    return jsonify(current_app.extensions["school.api"].spec.to_dict())


@docs.route("/api/docs")
@public
def page() -> str:
    """The documentation page; works without any other host."""
    return render_template("api/docs.html")


def place_of(after: str | None, *, size: int) -> Place | None:
    """The place named by `after`: that many texts, forwards. Raises Invalid for any other."""
    place = read_place(after)
    if place is None:
        return None
    fits = len(place.values) == size and not place.backwards
    if not fits or not all(isinstance(v, str) and is_keepable(v) for v in place.values):
        raise Invalid(DAMAGED, field="after")
    return place


def page_of(page: Page[Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A page as the API says it: rows and where the next begins (null at the end)."""
    return {"items": rows, "next": page.after}


def whole_page(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All there is, as a page that has no next."""
    return {"items": rows, "next": None}


def page_schema(item: type[ma.Schema]) -> ma.Schema:
    """Schema of a page of `item`s."""
    name = item.__name__.removesuffix("Schema") + "PageSchema"
    schema: type[ma.Schema] = type(
        name,
        (ma.Schema,),
        {
            "items": ma.fields.List(ma.fields.Nested(item), required=True),
            "next": ma.fields.String(allow_none=True, required=True),
        },
    )
    return schema()


def version_header(version: int) -> dict[str, str]:
    """The ETag of a record's version."""
    return {"ETag": f'"{version}"'}


def conditional(view: View) -> View:
    """The endpoint changes a record: without If-Match it is not even tried (428)."""
    view.is_conditional = True  # type: ignore[attr-defined]
    return view


def find_wanted_version() -> int | None:
    """The version named by If-Match, or None for any. Raises 412 when it is not ours.

    One ETag, as we give them out: a list would leave open which version was read.
    """
    header = _sent_if_match()
    if header in {"", ANY_VERSION}:
        return None
    found = re.fullmatch(r'"(\d{1,9})"', header, re.ASCII)
    if found is None:
        raise PreconditionFailed("The If-Match header is not an ETag of ours.")
    return int(found[1])


def _sent_if_match() -> str:
    return request.headers.get("If-Match", "").strip()


def check_version(row: Any) -> int:
    """The row's version, which If-Match has to name; `*` names any (RFC 9110, 13.1.1).

    Raises 428 when the header is missing, 412 when it is damaged, Stale (412) for any other.
    """
    if not _sent_if_match():
        raise PreconditionRequired(
            "Send If-Match with the ETag you read, so that nothing is overwritten."
        )
    wanted = find_wanted_version()
    if wanted is None:
        return int(row.version)
    if row.version != wanted:
        raise Stale(
            "This was changed since you read it, so nothing was saved. Read it again.",
            theirs={"version": row.version},
            yours={"version": wanted},
        )
    return wanted


def upload_body(**fields: dict[str, Any]) -> dict[str, Any]:
    """How a body with one file is described; `fields`: what may be sent with it."""
    properties = {"file": {"type": "string", "format": "binary"}, **fields}
    schema = {
        "type": "object",
        "properties": properties,
        "required": ["file"],
        "additionalProperties": False,
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def sent_file(form: type[ma.Schema]) -> tuple[FileStorage, dict[str, Any]]:
    """The one file that was sent, and the fields beside it. Raises Invalid, or 422 for a field."""
    extra = set(request.files) - {"file"}
    sent = request.files.getlist("file")
    if extra or len(sent) != 1 or not sent[0].filename:
        raise Invalid("Send one file, as the part “file” with a file name.", field="file")
    fields = {str(name or ""): value for name, value in request.form.items()}
    try:
        values: dict[str, Any] = form().load(fields)
    except ma.ValidationError as error:
        refuse(error)
    return sent[0], values
