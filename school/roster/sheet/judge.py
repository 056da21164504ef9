"""One row to one student: the cells read, put together and judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from school.roster.sheet.mapping import Column, Mapping
from school.roster.sheet.names import split_name
from school.roster.sheet.problems import Problem, problem
from school.roster.sheet.readers import Findings, reader_for
from school.roster.sheet.targets import (
    GUARDIAN_FIELDS,
    Target,
    custom_key,
    guardian_part,
)
from school.roster.sheet.values import (
    STUDENT_FIELDS,
    GuardianValues,
    SchoolHints,
    StudentValues,
    Value,
)


@dataclass(slots=True)
class RosterRow:
    """One student row. `raw` is {column index: text} of its filled cells, as read.

    `problems` are to be shown and counted; `notices` say what was changed silently otherwise.
    """

    line: int
    raw: dict[int, str]
    values: StudentValues
    guardians: list[GuardianValues]
    problems: list[Problem]
    notices: list[Problem]

    @property
    def is_blocked(self) -> bool:
        return any(found.blocking for found in self.problems)


class _Earlier(NamedTuple):
    line: int
    person: int


class SeenRows:
    """Which admission numbers were met, where, and for whom."""

    def __init__(self) -> None:
        self._met: dict[str | int, _Earlier] = {}

    def add(self, line: int, values: StudentValues) -> _Earlier | None:
        """Notes the row; answers with the earlier one of the same number (or, for rows without
        numbers, of the same person)."""
        person = hash((
            (values.family_name or "").casefold(), (values.given_name or "").casefold(),
            values.birth_date,
        ))
        key = values.admission_number or person
        earlier = self._met.get(key)
        if earlier is None:
            self._met[key] = _Earlier(line, person)
        elif earlier.line != line:
            return _Earlier(earlier.line, int(earlier.person == person))
        return None


@dataclass(slots=True)
class RowContext:
    """What a single row is judged by: the school, and the other rows (add those that matter)."""

    school: SchoolHints = field(default_factory=SchoolHints)
    seen: SeenRows = field(default_factory=SeenRows)


# Where each value of a row lies while it is put together.
_FULL_NAME: Final = len(STUDENT_FIELDS)
_FAMILY_PHONE: Final = _FULL_NAME + 1
_FAMILY_EMAIL: Final = _FULL_NAME + 2
_GUARDIANS: Final = _FULL_NAME + 3
_SLOTS: Final[dict[str, int]] = {
    **{name: slot for slot, name in enumerate(STUDENT_FIELDS)},
    Target.GENDER: STUDENT_FIELDS.index("gender_code"),
    Target.FULL_NAME: _FULL_NAME,
    Target.FAMILY_PHONE: _FAMILY_PHONE,
    Target.FAMILY_EMAIL: _FAMILY_EMAIL,
}
_NUMBER: Final = _SLOTS["admission_number"]
_FAMILY: Final = _SLOTS["family_name"]
_GIVEN: Final = _SLOTS["given_name"]
_MISSING: Final = (
    (Target.ADMISSION_NUMBER, _NUMBER, "missing_admission_number"),
    (Target.BIRTH_DATE, _SLOTS["birth_date"], "missing_date_of_birth"),
    (Target.CLASS_NAME, _SLOTS["class_name"], "missing_class"),
)


class _Guardian(NamedTuple):
    first_slot: int
    name_column: Column | None
    relationship: str | None


class RowJudge:
    """Compiled from a mapping once; judges any number of rows."""

    def __init__(self, mapping: Mapping, school: SchoolHints) -> None:
        faults = mapping.faults()
        if faults:
            raise faults[0]
        self._steps: list[tuple[int, int, dict[str, Value], Callable[[str, Findings], Value]]] = []
        self._customs: list[tuple[str, int]] = []
        self._joins: list[tuple[int, int]] = []
        self._guardians: list[_Guardian] = []
        self._slots = _GUARDIANS
        self._place_guardians(mapping)
        taken: set[int] = set()
        for column in sorted(mapping.columns, key=lambda column: column.index):
            if column.target != Target.IGNORE:
                self._add(column, school, taken)
        self._name_column = mapping.column(Target.FULL_NAME) or mapping.column(Target.FAMILY_NAME)
        self._missing = [
            (slot, code, expected)
            for target, slot, code in _MISSING
            if (expected := mapping.column(target))
        ]
        self._number_column = mapping.column(Target.ADMISSION_NUMBER) or self._name_column

    def _place_guardians(self, mapping: Mapping) -> None:
        self._first_slot: dict[int, int] = {}
        for number in mapping.guardian_numbers():
            names = [
                column for column in mapping.columns
                if guardian_part(column.target) in {
                    (number, "name"), (number, "given_name"), (number, "family_name")
                }
            ]
            relationship = next((column.relationship for column in names), "")
            self._guardians.append(_Guardian(
                self._slots, names[0] if names else None, relationship or None
            ))
            self._first_slot[number] = self._slots
            self._slots += len(GUARDIAN_FIELDS)

    def _add(self, column: Column, school: SchoolHints, taken: set[int]) -> None:
        slot = self._slot_of(column)
        # As it is now: the field may have been made since the columns were understood.
        key = custom_key(school.own.resolved(column.target) or column.target)
        if slot is None or slot in taken:
            if slot is not None:
                self._joins.append((slot, self._slots))
            elif key:
                self._customs.append((key, self._slots))
            slot = self._slots
            self._slots += 1
        taken.add(slot)
        reader = reader_for(column, school)
        self._steps.append((column.index, slot, reader.known, reader.read))

    def _slot_of(self, column: Column) -> int | None:
        part = guardian_part(column.target)
        if part:
            return self._first_slot[part[0]] + GUARDIAN_FIELDS.index(part[1])
        return _SLOTS.get(column.target)

    def judge(self, line: int, cells: Sequence[str], seen: SeenRows) -> RosterRow:
        found = Findings()
        values: list[Any] = [None] * self._slots
        width = len(cells)
        for index, slot, known, read in self._steps:
            if index >= width:
                break
            text = cells[index]
            if text:
                value = known.get(text)
                values[slot] = read(text, found) if value is None else value
        for slot, extra in self._joins:
            values[slot] = ", ".join(filter(None, (values[slot], values[extra]))) or None
        guardians = self._read_guardians(values, found) if self._guardians else []
        student = self._student(values, guardians)
        self._report_missing(values, student, found)
        self._report_repeats(line, student, seen, found)
        if len(found.problems) > 1:
            found.problems.sort(key=lambda fault: fault.column_index)
        return RosterRow(
            line, {index: text for index, text in enumerate(cells) if text}, student, guardians,
            found.problems, found.notices,
        )

    def _student(self, values: list[Any], guardians: list[GuardianValues]) -> StudentValues:
        full = values[_FULL_NAME]
        if full and self._name_column:
            family, given = split_name(
                full, self._name_column.name_order,
                relatives=[guardian.name for guardian in guardians],
            )
            values[_FAMILY], values[_GIVEN] = family or None, given or None
        student = StudentValues(*values[:_FULL_NAME])
        for key, slot in self._customs:
            if values[slot] is not None:
                student.custom[key] = values[slot]
        return student

    def _read_guardians(self, values: list[Any], found: Findings) -> list[GuardianValues]:
        guardians = []
        for slot, column, relationship in self._guardians:
            name, given, family, relation, phone, email = values[slot : slot + 6]
            name = name or " ".join(filter(None, (given, family)))
            if name:
                guardians.append(GuardianValues(
                    name, relation or relationship, phone or values[_FAMILY_PHONE],
                    email or values[_FAMILY_EMAIL],
                ))
            elif column and (phone or email) and not _is_reported(column, found):
                _report("missing_guardian_name", column, found)
        return guardians

    def _report_missing(
        self, values: list[Any], student: StudentValues, found: Findings
    ) -> None:
        for slot, code, column in self._missing:
            if values[slot] is None and not _is_reported(column, found):
                _report(code, column, found)
        name = self._name_column
        if not student.family_name and name and not _is_reported(name, found):
            _report("missing_surname", name, found)

    def _report_repeats(
        self, line: int, student: StudentValues, seen: SeenRows, found: Findings
    ) -> None:
        column = self._number_column
        if column is None or (not student.admission_number and column is not self._name_column):
            return
        earlier = seen.add(line, student)
        if earlier is None:
            return
        is_same = bool(earlier.person)
        found.problems.append(problem(
            "repeated_row" if is_same else "duplicate_admission_number",
            column=column.label, column_index=column.index,
            value=student.admission_number or student.family_name or "", other_line=earlier.line,
        ))


def _is_reported(column: Column, found: Findings) -> bool:
    return any(fault.column_index == column.index for fault in found.problems)


def _report(code: str, column: Column, found: Findings) -> None:
    found.problems.append(
        problem(code, column=column.label, column_index=column.index, value="")
    )


def evaluate_row(
    line: int, raw: dict[int, str] | dict[str, str], mapping: Mapping, context: RowContext
) -> RosterRow:
    """Judges one row again, as after a repair. Keys of `raw` may be texts, as JSON has them."""
    texts = {int(index): text for index, text in raw.items()}
    cells = [texts.get(index, "") for index in range(max(texts, default=-1) + 1)]
    return RowJudge(mapping, context.school).judge(line, cells, context.seen)
