"""What macros and frames promise: once as HTML, once in a browser under the real policy."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from flask import render_template, render_template_string
from playwright.sync_api import expect

from school.web.headers import POLICY
from tests.pages import read_page
from tests.web.gallery.app import create_gallery
from tests.web.gallery.serving import served_gallery

AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAGES = ["/", "/?flash=1", "/list", "/list?q=zzz", "/form", "/preview", "/files", "/door", "/door?fault=1"]
STATUSES = [403, 404, 405, 409, 413, 422, 429, 500, 503]


@pytest.fixture(scope="module")
def gallery():
    return create_gallery()


@pytest.fixture
def visitor(gallery):
    return gallery.test_client()


def render(app, text, path="/", **values):
    with app.test_request_context(path):
        return render_template_string(text, **values)


# ── as HTML ──


@pytest.mark.parametrize("address", PAGES)
def test_page_has_one_h1_labelled_fields_and_no_inline_code(visitor, address):
    read_page(visitor.get(address))


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("who", ["", "?who=nobody"])
def test_error_page_renders_for_members_and_strangers(visitor, status, who):
    page = read_page(visitor.get(f"/error/{status}{who}"), status=status)
    assert "0f3c9a7e21b44d0f" in page.text


@pytest.mark.parametrize("status", STATUSES)
def test_error_page_needs_no_context_of_ours(gallery, status):
    """Database, session and context processors may be what is broken."""
    bare = create_gallery()
    bare.template_context_processors[None] = [
        process for process in bare.template_context_processors[None] if process.__name__ != "_context"]
    with bare.test_request_context("/x"):
        html = render_template(f"errors/{status}.html", status=status, title="", detail=None, request_id=None)
    assert "<h1>" in html


def test_sort_link_keeps_filters_and_starts_from_the_first_page(gallery):
    html = render(gallery, '{% from "_macros/tables.html" import sort_head %}{{ sort_head("Name", "name", "name") }}',
                  "/list?year=8&class=8B&class=8C&place=abc")
    assert 'aria-sort="ascending"' in html
    assert 'href="/list?year=8&amp;class=8B&amp;class=8C&amp;sort=-name"' in html


def test_chip_address_takes_one_value_away(gallery):
    html = render(gallery, '{% from "_macros/tables.html" import url_without %}{{ url_without("class", "8B") }}',
                  "/list?class=8B&class=8C&q=a")
    assert html == "/list?class=8C&amp;q=a"


def test_next_keeps_filters(gallery):
    html = render(gallery, '{% from "_macros/tables.html" import pagination %}{{ pagination({"before": none, "after": "P2"}) }}',
                  "/list?year=8&place=P1")
    assert 'href="/list?year=8&amp;place=P2"' in html
    assert "Previous" not in html


def test_family_name_is_bold_wherever_it_stands(gallery):
    text = '{% from "_macros/people.html" import person_name %}{{ person_name("Zofia", "Dąbrowska") }}|{{ person_name("Hoàng Long", "Nguyễn", true) }}'
    assert render(gallery, text) == "<bdi>Zofia <b>Dąbrowska</b></bdi>|<bdi><b>Nguyễn</b> Hoàng Long</bdi>"


def test_names_are_escaped(gallery):
    text = '{% from "_macros/people.html" import who %}{{ who("<script>", "O’Neil", "/") }}'
    assert "<script>" not in render(gallery, text)


def test_wrong_field_names_its_error_for_ears(visitor):
    html = visitor.post("/form", data={"csrf_token": token(visitor)}).get_data(as_text=True)
    field = re.search(r'<input[^>]*id="given_name"[^>]*>', html)[0]
    assert 'aria-invalid="true"' in field
    assert 'aria-describedby="given_name-e"' in field
    assert '<a href="#given_name">Given name</a>: Type a name.' in html
    assert html.count('role="alert"') == 1


def test_error_of_a_form_within_the_form_is_told_once_beside_its_field(visitor):
    html = visitor.post("/form", data={"csrf_token": token(visitor)}).get_data(as_text=True)
    assert html.count('id="guardian-name-e"') == 1
    assert "Guardian&#39;s name</a>: Type a name." in html


def test_help_and_error_both_describe_the_field(visitor):
    html = visitor.post("/form", data={"csrf_token": token(visitor), "born": "x"}).get_data(as_text=True)
    assert 'aria-describedby="born-h born-e"' in html


def token(visitor) -> str:
    return re.search(r'name="csrf_token"[^>]*value="([^"]+)"', visitor.get("/form").get_data(as_text=True))[1]


def test_history_strikes_the_old_and_offers_undo_where_it_can_be_undone(visitor):
    html = visitor.get("/").get_data(as_text=True)
    history = html[html.index('class="hist plain"'):]
    assert re.search(r"<del>.*?\+44 7700 900730</del>.*?<ins>.*?\+44 7700 900731</ins>", history)
    assert history.split("</ol>")[0].count(">Undo<") == 1


def test_undo_message_becomes_a_form_that_posts(visitor):
    page = read_page(visitor.get("/?flash=1"))
    assert [form for form in page.forms if form.get("action") == "/undo" and "undo" in (form.get("class") or "")]


def test_job_row_polls_while_it_runs_and_rests_when_done(gallery):
    text = '{% from "_macros/jobs.html" import job_row %}{{ job_row(job, "/jobs/1", "Import") }}'
    running = render(gallery, text, job={"id": "1", "state": "running", "fraction": 0.256, "sentence": "62 of 243"})
    assert 'hx-get="/jobs/1"' in running
    assert 'value="26"' in running
    done = render(gallery, text, job={"id": "1", "state": "done", "fraction": 1.0, "sentence": "243 imported"})
    assert "hx-get" not in done
    assert "243 imported" in done


def test_unknown_progress_has_no_value(gallery):
    text = '{% from "_macros/jobs.html" import job_row %}{{ job_row(job, "/j", "Import") }}'
    assert "value=" not in render(gallery, text, job={"id": "1", "state": "waiting", "fraction": None}).split("</progress>")[0]


def test_frame_never_hides_a_name_of_the_page(gallery):
    text = ('{% extends "layout.html" %}{% block content %}<h1>{{ [entries, direction, icon, to, here, schools, item, items, note, flashes]'
            '|join("-") }}</h1>{% endblock %}')
    names = dict.fromkeys(["entries", "direction", "icon", "to", "here", "schools", "item", "items", "note", "flashes"], "mine")
    assert "-".join(["mine"] * 10) in render(gallery, text, **names)


def test_right_to_left_language_turns_page_and_styles(gallery):
    html = gallery.test_client().get("/list?locale=ar").get_data(as_text=True)
    assert '<html lang="ar" dir="rtl"' in html
    assert "tabler-layer.rtl.css" in html


def test_chosen_theme_is_written_by_the_server(visitor):
    assert 'data-bs-theme="dark"' in visitor.get("/list?theme=dark").get_data(as_text=True)
    assert "data-bs-theme" not in visitor.get("/list").get_data(as_text=True).split(">", 2)[1]


# ── in a browser ──


@pytest.fixture(scope="module")
def address():
    with served_gallery() as address:
        yield address


@pytest.fixture
def window(chromium, address):
    """A function that opens pages; any complaint of the browser about policy or script fails the test."""
    contexts, faults = [], []

    def make(path, *, width=1440, height=900, dark=False, script=True):
        context = chromium.new_context(
            base_url=address, viewport={"width": width, "height": height}, has_touch=width < 800,
            is_mobile=width < 800, color_scheme="dark" if dark else "light", java_script_enabled=script)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda m: faults.append(m.text) if "Content Security Policy" in m.text else None)
        page.on("pageerror", lambda e: faults.append(str(e)))
        page.goto(path)
        return page

    make.faults = faults
    yield make
    for context in contexts:
        context.close()
    assert not faults, faults


LOOKS = {"light": {}, "dark": {"dark": True}, "phone": {"width": 390, "height": 844}, "320 px": {"width": 320, "height": 640, "dark": True}}


@pytest.mark.e2e
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("path", [*PAGES, "/error/404", "/error/409", "/error/503", "/list?locale=ar"])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(window, path, look):
    page = window(path, **LOOKS[look])
    page.wait_for_load_state("load")
    assert not window.faults
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = page.evaluate(AXE.read_text() + """;axe.run(document, {preload: false}).then(r => r.violations.map(
        v => v.id + ": " + v.nodes.map(n => n.target.join(" ")).slice(0, 4).join("; ")))""")
    window.faults.clear()  # axe itself writes a style element
    assert found == []


@pytest.mark.e2e
def test_policy_of_the_browser_tests_is_the_products(address, chromium):
    page = chromium.new_page()
    assert page.goto(address + "/list").headers["content-security-policy"] == POLICY
    page.close()


@pytest.mark.e2e
def test_slash_goes_to_search_and_escape_gives_focus_back(window):
    page = window("/list")
    page.locator("main a").first.focus()
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("zof")
    expect(page.locator("#found a")).to_have_text(re.compile("Zofia Dąbrowska"))
    expect(page.locator("[data-live]")).to_have_text("1 found")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#found a")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#found")).to_be_hidden()
    expect(page.locator("main a").first).to_be_focused()


@pytest.mark.e2e
def test_slash_inside_a_field_is_a_slash(window):
    page = window("/form")
    page.fill("#given_name", "")
    page.locator("#given_name").press("/")
    expect(page.locator("#given_name")).to_have_value("/")


@pytest.mark.e2e
def test_typing_filters_the_list_keeps_focus_and_writes_the_address(window):
    page = window("/list?sort=-name")
    field = page.locator("main input[type=search]")
    field.press_sequentially("ngu")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    expect(field).to_be_focused()
    assert "q=ngu" in page.url
    assert "sort=-name" in page.url


@pytest.mark.e2e
def test_bar_appears_with_the_first_tick_and_counts(window):
    page = window("/list")
    bar = page.locator("#bulk")
    expect(bar).to_be_hidden()
    page.locator("[data-tick]").nth(1).check()
    expect(bar).to_contain_text("1 selected")
    page.locator("[data-tick]").nth(4).click(modifiers=["Shift"])
    expect(bar).to_contain_text("4 selected")
    page.locator("[data-tick-all]").check()
    expect(bar).to_contain_text("12 selected")
    page.get_by_label("Clear selection").click()
    expect(bar).to_be_hidden()


@pytest.mark.e2e
def test_ticked_rows_are_sent_with_the_verb(window):
    page = window("/list")
    page.locator("[data-tick]").nth(2).check()
    with page.expect_request("**/bulk") as sent:
        page.get_by_role("button", name="Archive").click()
    assert "ids=2" in sent.value.post_data
    assert "csrf_token=" in sent.value.post_data


@pytest.mark.e2e
def test_without_script_list_menu_and_bar_still_work(window):
    page = window("/list?q=zof", script=False)
    expect(page.locator("#list tbody tr")).to_have_count(1)
    expect(page.locator("#bulk")).to_be_visible()
    page.locator("summary.me").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


@pytest.mark.e2e
def test_dark_is_shown_at_once_and_told_to_the_server(window):
    page = window("/list")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    page.locator("summary.me").click()
    with page.expect_request("**/account/appearance") as sent:
        page.get_by_role("button", name="Dark").click()
    assert "dark" in sent.value.post_data
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(page.locator("summary.me")).to_be_focused()


@pytest.mark.e2e
def test_device_theme_follows_the_device(window):
    page = window("/list", dark=True)
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


@pytest.mark.e2e
def test_undo_bar_goes_after_ten_seconds_unless_somebody_is_at_it(chromium, address):
    page = chromium.new_page()
    page.clock.install()
    page.goto(address + "/?flash=1")
    bar = page.locator(".undo")
    expect(bar).to_be_visible()
    bar.get_by_role("button").focus()
    page.clock.fast_forward(20_000)
    expect(bar).to_be_visible()
    bar.get_by_role("button").blur()
    page.clock.fast_forward(9_000)
    expect(bar).to_be_visible()
    page.clock.fast_forward(2_000)
    expect(bar).to_have_count(0)
    page.close()


@pytest.mark.e2e
def test_files_are_sent_one_by_one_and_the_list_renews(window):
    page = window("/files")
    page.set_input_files("#pick", [
        {"name": "plan é.pdf", "mimeType": "application/pdf", "buffer": b"x" * 5000},
        {"name": "bad.exe", "mimeType": "application/octet-stream", "buffer": b"MZ"},
    ])
    expect(page.locator("#files")).to_contain_text("plan é.pdf")
    failed = page.locator("[data-uploads] .up")
    expect(failed).to_have_count(1)
    expect(failed).to_contain_text("This file is a program. Send documents and pictures.")
    expect(failed.get_by_role("button", name="Send again")).to_be_visible()


@pytest.mark.e2e
def test_dropped_file_is_sent(window):
    page = window("/files")
    page.evaluate("""() => {
        const data = new DataTransfer();
        data.items.add(new File(["hello"], "dropped.txt"));
        document.querySelector(".drop").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
    }""")
    expect(page.locator("#files")).to_contain_text("dropped.txt")


@pytest.mark.e2e
def test_job_row_moves_by_itself_until_done(window):
    page = window("/files")
    row = page.locator("#job-1")
    expect(row.locator("progress")).to_be_visible()
    expect(row).to_contain_text("243 students imported", timeout=8_000)
    expect(row.locator("progress")).to_have_count(0)
    expect(row.get_by_role("link", name="Look at it")).to_be_visible()


@pytest.mark.e2e
def test_grid_is_walked_with_arrows_and_takes_a_pasted_column(window):
    page = window("/preview")
    born = page.locator("#r14")
    born.focus()
    born.press("ArrowDown")
    expect(page.locator("#r52")).to_be_focused()  # the first cell of the next row that has one
    born.focus()
    page.evaluate("""() => {
        const data = new DataTransfer();
        data.setData("text/plain", "28.02.2015\\n7A");
        document.querySelector("#r14").dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
    }""")
    expect(born).to_have_value("28.02.2015")
    expect(page.locator("#r52")).to_have_value("7A")


@pytest.mark.e2e
def test_password_can_be_looked_at(window):
    page = window("/door")
    page.fill("#password", "correct horse")
    page.get_by_role("button", name="Show password").click()
    expect(page.locator("#password")).to_have_attribute("type", "text")


@pytest.mark.e2e
def test_summary_has_the_focus_after_a_refused_form(window):
    page = window("/form")
    page.get_by_role("button", name="Admit the student").click()
    expect(page.locator("[data-summary]")).to_be_focused()
    page.get_by_role("link", name="Gender").click()
    expect(page.locator("#gender-0")).to_be_focused()


@pytest.mark.e2e
def test_printed_page_has_no_frame_and_names_the_school(window):
    page = window("/list")
    page.emulate_media(media="print")
    expect(page.locator(".side")).to_be_hidden()
    expect(page.locator(".top")).to_be_hidden()
    expect(page.locator(".print-foot")).to_contain_text("Northfield School · Students")
