"""One cell to one value: what is kept, what is refused and why, per kind of column."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from datetime import date
from typing import ClassVar, Final

from school.roster.sheet.dates import DateOrder, read_date
from school.roster.sheet.mapping import Column
from school.roster.sheet.own import (
    Choices,
    NumberFault,
    OwnField,
    read_number,
    read_yes_no,
)
from school.roster.sheet.problems import Problem, problem, shortened
from school.roster.sheet.targets import Target, guardian_part
from school.roster.sheet.text import clean_line, clean_lines, folded
from school.roster.sheet.values import SchoolHints, Value
from school.roster.sheet.words import GENDERS

_REMEMBERED_CELLS: Final = 20_000
_OLDEST_YEARS: Final = 100
_YEARS_AHEAD: Final = 20
# As the form of a student takes it.
_OWN_TEXT_LIMIT: Final = 2_000
_DASHES: Final = frozenset({"-", "--", "---", "–", "—", "/", "."})
# Only where it can't be a name: a person may well be called None.
_NO_VALUE: Final = _DASHES | {"n/a", "none", "nil", "null", "unknown", "not known", "#n/a"}


class Findings:
    """What is found wrong (problems) or worth saying (notices) while a row is read."""

    __slots__ = ("notices", "problems")

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.notices: list[Problem] = []


class CellReader:
    """Reads the cells of one column. `known` answers for cells seen before without fault."""

    remembers: ClassVar[bool] = False
    limit: int = 300

    def __init__(self, column: Column, school: SchoolHints) -> None:
        self.column = column
        self.school = school
        self.known: dict[str, Value] = {}

    def read(self, text: str, found: Findings) -> Value:
        # The short way for what most cells are: plain, and nothing to take away.
        is_plain = text.isascii() and text.isprintable() and "  " not in text
        if is_plain and text[0] != " " != text[-1]:
            shown, removed = text, 0
        else:
            shown, removed = self.clean(text)
        if removed:
            found.notices.append(self._problem(
                "hidden_characters_removed", text, params={"count": removed}
            ))
        if not shown:
            return None
        before = len(found.problems)
        value = self.judge(shown, found)
        if (
            self.remembers and not removed and len(found.problems) == before
            and len(self.known) < _REMEMBERED_CELLS
        ):
            self.known[text] = value
        return value

    def clean(self, text: str) -> tuple[str, int]:
        return clean_line(text)

    def judge(self, text: str, found: Findings) -> Value:
        """The value of a clean, filled text; what is wrong goes to `found`."""
        if len(text) > self.limit:
            self.report("too_long", text, found, length=len(text), limit=self.limit)
            return None
        return text

    def report(
        self, code: str, value: str, found: Findings,
        *, message: str | None = None, **params: str | int,
    ) -> None:
        found.problems.append(self._problem(code, value, message=message, params=params))

    def _problem(
        self, code: str, value: str,
        *, message: str | None = None, params: dict[str, str | int] | None = None,
    ) -> Problem:
        return problem(
            code, column=self.column.label, column_index=self.column.index, value=value,
            message=message, params=params,
        )


class LineReader(CellReader):
    """Text that repeats from row to row: classes, towns, relationships. A dash says nothing."""

    remembers = True

    def __init__(self, column: Column, school: SchoolHints, *, limit: int) -> None:
        super().__init__(column, school)
        self.limit = limit

    def judge(self, text: str, found: Findings) -> Value:
        return None if text in _DASHES else super().judge(text, found)


class NoteReader(CellReader):
    """Texts kept as they are, line breaks too."""

    remembers = True

    def __init__(self, column: Column, school: SchoolHints, *, limit: int = 10_000) -> None:
        super().__init__(column, school)
        self.limit = limit

    def clean(self, text: str) -> tuple[str, int]:
        return clean_lines(text)


class AddressReader(CellReader):
    limit = 500


_LOST: Final = re.compile(r"(?<=\w)\?+(?=[\w\s,])|\?+(?=\w)|\ufffd")


class NameReader(CellReader):
    """Names: any is a real one (Null, None, Na, True). Never cut."""

    remembers = True

    def judge(self, text: str, found: Findings) -> Value:
        if len(text) > self.school.name_limit:
            self.report(
                "name_too_long", text, found, length=len(text), limit=self.school.name_limit
            )
            return None
        lost = _LOST.search(text)
        if lost:
            self.report("character_lost", text, found, mark=lost[0][0])
        return text


class PostcodeReader(LineReader):
    """Text, so that 01290 keeps its zero."""


_ROUNDED: Final = re.compile(r"\d(?:[.,]\d+)?[eE]\+\d+")


class AdmissionNumberReader(CellReader):
    """Text; zeros that a spreadsheet dropped are put back where the column shows their number."""

    limit = 60

    def judge(self, text: str, found: Findings) -> Value:
        if _ROUNDED.fullmatch(text):
            self.report("number_rounded", text, found)
        if self.column.id_width and text.isascii() and text.isdecimal():
            text = text.zfill(self.column.id_width)
        return super().judge(text, found)


class DayReader(CellReader):
    """Dates, in the order the file has them."""

    remembers = True

    def __init__(self, column: Column, school: SchoolHints) -> None:
        super().__init__(column, school)
        self.order = DateOrder(column.date_order or school.date_order)

    def read_day(self, text: str, found: Findings, *, this_year: int) -> date | None:
        """`this_year`: the last that two digits may mean."""
        on = read_date(
            text, order=self.order, this_year=this_year,
            counts_from_1904=self.column.counts_from_1904,
        )
        if isinstance(on, date):
            return on
        if on.days_in_month:
            self.report(
                on.code, text, found, message="day_not_in_month", days=on.days_in_month
            )
        else:
            self.report(on.code, text, found)
        return None


class BirthDateReader(DayReader):
    def __init__(self, column: Column, school: SchoolHints) -> None:
        super().__init__(column, school)
        self.earliest_year = school.today.year - _OLDEST_YEARS

    def judge(self, text: str, found: Findings) -> Value:
        if text in _NO_VALUE:
            return None
        on = self.read_day(text, found, this_year=self.school.today.year)
        return on and self._plausible(on, text, found)

    def _plausible(self, on: date, text: str, found: Findings) -> Value:
        if on > self.school.today:
            self.report("future_date_of_birth", text, found)
        elif on.year < self.earliest_year:
            self.report("early_date_of_birth", text, found, years=_OLDEST_YEARS)
        else:
            return on
        return None


class GenderReader(CellReader):
    """The school's own code or label, or a word for it in one of the languages we know."""

    remembers = True

    def __init__(self, column: Column, school: SchoolHints) -> None:
        super().__init__(column, school)
        self.codes = gender_codes(school.genders)
        self.choices = ", ".join(school.genders)

    def judge(self, text: str, found: Findings) -> Value:
        if text in _DASHES:
            return None
        code = self.codes.get(folded(text))
        if code is None:
            self.report("unknown_gender_code", text, found, choices=self.choices)
        return code


