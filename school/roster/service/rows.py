"""One row of the file on its way through the import: judged, stored, read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from school.db import as_json
from school.roster.models import RosterRow, RowOutcome
from school.roster.service.directory import CUSTOM, Directory, Known, Namesake
from school.roster.service.verdict import GuardianSaid, Rules, Verdict, judge
from school.roster.sheet import rows as sheet
from school.roster.sheet.mapping import Mapping
from school.roster.sheet.own import OwnFields
from school.roster.sheet.problems import Problem
from school.roster.sheet.targets import Target, custom_key, custom_target, guardian_part
from school.roster.sheet.values import STUDENT_FIELDS
from school.students.service.words import student_sort_name

CHUNK_ROWS = 1_000
COLUMNS = (
    "school_id",
    "import_id",
    "line",
    "outcome",
    "rank",
    "raw",
    "repairs",
    "values",
    "problems",
    "is_blocked",
    "is_left_out",
    "student_id",
    "changes",
    "kept",
    "take",
)
_ABOUT_WHOM_MESSAGES = {
    "another_person": (
        "The number %(value)s is %(name)s's here, born on %(born)s. Type the right number; if it "
        "is the same person, put the name or the date right here first."
    ),
    "namesake": (
        "A student of this name is here already. If it is the same, type the admission number "
        "or the date of birth."
    ),
    "ambiguous_match": (
        "%(count)s students of the school have this name and date of birth, and none has this "
        "number. Type the admission number of the right one."
    ),
    "archived": (
        "This student is archived here and stays so, without a class. Restore the student if the "
        "file is right."
    ),
}
_FIELD_OF_TARGET = {
    Target.FULL_NAME: ("family_name", "given_name"),
    Target.GENDER: ("gender_code",),
}


class Rank(IntEnum):
    """The order to look at rows in: first what needs a person."""

    BLOCKED = 0
    REMARK = 1
    CHANGED = 2
    NEW = 3
    # Nothing to change, but the file says something new to remember.
    HEARD = 4
    SAME = 5


@dataclass(slots=True)
class Staged:
    """A row as it is stored: what the file says, whom it means and what would happen."""

    line: int
    raw: dict[int, str]
    student: dict[str, Any]
    guardians: list[GuardianSaid]
    problems: list[Problem]
    is_blocked: bool
    verdict: Verdict = field(default_factory=lambda: Verdict(RowOutcome.PROBLEM))
    is_left_out: bool = False
    repairs: dict[str, str] = field(default_factory=dict)
    take: list[str] = field(default_factory=list)
    # Guardians who are somebody the school or the file has already: {place: line, or 0 for the
    # school's}; places count from 1.
    shared: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, row: sheet.RosterRow) -> Staged:
        return cls(
            row.line,
            row.raw,
            _filled(row),
            [guardian.to_json() for guardian in row.guardians],
            row.problems,
            row.is_blocked,
        )

    @property
    def rank(self) -> Rank:
        if self.is_blocked:
            return Rank.BLOCKED
        if self.problems or self.verdict.kept:
            return Rank.REMARK
        if self.verdict.has_news:
            return Rank.HEARD
        return _RANK_OF[self.verdict.outcome]

    def stored(self, school_id: str, import_id: str) -> tuple[Any, ...]:
        """In the order of COLUMNS."""
        values: dict[str, Any] = {"student": self.student, "guardians": self.guardians}
        if self.shared:
            values["shared"] = self.shared
        return (
            school_id,
            import_id,
            self.line,
            str(self.verdict.outcome),
            int(self.rank),
            as_json(self.raw),
            as_json(self.repairs) if self.repairs else "{}",
            as_json(values),
            as_json([one.to_json() for one in self.problems]) if self.problems else "[]",
            self.is_blocked,
            self.is_left_out,
            self.verdict.student_id,
            as_json(self.verdict.changes) if self.verdict.changes else "{}",
            as_json(self.verdict.kept) if self.verdict.kept else "{}",
            as_json(self.take) if self.take else "[]",
        )


_RANK_OF = {
    RowOutcome.CHANGED: Rank.CHANGED,
    RowOutcome.NEW: Rank.NEW,
    RowOutcome.UNCHANGED: Rank.SAME,
    RowOutcome.PROBLEM: Rank.BLOCKED,
}
_PLAIN_FIELDS = tuple(name for name in STUDENT_FIELDS if name != "birth_date")


def _filled(row: sheet.RosterRow) -> dict[str, Any]:
    """The student as JSON, without what the row leaves empty."""
    values = row.values
    student: dict[str, Any] = {}
    for name in _PLAIN_FIELDS:
        value = getattr(values, name)
        if value is not None:
            student[name] = value
    if values.birth_date is not None:
        student["birth_date"] = values.birth_date.isoformat()
    for key, value in values.custom.items():
        student[CUSTOM + key] = value
    return student


def read_back(row: RosterRow | Any) -> Staged:
    """A stored row. `row` has RosterRow's attributes."""
    return Staged(
        row.line,
        {int(index): text for index, text in row.raw.items()},
        row.values["student"],
        row.values["guardians"],
        [Problem.from_json(one) for one in row.problems],
        row.is_blocked,
        Verdict(RowOutcome(row.outcome), row.student_id.hex if row.student_id else None),
        row.is_left_out,
        dict(row.repairs),
        list(row.take),
        row.values.get("shared", {}),
    )


