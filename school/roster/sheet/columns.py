"""Finding the heading row of a sheet, and what each column means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from school.roster.sheet.evidence import Evidence, evidence_of
from school.roster.sheet.headings import Heading, Person, person_in, recognise
from school.roster.sheet.mapping import Column, Mapping, memory_key
from school.roster.sheet.own import OwnFields
from school.roster.sheet.targets import (
    JOINED,
    MAX_GUARDIANS,
    Target,
    as_label,
    custom_target,
    guardian_part,
    guardian_target,
    is_field_id,
)
from school.roster.sheet.text import clean_line
from school.roster.sheet.words import (
    BARE_EMAIL,
    BARE_NAME,
    BARE_PHONE,
    OWN_FIELD,
    RELATIONSHIP,
    SERIAL,
    STATUS,
)

_HEADER_WITHIN_ROWS: Final = 40
_SAMPLES_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the beginning of a sheet, as texts; `spans` are merges that begin in it."""

    line: int
    texts: list[str]
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Headings:
    """The heading row, with the group heading above each column."""

    line: int
    headers: list[str]
    groups: list[str]
    known: int


def find_headings(lines: list[Line], remembered: MappingType[str, str]) -> Headings | None:
    """The row that reads most like headings; None when no row does."""
    best: Headings | None = None
    for place, line in enumerate(lines[:_HEADER_WITHIN_ROWS]):
        above = lines[place - 1] if place else None
        candidate = _as_headings(line, above, remembered)
        if candidate.known >= _needed(candidate) and (best is None or candidate.known > best.known):
            best = candidate
    return best or _unknown_language(lines)


def _needed(candidate: Headings) -> int:
    return 1 if sum(map(bool, candidate.headers)) == 1 else 2


def _as_headings(
    line: Line, above: Line | None, remembered: MappingType[str, str]
) -> Headings:
    headers = [clean_line(text)[0] for text in line.texts]
    groups = _groups(above, len(headers)) if above else [""] * len(headers)
    known = sum(
        bool(header) and _looks_like_a_heading(header) and (
            recognise(header, group) is not None or memory_key(header, group) in remembered
        )
        for header, group in zip(headers, groups, strict=True)
    )
    return Headings(line.line, headers, groups, known)


def _looks_like_a_heading(text: str) -> bool:
    return len(text) <= 80 and not text.replace(".", "").isdecimal() and "@" not in text


def _unknown_language(lines: list[Line]) -> Headings | None:
    """Words without digits over rows with dates or addresses: headings in words we don't know."""
    for place, line in enumerate(lines[:_HEADER_WITHIN_ROWS]):
        headers = [clean_line(text)[0] for text in line.texts]
        filled = [text for text in headers if text]
        if len(filled) < 2:
            continue
        if any(any(letter.isdecimal() for letter in text) for text in filled):
            return None
        below = lines[place + 1 :]
        facts = {evidence_of(_column_texts(below, index)) for index in range(len(headers))}
        if facts & {Evidence.BIRTH_DATE, Evidence.EMAIL}:
            return Headings(line.line, headers, [""] * len(headers), 0)
        return None
    return None


def _groups(above: Line, width: int) -> list[str]:
    """The group headings over each column; all empty when the row above is no such row."""
    texts = [clean_line(text)[0] for text in above.texts[:width]]
    texts += [""] * (width - len(texts))
    filled = [text for text in texts if text]
    if not any(person_in(text) for text in filled) or any(
        first == 0 and last >= width - 1 for first, last in above.spans
    ):
        return [""] * width
    if above.spans:
        return _spread(texts, above.spans)
    for index in range(1, width):
        texts[index] = texts[index] or texts[index - 1]
    return texts


def _spread(texts: list[str], spans: tuple[tuple[int, int], ...]) -> list[str]:
    groups = list(texts)
    for first, last in spans:
        for index in range(first, min(last + 1, len(texts))):
            groups[index] = texts[first]
    return groups


def _column_texts(lines: list[Line], index: int) -> list[str]:
    texts = (line.texts[index].strip() for line in lines if index < len(line.texts))
    return [text for text in texts if text]


def map_columns(
    headings: Headings,
    below: list[Line],
    *,
    sheet: str,
    hidden: frozenset[int],
    remembered: MappingType[str, str],
    own: OwnFields,
) -> Mapping:
    """What each column means: remembered first, then its heading, then what stands in it."""
    columns = _columns(headings, below, hidden)
    known = {
        column.index: remembered[column.key] for column in columns if column.key in remembered
    }
    chosen = Choice(columns, below, taken=known, own=own)
    chosen.by_headings()
    chosen.by_own_fields()
    chosen.by_data()
    return Mapping(sheet, headings.line, tuple(chosen.finished()))


