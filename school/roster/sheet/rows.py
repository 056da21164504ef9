"""A spreadsheet file becomes a roster: its columns understood, its rows judged one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from school.errors import Invalid
from school.roster.sheet.columns import Headings, Line, find_headings, map_columns, repeated
from school.roster.sheet.dates import DateOrder, decide_order, needs_order
from school.roster.sheet.judge import RosterRow, RowContext, RowJudge, SeenRows, evaluate_row
from school.roster.sheet.mapping import Column, Mapping, by_key
from school.roster.sheet.names import decide_name_order
from school.roster.sheet.own import OwnFields
from school.roster.sheet.problems import shortened
from school.roster.sheet.targets import Target, custom_key
from school.roster.sheet.text import folded
from school.roster.sheet.values import SchoolHints
from school.roster.sheet.words import TOTALS
from school.spreadsheets.reading import Sheet, Workbook, cell_text, open_workbook

__all__ = [
    "Remark", "Roster", "RosterRow", "RowContext", "RowJudge", "SchoolHints", "SeenRows",
    "Skipped", "evaluate_row", "read_roster",
]

_SAMPLE_ROWS: Final = 250
_SHEETS_LOOKED_AT: Final = 20
_NOTED_CELLS: Final = 50_000
_FEW_CELLS: Final = 2
_TOTAL: Final = re.compile(rf"(?:{TOTALS})\b[\W\d]*", re.IGNORECASE)


class Skipped(NamedTuple):
    """A line that is no student: title, group headings, blank line, heading, total row, footer."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about the whole file worth saying; `message` is a template for `params`."""

    code: str
    message: str
    params: dict[str, str | int] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        return self.message % self.params


@dataclass(slots=True)
class Roster:
    """An understood file. Iterate it for its rows, as often as needed; memory stays bounded."""

    filename: str
    encoding: str | None
    delimiter: str | None
    sheet: str
    other_sheets: list[str]
    header_line: int
    mapping: Mapping
    skipped: list[Skipped]
    remarks: list[Remark]
    student_rows: int
    school: SchoolHints
    _source: Sheet
    _skipped_lines: frozenset[int]

    def __iter__(self) -> Iterator[RosterRow]:
        return self.rows()

    def rows(self) -> Iterator[RosterRow]:
        """Judges each student row. Raises Invalid if the mapping can't be used."""
        judge = RowJudge(self.mapping, self.school)
        seen = SeenRows()
        for line, cells in _texts(self._source):
            if line > self.header_line and line not in self._skipped_lines:
                yield judge.judge(line, cells, seen)


def read_roster(
    path: Path,
    *,
    filename: str,
    mapping: Mapping | None = None,
    remembered: MappingType[str, str] | None = None,
    school: SchoolHints | None = None,
    sheet: str | None = None,
) -> Roster:
    """Understands a file of students.

    `mapping` is this file's, corrected by a person; `remembered` is {column key or heading:
    target} from earlier files; both go before what is found. Raises Invalid or TooLarge, with a
    sentence, for files that are no roster.
    """
    school = school or SchoolHints()
    known = _known_columns(remembered, mapping, school)
    workbook = open_workbook(path, filename=filename)
    source, headings, lines = _find_sheet(
        workbook, known, wanted=sheet or (mapping.sheet if mapping else None)
    )
    found = _mapped(source, headings, lines, mapping, known=known, own=school.own)
    survey = _Survey(found, school, counts_zeros=workbook.encoding is None)
    survey.read(source, headings)
    if not survey.student_rows:
        raise Invalid(
            "There is no student below the headings in line %(line)s.", line=headings.line
        )
    columns = tuple(
        replace(column, counts_from_1904=workbook.counts_from_1904)
        for column in survey.decided()
    )
    survey.remark_own_columns()
    return Roster(
        filename=filename, encoding=workbook.encoding, delimiter=workbook.delimiter,
        sheet=source.name,
        other_sheets=[other.name for other in workbook.sheets if other.name != source.name],
        header_line=headings.line, mapping=replace(found, columns=columns),
        skipped=survey.skipped, remarks=survey.remarks, student_rows=survey.student_rows,
        school=school, _source=source,
        _skipped_lines=frozenset(entry.line for entry in survey.skipped),
    )


