"""Authenticator codes and recovery codes: set up, asked for, used once, throttled."""

from __future__ import annotations

import re
import time

import pytest
from flask import Flask
from flask.testing import FlaskClient
from passlib.totp import TOTP

from school.accounts.models import User
from school.db import db
from school.permissions import Role
from school.tenancy.models import School
from tests.factories.accounts import PASSWORD, make_user_with_password
from tests.pages import read_page


@pytest.fixture
def amara(app: Flask, school: School) -> User:
    return make_user_with_password(school, Role.TEACHER, email="amara@example.org")


def sign_in(client: FlaskClient):
    return client.post("/login", data={"email": "amara@example.org", "password": PASSWORD})


def is_in(client: FlaskClient) -> bool:
    return client.get("/account/school").status_code == 200


def code_for(key: str, at: float | None = None) -> str:
    return TOTP(key=key).generate(time=at or time.time()).token


def enrol(client: FlaskClient) -> str:
    """Turn codes on; the key the app would keep."""
    sign_in(client)
    page = read_page(client.post("/tf-setup", data={"setup": "authenticator"}))
    key = (
        re.search(r"<code>([A-Z0-9 -]+)</code>", page.html)
        .group(1)
        .replace("-", "")
        .replace(" ", "")
    )
    target = next(
        form["action"]
        for form in page.forms
        if "/tf-" in form["action"] and form["action"] != "/tf-setup"
    )
    # The code of the step before: within the tolerance, so that the next sign-in has a newer one.
    answer = client.post(target, data={"code": code_for(key, time.time() - 30)})
    assert answer.status_code == 302, read_page(answer).text
    return key


def test_with_codes_on_the_password_alone_opens_nothing(app: Flask, amara: User) -> None:
    key = enrol(app.test_client())
    client = app.test_client()
    page = read_page(
        client.post(
            "/login",
            data={"email": "amara@example.org", "password": PASSWORD},
            follow_redirects=True,
        )
    )
    assert page.h1 == "One more step"
    assert not is_in(client)
    assert client.post("/tf-validate", data={"code": code_for(key)}).status_code == 302
    assert is_in(client)


def test_a_code_opens_once(app: Flask, amara: User) -> None:
    key = enrol(app.test_client())
    code = code_for(key)
    first, second = app.test_client(), app.test_client()
    sign_in(first)
    first.post("/tf-validate", data={"code": code})
    assert is_in(first)
    sign_in(second)
    second.post("/tf-validate", data={"code": code})
    assert not is_in(second)


def test_ten_wrong_codes_are_followed_by_a_wait(app: Flask, amara: User) -> None:
    key = enrol(app.test_client())
    client = app.test_client()
    sign_in(client)
    for _ in range(10):
        assert client.post("/tf-validate", data={"code": "000000"}).status_code == 200
    answer = client.post("/tf-validate", data={"code": code_for(key)})
    assert answer.status_code == 429
    assert not is_in(client)


def test_the_authenticators_key_is_not_readable_in_the_database(app: Flask, amara: User) -> None:
    key = enrol(app.test_client())
    db.session.expire_all()
    stored = db.session.get(User, amara.id).tf_totp_secret
    assert stored
    assert key not in stored


def test_a_recovery_code_opens_once_and_is_kept_encrypted(app: Flask, amara: User) -> None:
    owner = app.test_client()
    enrol(owner)
    page = read_page(owner.post("/mf-recovery-codes"))
    codes = re.findall(r"<code>([^<]+)</code>", page.html)
    assert len(codes) == 8
    db.session.expire_all()
    assert not set(codes) & set(db.session.get(User, amara.id).mf_recovery_codes)
    first, second = app.test_client(), app.test_client()
    for client in (first, second):
        sign_in(client)
        client.post("/mf-recovery", data={"code": codes[0]})
    assert is_in(first)
    assert not is_in(second)


@pytest.mark.parametrize(
    "path", ["/tf-setup", "/mf-recovery-codes", "/wan-register", "/account/password"]
)
def test_pages_about_factors_are_for_whoever_is_signed_in(
    app: Flask, amara: User, path: str
) -> None:
    client = app.test_client()
    assert client.get(path).status_code == 302
    sign_in(client)
    assert read_page(client.get(path)).h1


def test_turning_codes_on_asks_again_after_a_while(app: Flask, amara: User) -> None:
    client = app.test_client()
    sign_in(client)
    with client.session_transaction() as session:
        session["fs_paa"] = time.time() - 3600
    answer = client.get("/tf-setup")
    assert answer.status_code == 302
    assert "/verify" in answer.headers["Location"]
    assert read_page(client.get(answer.headers["Location"])).h1 == "Is it still you?"
