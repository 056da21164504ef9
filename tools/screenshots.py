"""Take the pictures of docs/screenshots from the demo school: every page, wide and phone, light and dark.

python -m tools.screenshots [NAME …]       needs Chromium; --all also takes what the docs do not show
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from school.demo.story import PASSWORD
from tests.servers.schoolhouse import serving

PLACE = Path(__file__).parent.parent / "docs" / "screenshots"
SMALL_ROSTER = """Admission No;Surname;Forename;Date of birth;Gender;Class;Guardian 1 Name;Guardian 1 Phone;Guardian 1 Email
20001;Tanaka;Haruto;20/06/2012;M;10B;;;
30001;Te Rangi;Tama;31/02/2015;M;7A;Mere Te Rangi;+44 7700 900731;mere.terangi@example.org
30002;Rossi;Chiara;19/06/2015;Q;7C;Paolo Rossi;+44 7700 900732;p.rossi@example
30003;Singh;Harleen;02/12/2013;F;8B;Gurpreet Singh;+44 7700 900733;gurpreet.singh@example.org
30004;;Hana;07/04/2012;F;9B;Yuki Yamamoto;+44 7700 900734;
30005;Brown;Keisha;23/01/2014;F;8B;Marcia Brown;+44 7700 900735;marcia.b@example.org
"""

# name → (who, path); a path may hold {student}, {guardian}, {class}, {file}, {folder}
PAGES: dict[str, tuple[str | None, str]] = {
    "sign-in": (None, "/login"),
    "reset": (None, "/reset"),
    "today-office": ("ingrid.solberg", "/"),
    "today-teacher": ("amara.okafor", "/"),
    "today-family": ("guardian", "/"),
    "students": ("ingrid.solberg", "/students"),
    "students-search": ("ingrid.solberg", "/students?q=dab"),
    "student": ("ingrid.solberg", "{student}"),
    "student-files": ("ingrid.solberg", "{student}/files"),
    "student-history": ("ingrid.solberg", "{student}/history"),
    "student-guardians": ("ingrid.solberg", "{student}/guardians"),
    "student-edit": ("ingrid.solberg", "{student}/edit/facts"),
    "admit": ("ingrid.solberg", "/students/admit"),
    "file": ("ingrid.solberg", "{file}"),
    "guardians": ("ingrid.solberg", "/guardians"),
    "classes": ("ingrid.solberg", "/classes"),
    "class": ("ingrid.solberg", "{class}"),
    "search": ("ingrid.solberg", "/search?q=ma"),
    "imports": ("ingrid.solberg", "/imports"),
    "import-columns": ("ingrid.solberg", "{columns}"),
    "import-preview": ("ingrid.solberg", "{preview}"),
    "files": ("amara.okafor", "/files"),
    "files-mine": ("amara.okafor", "/files/mine"),
    "files-school": ("yusuf.demir", "/files/school"),
    "files-found": ("amara.okafor", "/files?q=re&kind=pdf"),
    "file-share": ("ingrid.solberg", "{file}/share"),
    "file-history": ("ingrid.solberg", "{file}/history"),
    "folder": ("ingrid.solberg", "{folder}"),
    "files-put-away": ("ingrid.solberg", "/files/school?show=archived"),
    "trash": ("ingrid.solberg", "/files/trash"),
    "retention": ("ingrid.solberg", "/files/retention"),
    "holds": ("ingrid.solberg", "/files/holds"),
    "held": ("ingrid.solberg", "/files/held"),
    "space": ("ingrid.solberg", "/files/usage"),
    "people": ("ingrid.solberg", "/people"),
    "permissions": ("ingrid.solberg", "/permissions"),
    "api-tokens": ("ingrid.solberg", "/api-tokens"),
    "settings": ("ingrid.solberg", "/settings"),
    "account": ("ingrid.solberg", "/account"),
    "platform-schools": ("operator", "/platform/schools"),
    "platform-mail": ("operator", "/platform/mail"),
    "platform-storage": ("operator", "/platform/storage"),
    "platform-database": ("operator", "/platform/database"),
    "api": (None, "/api/docs"),
    "not-found": ("ingrid.solberg", "/students/00000000-0000-0000-0000-000000000000"),
}
LOOKS = {"light": (1440, 900, "light"), "dark": (1440, 900, "dark"),
         "phone": (390, 844, "light"), "phone-dark": (390, 844, "dark")}  # fmt: skip


def sign_in(page: Page, base: str, who: str) -> None:
    page.goto(f"{base}/login")
    page.fill("input[name=email], input[name=username], input[name=identity]", who)
    page.fill("input[name=password]", PASSWORD)
    page.locator("form button[type=submit], form input[type=submit]").first.click()
    page.wait_for_url(lambda url: "/login" not in url)
    page.wait_for_load_state("networkidle")


def places(page: Page, base: str) -> Iterator[tuple[str, str]]:
    """Addresses of a student with files, of their file, class and a fresh import."""
    page.goto(f"{base}/students?q=20001")
    student = page.locator("table th[scope=row] a").first.get_attribute("href") or ""
    yield "student", student
    page.goto(f"{base}{student}/files")
    files = page.locator("table a[href^='/files/']:not([href*='/folders/'])")
    yield (
        "file",
        (files.first.get_attribute("href") or "").split("/download")[0]
        if files.count()
        else student,
    )
    page.goto(f"{base}/files/school")
    yield "folder", page.locator("table a[href^='/files/folders/']").first.get_attribute("href") or ""
    page.goto(f"{base}/classes")
    yield (
        "class",
        page.locator("table a[href^='/classes/'], .rows a[href^='/classes/']").first.get_attribute(
            "href"
        )
        or "/classes",
    )
    yield from _import_places(page, base)


def _import_places(page: Page, base: str) -> Iterator[tuple[str, str]]:
    page.goto(f"{base}/imports")
    roster = {"name": "Roster spring.csv", "mimeType": "text/csv", "buffer": SMALL_ROSTER.encode()}
    page.set_input_files("input[type=file]", roster)
    page.wait_for_timeout(300)
    submit = page.locator("main form button[type=submit]:visible")
    if "/imports/" not in page.url and submit.count():
        submit.first.click()
    page.wait_for_url("**/imports/**")
    for _ in range(40):
        if page.locator(".tally").count():
            break
        page.wait_for_timeout(500)
        page.reload()
    here = page.url.removeprefix(base).rstrip("/")
    yield "preview", here
    yield "columns", here.removesuffix("/preview") + "/columns"


def shoot(browser: Browser, base: str, wanted: set[str]) -> None:
    found = dict(_with_page(browser, base, "ingrid.solberg", lambda page: list(places(page, base))))
    for look, (width, height, scheme) in LOOKS.items():
        for who in {who for who, _ in PAGES.values()}:
            names = [n for n, (w, _) in PAGES.items() if w == who and (not wanted or n in wanted)]
            if names:
                _with_page(
                    browser,
                    base,
                    who,
                    lambda page, names=names, look=look: _take(page, base, names, found, look),
                    width=width,
                    height=height,
                    scheme=scheme,
                )


NAMED_FOLDER = """(temporary) => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const place = new RegExp(`${temporary}/[^/\\s]+/`, "g");
    while (texts.nextNode()) {
        const node = texts.currentNode;
        node.data = node.data.replace(place, "/srv/schoolhouse/data/");
    }
}"""
"""The demo's folder is made for the pictures; readers see one as it may be called."""


def _take(page: Page, base: str, names: list[str], found: dict[str, str], look: str) -> None:
    for name in names:
        path = PAGES[name][1].format(**found)
        page.goto(base + path)
        page.wait_for_load_state("networkidle")
        page.evaluate(NAMED_FOLDER, tempfile.gettempdir())
        page.screenshot(path=str(PLACE / f"{name}.{look}.png"))
        print(f"{name}.{look}")


def _with_page(
    browser: Browser,
    base: str,
    who: str | None,
    act: Any,
    *,
    width: int = 1440,
    height: int = 900,
    scheme: str = "light",
) -> Any:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        has_touch=width < 800,
        device_scale_factor=1,
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    if who:
        sign_in(page, base, who)
    try:
        return act(page)
    finally:
        context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--base", help="a server that runs already, such as http://127.0.0.1:8000")
    options = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        if options.base:
            shoot(browser, options.base, set(options.names))
            return
        with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as demo:
            shoot(browser, demo.url, set(options.names))


if __name__ == "__main__":
    main()
