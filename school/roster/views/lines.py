"""A row of the preview as cells: as it stands, old → new, or a field to repair it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from flask_babel import format_date, gettext

from school.roster.models import RosterRow
from school.roster.service.rows import Rank
from school.roster.sheet.mapping import Mapping
from school.roster.sheet.problems import Problem
from school.roster.sheet.targets import custom_key, guardian_part
from school.roster.views.words import field_label, sentence
from school.students.models import CustomField, CustomFieldKind
from school.students.queries import list_fields

PLACES = ("student", "class", "born", "guardian", "email")
_PLACE_OF = {
    "family_name": "student",
    "given_name": "student",
    "full_name": "student",
    "class_name": "class",
    "birth_date": "born",
}


@dataclass(slots=True)
class Fix:
    """One thing wrong, with the cell to type the right value in."""

    column_index: int
    label: str
    value: str
    sentence: str
    blocking: bool
    name: str
    id: str


@dataclass(slots=True)
class Change:
    label: str
    field: str
    old: str
    new: str


@dataclass(slots=True)
class Cell:
    text: str = ""
    changes: list[Change] = field(default_factory=list)
    fixes: list[Fix] = field(default_factory=list)


@dataclass(slots=True)
class Line:
    """What the template shows of one row."""

    line: int
    outcome: str
    is_blocked: bool
    is_left_out: bool
    is_repeated: bool
    cells: dict[str, Cell]
    more: Cell
    kept: list[Change]
    take: list[str]
    given: str
    family: str
    guardians: list[str]
    shared: list[str]


Own = dict[str, CustomField]
"""The school's own fields, by id."""


def lines_of(rows: Sequence[RosterRow], mapping: Mapping) -> list[Line]:
    own = {str(one.id): one for one in list_fields(include_archived=True)}
    return [_line_of(row, mapping, own) for row in rows]


def line_of(row: RosterRow, mapping: Mapping) -> Line:
    return lines_of([row], mapping)[0]


def _line_of(row: RosterRow, mapping: Mapping, own: Own) -> Line:
    student, guardians = row.values["student"], row.values["guardians"]
    cells = {name: Cell() for name in PLACES}
    cells["class"].text = student.get("class_name") or ""
    cells["born"].text = _day(student.get("birth_date"))
    cells["guardian"].text = ", ".join(one["name"] for one in guardians)
    cells["email"].text = next((one["email"] for one in guardians if one["email"]), "")
    line = Line(
        row.line,
        _outcome(row),
        row.is_blocked,
        row.is_left_out,
        any(stored["code"] == "repeated_row" for stored in row.problems),
        cells,
        Cell(),
        _changes(row.kept, own),
        list(row.take),
        student.get("given_name") or "",
        student.get("family_name") or "",
        [one["name"] for one in guardians],
        [
            _shared(guardians[int(place) - 1]["name"], first)
            for place, first in row.values.get("shared", {}).items()
        ],
    )
    if row.student_id is None:  # of somebody new there are no changes to show
        line.more.changes = _changes(_own_values(student), own)
    for change in _changes(row.changes, own):
        _place(line, change.field).changes.append(change)
    for fix, target in _fixes(row, mapping):
        _place(line, target).fixes.append(fix)
    return line


def _shared(name: str, first: int) -> str:
    """A guardian who is somebody met before: in a row above, or in the school."""
    if not first:
        return str(gettext("%(name)s is here already", name=name))
    return str(gettext("%(name)s is the same person as in row %(row)s", name=name, row=first))


def _outcome(row: RosterRow) -> str:
    if row.is_left_out:
        return "out"
    if row.is_blocked:
        return "repair"
    if row.rank == Rank.REMARK and row.outcome == "unchanged":
        return "look"
    return str(row.outcome)


def _place(line: Line, target: str) -> Cell:
    part = guardian_part(target)
    if part:
        name = {"name": "guardian", "email": "email"}.get(part[1], "")
    else:
        name = _PLACE_OF.get(target, "")
    return line.cells.get(name, line.more)


def _own_values(student: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: [None, value] for name, value in student.items() if custom_key(name)}


def _changes(pairs: dict[str, list[Any]], own: Own) -> list[Change]:
    labels = {field_id: field.label for field_id, field in own.items()}
    return [
        Change(field_label(name, labels), name, _shown(name, old, own), _shown(name, new, own))
        for name, (old, new) in pairs.items()
    ]


def _shown(name: str, value: Any, own: Own) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(gettext("Yes")) if value else str(gettext("No"))
    field = own.get(custom_key(name) or "")
    is_date = field.kind == CustomFieldKind.DATE if field else name == "birth_date"
    return _day(value) if is_date else str(value)


def _day(value: Any) -> str:
    """What is no date, though it should be one, is shown as it is."""
    try:
        return str(format_date(date.fromisoformat(value), gettext("d MMM yyyy")))
    except (TypeError, ValueError):
        return str(value or "")


def _fixes(row: RosterRow, mapping: Mapping) -> list[tuple[Fix, str]]:
    columns = {column.index: column for column in mapping.columns}
    fixes: list[tuple[Fix, str]] = []
    for number, stored in enumerate(row.problems):
        found = Problem.from_json(stored)
        same = next((fix for fix, _ in fixes if fix.column_index == found.column_index), None)
        if same is not None:  # one field per cell: two would overwrite each other
            same.sentence += f" {sentence(found)}"
            same.blocking |= found.blocking
            continue
        column = columns.get(found.column_index)
        key = str(found.column_index)
        value = row.repairs.get(key, row.raw.get(key, found.value))
        label = column.label if column else found.column
        fixes.append(
            (
                Fix(
                    found.column_index,
                    label,
                    value,
                    sentence(found),
                    found.blocking,
                    f"c{found.column_index}",
                    f"e{row.line}-{number}",
                ),
                _target(column.target if column else ""),
            )
        )
    return fixes


def _target(target: str) -> str:
    return "" if custom_key(target) else target
