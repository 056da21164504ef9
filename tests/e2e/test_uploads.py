"""A large file on a bad line: cut off, paused, the page closed; in the end it is all there."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.e2e.conftest import check_accessibility
from tests.servers.schoolhouse import Running
from tools.screenshots import sign_in

LINE = b"Zofia;7B;2026-11-20;Northfield School;Report\n"


def report(folder: Path, size: int) -> Path:
    place = folder / "Report.csv"
    place.write_bytes((LINE * (size // len(LINE) + 1))[:size])
    return place


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Just large enough to go in pieces."""
    return report(tmp_path_factory.mktemp("large"), 8_500_000)


class Line:
    """The line to the school, for pieces of uploads only."""

    def __init__(self, page: Page) -> None:
        self.is_up = True
        self.passes = 1_000
        page.route("**/files/uploads/*", self._pass)

    def _pass(self, route: Route) -> None:
        is_piece = route.request.method == "PATCH"
        if not self.is_up or (is_piece and self.passes <= 0):
            self.is_up = False
            route.abort("connectionreset")
            return
        self.passes -= is_piece
        route.continue_()

    def mend(self) -> None:
        self.is_up, self.passes = True, 1_000


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    return open_page()


def open_files(page: Page, demo: Running, number: str) -> None:
    sign_in(page, demo.url, "yusuf.demir")
    page.goto(f"{demo.url}/students?q={number}")
    student = page.locator("table th[scope=row] a").first.get_attribute("href")
    page.goto(f"{demo.url}{student}/files")


def row_of(page: Page, name: str) -> Locator:
    return page.locator(".up", has_text=name)


def assert_it_is_here(page: Page, large: Path) -> None:
    link = page.locator("#files").get_by_role("link", name=large.name).first
    expect(link).to_be_visible(timeout=20_000)
    expect(row_of(page, large.name)).to_have_count(0)
    link.click()
    with page.expect_download() as download:
        page.locator("a[href*='/download'][href*='save']").first.click()
    got = sha256(Path(download.value.path()).read_bytes()).digest()
    assert got == sha256(large.read_bytes()).digest()


def test_after_the_line_breaks_it_goes_on_by_itself(
    page: Page, demo: Running, tmp_path: Path
) -> None:
    large = report(tmp_path, 20_000_000)
    open_files(page, demo, "20043")
    line = Line(page)
    line.passes = 2
    page.set_input_files("#pick", str(large))
    row = row_of(page, large.name)
    expect(row).to_contain_text("The connection is away. It goes on by itself.")
    assert 0 < int(row.locator("progress").get_attribute("value") or 0) < 100
    expect(page.locator("[data-live]")).to_contain_text("Report.csv")

    line.mend()

    assert_it_is_here(page, large)


def test_after_the_page_was_closed_the_same_file_goes_on(
    page: Page, demo: Running, large: Path, tmp_path: Path
) -> None:
    # The page does not carry the character that turns writing around; it is the same file still.
    turned = tmp_path / f"{large.name}\u202e"
    turned.hardlink_to(large)
    open_files(page, demo, "20044")
    place = page.url
    line = Line(page)
    line.passes = 2
    page.set_input_files("#pick", str(turned))
    row = row_of(page, large.name)
    expect(row).to_contain_text("The connection is away")
    row.get_by_role("button", name="Pause: Report.csv").press("Enter")
    expect(row).to_contain_text("Paused. What was sent is kept.")

    line.mend()
    page.goto(place)
    expect(row).to_contain_text("Choose the same file to go on.")
    before = int(row.locator("progress").get_attribute("value") or 0)
    assert 0 < before < 100
    starts: list[int] = []
    page.on(
        "request",
        lambda one: (
            starts.append(int(one.headers["upload-offset"])) if one.method == "PATCH" else None
        ),
    )
    page.set_input_files("#pick", str(turned))

    assert_it_is_here(page, large)
    assert min(starts) >= before * large.stat().st_size // 100


def test_another_file_of_the_same_name_and_size_begins_anew(
    page: Page, demo: Running, large: Path, tmp_path: Path
) -> None:
    open_files(page, demo, "20045")
    line = Line(page)
    line.passes = 1
    page.set_input_files("#pick", str(large))
    expect(row_of(page, large.name)).to_contain_text("The connection is away")
    page.reload()
    line.mend()
    other = tmp_path / large.name
    other.write_bytes(large.read_bytes()[::-1])
    page.set_input_files("#pick", str(other))

    assert_it_is_here(page, other)


def test_it_can_be_paused_and_cancelled(page: Page, demo: Running, large: Path) -> None:
    open_files(page, demo, "20046")
    Line(page).passes = 1
    page.set_input_files("#pick", str(large))
    row = row_of(page, large.name)
    expect(row).to_contain_text("The connection is away")
    row.get_by_role("button", name="Cancel: Report.csv").click()
    expect(row).to_contain_text("Cancelled")
    expect(row.get_by_role("button", name="Send again")).to_be_focused()


def test_several_go_at_once_and_a_bad_one_says_why(
    page: Page, demo: Running, large: Path, tmp_path: Path
) -> None:
    open_files(page, demo, "20047")
    bad = tmp_path / "Film.pdf"
    bad.write_bytes(b"MZ" + bytes(9_000_000))
    small = [tmp_path / f"{n}.txt" for n in range(4)]
    for one in small:
        one.write_text("Dear family,\n")
    page.set_input_files("#pick", [str(one) for one in (bad, *small)])

    expect(row_of(page, "Film.pdf")).to_contain_text("This is a program.", timeout=20_000)
    for one in small:
        expect(
            page.locator("#files").get_by_role("link", name=one.name, exact=True)
        ).to_be_visible()
    page.reload()
    row = row_of(page, "Film.pdf")
    expect(row).to_contain_text("This is a program.")
    row.get_by_role("button", name="Take off the list").click()
    expect(row).to_have_count(0)


def test_what_is_under_way_is_open_to_everybody(
    browser: Browser, demo: Running, large: Path
) -> None:
    """In a folder of one's own, with bars, buttons and what another page left."""
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    sign_in(page, demo.url, "yusuf.demir")
    page.goto(f"{demo.url}/files/mine")
    Line(page).passes = 1
    page.set_input_files("#pick", str(large))
    row = row_of(page, large.name)
    expect(row).to_contain_text("The connection is away")
    for _ in range(2):
        for width, scheme in ((1440, "light"), (390, "dark")):
            page.set_viewport_size({"width": width, "height": 844})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert check_accessibility(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.reload()
    row.get_by_role("button", name="Give up").press("Enter")
    expect(page.locator("body")).to_contain_text("is no longer being sent")
    expect(row).to_have_count(0)
    context.close()
