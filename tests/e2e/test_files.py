"""A file goes in by drag and drop or plain form, gets a version, comes out as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.servers.schoolhouse import Running
from tools.screenshots import sign_in


def open_files(page: Page, demo: Running, number: str) -> None:
    sign_in(page, demo.url, "yusuf.demir")
    page.goto(f"{demo.url}/students?q={number}")
    page.locator("table th[scope=row] a").first.click()
    page.locator("nav.tabs").get_by_role("link", name="Files").click()


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_a_file_comes_back_as_it_went_in(
    demo: Running, open_page: Callable[..., Page], tmp_path: Path, *, javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    open_files(page, demo, "20040" if javascript else "20041")
    letter = tmp_path / "Letter – für Zoë.txt"
    letter.write_text("Dear family,\n", encoding="utf-8")
    page.set_input_files("input[type=file]", str(letter))
    if not javascript:
        page.locator("main form[enctype] button[type=submit]").first.click()
    link = page.get_by_role("link", name="Letter – für Zoë.txt").first
    expect(link).to_be_visible()
    page.goto(page.url)  # what stands there stands in the database
    page.get_by_role("link", name="Letter – für Zoë.txt").first.click()
    with page.expect_download() as download:
        page.locator("a[href*='/download']").first.click()
    assert download.value.suggested_filename == letter.name
    assert Path(download.value.path()).read_text(encoding="utf-8") == "Dear family,\n"


def test_a_file_chosen_before_the_script_came_is_sent(
    demo: Running, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_page()
    open_files(page, demo, "20043")
    waiting: list[Route] = []
    page.route("**/static/uploads.js*", lambda route: waiting.append(route))
    page.goto(page.url, wait_until="commit")
    letter = tmp_path / "Early.txt"
    letter.write_text("Dear family,\n")
    page.set_input_files("input[type=file] >> nth=0", str(letter))
    [late] = waiting
    late.continue_()
    expect(page.get_by_role("link", name="Early.txt").first).to_be_visible()


def test_a_program_is_refused_with_a_reason(
    demo: Running, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_page(javascript=False)
    open_files(page, demo, "20042")
    program = tmp_path / "photo.jpg"
    program.write_bytes(b"MZ" + bytes(200))
    page.set_input_files("input[type=file]", str(program))
    page.locator("main form[enctype] button[type=submit]").first.click()
    expect(page.locator("body")).to_contain_text("program")
