"""The session ended while somebody was typing: it is said, and nothing typed is lost."""

from __future__ import annotations

import re

import pytest

from school.permissions import Role
from tests.factories.accounts import add_role
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


@pytest.fixture
def of_two_schools(client_for, other_school):
    """Signed in anew, without having chosen a school."""
    client = client_for(Role.REGISTRAR)
    add_role(client.user, other_school, Role.REGISTRAR)
    with client.session_transaction() as session:
        del session["school_id"]
    return client


def test_whoever_has_chosen_no_school_loses_nothing_typed(of_two_schools, school):
    client = of_two_schools
    shown = read_page(client.post("/students/admit", data=TYPED, headers=HERE), status=409)
    assert shown.h1 == "This was not saved" and "Choose your school" in shown.text
    assert "/account/school" in shown.links and "/login" not in shown.links
    form = next(one for one in shown.forms if one.get("action") == "/students/admit")
    sent = {one["name"]: one["value"] for one in form["fields"]}
    assert sent["family_name"] == "Nguyễn" and "secret" not in shown.html
    chosen = {"school_id": str(school.id)}
    assert client.post("/account/school", data=chosen).status_code == 303
    saved = {**sent, "admission_number": "7", "status": "enrolled"}
    assert client.post("/students/admit", data=saved, headers=HERE).status_code == 303


def test_a_fragment_without_a_school_is_told_where_to_choose_it(of_two_schools):
    answer = of_two_schools.post("/students/admit", data=TYPED, headers=HERE | {"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Reswap"]) == (409, "none")
    assert 'href="/account/school"' in answer.text and "<html" not in answer.text


def test_a_page_without_a_school_still_leads_to_the_choice(of_two_schools):
    answer = of_two_schools.get("/students/admit")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/account/school?next=/students/admit")


def test_a_stranger_s_form_is_not_offered_to_whoever_has_no_school(of_two_schools):
    headers = {"Sec-Fetch-Site": "cross-site"}
    shown = read_page(of_two_schools.post("/students/admit", data=TYPED, headers=headers), status=409)
    assert "Nguyễn" not in shown.html
