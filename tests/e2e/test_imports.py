"""The check before an import: what was typed into a marked cell is never lost."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.servers.schoolhouse import Running
from tools.screenshots import sign_in

OpenPage = Callable[..., Page]
FILE = b"""Admission No,Surname,Forename,Date of Birth,Class
91001,,Ann,2015-03-01,7A
91002,Lee,Bo,2015-02-01,7A
"""


def upload(page: Page, demo: Running) -> None:
    sign_in(page, demo.url, "ingrid.solberg")
    page.goto(f"{demo.url}/imports")
    page.wait_for_load_state("networkidle")
    page.locator("main input[type=file]").set_input_files(
        {"name": "roster.csv", "mimeType": "text/csv", "buffer": FILE}
    )
    page.wait_for_url("**/preview")
    page.wait_for_load_state("networkidle")


def test_what_is_typed_and_not_saved_goes_along_with_import(
    demo: Running, open_page: OpenPage
) -> None:
    page = open_page()
    upload(page, demo)
    page.locator("input[name=c1]").fill("Smith")
    page.locator("#commit").click()
    expect(page.locator("body")).to_contain_text("What you typed is saved and checked now")
    expect(page.locator("#row-2")).to_contain_text("Smith")
    expect(page.locator("#left-to-repair")).to_have_text("Nothing is left to repair.")
    page.get_by_role("button", name="Stop, keep nothing").click()
    page.wait_for_url("**/imports")


def test_leaving_with_something_typed_asks_first(demo: Running, open_page: OpenPage) -> None:
    page = open_page()
    upload(page, demo)
    asked: list[str] = []

    def stay(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]
        dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", stay)
    page.locator("input[name=c1]").fill("Smith")
    page.get_by_role("link", name="Columns").click(no_wait_after=True)
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    expect(page.locator("input[name=c1]")).to_have_value("Smith")
    page.locator("#row-2").get_by_role("button", name="Save").click()
    expect(page.locator("#left-to-repair")).to_have_text("Nothing is left to repair.")
    page.get_by_role("link", name="Columns").click()
    page.wait_for_url("**/columns")
    assert asked == ["beforeunload"]


def test_without_script_the_work_leads_on_by_itself(demo: Running, open_page: OpenPage) -> None:
    page = open_page(width=390, height=844, javascript=False)
    sign_in(page, demo.url, "ingrid.solberg")
    page.goto(f"{demo.url}/imports")
    page.locator("main input[type=file]").set_input_files(
        {"name": "roster.csv", "mimeType": "text/csv", "buffer": FILE}
    )
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/preview")
    bar = page.locator(".commit-go").bounding_box()
    assert bar and bar["height"] <= 64  # one line above the tabs
    page.get_by_role("button", name="Stop, keep nothing").click()
    page.wait_for_url("**/imports")
