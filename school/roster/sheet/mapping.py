"""What each column of a roster means: found by itself, corrected by a person, remembered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as MappingType
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from school.errors import Invalid
from school.roster.sheet.problems import shortened
from school.roster.sheet.targets import (
    JOINED,
    LABEL_LIMIT,
    Target,
    custom_key,
    guardian_part,
    is_label,
    is_target,
)
from school.roster.sheet.text import folded

_KEY_LIMIT: Final = 300
_NAMES: Final = frozenset({Target.FAMILY_NAME.value, Target.FULL_NAME.value})


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `label` is its name on screen, unlike any other's; `key` is for memory.

    `how` it got its target: header, data, remembered, person, own, hidden, repeat or unknown.
    """

    index: int
    header: str
    group: str
    label: str
    key: str
    target: str
    how: str = "unknown"
    is_hidden: bool = False
    samples: tuple[str, ...] = ()
    # "Father" for a column of fathers' names.
    relationship: str = ""
    # Decided from all rows of the file:
    date_order: str = ""
    name_order: str = ""
    id_width: int = 0
    counts_from_1904: bool = False


@dataclass(frozen=True, slots=True)
class Mapping:
    """All columns of one sheet; `to_json` and `from_json` are exact."""

    sheet: str
    header_line: int
    columns: tuple[Column, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any] | None) -> Mapping:
        """A file nobody has read yet has no columns."""
        if not stored:
            return cls(sheet="", header_line=0, columns=())
        columns = tuple(
            Column(**{**column, "samples": tuple(column.get("samples", ()))})
            for column in stored["columns"]
        )
        return cls(sheet=stored["sheet"], header_line=stored["header_line"], columns=columns)

    def corrected(self, targets: MappingType[int, str]) -> Mapping:
        """With what a person chose: {column index: target}. Raises Invalid for unknown targets."""
        for column in self.columns:
            target = targets.get(column.index, column.target)
            if target != column.target:
                refuse_unless_target(target, column.label, field=f"column-{column.index}")
        return replace(self, columns=tuple(
            replace(column, target=targets[column.index], how="person")
            if targets.get(column.index, column.target) != column.target else column
            for column in self.columns
        ))

    def renamed(self, targets: MappingType[str, str]) -> Mapping:
        """With other names for targets: {as it is here: as it is called now}."""
        return replace(self, columns=tuple(
            replace(column, target=targets.get(column.target, column.target))
            for column in self.columns
        ))

    def memory(self) -> dict[str, str]:
        """{key: target}, to be remembered for the school's next file.

        A repeated heading is judged by what stands below it each time.
        """
        return {column.key: column.target for column in self.columns if column.how != "repeat"}

    def column(self, target: str) -> Column | None:
        return next((column for column in self.columns if column.target == target), None)

    def fields(self) -> frozenset[str]:
        """The student fields this file speaks of (of StudentValues; "custom:…" for own fields)."""
        renamed = {
            Target.FULL_NAME.value: ("family_name", "given_name"),
            Target.GENDER.value: ("gender_code",),
        }
        spoken: set[str] = set()
        for column in self.columns:
            if guardian_part(column.target) or column.target in _NOT_STUDENTS:
                continue
            spoken.update(renamed.get(column.target, (column.target,)))
        return frozenset(spoken)

    def guardian_numbers(self) -> tuple[int, ...]:
        parts = (guardian_part(column.target) for column in self.columns)
        return tuple(sorted({part[0] for part in parts if part}))

    def guardian_parts(self) -> list[frozenset[str]]:
        """What the file says of each guardian it names ("name", "phone" …); a guardian without a
        column for the name cannot be named."""
        spoken: dict[int, set[str]] = {}
        for column in self.columns:
            part = guardian_part(column.target)
            if part:
                spoken.setdefault(part[0], set()).add(_PERSON_PART.get(part[1], part[1]))
        targets = {column.target for column in self.columns}
        home = {part for target, part in _HOME.items() if target in targets}
        return [frozenset(parts | home) for _, parts in sorted(spoken.items()) if "name" in parts]

    def own_keys(self) -> tuple[str, ...]:
        """Ids of the school's own fields, and names of those it doesn't have yet."""
        keys = (custom_key(column.target) for column in self.columns)
        return tuple(key for key in keys if key)

    def faults(self) -> list[Invalid]:
        """Why no row can be read with this mapping; empty when it can."""
        targets = [column.target for column in self.columns]
        found: list[Invalid] = []
        if not _NAMES & set(targets):
            found.append(Invalid("No column is chosen for the students' names. Choose one."))
        for target, count in Counter(targets).items():
            if count > 1 and target != Target.IGNORE and target not in JOINED:
                labels = [column.label for column in self.columns if column.target == target]
                shown = ", ".join(f"“{label}”" for label in labels)
                found.append(
                    Invalid("More than one column means the same: %(columns)s.", columns=shown)
                )
        return found


_NOT_STUDENTS: Final = frozenset({
    Target.IGNORE.value, Target.FAMILY_PHONE.value, Target.FAMILY_EMAIL.value,
})


_PERSON_PART: Final = {"given_name": "name", "family_name": "name"}
_HOME: Final = {Target.FAMILY_PHONE.value: "phone", Target.FAMILY_EMAIL.value: "email"}


def memory_key(header: str, group: str = "", occurrence: int = 1) -> str:
    """How a column is remembered: its folded heading, group and place among equal ones."""
    key = folded(header) or header.strip().casefold()
    if group:
        key = f"{folded(group)}: {key}"
    return (f"{key} #{occurrence}" if occurrence > 1 else key)[:_KEY_LIMIT]


def refuse_unless_target(target: str, label: str, *, field: str | None = None) -> None:
    """Raises Invalid for what the column of this name can't mean."""
    if not is_target(target):
        raise Invalid(
            "“%(target)s” is not something a column can mean.",
            field=field, target=shortened(target),
        )
    name = custom_key(target)
    if name is not None and not is_label(name):
        raise Invalid(
            "“%(column)s”: a field needs a name of up to %(limit)s letters, without hidden "
            "characters, that doesn't begin with “=”.",
            field=field, column=shortened(label), limit=LABEL_LIMIT,
        )


def by_key(remembered: MappingType[str, str] | None) -> dict[str, str]:
    """What is remembered, whether written as keys or as plain headings by a person."""
    known: dict[str, str] = {}
    for heading, target in (remembered or {}).items():
        if not is_target(target):
            raise Invalid("“%(target)s” is not something a column can mean.", target=target)
        known[heading] = target
        known.setdefault(memory_key(heading), target)
    return known
