"""The demo's sign-in page lists who one may be; no other installation's does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask_security import hash_password

from school.accounts.queries import DEMO_DOMAIN, DEMO_PASSWORD
from school.demo import story
from school.permissions import Role
from tests.conftest import make_app, make_member, make_school
from tests.pages import read_page


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with make_app(tmp_path_factory.mktemp("demo"), demo=True) as app:
        yield app


def test_one_click_makes_one_anybody(app: Flask) -> None:
    school = make_school()
    for role in (Role.TEACHER, Role.ADMINISTRATOR):
        make_member(
            school,
            role,
            email=f"{role}{DEMO_DOMAIN}",
            display_name=f"Demo {role}",
            password=hash_password(DEMO_PASSWORD),
        )
    make_member(school, Role.TEACHER, email="real@example.org", display_name="Real Person")
    client = app.test_client()
    page = read_page(client.get("/login"))
    assert "Demo administrator" in page.text
    assert "Real Person" not in page.text
    form = next(
        f for f in page.forms if any(x.get("value") == f"teacher{DEMO_DOMAIN}" for x in f["fields"])
    )
    answer = client.post("/login", data={x["name"]: x.get("value", "") for x in form["fields"]})
    assert answer.status_code == 302
    assert client.get("/account").status_code == 200


def test_the_accounts_listed_are_the_ones_the_story_makes() -> None:
    assert story.PASSWORD == DEMO_PASSWORD
