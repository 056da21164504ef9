"""The API describes itself truly, and its pages need no other host."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from school.permissions import Permission
from school.web.access import access_of
from tests.api.test_fuzz import load

CHANGING = {"patch", "delete"}


@pytest.fixture
def described(app: Flask) -> Any:
    return FlaskClient(app).get("/api/v1/openapi.json").json


def operations(described: Any) -> list[tuple[str, str, Any]]:
    return [
        (path, method, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    ]


def test_the_description_is_valid_openapi(app: Flask, described: Any) -> None:
    assert described["openapi"] == "3.1.0"
    load(app).validate()


def test_every_reference_leads_somewhere(described: Any) -> None:
    for reference in set(re.findall(r"'\$ref': '#/([^']+)'", str(described))):
        found = described
        for step in reference.split("/"):
            found = found[step]


def test_every_route_is_described_and_every_operation_has_its_own_name(
    app: Flask, described: Any
) -> None:
    names = [operation["operationId"] for _, _, operation in operations(described)]
    assert len(names) == len(set(names))
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and rule.endpoint != "api_docs.openapi"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in operations(described)} == routes


def test_the_described_scopes_are_those_that_are_asked_for(app: Flask, described: Any) -> None:
    for _, _, operation in operations(described):
        access = access_of(app, "api_" + operation["operationId"])
        assert access is not None
        assert access.kind == "permission"
        assert operation["security"] == [{"token": [str(p) for p in access.permissions]}]
        assert set(operation["security"][0]["token"]) <= set(Permission)


def test_changing_needs_the_version_and_adding_takes_a_key(described: Any) -> None:
    for path, method, operation in operations(described):
        named = str(operation.get("parameters", []))
        assert ("parameters/VERSION" in named) == (method in CHANGING), path
        assert ("parameters/KEY" in named) == (method == "post"), path


def test_every_refusal_is_described_as_a_problem_document(described: Any) -> None:
    for response in described["components"]["responses"].values():
        assert list(response["content"]) == ["application/problem+json"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v1/nothing", 404), ("PUT", "/api/v1/students", 405), ("GET", "/api/v2", 404)],
)
def test_what_is_not_there_is_a_problem_document(
    app: Flask, method: str, path: str, status: int
) -> None:
    answer = FlaskClient(app).open(path, method=method)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.json["status"] == status


def test_the_documentation_page_asks_no_other_host(app: Flask) -> None:
    client = FlaskClient(app)
    answer = client.get("/api/docs")
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    asked = re.findall(r'(?:src|href|data-spec)="([^"]+)"', answer.text)
    assert len(asked) == 6
    assert not [one for one in asked if not one.startswith(("/", "data:"))]
    for one in asked:
        if one.startswith("/"):
            assert client.get(one).status_code == 200
    assert "<script>" not in answer.text
    assert "style=" not in answer.text
