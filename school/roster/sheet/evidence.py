"""What a column's own values say about it, when its heading doesn't."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from itertools import pairwise
from typing import Final

from school.roster.sheet.dates import DateOrder, read_date
from school.roster.sheet.text import folded
from school.roster.sheet.words import GENDERS

_ENOUGH: Final = 0.8
_EMAIL: Final = re.compile(r"\S+@\S+\.\S+")
# Wide enough for any school, narrow enough to tell a birth from an enrolment or an invoice.
_SHORTEST_SPREAD_DAYS: Final = 60
_YEARS: Final = range(1950, 2200)
_LOOKED_AT: Final = 200


class Evidence(StrEnum):
    BIRTH_DATE = "birth_date"
    GENDER = "gender"
    EMAIL = "email"
    SERIAL = "serial"


def evidence_of(texts: list[str]) -> Evidence | None:
    """What most of the values are; None for too few or too mixed ones."""
    texts = texts[:_LOOKED_AT]
    if len(texts) < 2:
        return None
    if _share(texts, _is_email) >= _ENOUGH:
        return Evidence.EMAIL
    if _are_consecutive(texts):
        return Evidence.SERIAL
    if _are_dates(texts):
        return Evidence.BIRTH_DATE
    if len({*texts}) in range(2, 6) and _share(texts, _is_gender) >= _ENOUGH:
        return Evidence.GENDER
    return None


def _share(texts: list[str], test: Callable[[str], bool]) -> float:
    return sum(map(test, texts)) / len(texts)


def _is_email(text: str) -> bool:
    return len(text) <= 320 and bool(_EMAIL.fullmatch(text))


def _is_gender(text: str) -> bool:
    return folded(text) in GENDERS


def _are_consecutive(texts: list[str]) -> bool:
    if not all(text.isdecimal() and len(text) < 8 for text in texts):
        return False
    numbers = [int(text) for text in texts]
    return numbers[0] in {0, 1} and all(after - before == 1 for before, after in pairwise(numbers))


def _are_dates(texts: list[str]) -> bool:
    """Written as dates (bare numbers prove nothing), and spread as birthdays are."""
    readings = [
        read_date(text, order=DateOrder.DAY_FIRST, this_year=2100)
        for text in texts
        if not text.isdecimal()
    ]
    dated = [reading for reading in readings if not isinstance(reading, tuple)]
    # 12/31/2012 read day first is no date, but it is no text either.
    impossible = sum(
        isinstance(reading, tuple) and reading.code == "impossible_date" for reading in readings
    )
    if len(dated) < 2 or len(dated) + impossible < _ENOUGH * len(texts):
        return False
    spread = (max(dated) - min(dated)).days
    return spread >= _SHORTEST_SPREAD_DAYS and all(on.year in _YEARS for on in dated)
