"""Deny by default; the right answer for page, fragment and API."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import structlog
from flask import Blueprint, Flask
from flask.testing import FlaskClient

from school.accounts.models import Membership
from school.db import transaction
from school.permissions import Permission, Role
from school.tenancy.models import School
from school.tenancy.scope import current_school_id
from school.web.access import public, requires, signed_in, the_person
from tests.conftest import make_app

ClientFor = Callable[..., FlaskClient]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application with four routes of the test's own."""
    with make_app(tmp_path_factory.mktemp("access")) as app:
        app.register_blueprint(_routes())
        yield app


def _routes() -> Blueprint:
    bp = Blueprint("probe", __name__)
    bp.add_url_rule("/probe/undeclared", "undeclared", lambda: "open?")
    bp.add_url_rule("/probe/public", "public", public(lambda: "public"))
    bp.add_url_rule("/probe/signed-in", "signed_in", signed_in(lambda: the_person().display_name))
    bp.add_url_rule("/probe/admit", "admit",
                    requires(Permission.STUDENT_ADMIT)(lambda: str(current_school_id())))
    bp.add_url_rule("/api/v1/probe", "api", requires(Permission.STUDENT_VIEW)(lambda: "api"))
    return bp


def test_a_route_that_declares_nothing_is_refused_to_everybody(client_for: ClientFor, app: Flask) -> None:
    assert app.test_client().get("/probe/undeclared").status_code == 403
    assert client_for(Role.ADMINISTRATOR).get("/probe/undeclared").status_code == 403


def test_a_stranger_is_asked_to_sign_in_and_comes_back(app: Flask) -> None:
    answer = app.test_client().get("/probe/admit?x=1")
    assert answer.status_code == 302
    assert "next=/probe/admit?x%3D1" in answer.headers["Location"].replace("%2F", "/").replace("%3F", "?")


def test_a_fragment_sends_the_whole_page_to_sign_in(app: Flask) -> None:
    answer = app.test_client().get("/probe/admit", headers={"HX-Request": "true"})
    assert (answer.status_code, "HX-Redirect" in answer.headers) == (401, True)


def test_the_api_answers_401_with_a_problem(app: Flask) -> None:
    answer = app.test_client().get("/api/v1/probe")
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")


def test_a_session_does_not_open_the_api(client_for: ClientFor) -> None:
    assert client_for(Role.ADMINISTRATOR).get("/api/v1/probe").status_code == 401


@pytest.mark.parametrize(("role", "status"), [
    (Role.ADMINISTRATOR, 200), (Role.REGISTRAR, 200), (Role.TEACHER, 403),
    (Role.GUARDIAN, 403), (Role.STUDENT, 403),
])
def test_a_permission_opens_to_those_who_hold_it(client_for: ClientFor, role: Role, status: int) -> None:
    assert client_for(role).get("/probe/admit").status_code == status


def test_the_request_works_for_the_chosen_school(client_for: ClientFor, school: School) -> None:
    assert client_for(Role.REGISTRAR).get("/probe/admit").text == str(school.id)


def test_a_school_one_is_no_member_of_cannot_be_chosen(
    client_for: ClientFor, school: School, other_school: School
) -> None:
    client = client_for(Role.REGISTRAR)
    with client.session_transaction() as session:
        session["school_id"] = str(other_school.id)
    assert client.get("/probe/admit").text != str(other_school.id)


def test_a_membership_taken_away_closes_the_door_at_the_next_click(client_for: ClientFor, school: School) -> None:
    client = client_for(Role.REGISTRAR)
    assert client.get("/probe/admit").status_code == 200
    with transaction() as session:
        session.query(Membership).delete()
    from school.cache import cache

    cache.clear()
    assert client.get("/probe/admit").status_code in {302, 403}


def test_every_answer_carries_the_policy(app: Flask) -> None:
    for path in ("/probe/public", "/nowhere", "/probe/undeclared"):
        headers = app.test_client().get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_a_form_without_its_token_changes_nothing(client_for: ClientFor) -> None:
    client = client_for(Role.ADMINISTRATOR)
    client.sends_token = False
    answer = client.post("/probe/public")
    assert answer.status_code in {405, 422}


def test_a_request_stopped_by_its_form_token_bears_an_id_of_its_own(client_for: ClientFor, school: School) -> None:
    client = client_for(Role.REGISTRAR)
    client.sends_token = False
    structlog.contextvars.bind_contextvars(request_id="a stranger's", job="a stranger's")
    told = []
    for _ in range(2):
        answer = client.post("/students/admit", headers={"Accept": "application/json"})
        assert (answer.status_code, answer.json["type"]) == (422, "urn:schoolhouse:problem:csrf")
        assert structlog.contextvars.get_contextvars() == {"request_id": answer.json["request_id"]}
        told.append(answer.json["request_id"])
    assert len({*told}) == 2 and len(told[0]) == 32


@pytest.mark.parametrize("path", ["/login", "/reset", "/tf-setup", "/account/password"])
def test_the_sign_in_library_s_pages_are_kept_by_no_cache(client_for: ClientFor, path: str) -> None:
    assert client_for(Role.TEACHER).get(path).headers["Cache-Control"] == "no-store"
