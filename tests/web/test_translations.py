"""The translator's tool finds every sentence and every fault."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from babel.messages.catalog import Catalog
from flask import Flask
from flask_babel import force_locale

from school.db import db
from school.mail.models import MailMessage
from school.permissions import Role
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from school.web import formats
from tests.conftest import make_member
from tests.factories.students import make_guardian, make_student
from tests.servers.schoolhouse import serving
from tools.translations import (
    LANGUAGES,
    catalog_of,
    check,
    compiled,
    extract_sentences,
    faults_of,
    messages,
    path_of,
    read_catalog,
)

SOURCE = """
from flask_babel import gettext as _
MESSAGES = {"full": "This class is full."}
CODES = {"x": "not a sentence"}
SETTINGS = {"EMAIL_SUBJECT_RESET": "Your link"}
def f(n, late):
    raise Conflict("Class %(name)s is full.", field="class_id")
    raise errors.NotFound("There is no such student." if late else "There is no such file.")
    progress(0.5, "Half of it")
    Remark("zeros", "%(count)s numbers had lost their zeros.", {"count": n})
    return _("Saved")
"""


def test_sentences_of_pages_and_of_floors_without_gettext_are_found():
    keywords = {"_": None}
    found = {
        text
        for _line, _call, text, _notes in extract_sentences(
            BytesIO(SOURCE.encode()), keywords, [], {}
        )
    }
    assert found == {
        "Saved",
        "This class is full.",
        "Class %(name)s is full.",
        "There is no such student.",
        "There is no such file.",
        "Half of it",
        "%(count)s numbers had lost their zeros.",
        "Your link",
    }


def test_templates_are_read():
    ids = {message.id for message in catalog_of() if message.id}
    assert "Skip to content" in ids
    assert "There is nothing at this address" in ids


def test_macros_partials_and_mails_are_read():
    ids = {message.id for message in catalog_of() if message.id}
    assert "Show password" in ids  # _macros/forms.html
    assert "Code to quote" in ids  # _partials/error_foot.html
    assert "Hello %(name)s," in ids  # mail/*.txt
    assert "Your invitation to %(school)s" in ids  # the subject of a mail


def source() -> Catalog:
    catalog = Catalog()
    catalog.add("Class %(name)s is full.")
    catalog.add(("%(num)s file", "%(num)s files"))
    return catalog


def german(
    full: str, files: tuple[str, str] = ("%(num)s Datei", "%(num)s Dateien"), **more
) -> Catalog:
    catalog = Catalog("de")
    catalog.add("Class %(name)s is full.", full, **more)
    catalog.add(("%(num)s file", "%(num)s files"), files)
    return catalog


def test_complete_language_has_no_faults():
    assert list(faults_of("de", german("Die Klasse %(name)s ist voll."), source())) == []


@pytest.mark.parametrize(
    ("catalog", "fault"),
    [
        (german(""), "not translated"),
        (german("Die Klasse %(nmae)s ist voll."), "other places"),
        (german("Die Klasse ist voll."), "other places"),
        (german("Die Klasse %(name)s ist voll.", flags={"fuzzy"}), "only guessed"),
        (german("Die Klasse %(name)s ist voll.", ("Eine Datei", "Dateien")), "other places"),
        (german("Die Klasse %(name)s ist voll.", ("Eine Datei", "")), "not translated"),
        (Catalog("de"), "not translated"),
    ],
)
def test_fault_is_named(catalog, fault):
    faults = list(faults_of("de", catalog, source()))
    assert any(fault in line for line in faults), faults


def test_one_may_be_said_without_its_number():
    assert (
        list(
            faults_of(
                "de",
                german("Die Klasse %(name)s ist voll.", ("Eine Datei", "%(num)s Dateien")),
                source(),
            )
        )
        == []
    )


def test_compiling_twice_gives_the_same_bytes():
    catalog = german("Die Klasse %(name)s ist voll.")
    assert compiled(catalog) == compiled(catalog)


def test_every_language_is_complete(capsys):
    assert check() == 0, capsys.readouterr().out


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_on_screen_never_shout(language):
    catalog = read_catalog(path_of(language), language)
    shouting = [
        text for message in messages(catalog) for text in _texts(message.string) if "!" in text
    ]
    assert shouting == []


# German, on the pages themselves


OFFICE_PAGES = (
    "/", "/students", "/students?q=nobody", "/students/admit", "/guardians", "/classes", "/classes/add",
    "/imports", "/people", "/people/invite", "/permissions", "/permissions/explain", "/settings",
    "/account", "/account/password",
)  # fmt: skip
STUDENT_PAGES = ("", "/edit/names", "/edit/facts", "/edit/contact", "/edit/medical", "/files",
                 "/guardians", "/guardians/add", "/history")  # fmt: skip


@pytest.fixture
def german_office(client_for: Callable[..., Any], school: School) -> Any:
    """An administrator whose account says German."""
    return client_for(Role.ADMINISTRATOR, user=make_member(school, Role.ADMINISTRATOR, locale="de"))


@pytest.mark.parametrize("path", OFFICE_PAGES)
def test_page_for_a_german_person_has_no_english_left(path, german_office, school):
    with school_scope(school.id):
        make_student()
    assert english_left(german_office.get(path).get_data(as_text=True)) == []


@pytest.mark.parametrize("path", STUDENT_PAGES)
def test_student_for_a_german_person_has_no_english_left(path, german_office, school):
    with school_scope(school.id):
        student = make_student(birth_date=date(2014, 3, 1))
        make_guardian(student)
    answer = german_office.get(f"/students/{student.id}{path}")
    assert answer.status_code == 200
    assert english_left(answer.get_data(as_text=True)) == []


def test_birthday_is_written_the_german_way(german_office, school):
    with school_scope(school.id):
        student = make_student(birth_date=date(2014, 3, 1))
    assert "1. März 2014" in german_office.get(f"/students/{student.id}").get_data(as_text=True)


def test_stranger_chooses_german_at_the_door(app: Flask):
    client = app.test_client()
    first = client.get("/login?locale=de").get_data(as_text=True)
    assert '<html lang="de"' in first
    assert "E-Mail oder Benutzername" in first
    assert english_left(first) == []
    assert "Neues Passwort festlegen" in client.get("/reset").get_data(
        as_text=True
    )  # it is remembered


def test_english_reader_sees_english(app: Flask):
    seen = app.test_client().get("/login").get_data(as_text=True)
    assert {"E-mail or user name", "Password", "Sign in"} <= set(english_left(seen))


def test_error_from_below_the_pages_is_german(german_office):
    answer = german_office.get("/students/00000000-0000-7000-8000-000000000000")
    assert answer.status_code == 404
    assert english_left(answer.get_data(as_text=True)) == []


def test_form_fault_is_german(german_office):
    answer = german_office.post("/students/admit", data={"family_name": "Weiß"})
    assert "brauchen eine Nummer." in answer.get_data(as_text=True)


def test_dates_sizes_and_numbers_are_german(app: Flask, frozen_clock):
    frozen_clock(datetime(2026, 11, 20, 8, 20, tzinfo=UTC))
    with app.test_request_context(), force_locale("de"):
        assert formats.day(date(2026, 11, 20)) == "Heute"
        assert formats.day(date(2026, 11, 19)) == "Gestern"
        assert formats.day(date(2026, 11, 10)) == "Dienstag, 10. November"
        assert formats.day(date(2014, 3, 1)) == "1. März 2014"
        assert formats.size(3_400_000) == "3,4 MB"
        assert formats.size(12) == "12 Byte"
        render = app.jinja_env.from_string
        assert render("{{ 12345|decimalformat }}").render() == "12.345"
        assert (
            render("{{ ngettext('%(num)s class', '%(num)s classes', 1) }}").render() == "1 Klasse"
        )
        assert (
            render("{{ ngettext('%(num)s class', '%(num)s classes', 2) }}").render() == "2 Klassen"
        )


def test_mail_to_a_german_reader_is_german(app: Flask, school: School, run_jobs):
    person = make_member(school, Role.TEACHER)
    app.test_client().post("/reset?locale=de", data={"email": person.email})
    run_jobs()
    letter = db.session.scalars(sa.select(MailMessage)).one()
    assert letter.subject == "Ihr Link für ein neues Passwort"
    assert "Mit diesem Link legen Sie ein neues Passwort fest." in letter.body


@pytest.mark.e2e
def test_german_fits_a_phone(chromium, tmp_path: Path):
    """German is about a third longer; no page may scroll sideways, no word of a button be cut."""
    with serving(tmp_path) as demo:
        page = chromium.new_page(viewport={"width": 390, "height": 844})
        page.goto(f"{demo.url}/login?locale=de")
        page.click("section button >> nth=0")
        page.wait_for_url(f"{demo.url}/")
        paths = [path for path in OFFICE_PAGES if not path.endswith("nobody")]
        page.goto(f"{demo.url}/students")
        student = page.get_attribute("tbody a[href^='/students/']", "href")
        wide = {}
        for path in [*paths, *(f"{student}{part}" for part in STUDENT_PAGES)]:
            page.goto(f"{demo.url}{path}")
            assert page.get_attribute("html", "lang") == "de"
            faults = page.evaluate(TOO_WIDE)
            if faults:
                wide[path] = faults
        page.goto(f"{demo.url}/students")
        page.check("tbody tr:first-child input[type=checkbox]")
        bar = page.locator("form.bulk button:visible").last.bounding_box()
        cut = _cut_in_cards(page, demo.url)
        page.close()
    assert wide == {}
    assert cut == []
    assert bar["x"] + bar["width"] <= 390


def _cut_in_cards(page: Any, base: str) -> list[str]:
    """Buttons of pages about files that their card cuts off, on phones wide and narrow."""
    page.goto(f"{base}/students?q=20001")
    files = page.get_attribute("tbody a[href^='/students/']", "href") + "/files"
    page.goto(base + files)
    page.locator("table a[href^='/files/']:not([href*='/folders/'])").first.click()
    page.locator("form[action$='/trash'] button").evaluate("button => button.form.submit()")
    page.wait_for_url(f"**{files}")
    cut = []
    for path in (files, f"{files}/trash", "/files/trash"):
        page.goto(base + path)
        assert page.locator(".card .btn:visible").count() > 1
        for width in (390, 320):
            page.set_viewport_size({"width": width, "height": 844})
            cut += [f"{path} at {width}: {one}" for one in page.evaluate(CUT)]
    return cut


CUT = """() => [...document.querySelectorAll(".card .btn")].filter(button => {
  const box = button.getBoundingClientRect(), card = button.closest(".card").getBoundingClientRect();
  const row = button.closest("tr");
  const beside = row && row.querySelector("th .min0").getBoundingClientRect();
  return box.width && (box.left < card.left || box.right > card.right || box.bottom > card.bottom ||
    beside && (beside.width < 150 || beside.right > card.right));
}).map(button => button.textContent.trim())"""
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth, faults = [];
  if (document.documentElement.scrollWidth > width) faults.push("the page scrolls sideways");
  for (const one of document.querySelectorAll("h1, h2, .btn, .tabbar a, .st, .form-label, .row-t")) {
    const box = one.getBoundingClientRect();
    if (!box.width || one.closest(".scroll-x, .visually-hidden, .tabs, .chips")) continue;
    if (one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== "visible")
      faults.push("cut: " + one.textContent.trim());
    else if (box.width < 48 && one.matches(".row-t") && one.textContent.trim().length > 20)
      faults.push("squeezed: " + one.textContent.trim());
  }
  return faults;
}"""


def _texts(string: str | tuple[str, ...]) -> tuple[str, ...]:
    return string if isinstance(string, tuple) else (string,)


class _Words(HTMLParser):
    """What a person reads or hears: texts, and the attributes that are spoken."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in {"script", "style"}
        self.texts += [value for name, value in attrs if value and _is_spoken(name)]

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.texts.append(" ".join(data.split()))


def _is_spoken(name: str) -> bool:
    return name in {"aria-label", "placeholder", "title", "alt"} or name.startswith("data-words")


def english_left(html: str) -> list[str]:
    """Texts of a page that stand in the English source and say something else in German."""
    reader = _Words()
    reader.feed(html)
    return sorted(set(reader.texts) & _only_english())


@functools.cache
def _only_english() -> frozenset[str]:
    pairs = [(_texts(m.id), _texts(m.string)) for m in messages(read_catalog(path_of("de"), "de"))]
    german = {text for _english, said in pairs for text in said}
    return frozenset(text for english, _said in pairs for text in english) - german