def _known_columns(
    remembered: MappingType[str, str] | None, mapping: Mapping | None, school: SchoolHints
) -> dict[str, str]:
    """{column key: target}, without fields the school doesn't have any more."""
    known = by_key(remembered) | (mapping.memory() if mapping else {})
    resolved = ((key, school.own.resolved(target)) for key, target in known.items())
    return {key: target for key, target in resolved if target}


def _texts(sheet: Sheet) -> Iterator[tuple[int, list[str]]]:
    if sheet.holds_only_text:
        yield from cast("Iterator[tuple[int, list[str]]]", sheet.rows())
        return
    for line, cells in sheet.rows(fill_down=True):
        yield line, _as_texts(cells)


def _as_texts(cells: list[Any]) -> list[str]:
    return [cell if isinstance(cell, str) else cell_text(cell) for cell in cells]


def _find_sheet(
    workbook: Workbook, known: MappingType[str, str], *, wanted: str | None
) -> tuple[Sheet, Headings, list[Line]]:
    """The sheet that reads most like a roster, its headings, and the lines it begins with."""
    sheets = [sheet for sheet in workbook.sheets if wanted in {None, "", sheet.name}]
    best: tuple[tuple[int, int], Sheet, Headings, list[Line]] | None = None
    for sheet in [one for one in sheets if one.is_visible or wanted][:_SHEETS_LOOKED_AT]:
        lines = _beginning(sheet)
        headings = find_headings(lines, known)
        score = (headings.known, len(lines)) if headings else (-1, 0)
        if headings and (best is None or score > best[0]):
            best = score, sheet, headings, lines
    if best is None:
        raise Invalid(
            "No row of column headings was found. Put headings such as “Surname”, “First name” "
            "and “Class” above the students."
        )
    return best[1], best[2], best[3]


def _beginning(sheet: Sheet) -> list[Line]:
    spans: dict[int, list[tuple[int, int]]] = {}
    for merge in sheet.merges:
        spans.setdefault(merge.first_line, []).append((merge.first_column, merge.last_column))
    lines = [
        Line(line, texts, tuple(spans.get(line, ())))
        for line, texts in islice(_texts(sheet), _SAMPLE_ROWS)
    ]
    width = max((len(line.texts) for line in lines), default=0)
    return [
        Line(line.line, line.texts + [""] * (width - len(line.texts)), line.spans)
        for line in lines
    ]


def _mapped(
    source: Sheet, headings: Headings, lines: list[Line], mapping: Mapping | None,
    *, known: MappingType[str, str], own: OwnFields,
) -> Mapping:
    below = [line for line in lines if line.line > headings.line]
    found = map_columns(
        headings, below, sheet=source.name, hidden=source.hidden_columns, remembered=known,
        own=own,
    )
    if mapping is None:
        return found
    by_person = {column.key: column for column in mapping.columns}
    return replace(found, columns=tuple(
        replace(column, how=by_person[column.key].how,
                relationship=by_person[column.key].relationship)
        if column.key in by_person else column
        for column in found.columns
    ))


