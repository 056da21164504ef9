"""Signing in and out: who gets in, what strangers learn, what happens to the session."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_security import hash_password

from school import clock
from school.accounts.models import User
from school.db import db, transaction
from school.permissions import Role
from school.tenancy.models import School
from tests.conftest import make_member
from tests.pages import read_page

PASSWORD = "correct horse battery"


@pytest.fixture
def amara(app: Flask, school: School) -> User:
    return make_member(
        school,
        Role.TEACHER,
        email="amara@example.org",
        username="amara",
        password=hash_password(PASSWORD),
    )


def sign_in(
    client: FlaskClient, name: str = "amara@example.org", password: str = PASSWORD, **query
):
    return client.post("/login", data={"email": name, "password": password}, query_string=query)


def session_id(client: FlaskClient) -> str | None:
    cookie = client.get_cookie("school")
    return cookie.value if cookie else None


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account/school").status_code == 200


@pytest.mark.parametrize(
    "name", ["amara@example.org", "Amara@Example.ORG", "amara", "AMARA", " amara "]
)
def test_one_signs_in_with_e_mail_or_user_name_in_any_capitals(
    app: Flask, amara: User, name: str
) -> None:
    client = app.test_client()
    assert sign_in(client, name).status_code == 302
    assert is_signed_in(client)


def test_the_sign_in_page_keeps_what_every_page_keeps(app: Flask) -> None:
    page = read_page(app.test_client().get("/login"))
    assert page.h1 == "Sign in"
    assert "demo" not in page.text.lower()


def test_wrong_name_and_wrong_password_answer_alike(app: Flask, amara: User) -> None:
    wrong_password = sign_in(app.test_client(), password="not it at all")
    wrong_name = sign_in(app.test_client(), name="nobody@example.org")
    pages = [read_page(answer, status=422).text for answer in (wrong_password, wrong_name)]
    assert "Name and password do not match." in pages[0]
    assert pages[0] == pages[1]


def test_an_ended_account_answers_like_a_wrong_password(app: Flask, school: School) -> None:
    make_member(
        school,
        Role.TEACHER,
        email="gone@example.org",
        active=False,
        password=hash_password(PASSWORD),
    )
    page = read_page(sign_in(app.test_client(), "gone@example.org"), status=422)
    assert "Name and password do not match." in page.text


def test_the_name_stays_in_its_field_and_the_password_does_not(app: Flask, amara: User) -> None:
    page = read_page(sign_in(app.test_client(), password="secretly wrong"), status=422)
    assert 'value="amara@example.org"' in page.html
    assert "secretly wrong" not in page.html


@pytest.mark.parametrize("name", ["amara@example.org", "nobody@example.org"])
def test_ten_wrong_tries_are_followed_by_a_wait(app: Flask, amara: User, name: str) -> None:
    client = app.test_client()
    said = [read_page(sign_in(client, name, "wrong"), status=422).text for _ in range(10)]
    told = [
        int(found.group(1)) if (found := re.search(r"You have (\d+) more tr", text)) else None
        for text in said
    ]
    assert told == [None] * 2 + [7, 6, 5, 4, 3, 2, 1, None]
    assert "This was the last try for now. Wait 15 minutes, or set a new password." in said[-1]
    locked = sign_in(client, name)
    assert locked.status_code == 429
    assert 0 < int(locked.headers["Retry-After"]) <= 900
    assert "Too many tries" in read_page(locked, status=429).text


def test_the_tries_left_do_not_tell_which_two_names_are_one_account(
    app: Flask, amara: User
) -> None:
    with transaction() as session:
        session.get(User, amara.id).username = "amara.o"
    told = []
    for pair in (("amara.o", amara.email), ("ghost.o", "ghost@example.org")):
        answers = [sign_in(app.test_client(), pair[n % 2], "wrong").text for n in range(8)]
        told.append([re.findall(r"You have (\d+) more tr", text) for text in answers])
    assert told[0] == told[1]
    assert told[0][:4] == [[]] * 4
    assert told[0][4] == ["7"]


def test_two_names_of_one_account_are_locked_together(app: Flask, amara: User) -> None:
    with transaction() as session:
        session.get(User, amara.id).username = "amara.o"
    names = ("amara.o", amara.email)
    for n in range(10):
        assert sign_in(app.test_client(), names[n % 2], "wrong").status_code == 422
    assert sign_in(app.test_client(), "amara.o").status_code == 429
    assert sign_in(app.test_client(), amara.email).status_code == 429


def test_a_right_password_takes_back_the_wrong_tries_by_the_other_name(
    app: Flask, amara: User, frozen_clock: Callable[[datetime], None]
) -> None:
    with transaction() as session:
        session.get(User, amara.id).username = "amara.o"
    for n in range(2):
        frozen_clock(datetime(2026, 11, 20, 8, n, tzinfo=UTC))
        for _ in range(9):
            assert sign_in(app.test_client(), "amara.o", "wrong").status_code == 422
        frozen_clock(datetime(2026, 11, 20, 8, n, 30, tzinfo=UTC))
        assert sign_in(app.test_client(), amara.email).status_code == 302


def test_after_a_quarter_of_an_hour_one_may_try_again(
    app: Flask, amara: User, frozen_clock: Callable[[datetime], None]
) -> None:
    begin = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    frozen_clock(begin)
    for _ in range(11):
        sign_in(app.test_client(), password="wrong")
    assert sign_in(app.test_client()).status_code == 429
    frozen_clock(begin + timedelta(minutes=15, seconds=1))
    assert sign_in(app.test_client()).status_code == 302


def test_a_right_password_takes_the_wrong_tries_back(
    app: Flask, amara: User, frozen_clock: Callable[[datetime], None]
) -> None:
    begin = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    for minute in range(2):
        for n in range(9):
            frozen_clock(begin + timedelta(minutes=minute, seconds=n))
            assert sign_in(app.test_client(), password="wrong").status_code == 422
        frozen_clock(begin + timedelta(minutes=minute, seconds=30))
        assert sign_in(app.test_client()).status_code == 302


def test_one_address_cannot_try_many_names(app: Flask) -> None:
    client = app.test_client()
    answers = [sign_in(client, f"name{n}@example.org", "wrong").status_code for n in range(51)]
    assert answers == [422] * 50 + [429]


def test_the_session_id_changes_at_sign_in_and_at_sign_out(app: Flask, amara: User) -> None:
    client = app.test_client()
    client.get("/login")
    before = session_id(client)
    sign_in(client)
    signed_in = session_id(client)
    assert before and signed_in and before != signed_in
    client.post("/logout")
    after = session_id(client)
    assert after != signed_in
    assert not is_signed_in(client)


def test_an_id_planted_before_sign_in_opens_nothing_afterwards(app: Flask, amara: User) -> None:
    victim, attacker = app.test_client(), app.test_client()
    victim.get("/login")
    planted = session_id(victim)
    sign_in(victim)
    attacker.set_cookie("school", planted)
    assert not is_signed_in(attacker)


def test_a_session_id_we_did_not_make_is_not_taken_over(app: Flask) -> None:
    client = app.test_client()
    client.set_cookie("school", "chosen-by-the-client")
    client.get("/login")
    assert session_id(client) != "chosen-by-the-client"


def test_what_was_stolen_before_sign_out_is_worthless_after_it(app: Flask, amara: User) -> None:
    client, thief = app.test_client(), app.test_client()
    sign_in(client)
    thief.set_cookie("school", session_id(client))
    assert is_signed_in(thief)
    client.post("/logout")
    assert not is_signed_in(thief)


def test_signing_out_takes_a_post(app: Flask, amara: User) -> None:
    client = app.test_client()
    sign_in(client)
    assert client.get("/logout").status_code == 405
    assert is_signed_in(client)


def test_signing_in_without_the_forms_token_is_refused(app: Flask, amara: User) -> None:
    client = app.test_client()
    client.sends_token = False
    assert sign_in(client).status_code == 422
    assert not is_signed_in(client)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/x",
        "//evil.example",
        "https:evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
    ],
)
def test_signing_in_never_leads_to_another_site(app: Flask, amara: User, target: str) -> None:
    answer = sign_in(app.test_client(), next=target)
    place = urlsplit(answer.headers.get("Location", "/"))
    assert (place.scheme, place.netloc) == ("", "")
    assert place.path.startswith("/")
    assert not place.path.startswith("//")


def test_signing_in_leads_back_to_where_one_wanted_to_go(app: Flask, amara: User) -> None:
    assert (
        sign_in(app.test_client(), next="/account/school?x=1").headers["Location"]
        == "/account/school?x=1"
    )


def test_a_session_ends_after_its_longest_time_however_used(
    app: Flask, amara: User, frozen_clock: Callable[[datetime], None]
) -> None:
    begin = clock.now()
    client = app.test_client()
    sign_in(client)
    frozen_clock(begin + timedelta(hours=12, minutes=1))
    assert not is_signed_in(client)
    assert client.get("/login").status_code == 200, "no redirect back and forth"


def test_ending_an_account_is_felt_at_the_next_click(app: Flask, amara: User) -> None:
    client = app.test_client()
    sign_in(client)
    assert is_signed_in(client)
    with transaction():
        user = db.session.get(User, amara.id)
        user.active = False
    assert not is_signed_in(client)


def test_the_password_is_kept_as_argon2id(app: Flask, amara: User) -> None:
    assert amara.password.startswith("$argon2id$")
