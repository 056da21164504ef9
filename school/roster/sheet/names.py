"""Cutting a whole name into family name and given name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class NameOrder(StrEnum):
    FAMILY_COMMA_GIVEN = "family_comma_given"
    GIVEN_FAMILY = "given_family"
    FAMILY_GIVEN = "family_given"


_COMMA: Final = re.compile(
    r"\s*(?P<family>[^,]*?(?:,\s*(?:jr|sr|ii|iii|iv)\.?)?)\s*,\s*(?P<given>.*)", re.IGNORECASE
)
_SUFFIX: Final = re.compile(r",?\s*(?:jr|sr|ii|iii|iv)\.?$", re.IGNORECASE)
_PARTICLES: Final = frozenset((
    "van", "von", "der", "den", "de", "del", "della", "di", "da", "do", "dos", "das", "du", "des",
    "la", "le", "el", "al", "bin", "ibn", "bint", "binti", "ben", "ter", "ten", "zu", "zum", "zur",
    "af", "av", "of", "y", "e",
))
# Second given names of people without a surname: Lakshmi Devi, Sunita Kumari.
_NOT_SURNAMES: Final = frozenset((
    "devi", "kumari", "bai", "bano", "begum", "khatun", "khatoon", "bibi", "rani",
))
_MOST: Final = 0.8


def decide_name_order(names: Iterable[str]) -> NameOrder:
    """From all names of a column: with commas, capitals first (DUPONT Jean), or given first."""
    total = commas = capitals = 0
    for name in names:
        words = name.split()
        if not words:
            continue
        total += 1
        commas += "," in name
        capitals += len(words) > 1 and _shouts(words[0]) and not _shouts(words[-1])
    if commas * 2 >= max(total, 1):
        return NameOrder.FAMILY_COMMA_GIVEN
    return NameOrder.FAMILY_GIVEN if total and capitals >= _MOST * total else NameOrder.GIVEN_FAMILY


def _shouts(word: str) -> bool:
    return len(word) > 1 and word.isupper()


def split_name(name: str, order: str, *, relatives: Iterable[str] = ()) -> tuple[str, str]:
    """(family, given); a single name is the family name. `relatives` are names in the same row:
    a last word that is often no surname counts as one if a relative bears it."""
    with_comma = _COMMA.fullmatch(name)
    is_comma = with_comma is not None and not (
        _SUFFIX.fullmatch(f",{with_comma['given']}") and order != NameOrder.FAMILY_COMMA_GIVEN
    )
    if is_comma and with_comma:
        return with_comma["family"].strip(), with_comma["given"].strip()
    words = name.split()
    if len(words) < 2 or order == NameOrder.FAMILY_COMMA_GIVEN:
        return name, ""
    if order == NameOrder.FAMILY_GIVEN:
        return _family_first(words)
    return _given_first(words, relatives)


def _family_first(words: list[str]) -> tuple[str, str]:
    """The leading capitals, or the first word with its particles."""
    end = 0
    while end < len(words) - 1 and (_shouts(words[end]) or words[end].lower() in _PARTICLES):
        end += 1
    if not end or not any(_shouts(word) for word in words[:end]):
        end += 1 if end < len(words) - 1 else 0
        end = max(end, 1)
    return " ".join(words[:end]), " ".join(words[end:])


def _given_first(words: list[str], relatives: Iterable[str]) -> tuple[str, str]:
    last = words[-1].casefold()
    if last in _NOT_SURNAMES and not any(
        relative.casefold().split()[-1:] == [last] for relative in relatives
    ):
        return " ".join(words), ""
    start = len(words) - 1
    if len(words) > 2 and _SUFFIX.fullmatch(words[-1]):
        start -= 1
    while start > 1 and words[start - 1] in _PARTICLES:
        start -= 1
    return " ".join(words[start:]), " ".join(words[:start])