class _Survey:
    """The first walk over all rows: which are students, and what a whole column proves."""

    def __init__(self, mapping: Mapping, school: SchoolHints, *, counts_zeros: bool) -> None:
        self.mapping = mapping
        self.school = school
        self.skipped: list[Skipped] = []
        self.remarks: list[Remark] = []
        self.student_rows = 0
        self._notes: list[tuple[int, set[str]]] = [
            (column.index, set())
            for column in mapping.columns
            if column.target == Target.FULL_NAME or self._holds_dates(column)
            or (column.target == Target.ADMISSION_NUMBER and counts_zeros)
        ]
        self._who = tuple(
            column.index for column in mapping.columns
            if column.target in {Target.ADMISSION_NUMBER, Target.FAMILY_NAME, Target.GIVEN_NAME,
                                 Target.FULL_NAME}
        )
        self._number = mapping.column(Target.ADMISSION_NUMBER)
        # How long the shortest number is that the file holds as text: text keeps its zeros.
        self._shortest_text = 99
        self._is_narrow = len(mapping.columns) <= _FEW_CELLS
        # {place: the place it repeats}, and those of them that say something else.
        self._repeats = {
            column.index: first.index
            for column in mapping.columns
            if column.how == "repeat" and (first := repeated(column, mapping.columns))
        }
        self._differing: set[int] = set()
        # Columns that would become new fields, as long as nothing was found in them.
        self._empty = {
            column.index for column in mapping.columns
            if custom_key(column.target) and not school.own.find(column.target)
        }
        self._new_fields: set[int] = set()

    def _holds_dates(self, column: Column) -> bool:
        own = self.school.own.find(column.target)
        return column.target == Target.BIRTH_DATE or (own is not None and own.kind == "date")

    def read(self, source: Sheet, headings: Headings) -> None:
        headers = headings.headers
        has_groups = any(headings.groups)
        ends: list[int] = []
        for line, raw in source.rows(fill_down=not source.holds_only_text):
            cells = cast("list[str]", raw) if source.holds_only_text else _as_texts(raw)
            if line <= headings.line:
                if line < headings.line:
                    is_group = has_groups and line == headings.line - 1
                    self._skip(line, _above(cells, is_group=is_group))
                continue
            what = self._not_a_student(cells, headers)
            if what == "footer":
                ends.append(len(self.skipped))
            if what:
                self._skip(line, what)
                continue
            if ends:
                self._rename_headings(ends)
            self._note(cells, raw)

    def _skip(self, line: int, what: str) -> None:
        self.skipped.append(Skipped(line, what))

    def _rename_headings(self, ends: list[int]) -> None:
        """What looked like a footer has students below it."""
        for place in ends:
            self.skipped[place] = Skipped(self.skipped[place].line, "heading")
        ends.clear()

    def _note(self, cells: list[str], raw: list[Any]) -> None:
        self.student_rows += 1
        number = self._number
        if number and number.index < len(raw) and isinstance(raw[number.index], str):
            text = cells[number.index].strip()
            if text.isdecimal():
                self._shortest_text = min(self._shortest_text, len(text))
        for index, bag in self._notes:
            if index < len(cells) and len(bag) < _NOTED_CELLS:
                bag.add(cells[index])
        if self._repeats or self._empty:
            self._note_own_columns(cells)

    def _note_own_columns(self, cells: list[str]) -> None:
        filled = {index for index in self._empty if index < len(cells) and cells[index].strip()}
        self._empty -= filled
        self._new_fields |= filled
        self._differing |= {
            index for index, first in self._repeats.items()
            if index < len(cells) and cells[index].strip() not in {"", cells[first].strip()}
        }

    def _not_a_student(self, cells: list[str], headers: list[str]) -> str:
        """What the row is instead; "" for a student."""
        filled = len(cells) - cells.count("")
        if filled > _FEW_CELLS + 1 and cells[0] != headers[0]:
            if not "".join(cells).strip():
                return "blank line"
            return ""
        texts = [text.strip() for text in cells]
        if not any(texts):
            return "blank line"
        if [text for text in texts if text] == [text for text in headers if text]:
            return "headings again"
        return self._foot(texts)

    def _foot(self, texts: list[str]) -> str:
        filled = [(index, text) for index, text in enumerate(texts) if text]
        if len(filled) > _FEW_CELLS:
            return ""
        if _TOTAL.fullmatch(folded(filled[0][1])) and not _has_letters(filled[1:]):
            return "total row"
        if self._is_narrow:
            return ""
        names_somebody = any(index in self._who for index, _ in filled)
        if len(filled) == 1:
            return "" if self._is_a_number(*filled[0]) else "footer"
        return "" if names_somebody else "footer"

    def _is_a_number(self, index: int, text: str) -> bool:
        return (
            self._number is not None and index == self._number.index
            and " " not in text and any(letter.isdecimal() for letter in text)
        )

    def decided(self) -> list[Column]:
        """The columns with what all rows together prove about them."""
        bags = {index: {text.strip() for text in bag} - {""} for index, bag in self._notes}
        orders = {
            column.index: decide_order(bags[column.index])
            for column in self.mapping.columns if self._holds_dates(column)
        }
        # Whoever wrote one column day first wrote the others so.
        order = next(filter(None, orders.values()), None)
        return [
            self._decide(column, bags[column.index], orders.get(column.index) or order)
            if column.index in bags else column
            for column in self.mapping.columns
        ]

    def _decide(self, column: Column, shown: set[str], order_found: DateOrder | None) -> Column:
        if column.target == Target.FULL_NAME:
            order = column.name_order if column.how == "person" else ""
            return replace(column, name_order=order or decide_name_order(shown))
        if self._holds_dates(column):
            return self._decide_dates(column, shown, order_found)
        width = _id_width(shown)
        if self._shortest_text < width:
            return column  # short numbers stand here by right
        if width:
            self._remark_zeros(column, shown, width)
        return replace(column, id_width=width)

    def _decide_dates(
        self, column: Column, texts: set[str], order: DateOrder | None
    ) -> Column:
        usual = self.school.date_order
        if order is None and any(needs_order(text) for text in texts):
            self.remarks.append(Remark(
                "date_order_unclear",
                "The dates in “%(column)s” can be read day first or month first; they were read "
                "%(order)s.",
                {"column": column.label, "order": usual.replace("_", " ")},
            ))
        return replace(column, date_order=order or usual)

    def remark_own_columns(self) -> None:
        """What becomes a field of every student, and what is left out because it stands twice."""
        labels = {column.index: column.label for column in self.mapping.columns}
        for index in sorted(self._differing):
            self.remarks.append(Remark(
                "repeated_heading",
                "“%(column)s” has the same heading as a column before it, but other values. It is "
                "left out: choose under “Columns” what it means.",
                {"column": labels[index]},
            ))
        new = [labels[index] for index in sorted(self._new_fields)]
        if len(new) == 1:
            self.remarks.append(Remark(
                "new_field",
                "“%(column)s” becomes a field of its own for all students. If you don't need it, "
                "leave it out under “Columns”.",
                {"column": new[0]},
            ))
        elif new:
            self.remarks.append(Remark(
                "new_fields",
                "These columns become fields of their own for all students: %(columns)s. Those you "
                "don't need, leave out under “Columns”.",
                {"columns": shortened(", ".join(f"“{label}”" for label in new), 600)},
            ))

    def _remark_zeros(self, column: Column, texts: set[str], width: int) -> None:
        short = sum(text.isdecimal() and len(text) < width for text in texts)
        if short:
            self.remarks.append(Remark(
                "leading_zeros_restored",
                "%(count)s numbers in “%(column)s” had lost the zeros they begin with; they were "
                "put back to %(width)s digits.",
                {"count": short, "column": column.label, "width": width},
            ))


def _above(cells: list[str], *, is_group: bool) -> str:
    if not any(text.strip() for text in cells):
        return "blank line"
    return "group headings" if is_group else "title"


def _has_letters(filled: list[tuple[int, str]]) -> bool:
    return any(letter.isalpha() for _, text in filled for letter in text)


def _id_width(texts: set[str]) -> int:
    """How many digits every number has that kept its zeros; 0 if the column shows no such rule."""
    digits = [text for text in texts if text.isascii() and text.isdecimal()]
    widths = {len(text) for text in digits if text.startswith("0")}
    longest = max((len(text) for text in digits), default=0)
    return longest if widths == {longest} else 0