def rules_of(mapping: Mapping, *, overwrite_edited: bool) -> Rules:
    return Rules(
        tuple(sorted(mapping.fields())), mapping.guardian_parts(), overwrite_edited
    )


class Matcher:
    """Finds whom rows mean, and says what they change."""

    def __init__(self, directory: Directory, mapping: Mapping, *, overwrite_edited: bool) -> None:
        self.directory = directory
        self._made_since = _made_since(mapping, directory.own)
        mapping = mapping.renamed(self._made_since)
        self.rules = rules_of(mapping, overwrite_edited=overwrite_edited)
        self._columns = {column.index: column.target for column in mapping.columns}
        # Numbers in the file: a namesake who has one of them is another person.
        self.numbers: set[str] = set()
        self.undecided: dict[int, list[Namesake]] = {}

    def match(self, rows: Sequence[Staged]) -> None:
        """Judge a chunk by admission number, and note who else might be meant."""
        known = self.directory.by_number(row.student.get("admission_number") for row in rows)
        unmatched, renamed = [], []
        for row in rows:
            if "class_name" in row.student:
                row.student["class_name"] = self.directory.spell_class(row.student["class_name"])
            number = row.student.get("admission_number")
            found = known.get(number) if number else None
            if number:
                self.numbers.add(number)
            self.judge(row, found)
            if found is None:
                unmatched.append(row)
            elif not row.is_blocked and _names_another(row, found):
                renamed.append((row, found))
        self._look_for_namesakes(unmatched, renamed)

    def _look_for_namesakes(
        self, unmatched: list[Staged], renamed: list[tuple[Staged, Known]]
    ) -> None:
        rows = [*unmatched, *(row for row, _ in renamed)]
        names = {row.line: _sort_name(row) for row in rows}
        namesakes = self.directory.namesakes(names.values())
        for row in unmatched:
            found = namesakes.get(names[row.line])
            if found:
                self.undecided[row.line] = found
        for row, known in renamed:
            born = row.student.get("birth_date")
            is_elsewhere = any(one.born == born for one in namesakes.get(names[row.line], ()))
            if is_elsewhere or (born and born not in _births(known)):
                self._block(row, known)

    def _block(self, row: Staged, known: Known) -> None:
        """The number says one person, name and date of birth another: nobody's record is put
        over somebody else's."""
        name = " ".join(filter(None, (known.fields["given_name"], known.fields["family_name"])))
        told = {
            "value": row.student["admission_number"],
            "name": name,
            "born": known.fields["birth_date"] or "–",
        }
        row.problems.append(
            self._about_number(row, "another_person", params=told, blocking=True)
        )
        row.is_blocked = True
        row.verdict = Verdict(RowOutcome.PROBLEM, known.id)

    def settle(self, row: Staged) -> bool:
        """Decide an undecided row, once all numbers of the file are known. True if it changed."""
        namesakes = self.undecided.pop(row.line, [])
        free = [one for one in namesakes if one.number not in self.numbers]
        born = row.student.get("birth_date")
        candidates = [one.id for one in free if one.born == born]
        if row.is_blocked:
            # It stays out, but whoever it speaks of is in the file and not gone.
            row.verdict.student_id = candidates[0].hex if candidates else None
        elif not candidates and any(born is None or one.born is None for one in free):
            row.problems.append(self._about_number(row, "namesake"))
            return True
        elif len(candidates) == 1:
            self.judge(row, self.directory.by_id(candidates)[candidates[0].hex])
        elif candidates:
            count = {"count": len(candidates)}
            row.problems.append(
                self._about_number(row, "ambiguous_match", params=count, blocking=True)
            )
            row.is_blocked = True
            row.verdict = Verdict(RowOutcome.PROBLEM)
        return bool(candidates)

    def _about_number(self, row: Staged, code: str, **more: Any) -> Problem:
        """Something about whom the row means, said at its admission number."""
        column = next(
            (index for index, target in self._columns.items() if target == Target.ADMISSION_NUMBER),
            0,
        )
        value = row.student.get("admission_number", "")
        return Problem(code, "", column, value, _ABOUT_WHOM_MESSAGES[code], **more)

    def judge(self, row: Staged, known: Known | None) -> None:
        if known and known.is_archived and all(one.code != "archived" for one in row.problems):
            row.problems.append(self._about_number(row, "archived"))
        if self._made_since:
            row.student = {
                self._made_since.get(name, name): value for name, value in row.student.items()
            }
        unread = self._unread(row) if row.problems else ()
        row.verdict = judge(
            row.student, row.guardians, known, self.rules, unread=unread, take=row.take
        )
        if row.is_blocked:
            row.verdict = Verdict(RowOutcome.PROBLEM, known.id if known else None)

    def _unread(self, row: Staged) -> set[str]:
        """Fields whose cell could not be read: what the school has stays."""
        unread: set[str] = set()
        for found in row.problems:
            if found.code in _ABOUT_WHOM_MESSAGES:
                continue  # its cell can be read
            target = self._columns.get(found.column_index, "")
            part = guardian_part(target)
            if part and not found.code.startswith("phone"):
                # An empty first guardian moves the second up.
                unread.update(f"guardian[{place}].{part[1]}" for place in range(1, part[0] + 1))
            unread.update(name for name in _fields_of(target) if row.student.get(name) is None)
        return unread


