"""Two files are ticked and come as a ZIP; a PDF, a picture and a text show on their own pages."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import check_accessibility
from tests.e2e.test_accessibility import LOOKS
from tests.e2e.test_files import open_files
from tests.files.samples import picture, word
from tests.servers.schoolhouse import Running

TEXT = "Grüße an alle\n"


def _page_of_pdf(words: bytes) -> bytes:
    """A PDF that viewers open without repairing it first."""
    drawn = b"BT /F1 40 Tf 60 700 Td (" + words + b") Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources 6 0 R>>",
        b"<</Length %d>>stream\n" % len(drawn) + drawn + b"\nendstream",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Font<</F1 5 0 R>>>>",
    ]
    written, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(b"%010d 00000 n \n" % len(written))
        written += b"%d 0 obj" % number + body + b"endobj\n"
    table = b"xref\n0 7\n0000000000 65535 f \n" + b"".join(places)
    end = b"trailer<</Root 1 0 R/Size 7>>\nstartxref\n%d\n%%%%EOF\n" % len(written)
    return written + table + end


SENT = {
    "Report.pdf": _page_of_pdf(b"Report of year 8"),
    "Trip.jpg": picture(size=(900, 600)),
    "Notes – Zoë.txt": TEXT.encode(),
    "Letter.docx": word(),
}


def send_all(page: Page) -> None:
    if page.get_by_role("link", name="Letter.docx", exact=True).count():
        return
    page.set_input_files(
        "input[type=file] >> nth=0",
        [{"name": n, "mimeType": "application/octet-stream", "buffer": d} for n, d in SENT.items()],
    )
    if page.evaluate("!document.documentElement.classList.contains('has-script')"):
        page.locator("main form[enctype] button[type=submit]").first.click()
    for name in SENT:
        expect(page.get_by_role("link", name=name, exact=True).first).to_be_visible()
    page.goto(page.url)


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_ticked_files_come_as_one_zip(
    demo: Running, open_page: Callable[..., Page], *, javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    open_files(page, demo, "20045" if javascript else "20046")
    send_all(page)
    page.get_by_role("checkbox", name="Select Report.pdf").check()
    page.get_by_role("checkbox", name="Select Notes – Zoë.txt").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as one ZIP").click()
    assert download.value.suggested_filename.startswith("Files of ")
    with zipfile.ZipFile(Path(download.value.path())) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "Report.pdf": SENT["Report.pdf"],
            "Notes – Zoë.txt": TEXT.encode(),
        }
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all").click()
    with zipfile.ZipFile(Path(download.value.path())) as archive:
        assert set(archive.namelist()) == set(SENT)


def test_nothing_ticked_is_said(demo: Running, open_page: Callable[..., Page]) -> None:
    page = open_page(javascript=False)
    open_files(page, demo, "20046")
    send_all(page)
    page.get_by_role("button", name="Download as one ZIP").click()
    expect(page.get_by_text("Tick at least one file first.")).to_be_visible()


def open_file(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).first.click()
    expect(page.locator("h1")).to_have_text(name)


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_what_can_be_shown_is_seen(
    demo: Running, open_page: Callable[..., Page], *, javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    open_files(page, demo, "20047")
    send_all(page)
    list_url = page.url

    open_file(page, "Trip.jpg")
    image = page.get_by_role("img", name="Preview of Trip.jpg")
    expect(image).to_be_visible()
    page.wait_for_load_state("networkidle")
    if javascript:
        assert image.evaluate("i => [i.complete, i.naturalWidth]") == [True, 900]

    page.goto(list_url)
    open_file(page, "Notes – Zoë.txt")
    expect(page.frame_locator("iframe.preview").get_by_text("Grüße an alle")).to_be_visible()

    page.goto(list_url)
    open_file(page, "Report.pdf")
    expect(page.get_by_role("link", name="Open it large")).to_be_visible()
    if javascript:  # without any, the browser under test has no viewer
        page.wait_for_timeout(1500)
        assert _is_drawn(page.locator("iframe.preview").screenshot())


def _is_drawn(png: bytes) -> bool:
    """Chromium's viewer is there: its dark bar above, a white page below."""
    shot = Image.open(io.BytesIO(png)).convert("RGB")
    bar, sheet = shot.getpixel((shot.width // 2 - 200, 20)), shot.getpixel((shot.width - 60, 300))
    return max(bar) < 100 and min(sheet) > 240


def test_the_pages_are_open_to_everybody(demo: Running, browser: Browser) -> None:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    open_files(page, demo, "20048")
    send_all(page)
    list_url = page.url
    places = [list_url]
    for name in SENT:
        page.goto(list_url)
        open_file(page, name)
        places.append(page.url)
    for place in places:
        page.goto(place)
        page.wait_for_load_state("networkidle")
        for box in page.locator("[data-tick]").all()[:2]:
            box.check()
        for width, height, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            assert check_accessibility(page) == [], f"{place} at {width}, {scheme}"
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place
    page.context.close()


def test_the_keyboard_is_enough(demo: Running, open_page: Callable[..., Page]) -> None:
    page = open_page()
    open_files(page, demo, "20047")
    send_all(page)
    box = page.get_by_role("checkbox", name="Select Trip.jpg")
    box.focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Download as one ZIP").focus()
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    with zipfile.ZipFile(Path(download.value.path())) as archive:
        assert archive.namelist() == ["Trip.jpg"]