def gender_codes(genders: MappingType[str, str]) -> dict[str, str]:
    """Every word we know for an entry of the school's list → its code there."""
    own: dict[str, str] = {}
    meaning: dict[str, str] = {}
    for code, label in genders.items():
        own[folded(code)] = code
        own.setdefault(folded(label), code)
        general = GENDERS.get(folded(code)) or GENDERS.get(folded(label))
        if general:
            meaning.setdefault(general, code)
    known = {word: meaning[general] for word, general in GENDERS.items() if general in meaning}
    return {**known, **own}


_PART: Final = r"[^@\s,;:<>()\[\]\"\\]"
_EMAIL: Final = re.compile(
    rf"(?!\.){_PART}{{1,64}}(?<!\.)@(?:[^\W_](?:[\w-]{{0,62}}[^\W_])?\.)+[^\W_]{{2,}}"
)


class EmailReader(CellReader):
    limit = 320

    def judge(self, text: str, found: Findings) -> Value:
        if _EMAIL.fullmatch(text) and ".." not in text:
            return super().judge(text, found)
        if text.casefold() not in _NO_VALUE:
            self.report("email_malformed", text, found)
        return None


# Six digits or more, whatever stands between them.
_PHONE: Final = re.compile(r"\D*(?:\d\D*){6,24}")


