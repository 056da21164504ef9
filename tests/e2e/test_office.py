"""An office's day in the browser: find, admit, correct, archive, undo; with and without script, by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.servers.schoolhouse import Running
from tools.screenshots import sign_in

OpenPage = Callable[..., Page]


def test_any_student_is_found_while_typing(demo: Running, open_page: OpenPage) -> None:
    page = open_page()
    sign_in(page, demo.url, "ingrid.solberg")
    page.goto(f"{demo.url}/students")
    page.wait_for_load_state("networkidle")
    page.get_by_label("Name, number or guardian").press_sequentially("20017", delay=20)
    expect(page.locator("table tbody tr")).to_have_count(1)
    assert "20017" in page.url or page.locator("table").inner_text().count("20017") == 1


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_a_student_is_admitted_corrected_archived_and_brought_back(
    demo: Running, open_page: OpenPage, *, javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    sign_in(page, demo.url, "yusuf.demir")
    family = "Ålesund" if javascript else "Østby"
    page.goto(f"{demo.url}/students/admit")
    page.fill("[name=family_name]", family)
    page.fill("[name=given_name]", "Nora")
    page.locator("main form button[type=submit]").last.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Nora {family}")
    student = page.url
    page.goto(f"{student}/edit/names")
    page.fill("[name=preferred_name]", "Nori")
    page.locator("main form button[type=submit]").last.click()
    page.goto(f"{student}/history")
    expect(page.locator("main")).to_contain_text("Nori")
    page.goto(f"{demo.url}/students?q={family.lower().translate(str.maketrans('åø', 'ao'))}")
    expect(page.locator("table")).to_contain_text(family)


def test_bulk_archiving_is_undone_with_one_click(demo: Running, open_page: OpenPage) -> None:
    page = open_page()
    sign_in(page, demo.url, "yusuf.demir")
    page.goto(f"{demo.url}/students?q=adeyemi")
    rows = page.locator("table tbody tr")
    before = rows.count()
    assert before >= 2
    page.locator("tbody [data-tick], tbody input[type=checkbox]").nth(0).check()
    page.locator("tbody [data-tick], tbody input[type=checkbox]").nth(1).check()
    page.get_by_role("button", name="Archive").click()
    page.get_by_role("button", name="Undo").click()
    page.goto(f"{demo.url}/students?q=adeyemi")
    expect(rows).to_have_count(before)


def test_all_that_match_are_archived_and_brought_back(demo: Running, open_page: OpenPage) -> None:
    page = open_page()
    sign_in(page, demo.url, "yusuf.demir")
    page.goto(f"{demo.url}/students")
    page.wait_for_load_state("networkidle")
    page.get_by_label("Name, number or guardian").fill("d")
    expect(page.locator("#list .chip-on")).to_have_count(1)  # the list is the new one
    page.get_by_label("Select all 50 on this page").check()
    every = page.get_by_label(re.compile(r"Select all \d+ that match"))
    count = (every.locator("..").inner_text()).split()[2]
    every.check()
    expect(page.locator("[data-n]")).to_have_text(f"{count} selected")
    page.locator("[data-tick]").first.uncheck()
    expect(page.locator("[data-n]")).to_have_text("49 selected")
    expect(every).to_be_hidden()
    page.get_by_label("Select all 50 on this page").check()
    every.check()
    page.get_by_role("button", name="Archive").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Archive {count} students")
    page.get_by_role("button", name=f"Archive {count} students").click()
    expect(page.locator("main")).to_contain_text("Nobody here fits these filters")
    page.get_by_role("button", name="Undo").click()
    page.goto(f"{demo.url}/students?q=d")
    expect(page.locator(".foot")).to_contain_text(f"50 of {count} students")


def test_without_script_the_verbs_stand_below_the_list(demo: Running, open_page: OpenPage) -> None:
    page = open_page(width=390, height=844, javascript=False)
    sign_in(page, demo.url, "yusuf.demir")
    page.goto(f"{demo.url}/students")
    bar, rows = page.locator("#bulk").bounding_box(), page.locator("#list").bounding_box()
    assert bar and rows and bar["y"] >= rows["y"] + rows["height"]
    assert bar["x"] >= 0 and bar["x"] + bar["width"] <= 390
    expect(page.locator("[data-clear]")).to_be_hidden()
    page.get_by_label(re.compile("that match")).check()
    page.get_by_role("button", name="Move").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        re.compile(r"Move \d{3} students to a class")
    )


def test_the_keyboard_alone_is_enough(demo: Running, open_page: OpenPage) -> None:
    page = open_page()
    page.goto(f"{demo.url}/login")
    page.locator("#email").focus()
    page.keyboard.type("ingrid.solberg")
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.id") != "password":
        page.keyboard.press("Tab")
    page.keyboard.type("northfield-demo")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    # A machine types before the page's scripts have settled; a person does not.
    page.wait_for_load_state("networkidle")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("20017")
    expect(page.locator("#found a").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/students/**")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Skip to content"


def test_families_see_their_child_and_nobody_else(demo: Running, open_page: OpenPage) -> None:
    page = open_page(width=390, height=844)
    sign_in(page, demo.url, "guardian")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.goto(f"{demo.url}/imports").status in {403, 404}  # type: ignore[union-attr]
    answer = page.goto(f"{demo.url}/students")
    assert answer is not None
    assert answer.status in {200, 403}
    assert page.locator("table tbody tr").count() <= 3
