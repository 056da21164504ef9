"""The session ended while somebody was typing: it is said, and nothing typed is lost."""

from __future__ import annotations

import re

import pytest

from school.permissions import Role
from tests.factories.students import make_student
from tests.pages import read_page

HERE = {"Sec-Fetch-Site": "same-origin"}
TYPED = {"family_name": "Nguyễn", "given_name": "Long", "password_of_old": "secret"}


@pytest.fixture
def late(app, client_for):
    """A browser whose session is gone, or never was."""
    client = app.test_client()
    client.sends_token = False
    return client


def test_what_was_typed_can_be_sent_again_after_signing_in(late, client_for):
    shown = read_page(late.post("/students/admit", data=TYPED, headers=HERE), status=401)
    assert shown.h1 == "You were signed out" and "/login" in shown.links
    form = next(one for one in shown.forms if one.get("action") == "/students/admit")
    sent = {one["name"]: one["value"] for one in form["fields"]}
    assert sent["family_name"] == "Nguyễn" and sent["csrf_token"]
    assert "secret" not in shown.html
    # The same button in a browser that has signed in meanwhile, with the token of before.
    client = client_for(Role.REGISTRAR)
    client.sends_token = False
    again = read_page(client.post("/students/admit", data=sent, headers=HERE), status=422)
    assert 'name="family_name" value="Nguyễn"' in again.html
    token = re.search(r'name="csrf_token" value="([^"]+)"', again.html)[1]
    assert client.post("/students/admit", data={**sent, "csrf_token": token}).status_code == 422
    saved = {**sent, "csrf_token": token, "admission_number": "7", "status": "enrolled"}
    assert client.post("/students/admit", data=saved).status_code == 303


def test_a_stranger_s_form_is_not_offered_again(late):
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        answer = late.post("/students/admit", data=TYPED, headers=headers)
        shown = read_page(answer, status=401)
        assert "Nguyễn" not in shown.html and not shown.forms


def test_the_origin_will_do_where_the_browser_says_no_more(late):
    answer = late.post("/students/admit", data=TYPED, headers={"Origin": "http://localhost"})
    assert "Nguyễn" in read_page(answer, status=401).html


def test_a_session_over_its_limit_is_told_the_same(app, client_for):
    client = client_for(Role.REGISTRAR)
    with client.session_transaction() as session:
        session["signed_in_at"] = 1.0
    answer = client.post("/students/admit", data=TYPED, headers=HERE)
    assert "Nguyễn" in read_page(answer, status=401).html


def test_a_fragment_is_told_in_one_sentence_and_swaps_nothing(late, client_for, in_school):
    answer = late.post("/students/admit", data=TYPED, headers=HERE | {"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Reswap"]) == (401, "none")
    assert "You were signed out" in answer.text or "Sign in in a new tab" in answer.text
    assert "<html" not in answer.text and "HX-Redirect" not in answer.headers
    client = client_for(Role.REGISTRAR)
    client.sends_token = False
    stale = client.post("/students/admit", data=TYPED, headers={"HX-Request": "true"})
    assert stale.status_code == 422 and 'data-token="' in stale.text
    student = make_student()
    refused = client_for(Role.REGISTRAR).post(
        f"/students/{student.id}/restore", headers={"HX-Request": "true"}
    )
    assert (refused.status_code, refused.headers["HX-Reswap"]) == (409, "none")
    assert "This student is not archived." in refused.text


def test_a_program_gets_the_sentence(late):
    answer = late.post("/students/admit", data=TYPED, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["status"]) == (401, 401)
    assert "Sign in" in answer.json["detail"] and "again" not in answer.json


def test_the_sign_in_form_itself_is_only_old(late):
    answer = late.post("/login", data={"email": "a@b.org", "password": "secret"}, headers=HERE)
    shown = read_page(answer, status=422)
    assert "open too long" in shown.text or "repair" in shown.text
    assert "secret" not in shown.html