class PhoneReader(CellReader):
    """Kept exactly as written; what can't be one is reported and kept as well, if it fits."""

    limit = 60

    def judge(self, text: str, found: Findings) -> Value:
        if not _PHONE.fullmatch(text):
            if text.casefold() in _NO_VALUE:
                return None
            is_rounded = _ROUNDED.fullmatch(text)
            self.report("number_rounded" if is_rounded else "phone_malformed", text, found)
        elif "+" in text[1:] and _ROUNDED.fullmatch(text):
            self.report("number_rounded", text, found)
        return super().judge(text, found)


class OwnDateReader(DayReader):
    """A date as the school's own fields keep it: 2026-11-20."""

    def judge(self, text: str, found: Findings) -> Value:
        if text.casefold() in _NO_VALUE:
            return None
        # Unlike a birth, what ends or falls due may lie ahead.
        on = self.read_day(text, found, this_year=self.school.today.year + _YEARS_AHEAD)
        return on and on.isoformat()


class OwnNumberReader(CellReader):
    remembers = True

    def judge(self, text: str, found: Findings) -> Value:
        if text.casefold() in _NO_VALUE:
            return None
        if _ROUNDED.fullmatch(text):
            self.report("number_rounded", text, found)
            return None
        number = read_number(text)
        if not isinstance(number, NumberFault):
            return number
        first, second = number.readings
        self.report(number.code, text, found, first=first, second=second)
        return None


class OwnYesNoReader(CellReader):
    remembers = True

    def judge(self, text: str, found: Findings) -> Value:
        answer = read_yes_no(text)
        if answer is None and text.casefold() not in _NO_VALUE:
            self.report("unreadable_yes_no", text, found)
        return answer


class OwnChoiceReader(CellReader):
    """One of the list. What isn't on it is never added to it."""

    remembers = True

    def __init__(self, column: Column, school: SchoolHints, choices: tuple[str, ...]) -> None:
        super().__init__(column, school)
        self.choices = Choices(choices)
        self.shown = shortened(", ".join(choices), 300)

    def judge(self, text: str, found: Findings) -> Value:
        choice = self.choices.find(text)
        if choice is None and text.casefold() not in _NO_VALUE:
            self.report("unknown_choice", text, found, choices=self.shown)
        return choice


_LINE_LIMITS: Final[dict[str, int]] = {
    Target.GRADE_LEVEL: 60, Target.CLASS_NAME: 60, Target.TOWN: 120, Target.POSTCODE: 20,
}
_READERS: Final[dict[str, type[CellReader]]] = {
    Target.ADMISSION_NUMBER: AdmissionNumberReader,
    Target.FAMILY_NAME: NameReader,
    Target.GIVEN_NAME: NameReader,
    Target.FULL_NAME: NameReader,
    Target.PREFERRED_NAME: NameReader,
    Target.BIRTH_DATE: BirthDateReader,
    Target.GENDER: GenderReader,
    Target.ADDRESS: AddressReader,
    Target.EMAIL: EmailReader,
    Target.FAMILY_EMAIL: EmailReader,
    Target.PHONE: PhoneReader,
    Target.FAMILY_PHONE: PhoneReader,
    Target.MEDICAL_NOTE: NoteReader,
}
_OWN_READERS: Final[dict[str, type[CellReader]]] = {
    "date": OwnDateReader, "number": OwnNumberReader, "yes_no": OwnYesNoReader,
}
_GUARDIAN_READERS: Final[dict[str, type[CellReader]]] = {
    "name": NameReader, "given_name": NameReader, "family_name": NameReader,
    "phone": PhoneReader, "email": EmailReader,
}


def reader_for(column: Column, school: SchoolHints) -> CellReader:
    """The reader of a column, by what the column means."""
    part = guardian_part(column.target)
    if part:
        kind = _GUARDIAN_READERS.get(part[1])
        return kind(column, school) if kind else LineReader(column, school, limit=60)
    if column.target in _LINE_LIMITS:
        return LineReader(column, school, limit=_LINE_LIMITS[column.target])
    kind = _READERS.get(column.target)
    return kind(column, school) if kind else _own_reader(column, school)


def _own_reader(column: Column, school: SchoolHints) -> CellReader:
    """By the field's kind; what is no field yet becomes one of text."""
    own = school.own.find(column.target) or OwnField("", "")
    if own.kind == "choice":
        return OwnChoiceReader(column, school, own.choices)
    kind = _OWN_READERS.get(own.kind)
    return kind(column, school) if kind else NoteReader(column, school, limit=_OWN_TEXT_LIMIT)
