"""A forgotten password: a link by mail, the same answer for everybody, old sessions end."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from school import clock
from school.accounts import service
from school.accounts.models import User
from school.audit.models import PlatformEvent
from school.db import db, transaction
from school.jobs.models import Job
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


def test_known_and_unknown_addresses_get_the_same_answer(
    app: Flask, amara: User, run_jobs: Callable[[], int]
) -> None:
    known = app.test_client().post("/reset", data={"email": "amara@example.org"})
    unknown = app.test_client().post("/reset", data={"email": "nobody@example.org"})
    texts = [read_page(answer).text for answer in (known, unknown)]
    assert texts[0].replace("amara", "nobody") == texts[1]
    assert "If there is an account with this address, a letter is on its way." in texts[1]
    assert "have been sent" not in texts[1]
    run_jobs()
    assert [letter.to_address for letter in letters()] == ["amara@example.org"]


def test_the_link_sets_a_password_once_and_ends_every_session(
    app: Flask, amara: User, run_jobs: Callable[[], int]
) -> None:
    elsewhere, client = app.test_client(), app.test_client()
    elsewhere.post("/login", data={"email": "amara@example.org", "password": PASSWORD})
    client.post("/reset", data={"email": "amara@example.org"})
    run_jobs()
    link = link_in(letters()[0].body)
    new = {"password": "another long secret", "password_confirm": "another long secret"}
    read_page(client.get(link))
    told = read_page(client.post(link, data=new, follow_redirects=True)).text
    assert "Your new password is set. Sign in with it." in told
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
    app: Flask, amara: User, run_jobs: Callable[[], int]
) -> None:
    client = app.test_client()
    client.sends_token = False
    evil = "http://evil.example"
    token = re.search(
        r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/reset", base_url=evil).text
    ).group(1)
    client.post("/reset", data={"email": "amara@example.org", "csrf_token": token}, base_url=evil)
    run_jobs()
    assert letters(), "it was asked for"
    assert "evil" not in letters()[0].body
    assert link_in(letters()[0].body)


def test_a_made_up_link_leads_back_to_the_beginning(app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/reset/not-a-token")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/reset")
    told = read_page(client.get("/reset")).text
    assert "This link was used already or is too old. Ask for a new one." in told
    assert "token" not in told


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


NEW = {"password": "another long secret", "password_confirm": "another long secret"}


def reset(client: FlaskClient, run_jobs: Callable[[], int]) -> None:
    """Set a new password by the link of the last mail."""
    client.post("/reset", data={"email": "amara@example.org"})
    run_jobs()
    db.session.expire_all()
    link = link_in(next(letter.body for letter in reversed(letters()) if "/reset/" in letter.body))
    assert client.post(link, data=NEW).status_code == 302


def test_a_reset_ends_the_links_sent_before(
    app: Flask, amara: User, run_jobs: Callable[[], int]
) -> None:
    with transaction():
        old = "/welcome/" + service.make_sign_in_link(amara).rpartition("/")[2]
    client = app.test_client()
    assert client.get(old).status_code == 200
    reset(client, run_jobs)
    assert client.post(old, data={"password": "taken over, long"}).status_code == 404


def test_changing_the_password_ends_the_links_sent_before(app: Flask, amara: User) -> None:
    with transaction():
        old = "/welcome/" + service.make_sign_in_link(amara).rpartition("/")[2]
    client = app.test_client()
    client.post("/login", data={"email": "amara@example.org", "password": PASSWORD})
    new = "another long secret"
    answer = client.post(
        "/account/password",
        data={"password": PASSWORD, "new_password": new, "new_password_confirm": new},
    )
    assert answer.status_code == 302
    assert app.test_client().get(old).status_code == 404
    told = db.session.scalars(
        sa.select(PlatformEvent.details).where(PlatformEvent.action == "user.password_set")
    ).all()
    assert told == [{"by": "change"}]


def test_a_new_password_ends_the_wait_after_wrong_ones(
    app: Flask, amara: User, run_jobs: Callable[[], int]
) -> None:
    client = app.test_client()
    for _ in range(12):
        last = client.post("/login", data={"email": "amara@example.org", "password": "wrong"})
    assert last.status_code == 429
    reset(client, run_jobs)
    signed_in = client.post(
        "/login", data={"email": "amara@example.org", "password": NEW["password"]}
    )
    assert signed_in.status_code == 302


@pytest.mark.parametrize("email", ["amara@example.org", "nobody@example.org"])
def test_asking_for_links_is_followed_by_a_wait(app: Flask, amara: User, email: str) -> None:
    client = app.test_client()
    asked = [client.post("/reset", data={"email": email}) for _ in range(11)]
    assert [answer.status_code for answer in asked] == [200] * 10 + [429]
    assert 0 < int(asked[-1].headers["Retry-After"]) <= 900
    with clock.set_to(clock.now() + timedelta(minutes=15, seconds=1)):
        assert client.post("/reset", data={"email": email}).status_code == 200


def test_one_address_cannot_ask_for_many(app: Flask) -> None:
    client = app.test_client()
    asked = [client.post("/reset", data={"email": f"n{n}@example.org"}) for n in range(51)]
    assert [answer.status_code for answer in asked] == [200] * 50 + [429]


def test_the_request_does_the_same_for_known_and_unknown(
    app: Flask, amara: User, count_queries
) -> None:
    """How long it takes must not tell who has an account: the link and the letter are a job's."""
    client = app.test_client()
    client.get("/reset")
    did = []
    for email in ("amara@example.org", "nobody@example.org"):
        with count_queries() as queries:
            client.post("/reset", data={"email": email})
        did.append([re.sub(r"\s+", " ", statement) for statement in queries.statements])
    assert did[0] == did[1]
    assert letters() == []
    assert len(db.session.scalars(sa.select(Job.id)).all()) == 2
