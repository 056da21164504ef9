"""The session ends, another tab is faster, a link is pressed: what was typed stays, and it is said why."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.test_imports import upload
from tests.servers.schoolhouse import Running
from tools.screenshots import sign_in

OpenPage = Callable[..., Page]


def test_a_row_saved_after_the_session_ended_keeps_what_was_typed(
    demo: Running, open_page: OpenPage
) -> None:
    page = open_page()
    upload(page, demo)
    cell = page.locator("input[name=c1]")
    cell.fill("Smith")
    page.context.clear_cookies()
    page.locator("#row-2").get_by_role("button", name="Save").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Sign in in a new tab")
    expect(cell).to_have_value("Smith")
    assert page.locator("h1").count() == 1
    with page.context.expect_page() as other:
        alert.get_by_role("link").click()
    sign_in(other.value, demo.url, "ingrid.solberg")
    other.value.close()
    save = page.locator("#row-2").get_by_role("button", name="Save")
    save.click()  # the token of before: told once more, and a fresh one comes along
    expect(alert).to_contain_text("send it again")
    expect(cell).to_have_value("Smith")
    save.click()
    expect(page.locator("#row-2")).to_contain_text("Smith")
    expect(alert).to_have_count(0)
    page.get_by_role("button", name="Stop, keep nothing").click()
    page.wait_for_url("**/imports")


def test_a_row_of_a_file_that_is_gone_says_so(demo: Running, open_page: OpenPage) -> None:
    page = open_page()
    upload(page, demo)
    page.locator("input[name=c1]").fill("Smith")
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("button", name="Stop, keep nothing").click()
    other.wait_for_url("**/imports")
    page.locator("#row-2").get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).not_to_be_empty()
    expect(page.locator("input[name=c1]")).to_have_value("Smith")


def test_a_form_sent_after_the_session_ended_is_sent_again(
    demo: Running, open_page: OpenPage
) -> None:
    page = open_page()
    sign_in(page, demo.url, "ingrid.solberg")
    page.goto(f"{demo.url}/students/admit")
    page.fill("[name=family_name]", "Zimmermann")
    page.context.clear_cookies()
    page.locator("main form button[type=submit]").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You were signed out")
    with page.context.expect_page() as other:
        page.get_by_role("link", name="Sign in in a new tab").click()
    sign_in(other.value, demo.url, "ingrid.solberg")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Zimmermann")


def test_leaving_a_form_typed_into_asks_and_saving_does_not(
    demo: Running, open_page: OpenPage
) -> None:
    page = open_page()
    sign_in(page, demo.url, "ingrid.solberg")
    page.goto(f"{demo.url}/students/admit")
    asked: list[str] = []

    def stay(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]
        dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", stay)
    page.fill("[name=family_name]", "Typed")
    page.locator(".side").get_by_role("link", name="Classes").click(no_wait_after=True)
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    page.locator("main form button[type=submit]").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Typed")
    assert asked == ["beforeunload"]
