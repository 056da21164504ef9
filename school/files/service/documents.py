"""What an office document says of itself: title, author, pages. Read, never rendered.

Only the few small parts that hold it are unpacked, each to a limit; XML with a DTD or entities
is not read at all. Whatever goes wrong, nothing is said.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any
from xml.parsers import expat

from school import cache
from school.files.models import File
from school.files.queries import Content, get_content
from school.files.service.content.archives import BROKEN, MOST_DIRECTORY_BYTES
from school.files.service.families import BY_CONTENT_TYPE, PURPOSES
from school.files.service.reading import sought
from school.storage.errors import StorageError
from school.tenancy.scope import current_school_id
from school.unseen import drop_unseen

MOST_PART_BYTES = 256 * 1024
MOST_READ_BYTES = 2 * MOST_DIRECTORY_BYTES + 8 * MOST_PART_BYTES
MOST_ELEMENTS = 2000
MOST_DEPTH = 20
LONGEST_TEXT = 200
MOST_COUNTED = 1_000_000
YEARS = range(1980, 2200)
REMEMBERED_S = 3600
Told = dict[str, str | int]
# part → {element: fact}; an element's text, or with "@" the attribute behind it.
_OOXML = {
    "docProps/core.xml": {
        "title": "title",
        "creator": "author",
        "lastModifiedBy": "changed_by",
        "modified": "changed_at",
    }
}
_PAGES = {"docProps/app.xml": {"Pages": "pages"}}
_SLIDES = {"docProps/app.xml": {"Slides": "slides"}}
_SHEETS = {"xl/workbook.xml": {"sheet": "sheets+"}}
_ODF = {
    "meta.xml": {
        "title": "title",
        "initial-creator": "author",
        "creator": "changed_by",
        "date": "changed_at",
    }
}
_ODF_PAGES = {"document-statistic@page-count": "pages"}
_ODF_SHEETS = {"document-statistic@table-count": "sheets"}
_WANTED: dict[str, dict[str, dict[str, str]]] = {
    "docx": _OOXML | _PAGES,
    "xlsx": _OOXML | _SHEETS,
    "pptx": _OOXML | _SLIDES,
    "odt": {"meta.xml": _ODF["meta.xml"] | _ODF_PAGES},
    "ods": {"meta.xml": _ODF["meta.xml"] | _ODF_SHEETS},
    "odp": _ODF,
}
_COUNTS = frozenset({"pages", "slides", "sheets"})


def is_document(content_type: str | None) -> bool:
    kind = BY_CONTENT_TYPE.get(content_type or "")
    return kind is not None and kind.code in _WANTED


def told_by(file: File) -> Told:
    """title, author, changed_by, changed_at, pages, slides, sheets: as far as the current version
    says them.

    A version never changes, so it is remembered, unless it is closely guarded. Raises NotFound.
    """
    try:
        if PURPOSES[file.purpose].is_sensitive:
            return _read(get_content(file))
        return cache.remember(
            current_school_id(),
            "files",
            f"told:{file.id}:{file.current_version}",
            lambda: _read(get_content(file)),
            seconds=REMEMBERED_S,
        )
    except StorageError:
        return {}  # the store is away: not worth remembering


def _read(content: Content) -> Told:
    told: Told = {}
    # RuntimeError: a part that is locked.
    with suppress(*BROKEN, RuntimeError):
        stream = sought(content, most_bytes=MOST_READ_BYTES)
        with zipfile.ZipFile(stream) as archive:
            for part, wanted in _WANTED[BY_CONTENT_TYPE[content.content_type].code].items():
                with suppress(ValueError, expat.ExpatError):
                    told |= _read_part(archive, part, wanted)
    return told


def _read_part(archive: zipfile.ZipFile, part: str, wanted: dict[str, str]) -> Told:
    if part not in archive.NameToInfo:
        return {}
    with archive.open(part) as stream:
        data = stream.read(MOST_PART_BYTES + 1)
    if len(data) > MOST_PART_BYTES:
        return {}
    return dict(_as_told(_Reader(wanted).read(data)))


def _as_told(texts: dict[str, str]) -> Iterator[tuple[str, str | int]]:
    for fact, text in texts.items():
        value = _AS[fact](text) if fact in _AS else _clean(text)
        if value:
            yield fact, value


def _clean(text: str) -> str:
    words = " ".join(drop_unseen(text).split())
    return words if len(words) <= LONGEST_TEXT else words[: LONGEST_TEXT - 1] + "…"


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0
    return number if number <= MOST_COUNTED else 0


def _moment(text: str) -> str:
    """As ISO 8601 has it; documents may write more digits than Python reads."""
    try:
        at = datetime.fromisoformat(text.strip()[:26])
    except ValueError:
        return ""
    return at.isoformat() if at.year in YEARS else ""


_AS: dict[str, Callable[[str], Any]] = dict.fromkeys(_COUNTS, _count) | {"changed_at": _moment}


class _Reader:
    """The texts and attributes wanted of one part."""

    def __init__(self, wanted: dict[str, str]) -> None:
        self._wanted, self._found = wanted, dict[str, str]()
        self._fact: str | None = None
        self._elements = self._depth = 0
        self._parser = expat.ParserCreate()
        self._parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self._parser.StartDoctypeDeclHandler = _refuse
        self._parser.EntityDeclHandler = _refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def read(self, data: bytes) -> dict[str, str]:
        self._parser.Parse(data, True)
        return self._found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._depth += 1
        if self._elements > MOST_ELEMENTS or self._depth > MOST_DEPTH:
            raise ValueError("A part of a document with too much in it.")
        plain = _local(name)
        self._fact = self._wanted.get(plain)
        if self._fact is not None and self._fact.endswith("+"):
            counted = self._fact[:-1]
            self._found[counted] = str(int(self._found.get(counted, "0")) + 1)
            self._fact = None
        for attribute, value in attributes.items():
            fact = self._wanted.get(f"{plain}@{_local(attribute)}")
            if fact is not None:
                self._found[fact] = value

    def _end(self, _name: str) -> None:
        self._depth -= 1
        self._fact = None

    def _text(self, text: str) -> None:
        if self._fact is not None:
            before = self._found.get(self._fact, "")
            self._found[self._fact] = (before + text)[: 4 * LONGEST_TEXT]


def _local(name: str) -> str:
    """'title' of 'dc:title'."""
    return name.rpartition(":")[2]


def _refuse(*_declared: object) -> None:
    raise ValueError("A document's properties declare nothing of their own.")
