"""A character that no database keeps is refused at the door, whoever sends it and however."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict
from wtforms import StringField

from school.permissions import Role
from school.web.forms import Form
from school.web.keepable import find_faults

Clients = Callable[..., FlaskClient]


@pytest.mark.parametrize("address", ["/students?grade=%00", "/people?q=a%00b", "/students?a%00=1"])
def test_an_address_with_a_nul_is_refused_with_a_page(client_for: Clients, address: str) -> None:
    answer = client_for(Role.ADMINISTRATOR).get(address)
    assert answer.status_code == 422
    assert "cannot be kept" in answer.text


def test_a_nul_sent_while_signed_out_is_refused(app: Flask, school: object) -> None:
    typed = {"email": "a\0b", "password": "some password"}
    client = app.test_client()
    assert client.post("/login", data=typed).status_code == 422
    assert client.post("/login", json=typed).status_code == 422
    as_parts = client.post("/login", data=typed, content_type="multipart/form-data")
    assert as_parts.status_code == 422
    assert client.get("/login?next=%00").status_code == 422


def test_half_a_surrogate_pair_is_refused_in_json(app: Flask, school: object) -> None:
    answer = app.test_client().post(
        "/login", data='{"email": "\\ud800", "password": "x"}', content_type="application/json"
    )
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [("[" * 60_000, 422), ("[" * 99_999, 413), ("1", 422), ("[]", 422), ('{"email": 1}', 422)],
)
def test_a_page_takes_a_small_object_of_texts_and_nothing_else(
    app: Flask, school: object, body: str, status: int
) -> None:
    """What anybody may send is measured before it is parsed."""
    answer = app.test_client().post("/login", data=body, content_type="application/json")
    assert answer.status_code == status


def test_a_path_with_a_nul_names_nothing(app: Flask, school: object) -> None:
    for path in ("/f/%00", "/login/link/%00", "/%00"):
        assert app.test_client().get(path).status_code == 404


def test_a_form_with_a_nul_is_refused(client_for: Clients) -> None:
    answer = client_for(Role.ADMINISTRATOR).post(
        "/people/invite", data={"display_name": "A\0b", "email": "a@example.org", "role": "teacher"}
    )
    assert answer.status_code == 422


def test_a_program_is_told_which_value(client_for: Clients) -> None:
    answer = client_for(Role.ADMINISTRATOR).get(
        "/students?grade=%00", headers={"Accept": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert list(answer.json["errors"]) == ["grade"]


def test_a_form_says_it_beside_the_field(app: Flask) -> None:
    class OneField(Form):
        word = StringField("Word")

    with app.test_request_context("/"):
        form = OneField(MultiDict({"word": "a\0b"}), meta={"csrf": False})
        assert not form.validate()
        assert "cannot be kept" in str(form.word.errors)
        assert OneField(MultiDict({"word": "ab"}), meta={"csrf": False}).validate()


def test_faults_of_json_are_named_by_their_place() -> None:
    body = json.loads('{"a": "fine", "b": {"c": ["x", "\\ud800"]}, "d\\u0000": 1, "e": null}')
    faults = find_faults(body)
    assert list(faults) == ["b", "d\0"]
    assert list(faults["b"]["c"]) == ["1"]
    assert find_faults({"a": ["é", 1, None, True, {}]}) is None
