"""A file's page sends its new version in pieces, and says when somebody else was faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import check_accessibility
from tests.e2e.test_uploads import Line, open_files, report
from tests.servers.schoolhouse import Running


def open_file(page: Page, demo: Running, number: str, folder: Path) -> None:
    """The page of a file that was just sent."""
    place = folder / "Plan.txt"
    place.write_text(f"Dear family of {number},\n")
    open_files(page, demo, number)
    page.set_input_files("#pick", str(place))
    page.locator("#files").get_by_role("link", name="Plan.txt").first.click()


def sending(page: Page) -> Locator:
    return page.locator("[data-uploads]")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Not watched for breaches of the policy: looking for barriers makes some itself."""
    context = browser.new_context(reduced_motion="reduce")
    yield context.new_page()
    context.close()


def test_a_new_version_goes_on_after_the_page_was_closed(
    page: Page, demo: Running, tmp_path: Path
) -> None:
    new = report(tmp_path, 3_000_000)
    open_file(page, demo, "20051", tmp_path)
    address = page.url
    line = Line(page)
    line.passes = 1
    page.get_by_label("What changed").fill("All of it")
    page.set_input_files("input[type=file]", str(new))
    page.get_by_role("button", name="Send the new version").press("Enter")
    expect(sending(page)).to_contain_text("The connection is away. It goes on by itself.")
    assert check_accessibility(page) == []
    line.mend()
    page.goto(address)
    expect(sending(page)).to_contain_text("Choose the same file to go on.")
    assert check_accessibility(page) == []

    page.set_input_files("input[type=file]", str(new))
    page.get_by_role("button", name="Send the new version").press("Enter")

    versions = page.locator("#versions")
    expect(versions).to_contain_text("Version 2", timeout=20_000)
    expect(versions).to_contain_text("“All of it”")
    expect(versions).to_contain_text("Report.csv")
    expect(page.get_by_role("heading", level=1)).to_have_text("Plan.csv")


def test_what_somebody_else_replaced_meanwhile_is_told(
    open_page: Callable[..., Page], demo: Running, tmp_path: Path
) -> None:
    page = open_page()
    open_file(page, demo, "20052", tmp_path)
    other = page.context.new_page()
    other.goto(page.url)
    new = tmp_path / "Newer.txt"
    new.write_text("Dear family, another day,\n")
    for one in (other, page):
        one.set_input_files("input[type=file]", str(new))
        one.get_by_role("button", name="Send the new version").click()
        if one is other:
            expect(one.locator("#versions")).to_contain_text("Version 2")

    expect(sending(page)).to_contain_text("was changed by somebody else meanwhile")
    expect(page.get_by_role("button", name="Send the new version")).to_be_visible()
    page.reload()
    expect(page.locator("#versions")).not_to_contain_text("Version 3")
