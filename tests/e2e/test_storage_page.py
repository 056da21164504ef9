"""The operators' page of the storage in a real browser: narrow, dark, and while it works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from school import clock
from school.db import db, transaction
from school.files.models import ReconcileRun
from school.files.service.reconciling import Kind, distrust
from school.files.service.reconciling.outcome import COUNTS
from school.storage.keys import new_key
from school.worker import run_until_done
from tests.conftest import make_member
from tests.e2e.conftest import check_accessibility

PATH = "/platform/storage"


@pytest.fixture
def served(app: Flask, client_for: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """(address, the cookie of somebody who looks after all schools)."""
    client = client_for(None, user=make_member(None, None, is_platform_admin=True))
    cookie = client.get_cookie(app.config["SESSION_COOKIE_NAME"])
    db.session.remove()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.port}"
    yield url, {"name": cookie.key, "value": cookie.value, "url": url}
    server.shutdown()
    thread.join()


def note_run(school: Any) -> None:
    findings = [
        {"kind": kind.value, "key": new_key(), "school": str(school.id), "number": 3}
        for kind in Kind
    ]
    with transaction() as session:
        session.add(
            ReconcileRun(
                provider="local",
                mode="mend",
                counts=dict.fromkeys(COUNTS, 12_345),
                findings=findings,
                finished_at=clock.now(),
            )
        )
        distrust()
    db.session.remove()


@pytest.mark.parametrize(("width", "dark"), [(360, False), (360, True), (1440, False)])
def test_findings_fit_the_window_and_are_open_to_everybody(
    served: Any, school: Any, browser: Browser, width: int, dark: bool
) -> None:
    note_run(school)
    url, cookie = served
    # Not `open_page`, which forbids the style that axe brings along.
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
    )
    page.context.add_cookies([cookie])
    page.goto(url + PATH)
    assert page.get_by_role("button", name="Trust the database again").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert check_accessibility(page) == []
    page.close()


def test_comparing_now_moves_and_ends(
    served: Any, app: Flask, school: Any, open_page: Callable[..., Page]
) -> None:
    url, cookie = served
    page = open_page(width=390)
    page.context.add_cookies([cookie])
    page.goto(url + PATH)
    page.get_by_role("button", name="Compare now").click()
    page.get_by_text("Comparing files and database").wait_for()
    assert page.get_by_role("button", name="Compare now").count() == 0
    db.session.remove()
    run_until_done(app)
    page.get_by_text("Last comparison of local").wait_for()
    assert page.get_by_text("Nothing is lost.").is_visible()
