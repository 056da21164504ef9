"""The documentation page in a real browser, under the strict policy."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser
from waitress.server import create_server

from tests.api.test_fuzz import OPERATIONS
from tests.e2e.conftest import CHROMIUM

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    server = create_server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()


def test_every_operation_is_drawn_without_a_fault_or_another_host(
    address: str, chromium: Browser
) -> None:
    faults: list[str] = []
    asked: list[str] = []
    page = chromium.new_page()
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/api/docs")
    page.wait_for_selector(".opblock")
    assert page.locator(".opblock").count() == OPERATIONS
    page.locator(".opblock-post .opblock-summary-control").first.click()
    page.wait_for_selector(".opblock-body textarea, .opblock-body input")
    page.close()
    assert not faults
    assert not [url for url in asked if not url.startswith((address, "data:"))]
