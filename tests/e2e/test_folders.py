"""A folder is made, filled, shared with a colleague who opens it, taken back, and deleted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.servers.schoolhouse import Running
from tools.screenshots import sign_in


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_a_folder_is_shared_and_taken_back(
    demo: Running, open_page: Callable[..., Page], tmp_path: Path, *, javascript: bool
) -> None:
    name = f"Trip {'with' if javascript else 'without'} script"
    page, other = open_page(javascript=javascript), open_page(javascript=javascript)
    sign_in(page, demo.url, "hannah.osei")
    sign_in(other, demo.url, "peter.lindqvist")

    page.goto(f"{demo.url}/files/mine")
    for folder in (name, f"{name}, letters"):
        page.get_by_text("New folder").click()
        page.get_by_label("Name of the folder").fill(folder)
        page.get_by_role("button", name="Make the folder").click()
        expect(page.get_by_role("link", name=folder, exact=True)).to_be_visible()
    page.get_by_role("link", name=f"{name}, letters", exact=True).click()
    letter = tmp_path / "Letter.txt"
    letter.write_text("Dear families,\n", encoding="utf-8")
    page.set_input_files("input[type=file]", str(letter))
    if not javascript:
        page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("link", name="Letter.txt", exact=True)).to_be_visible()

    # From the keyboard: tick, move, go into the folder, put it there.
    page.get_by_label("Select Letter.txt").press("Space")
    page.get_by_role("button", name="Move to…").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Up to “My files”").press("Enter")
    page.get_by_role("button", name=name, exact=True).press("Enter")
    page.get_by_role("button", name="Put it here").press("Enter")
    expect(page.get_by_role("heading", level=1, name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Letter.txt", exact=True)).to_be_visible()
    place = page.url

    page.get_by_role("link", name="Share", exact=True).click()
    page.get_by_label("Name or e-mail address").fill("peter")
    page.get_by_role("button", name="Share it").click()
    page.get_by_label("Peter Lindqvist").check()
    page.get_by_role("button", name="Share it").click()
    expect(page.get_by_text("is shared with Peter Lindqvist (Teacher)")).to_be_visible()

    other.goto(f"{demo.url}/files")
    other.get_by_role("link", name=name, exact=True).click()
    other.get_by_role("link", name="Letter.txt", exact=True).click()
    with other.expect_download() as download:
        other.locator("a[href*='save=1']").first.click()
    assert Path(download.value.path()).read_text(encoding="utf-8") == "Dear families,\n"

    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("is not shared with them any more")).to_be_visible()
    answer = other.goto(place)
    assert answer is not None and answer.status == 404

    # A teacher's own folder goes with what lies in it, and the bar brings it back.
    page.goto(place)
    page.get_by_label("More: rename, move, history, delete").press("Enter")
    page.get_by_role("button", name="Delete the folder").press("Enter")
    expect(page.get_by_text(f"“{name}” is in the trash, and 1 file with it")).to_be_visible()
    expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)
    page.get_by_role("button", name="Undo").press("Enter")
    expect(page.get_by_text(f"“{name}” is back")).to_be_visible()
    page.goto(place)
    expect(page.get_by_role("link", name="Letter.txt", exact=True)).to_be_visible()
