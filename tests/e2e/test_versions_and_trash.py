"""A file is replaced, brought back, deleted, and taken out of the trash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_files import open_files
from tests.servers.schoolhouse import Running

NAME = "Swimming.txt"


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_nothing_of_a_file_is_lost(
    demo: Running, open_page: Callable[..., Page], tmp_path: Path, *, javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    open_files(page, demo, "20045" if javascript else "20046")
    files = page.url
    _send(page, tmp_path, javascript=javascript)
    page.get_by_role("link", name=NAME).first.click()

    _replace(page, tmp_path)
    expect(page.get_by_text("Version 2 is the current one now")).to_be_visible()
    page.get_by_role("button", name="Bring back Version 1").click()
    expect(page.get_by_text("Version 1, brought back")).to_be_visible()

    page.get_by_label("More: history, delete").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("link", name=NAME)).to_have_count(0)
    page.goto(files)
    page.get_by_role("link", name="Trash").click()
    page.get_by_role("row", name=NAME).get_by_role("button", name="Take out").click()
    page.goto(files)
    page.get_by_role("link", name=NAME).first.click()
    expect(page.get_by_text("3 versions, every one is kept")).to_be_visible()


def _send(page: Page, folder: Path, *, javascript: bool) -> None:
    letter = folder / NAME
    letter.write_text("The pool is closed.\n", encoding="utf-8")
    page.set_input_files("input[type=file] >> nth=0", str(letter))
    if not javascript:
        page.locator("main form[enctype] button[type=submit]").first.click()
    expect(page.get_by_role("link", name=NAME).first).to_be_visible(timeout=20_000)


def _replace(page: Page, folder: Path) -> None:
    newer = folder / "newer.txt"
    newer.write_text("The pool is open again.\n", encoding="utf-8")
    form = page.locator("form", has=page.get_by_role("button", name="Send the new version"))
    form.locator("input[type=file]").set_input_files(str(newer))
    form.get_by_role("button", name="Send the new version").click()
