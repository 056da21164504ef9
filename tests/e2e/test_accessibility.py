"""axe-core finds nothing, on every page, wide and phone, light and dark; nothing scrolls sideways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import check_accessibility
from tests.servers.schoolhouse import Running
from tools.screenshots import PAGES, places, sign_in

LOOKS = [(1440, 900, "light"), (1440, 900, "dark"), (390, 844, "light"), (390, 844, "dark")]


@pytest.fixture(scope="module")
def found(demo: Running, browser: Any) -> dict[str, str]:
    """Addresses of a student, file, class and import of the demo school."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    sign_in(page, demo.url, "ingrid.solberg")
    addresses = dict(places(page, demo.url))
    page.context.close()
    return addresses


@pytest.fixture(scope="module")
def signed_in(demo: Running, browser: Any) -> Any:
    """One window per person, kept for all their pages."""
    windows: dict[str | None, Page] = {}

    def window(who: str | None) -> Page:
        if who not in windows:
            windows[who] = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            if who:
                sign_in(windows[who], demo.url, who)
        return windows[who]

    yield window
    for page in windows.values():
        page.context.close()


# The description of the API is drawn by swagger-ui, whose colours are its own: "api" is not ours to judge.
@pytest.mark.parametrize("name", [name for name in PAGES if name != "api"])
def test_a_page_is_open_to_everybody(
    name: str, demo: Running, found: dict[str, str], signed_in: Callable[[str | None], Page]
) -> None:
    who, path = PAGES[name]
    page = signed_in(who)
    page.goto(demo.url + path.format(**found))
    for width, height, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": height})
        # Without motion: a colour on its way from light to dark is neither.
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        assert check_accessibility(page) == [], f"{name} at {width}, {scheme}"
        # The description of the API is a third party's page.
        if name != "api":
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
                f"{name} at {width}"
            )
