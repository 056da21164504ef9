"""Authenticator codes and recovery codes: set up, asked for, used once, throttled."""

from __future__ import annotations

import re
import threading
import time

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from passlib.totp import TOTP

from school.accounts import service
from school.accounts.models import User
from school.audit.models import PlatformEvent
from school.cache import cache
from school.db import db, transaction
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


def test_a_code_opens_once_whatever_the_cache_forgets(app: Flask, amara: User) -> None:
    key = enrol(app.test_client())
    code = code_for(key)
    first, second = app.test_client(), app.test_client()
    for client in (first, second):
        cache.clear()
        sign_in(client)
        client.post("/tf-validate", data={"code": code})
    assert is_in(first)
    assert not is_in(second)


def test_of_many_that_bring_a_code_together_one_gets_in(app: Flask, amara: User) -> None:
    user_id, start, outcomes = amara.id, threading.Barrier(8), []

    def claim() -> None:
        with app.app_context():
            start.wait()
            outcomes.append(service.claim_code(user_id, 42))
            db.session.remove()

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 7 + [True]


def test_a_mailed_link_does_not_go_round_the_second_step(app: Flask, amara: User) -> None:
    key = enrol(app.test_client())
    with transaction():
        url = service.make_sign_in_link(db.session.get(User, amara.id))
    client = app.test_client()
    path = "/welcome/" + url.rpartition("/")[2]
    answer = client.post(path, data={"password": "a new long secret"})
    assert "/tf-validate" in answer.headers["Location"]
    assert not is_in(client)
    client.post("/tf-setup", data={"setup": "disable"})
    db.session.expire_all()
    assert db.session.get(User, amara.id).tf_primary_method == "authenticator"
    client = app.test_client()
    client.post("/login", data={"email": "amara@example.org", "password": "a new long secret"})
    assert client.post("/tf-validate", data={"code": code_for(key)}).status_code == 302
    assert is_in(client)


def test_an_operator_takes_a_lost_second_step_away_and_that_is_told(
    app: Flask, amara: User
) -> None:
    owner = app.test_client()
    enrol(owner)
    with transaction():
        service.remove_second_step(db.session.get(User, amara.id))
    assert not is_in(owner), "sessions begun with it are over"
    client = app.test_client()
    sign_in(client)
    assert is_in(client)
    assert "user.second_step_removed" in told_of(amara)


def test_ten_wrong_guesses_of_the_password_until_now_are_followed_by_a_wait(
    app: Flask, amara: User
) -> None:
    client = app.test_client()
    sign_in(client)
    new = "another long secret"
    form = {"new_password": new, "new_password_confirm": new}
    for _ in range(10):
        assert (
            client.post("/account/password", data={"password": "wrong", **form}).status_code == 200
        )
    answer = client.post("/account/password", data={"password": PASSWORD, **form})
    assert answer.status_code == 429
    assert "set a new password" not in read_page(answer, status=429).text


def told_of(user: User) -> list[str]:
    db.session.remove()
    events = sa.select(PlatformEvent.action).where(PlatformEvent.entity_id == user.id)
    return list(db.session.scalars(events.order_by(PlatformEvent.id)))


def test_signing_in_and_the_second_step_on_and_off_are_told_by_their_owner(
    app: Flask, amara: User
) -> None:
    client = app.test_client()
    key = enrol(client)
    client.post("/tf-setup", data={"setup": "disable"})
    assert told_of(amara) == ["user.signed_in", "user.second_step_on", "user.second_step_off"]
    events = db.session.scalars(sa.select(PlatformEvent)).all()
    assert {event.actor_id for event in events} == {amara.id}
    assert key not in str([event.details for event in events])


def begin_enrolment(client: FlaskClient) -> tuple[str, str]:
    """Where the first code goes, and the key."""
    page = read_page(client.post("/tf-setup", data={"setup": "authenticator"}))
    target = next(form["action"] for form in page.forms if "/tf-setup/" in form["action"])
    return target, re.search(r"<code>([^<]+)</code>", page.html).group(1)


def test_a_mistyped_first_code_is_asked_for_again_under_the_same_picture(
    app: Flask, amara: User
) -> None:
    client = app.test_client()
    sign_in(client)
    target, key = begin_enrolment(client)
    wrong = read_page(client.post(target, data={"code": "000000"}), status=422)
    assert re.search(r"<code>([^<]+)</code>", wrong.html).group(1) == key
    assert "data:image" in wrong.html
    assert wrong.html.count("Invalid code") == 1, "beside the field, not above as well"
    assert next(form["action"] for form in wrong.forms if "/tf-setup/" in form["action"]) == target
    assert "Invalid code" not in client.get("/account").text
    code = code_for(re.sub(r"[ -]", "", key))
    assert client.post(target, data={"code": code}).status_code == 302
    db.session.expire_all()
    assert db.session.get(User, amara.id).tf_primary_method == "authenticator"


def test_an_empty_first_code_and_a_damaged_address(app: Flask, amara: User) -> None:
    client = app.test_client()
    sign_in(client)
    target, key = begin_enrolment(client)
    assert key in read_page(client.post(target, data={"code": ""}), status=422).html
    damaged = client.post("/tf-setup/damaged", data={"code": "000000"})
    assert (damaged.status_code, damaged.headers["Location"]) == (302, "/tf-setup")
    assert app.test_client().post(target, data={"code": "000000"}).status_code in {302, 401}