_TARGETS = frozenset(Target)
_NAMES = ("family_name", "given_name")


def _fields_of(target: str) -> tuple[str, ...]:
    """The fields of a student that a column speaks of."""
    if target in _TARGETS:
        return _FIELD_OF_TARGET.get(Target(target), (target,))
    return (target,) if custom_key(target) else ()


def _made_since(mapping: Mapping, own: OwnFields) -> dict[str, str]:
    """{target: target} of fields the school didn't have when the file was read, and has now.

    Those of another kind than text are not for texts: writing them is refused.
    """
    names = map(custom_target, mapping.own_keys())
    found = ((name, own.find(name)) for name in names)
    return {
        name: custom_target(field.id)
        for name, field in found
        if field and field.kind == "text" and name != custom_target(field.id)
    }


def _sort_name(row: Staged) -> str:
    return student_sort_name(row.student.get("family_name", ""), row.student.get("given_name"))


def _names_another(row: Staged, known: Known) -> bool:
    """The row's name is neither the student's nor what the last import called them."""
    for one in (known.fields, known.said or {}):
        if all(row.student.get(name) == one.get(name) for name in _NAMES):
            return False
    name = _sort_name(row)
    return all(
        name != student_sort_name(one.get("family_name") or "", one.get("given_name"))
        for one in (known.fields, known.said or {})
    )


def _births(known: Known) -> set[Any]:
    return {known.fields["birth_date"], (known.said or {}).get("birth_date")}
