"""Names, addresses and file names as long as they come: nothing grows over the edge of the page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.servers.schoolhouse import Running
from tools.screenshots import sign_in

OpenPage = Callable[..., Page]
NAME = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwaren" * 2
EMAIL = "katharina." + "x" * 97 + "@example.org"
FILE = "a" * 156 + ".txt"
ROSTER = f"""Admission No,Surname,Forename,Class,Guardian 1 Name,Guardian 1 Email
95001,{NAME},Ada,7A,Ida {NAME},{EMAIL}
95002,{NAME},,7A,Ida {NAME},nobody
"""


@pytest.fixture(scope="module")
def places(demo: Running, browser: object) -> dict[str, str]:
    """Where the long values stand."""
    page = browser.new_page()  # type: ignore[attr-defined]
    sign_in(page, demo.url, "ingrid.solberg")
    page.goto(f"{demo.url}/students/admit")
    page.fill("[name=family_name]", NAME)
    page.locator("main form button[type=submit]").last.click()
    page.wait_for_url(lambda url: "/admit" not in url)
    student = page.url
    page.goto(f"{student}/guardians/add")
    page.fill("[name=name]", "Katharina von Hohenstein")
    page.fill("[name=email]", EMAIL)
    page.locator("main form button[type=submit]").last.click()
    page.wait_for_url("**/guardians")
    page.goto(f"{student}/files")
    page.wait_for_load_state("networkidle")
    page.locator("#pick").set_input_files(
        {"name": FILE, "mimeType": "text/plain", "buffer": b"words"}
    )
    page.locator("#files table a").first.wait_for()
    file = page.locator("#files table a").first.get_attribute("href")
    page.goto(f"{demo.url}/imports")
    page.wait_for_load_state("networkidle")
    page.locator("main input[type=file]").set_input_files(
        {"name": "long.csv", "mimeType": "text/csv", "buffer": ROSTER.encode()}
    )
    page.wait_for_url("**/preview")
    found = {
        "list": f"{demo.url}/students?q={NAME[:30]}",
        "student": student,
        "files": f"{student}/files",
        "file": f"{demo.url}{file}",
        "guardians": f"{student}/guardians",
        "all-guardians": f"{demo.url}/guardians?q=katharina",
        "preview": page.url,
    }
    page.close()
    return found


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_no_page_is_wider_than_its_window(
    demo: Running, open_page: OpenPage, places: dict[str, str], width: int
) -> None:
    page = open_page(width=width)
    sign_in(page, demo.url, "ingrid.solberg")
    for name, address in places.items():
        page.goto(address)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name}: {wide} px"
        out = page.evaluate(
            """() => [...document.querySelectorAll("main .card > *, main .card tr > *, main h1")]
            .filter((one) => !one.closest(".scroll-x") && one.checkVisibility()
                && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== "auto")
            .map((one) => one.outerHTML.slice(0, 120))"""
        )
        assert not out, f"{name}: {out}"


def test_a_long_address_leaves_the_name_room(
    demo: Running, open_page: OpenPage, places: dict[str, str]
) -> None:
    page = open_page()
    sign_in(page, demo.url, "ingrid.solberg")
    page.goto(places["student"])
    name = page.locator(".rows .row-t", has_text="Katharina").bounding_box()
    assert name is not None and name["height"] < 50
