"""Dates as offices write them; day or month first is decided by the whole column."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable
from datetime import MINYEAR, date, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from school.roster.sheet.text import folded
from school.roster.sheet.words import MONTHS


class DateOrder(StrEnum):
    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"


class DateFault(NamedTuple):
    """Why a text is no date: the code of a problem, and the days its month really has."""

    code: str
    days_in_month: int = 0


class _Parts(NamedTuple):
    first: int
    second: int
    year: int
    year_digits: int
    # None: first and second stand in the column's order; else first is the day.
    is_day_first: bool | None


_TIME: Final = re.compile(
    r"[T ]+\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*([AaPp]\.?[Mm]\.?)?\s*(Z|[+-]\d\d:?\d\d)?$"
)
_NUMERIC: Final = re.compile(
    r"(\d{1,4})\s*[-/.\s年,]\s*(\d{1,2})\s*[-/.\s月,]\s*(\d{1,4})\s*日?\.?"
)
_LONGEST_DATE: Final = 60
_SERIAL: Final = re.compile(r"(\d{5})(?:\.0+)?")
_COMPACT: Final = re.compile(r"\d{8}")
_WORDS: Final = re.compile(r"\d+|[^\W\d_][^\W\d_\u0900-\u097f]*[\u0900-\u097f]*")
_FIRST_SERIAL_DAY: Final = date(1899, 12, 30)
_FIRST_SERIAL_DAY_1904: Final = date(1904, 1, 1)


def decide_order(texts: Iterable[str]) -> DateOrder | None:
    """What the column's dates prove; None if each could be read both ways."""
    day_first = month_first = 0
    for text in texts:
        parts = _parts(text)
        if parts is None or parts.is_day_first is not None:
            continue
        if 12 < parts.first <= 31 and 1 <= parts.second <= 12:
            day_first += 1
        elif 12 < parts.second <= 31 and 1 <= parts.first <= 12:
            month_first += 1
    if day_first == month_first:
        return None
    return DateOrder.DAY_FIRST if day_first > month_first else DateOrder.MONTH_FIRST


def needs_order(text: str) -> bool:
    parts = _parts(text)
    return parts is not None and parts.is_day_first is None


def read_date(
    text: str, *, order: DateOrder, this_year: int, counts_from_1904: bool = False
) -> date | DateFault:
    serial = _SERIAL.fullmatch(text)
    if serial:
        start = _FIRST_SERIAL_DAY_1904 if counts_from_1904 else _FIRST_SERIAL_DAY
        return start + timedelta(days=int(serial[1]))
    parts = _parts(text)
    if parts is None:
        return DateFault("unreadable_date")
    day_first = (
        order is DateOrder.DAY_FIRST if parts.is_day_first is None else parts.is_day_first
    )
    day, month = (
        (parts.first, parts.second) if day_first else (parts.second, parts.first)
    )
    return _on_calendar(_full_year(parts, this_year), month, day)


def _on_calendar(year: int, month: int, day: int) -> date | DateFault:
    if year < MINYEAR or not 1 <= month <= 12:
        return DateFault("impossible_date")
    days = monthrange(year, month)[1]
    if not 1 <= day <= days:
        return DateFault("impossible_date", days if 28 < day <= 31 else 0)
    return date(year, month, day)


def _full_year(parts: _Parts, this_year: int) -> int:
    if parts.year_digits > 2:
        return parts.year
    century = this_year // 100 * 100
    return century + parts.year - (100 if century + parts.year > this_year else 0)


def _parts(text: str) -> _Parts | None:
    # Longer texts are no dates, and would keep the patterns below busy for long.
    if len(text) > _LONGEST_DATE:
        return None
    text = _TIME.sub("", text.strip())
    numeric = _NUMERIC.fullmatch(text)
    if numeric:
        return _numeric_parts(numeric[1], numeric[2], numeric[3])
    if _COMPACT.fullmatch(text):
        return _compact_parts(text)
    return _named_parts(text)


def _numeric_parts(first: str, second: str, third: str) -> _Parts | None:
    if len(first) > 2:
        # Year, month, day; the month is never last after a year.
        if len(third) > 2:
            return None
        return _Parts(int(third), int(second), int(first), len(first), is_day_first=True)
    return _Parts(int(first), int(second), int(third), len(third), is_day_first=None)


def _compact_parts(text: str) -> _Parts:
    if text[:2] in {"19", "20"} and int(text[4:6]) <= 12:
        return _Parts(int(text[6:]), int(text[4:6]), int(text[:4]), 4, is_day_first=True)
    return _Parts(int(text[:2]), int(text[2:4]), int(text[4:]), 4, is_day_first=None)


def _named_parts(text: str) -> _Parts | None:
    words = _WORDS.findall(text)
    months = [MONTHS[name] for name in map(folded, words) if name in MONTHS]
    numbers = [word for word in words if word.isdecimal()]
    if len(months) != 1 or len(numbers) != 2:
        return None
    day, year = numbers if len(numbers[0]) <= 2 else reversed(numbers)
    if len(year) > 4 or len(day) > 2:
        return None
    return _Parts(int(day), months[0], int(year), len(year), is_day_first=True)
