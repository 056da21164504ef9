"""What every endpoint of `/api/v1` does alike: problems, pages, versions, the OpenAPI page."""

from __future__ import annotations

from typing import Any, ClassVar

import marshmallow as ma
from flask import Blueprint as PlainBlueprint
from flask import Flask, Response, current_app, jsonify, render_template, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException, PreconditionFailed, PreconditionRequired

from school import __version__
from school.web.access import public
from school.web.pagination import Page

LARGEST_PAGE = 200
docs = PlainBlueprint("api_docs", __name__)


class ProblemSchema(ma.Schema):
    """RFC 9457 problem details."""

    type = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String(required=True)
    request_id = ma.fields.String(allow_none=True)
    errors = ma.fields.Dict(metadata={"description": "What is wrong, by field."})


class StrictSchema(ma.Schema):
    """Fields of ours: an unknown one is refused by name, never silently dropped."""

    class Meta:
        unknown = ma.RAISE
        ordered = True


class PageQuery(ma.Schema):
    """Where a page begins and how many rows it has."""

    class Meta:
        unknown = ma.RAISE

    after = ma.fields.String(
        load_default=None, metadata={"description": "`next` of the page before."}
    )
    limit = ma.fields.Integer(load_default=50, validate=ma.validate.Range(1, LARGEST_PAGE))


class SchoolApi(Api):  # type: ignore[misc]
    """flask-smorest, with our problem documents instead of its own error body."""

    ERROR_SCHEMA: ClassVar[type[ma.Schema]] = ProblemSchema

    def _register_error_handlers(self) -> None:
        """Ours are registered by `web.errors`, for pages and API alike."""

    def handle_http_exception(self, error: HTTPException) -> Any:
        return error


def init_api(app: Flask) -> SchoolApi:
    """The API of this app; domains register their blueprints with `add_endpoints`."""
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
    api.spec.components.security_scheme(
        "token",
        {
            "type": "http",
            "scheme": "bearer",
            "description": "A token made on the page \u201cAPI tokens\u201d. It acts as its owner, "
            "narrowed to its scopes, in its one school.",
        },
    )
    app.register_blueprint(docs)
    app.extensions["school.api"] = api
    return api


@docs.route("/api/v1/openapi.json")
@public
def openapi() -> Response:
    return jsonify(current_app.extensions["school.api"].spec.to_dict())


@docs.route("/api/docs")
@public
def page() -> str:
    """The documentation page; works without any other host."""
    return render_template("api/docs.html")


def page_of(page: Page[Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A page as the API says it: rows and where the next begins (null at the end)."""
    return {"items": rows, "next": page.after}


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


def wanted_version() -> int:
    """The version named by If-Match. Raises 428 when the header is missing, 412 when damaged."""
    tags = request.if_match
    if not tags or tags.star_tag:
        raise PreconditionRequired(
            "Send If-Match with the ETag you read, so that nothing is overwritten."
        )
    for tag in tags:
        if tag.isdigit():
            return int(tag)
    raise PreconditionFailed("The If-Match header is not an ETag of ours.")
