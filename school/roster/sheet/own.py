"""The fields a school added to its students: which column means which, and how their cells read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple
from unicodedata import combining, normalize

from school.roster.sheet.targets import custom_key, custom_target, is_field_id, is_label
from school.roster.sheet.text import folded
from school.roster.sheet.words import NO_WORDS, YES_WORDS


@dataclass(frozen=True, slots=True)
class OwnField:
    """A field the school added; `kind` is text, number, date, yes_no or choice."""

    id: str
    label: str
    kind: str = "text"
    choices: tuple[str, ...] = ()


class OwnFields:
    """All of them. A heading may change, and a field its name: what is stored bears the id."""

    def __init__(self, fields: Iterable[OwnField] = ()) -> None:
        self._fields = tuple(fields)
        self._by_key = {field.label: field for field in self._fields}
        self._by_key |= {field.id: field for field in self._fields}
        self._by_words: dict[str, OwnField] = {}
        for field in self._fields:
            self._by_words.setdefault(folded(field.label), field)

    def __iter__(self) -> Iterator[OwnField]:
        return iter(self._fields)

    def find(self, target: str) -> OwnField | None:
        """The field a target ("custom:<id or name>") means; None if it is none yet."""
        return self._by_key.get(custom_key(target) or "")

    def called(self, heading: str) -> OwnField | None:
        """The field of this name; capitals and accents don't matter."""
        return self._by_key.get(heading) or self._by_words.get(folded(heading) or "\0")

    def resolved(self, target: str) -> str | None:
        """The target by its field's id. None: no such field, and none can be made of it."""
        key = custom_key(target)
        if key is None:
            return target
        field = self._by_key.get(key)
        if field:
            return custom_target(field.id)
        return target if is_label(key) and not is_field_id(key) else None


class NumberFault(NamedTuple):
    """Why a text is no number: the code of a problem, and what an unclear one may mean."""

    code: str
    readings: tuple[str, str] = ("", "")


# Beyond it a number of a computer skips whole numbers (IEEE 754, binary64).
_EXACT: Final = 2**53
_LONGEST_NUMBER: Final = 40
_GROUPING: Final = re.compile(r"(?<=\d)[ '’\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_PLAIN: Final = re.compile(r"[-+−]?(?:\d+(?:\.\d*)?|\.\d+)")
_GROUPED: Final = {
    ".": re.compile(r"[-+−]?\d{1,3}(?:,\d{3})*(?:\.\d+)?"),
    ",": re.compile(r"[-+−]?\d{1,3}(?:\.\d{3})*(?:,\d+)?"),
}
_UNCLEAR: Final = re.compile(r"[-+−]?[1-9]\d{0,2},\d{3}")


def read_number(text: str) -> float | NumberFault:
    """A number with a decimal point or comma, its thousands grouped or not."""
    if len(text) > _LONGEST_NUMBER:
        return NumberFault("unreadable_number")
    text = _GROUPING.sub("", text)
    if _UNCLEAR.fullmatch(text):
        return NumberFault("unclear_number", (text.replace(",", ""), text.replace(",", ".")))
    plain = _without_grouping(text).replace("−", "-")
    if not _PLAIN.fullmatch(plain):
        return NumberFault("unreadable_number")
    number = float(plain)
    if abs(number) >= _EXACT:
        return NumberFault("number_too_long")
    return int(number) if number.is_integer() else number


def _without_grouping(text: str) -> str:
    """With a point before the decimals and nothing between the thousands."""
    if text.count(",") > 1 or ("," in text and text.rfind(".") > text.rfind(",")):
        return text.replace(",", "") if _GROUPED["."].fullmatch(text) else ""
    if text.count(".") > 1 or ("." in text and "," in text):
        text = text.replace(".", "") if _GROUPED[","].fullmatch(text) else ""
    return text.replace(",", ".")


_YES_NO: Final = {
    **dict.fromkeys(map(folded, YES_WORDS.split()), True),
    **dict.fromkeys(map(folded, NO_WORDS.split()), False),
}
_TICKS: Final = {**dict.fromkeys("✓✔☑", True), **dict.fromkeys("✗✘☐", False)}


def read_yes_no(text: str) -> bool | None:
    """None for what says neither."""
    return _TICKS.get(text, _YES_NO.get(folded(text)))


class Choices:
    """A list to choose from, found by what people write for its entries."""

    def __init__(self, choices: Iterable[str]) -> None:
        self._exact = {choice: choice for choice in choices}
        self._plain: dict[str, str | None] = {}
        for choice in self._exact:
            plain = _bare(choice)
            # Two that differ in nothing but capitals or accents are told apart exactly.
            self._plain[plain] = None if plain in self._plain else choice

    def find(self, text: str) -> str | None:
        return self._exact.get(text) or self._plain.get(_bare(text))


def _bare(text: str) -> str:
    """Small letters without accents. Signs stay: A+ is not A-."""
    letters = normalize("NFKD", text.casefold())
    return " ".join("".join(one for one in letters if not combining(one)).split())
