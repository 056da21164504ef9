"""A passkey in a real browser with a virtual authenticator: add it, sign in with it, remove it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_security import hash_password
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from school.audit.models import PlatformEvent
from school.db import db
from school.permissions import Role
from tests.conftest import make_app, make_member, make_school
from tests.factories.accounts import PASSWORD

CHROMIUM = "/usr/bin/chromium"
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="needs Chromium in /usr/bin"),
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with make_app(tmp_path_factory.mktemp("passkeys")) as app:
        yield app


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    make_member(
        make_school(), Role.TEACHER, email="amara@example.org", password=hash_password(PASSWORD)
    )
    server = make_server("localhost", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_context().new_page()
    page.set_default_timeout(15_000)
    page.faults = []
    page.on("console", lambda said: page.faults.append(said.text) if said.type == "error" else None)
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    yield page
    page.context.close()


def sign_out(page: Page) -> None:
    page.context.clear_cookies()


def test_a_passkey_is_added_opens_the_door_and_is_removed(
    app: Flask, page: Page, address: str
) -> None:
    page.goto(f"{address}/login")
    page.get_by_label("E-mail or user name").fill("amara@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{address}/wan-register")
    page.get_by_label("Name of this passkey").fill("my phone")
    page.get_by_role("button", name="Add a passkey").click()
    page.wait_for_url("**/account")
    sign_out(page)

    page.goto(f"{address}/login?next=/account")
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/account")
    expect(page.locator("h1")).to_be_visible()

    page.goto(f"{address}/wan-register")
    page.get_by_role("button", name="Remove my phone").click()
    page.goto(f"{address}/wan-register")
    expect(page.get_by_text("Your passkeys")).to_have_count(0)
    assert not page.faults, page.faults
    with app.app_context():
        told = db.session.scalars(sa.select(PlatformEvent.action).order_by(PlatformEvent.id)).all()
    ways = [action for action in told if "passkey" in action]
    assert ways == ["user.passkey_added", "user.passkey_removed"]
