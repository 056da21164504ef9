"""A forgotten password: a link by mail, the same answer for everybody, old sessions end."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask

from school.accounts.models import User
from school.db import db
from school.mail.models import MailMessage, MailState
from school.permissions import Role
from school.tenancy.models import School
from tests.factories.accounts import PASSWORD, make_user_with_password
from tests.pages import read_page


@pytest.fixture
def amara(app: Flask, school: School) -> User:
    return make_user_with_password(school, Role.TEACHER, email="amara@example.org")


def letters() -> list[MailMessage]:
    return list(db.session.scalars(sa.select(MailMessage).order_by(MailMessage.id)))


def link_in(body: str) -> str:
    return re.search(r"http://localhost(/reset/\S+)", body).group(1)


def test_known_and_unknown_addresses_get_the_same_answer(app: Flask, amara: User) -> None:
    known = app.test_client().post("/reset", data={"email": "amara@example.org"})
    unknown = app.test_client().post("/reset", data={"email": "nobody@example.org"})
    texts = [read_page(answer).text for answer in (known, unknown)]
    assert texts[0].replace("amara", "nobody") == texts[1]
    assert [letter.to_address for letter in letters()] == ["amara@example.org"]


def test_the_link_sets_a_password_once_and_ends_every_session(
    app: Flask, amara: User, run_jobs: Callable[[], int]
) -> None:
    elsewhere, client = app.test_client(), app.test_client()
    elsewhere.post("/login", data={"email": "amara@example.org", "password": PASSWORD})
    client.post("/reset", data={"email": "amara@example.org"})
    link = link_in(letters()[0].body)
    new = {"password": "another long secret", "password_confirm": "another long secret"}
    read_page(client.get(link))
    assert client.post(link, data=new).status_code == 302
    assert elsewhere.get("/account/school").status_code == 302, "signed out elsewhere"
    again = client.post(link, data=dict.fromkeys(new, "third long secret!"))
    fresh = app.test_client()
    assert (
        fresh.post(
            "/login", data={"email": "amara@example.org", "password": "third long secret!"}
        ).status_code
        == 422
    )
    assert (
        fresh.post(
            "/login", data={"email": "amara@example.org", "password": new["password"]}
        ).status_code
        == 302
    )
    assert again.status_code in {200, 302}


def test_the_link_begins_with_our_address_whatever_the_browser_claims(
    app: Flask, amara: User
) -> None:
    client = app.test_client()
    client.sends_token = False
    evil = "http://evil.example"
    token = re.search(
        r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/reset", base_url=evil).text
    ).group(1)
    client.post("/reset", data={"email": "amara@example.org", "csrf_token": token}, base_url=evil)
    assert letters(), "it was asked for"
    assert "evil" not in letters()[0].body
    assert link_in(letters()[0].body)


def test_a_made_up_link_leads_back_to_the_beginning(app: Flask) -> None:
    answer = app.test_client().get("/reset/not-a-token")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/reset")


def test_mail_is_written_into_a_folder_where_no_server_is_known(
    app: Flask, amara: User, run_jobs: Callable[[], int]
) -> None:
    app.test_client().post("/reset", data={"email": "amara@example.org"})
    run_jobs()
    db.session.expire_all()
    letter = letters()[0]
    assert letter.state == MailState.SENT
    file = app.config["SETTINGS"].data_dir / "mail" / f"{letter.id}.eml"
    assert "amara@example.org" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