def _columns(headings: Headings, below: list[Line], hidden: frozenset[int]) -> list[Column]:
    columns = []
    counts = Counter(header for header in headings.headers if header)
    seen: Counter[str] = Counter()
    for index, (header, group) in enumerate(zip(headings.headers, headings.groups, strict=True)):
        texts = _column_texts(below, index)
        if not header and not texts:
            continue
        # As memory tells headings apart: capitals and accents make no second one.
        name = header or f"column {index + 1}"
        seen[memory_key(name, group)] += 1
        occurrence = seen[memory_key(name, group)]
        columns.append(Column(
            index=index, header=header, group=group,
            label=_label(header, group, occurrence, index, is_only=counts[header] == 1),
            key=memory_key(name, group, occurrence),
            target="", is_hidden=index in hidden,
            samples=tuple(text[:80] for text in texts[:_SAMPLES_SHOWN]),
        ))
    return columns


def _label(header: str, group: str, occurrence: int, index: int, *, is_only: bool) -> str:
    if not header:
        return f"Column {index + 1}"
    if is_only:
        return header
    label = f"{group}: {header}" if group else header
    return f"{label} ({occurrence})" if occurrence > 1 else label


class Choice:
    """Chooses a target for each column; a target is given once."""

    def __init__(
        self, columns: list[Column], below: list[Line], taken: dict[int, str], own: OwnFields
    ) -> None:
        self.columns = columns
        self.own = own
        self.texts = {column.index: _column_texts(below, column.index) for column in columns}
        self.targets: dict[int, str] = dict(taken)
        self.how: dict[int, str] = dict.fromkeys(taken, "remembered")
        self.relationships: dict[int, str] = {}
        self.readings: dict[int, Heading | None] = {
            column.index: recognise(column.header, column.group) for column in columns
        }
        for column in columns:
            if column.is_hidden and column.index not in self.targets:
                self._give(column.index, Target.IGNORE, "hidden")

    def _open(self) -> list[Column]:
        return [column for column in self.columns if column.index not in self.targets]

    def _is_free(self, target: str) -> bool:
        return target in JOINED or target == Target.IGNORE or target not in self.targets.values()

    def _give(self, index: int, target: str, how: str) -> None:
        self.targets[index] = target
        self.how[index] = how

    def _give_if_free(self, index: int, target: str, how: str) -> None:
        if self._is_free(target):
            self._give(index, target, how)

    def by_headings(self) -> None:
        self._guardians()
        for column in self._open():
            reading = self.readings[column.index]
            if reading and not reading.person and reading.field in _PLAIN_FIELDS:
                self._give_if_free(column.index, reading.field, "header")
        self._homes()
        self._bare_fields()

    def _homes(self) -> None:
        """“Guardian e-mail” beside numbered guardians is the home's, never the student's."""
        targets = {"phone": Target.FAMILY_PHONE, "email": Target.FAMILY_EMAIL}
        for column in self._open():
            reading = self.readings[column.index]
            if reading and reading.person and reading.field in targets and self._has_guardians():
                self._give_if_free(column.index, targets[reading.field], "header")

    def _guardians(self) -> None:
        """Gives each guardian a number, in the order they stand in."""
        for number, fields, person in self._people().numbered():
            for field, index in fields.items():
                if index in self.targets:
                    continue
                self._give_if_free(index, guardian_target(number, field), "header")
                if field in {"name", "given_name", "family_name"}:
                    self.relationships[index] = person.relationship

    def _people(self) -> _People:
        people = _People()
        for column in self.columns:
            reading = self.readings[column.index]
            if reading and reading.person:
                people.add(column.index, reading.person, reading.field)
            elif reading and reading.field == RELATIONSHIP:
                people.add_to_last(column.index, RELATIONSHIP)
        return people

    def _bare_fields(self) -> None:
        """Name, phone and e-mail without a word whose they are: told by what else is there."""
        for column in self._open():
            reading = self.readings[column.index]
            bare = reading.field if reading and not reading.person else ""
            if bare == BARE_NAME:
                self._give_if_free(column.index, self._which_name(), "header")
            elif bare == BARE_PHONE:
                target = self._whose("phone", Target.PHONE, Target.FAMILY_PHONE)
                self._give_if_free(column.index, target, "header")
            elif bare == BARE_EMAIL:
                target = self._whose("email", Target.EMAIL, Target.FAMILY_EMAIL)
                self._give_if_free(column.index, target, "header")
            elif bare == SERIAL:
                self._serial(column.index)
            elif bare == STATUS:  # who is on roll is decided here, not in a file
                self._give(column.index, Target.IGNORE, "header")
        self._leave_out_the_whole_name()

    def _which_name(self) -> str:
        """“Name” beside “Vorname” is the surname; “Nome” beside “Cognome” is the given name."""
        if Target.GIVEN_NAME in self.targets.values():
            return Target.FAMILY_NAME
        has_family = Target.FAMILY_NAME in self.targets.values()
        return Target.GIVEN_NAME if has_family else Target.FULL_NAME

    def _leave_out_the_whole_name(self) -> None:
        """A column with the whole name adds nothing where its two parts have their own."""
        if {Target.FAMILY_NAME, Target.GIVEN_NAME} <= set(self.targets.values()):
            for index, target in list(self.targets.items()):
                if target == Target.FULL_NAME and self.how[index] == "header":
                    del self.targets[index], self.how[index]

    def _whose(self, field: str, students: str, familys: str) -> str:
        parts = [guardian_part(target) for target in self.targets.values()]
        has_own = any(part and part[1] == field for part in parts)
        return familys if self._has_guardians() and not has_own else students

    def _has_guardians(self) -> bool:
        parts = (guardian_part(target) for target in self.targets.values())
        return any(part and "name" in part[1] for part in parts)

    def _serial(self, index: int) -> None:
        if evidence_of(self.texts[index]) is Evidence.SERIAL:
            self._give(index, Target.IGNORE, "header")
        elif Target.ADMISSION_NUMBER not in self.targets.values():
            self._give(index, Target.ADMISSION_NUMBER, "header")

    def by_own_fields(self) -> None:
        for column in self._open():
            field = self.own.called(as_label(column.label))
            if field:
                self._give_if_free(column.index, custom_target(field.id), "own")

    def by_data(self) -> None:
        for column in self._open():
            reading = self.readings[column.index]
            if reading and (reading.field == OWN_FIELD or reading.person):
                continue  # what stands in it does not make it another person's
            target = _TARGET_OF_EVIDENCE.get(evidence_of(self.texts[column.index]))
            if target == Target.IGNORE and column.header:
                continue
            if target:
                self._give_if_free(column.index, target, "data")

    def finished(self) -> list[Column]:
        for column in self._open():
            if repeated(column, self.columns):
                self._give(column.index, Target.IGNORE, "repeat")
            else:
                self._give(column.index, new_field_target(column), "unknown")
        return [
            replace(
                column, target=self.targets[column.index], how=self.how[column.index],
                relationship=self.relationships.get(column.index, ""),
            )
            for column in self.columns
        ]


