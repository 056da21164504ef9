"""The translator's tool finds every sentence and every fault."""

from __future__ import annotations

from io import BytesIO

import pytest
from babel.messages.catalog import Catalog

from tools.translations import catalog_of, compiled, extract_sentences, faults_of

SOURCE = """
from flask_babel import gettext as _
MESSAGES = {"full": "This class is full."}
CODES = {"x": "not a sentence"}
def f(n, late):
    raise Conflict("Class %(name)s is full.", field="class_id")
    raise errors.NotFound("There is no such student." if late else "There is no such file.")
    progress(0.5, "Half of it")
    return _("Saved")
"""


def test_sentences_of_pages_and_of_floors_without_gettext_are_found():
    keywords = {"_": None}
    found = {text for _line, _call, text, _notes in extract_sentences(BytesIO(SOURCE.encode()), keywords, [], {})}
    assert found == {"Saved", "This class is full.", "Class %(name)s is full.", "There is no such student.",
                     "There is no such file.", "Half of it"}


def test_templates_are_read():
    ids = {message.id for message in catalog_of() if message.id}
    assert "Skip to content" in ids
    assert "There is nothing at this address" in ids


def source() -> Catalog:
    catalog = Catalog()
    catalog.add("Class %(name)s is full.")
    catalog.add(("%(num)s file", "%(num)s files"))
    return catalog


def german(full: str, files: tuple[str, str] = ("%(num)s Datei", "%(num)s Dateien"), **more) -> Catalog:
    catalog = Catalog("de")
    catalog.add("Class %(name)s is full.", full, **more)
    catalog.add(("%(num)s file", "%(num)s files"), files)
    return catalog


def test_complete_language_has_no_faults():
    assert list(faults_of("de", german("Die Klasse %(name)s ist voll."), source())) == []


@pytest.mark.parametrize(("catalog", "fault"), [
    (german(""), "not translated"),
    (german("Die Klasse %(nmae)s ist voll."), "other places"),
    (german("Die Klasse ist voll."), "other places"),
    (german("Die Klasse %(name)s ist voll.", flags={"fuzzy"}), "only guessed"),
    (german("Die Klasse %(name)s ist voll.", ("Eine Datei", "Dateien")), "other places"),
    (german("Die Klasse %(name)s ist voll.", ("Eine Datei", "")), "not translated"),
    (Catalog("de"), "not translated"),
])
def test_fault_is_named(catalog, fault):
    faults = list(faults_of("de", catalog, source()))
    assert any(fault in line for line in faults), faults


def test_one_may_be_said_without_its_number():
    assert list(faults_of("de", german("Die Klasse %(name)s ist voll.", ("Eine Datei", "%(num)s Dateien")), source())) == []


def test_compiling_twice_gives_the_same_bytes():
    catalog = german("Die Klasse %(name)s ist voll.")
    assert compiled(catalog) == compiled(catalog)