def repeated(column: Column, columns: Sequence[Column]) -> Column | None:
    """The first column with the same heading, if it isn't this one."""
    if not column.header:
        return None
    key = memory_key(column.header, column.group)
    first = next((one for one in columns if one.key == key), column)
    return None if first is column else first


def new_field_target(column: Column) -> str:
    """It becomes a field of the school's own; what can't be the name of one is left out."""
    label = as_label(column.label)
    return custom_target(label) if label and not is_field_id(label) else Target.IGNORE


_PLAIN_FIELDS: Final = frozenset(target.value for target in Target)
_TARGET_OF_EVIDENCE: Final[dict[Evidence | None, str]] = {
    Evidence.BIRTH_DATE: Target.BIRTH_DATE,
    Evidence.GENDER: Target.GENDER,
    Evidence.EMAIL: Target.EMAIL,
    Evidence.SERIAL: Target.IGNORE,
}


class _People:
    """The guardians the headings speak of, each with its columns: {field: column index}."""

    def __init__(self) -> None:
        self.fields: dict[tuple[Person, int], dict[str, int]] = {}

    def add(self, index: int, person: Person, field: str) -> None:
        occurrence = 1
        while field in self.fields.get((person, occurrence), {}):
            occurrence += 1
        self.fields.setdefault((person, occurrence), {})[field] = index

    def add_to_last(self, index: int, field: str) -> None:
        if self.fields:
            last = list(self.fields)[-1]
            self.fields[last].setdefault(field, index)

    def numbered(self) -> list[tuple[int, dict[str, int], Person]]:
        """Those with a name, in the order of their first column."""
        named = [
            (min(fields.values()), fields, person)
            for (person, _), fields in self.fields.items()
            if {"name", "given_name", "family_name"} & fields.keys()
        ]
        named.sort(key=lambda entry: entry[0])
        return [
            (number, fields, person)
            for number, (_, fields, person) in enumerate(named[:MAX_GUARDIANS], start=1)
        ]
