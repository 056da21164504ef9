"""What one heading says by itself: a student's field, a guardian's, or nothing we know."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from school.roster.sheet.targets import GUARDIAN_FIELDS, Target
from school.roster.sheet.text import folded
from school.roster.sheet.words import (
    BARE_EMAIL,
    BARE_NAME,
    BARE_PHONE,
    FIELD_OF_HEADING,
    FILLERS,
    GUARDIAN_WORDS,
    ORDINALS,
    RELATIONSHIP,
    SERIAL,
    STUDENT_WORDS,
)

_LONGEST_GUARDIAN_WORDS: Final = 3
_LONGEST_HEADING: Final = 200
# What a field is called when it is a guardian's.
_GUARDIAN_FIELD: Final[dict[str, str]] = {
    BARE_NAME: "name", Target.FULL_NAME: "name", Target.FAMILY_NAME: "family_name",
    Target.GIVEN_NAME: "given_name", BARE_PHONE: "phone", BARE_EMAIL: "email",
    RELATIONSHIP: "relationship",
}
# What a field is called when the heading says it is the student's.
_STUDENT_FIELD: Final[dict[str, str]] = {
    BARE_NAME: Target.FULL_NAME, BARE_PHONE: Target.PHONE, BARE_EMAIL: Target.EMAIL,
    SERIAL: Target.ADMISSION_NUMBER,
}


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a heading speaks of: a kind of guardian, numbered or not."""

    kind: str
    relationship: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Heading:
    """`field` is a Target or a bare word of `words`; with `person`, a guardian's field."""

    field: str
    person: Person | None = None


def recognise(header: str, group: str = "") -> Heading | None:
    """What the heading (under its group heading) means; None if it says nothing we know."""
    if len(header) > _LONGEST_HEADING:
        return None
    return _recognise(header, group if len(group) <= _LONGEST_HEADING else "")


@lru_cache(maxsize=4096)
def _recognise(header: str, group: str) -> Heading | None:
    words = _words(header)
    if not words:
        return None
    person, rest = _guardian_in(words)
    group_person, _ = _guardian_in(_words(group))
    phrase = FIELD_OF_HEADING.get(" ".join(words))
    is_plain = not _is_guardian_phrase(person, rest)
    if phrase and is_plain and (phrase != BARE_NAME or not group_person):
        return _of_group(phrase, group_person, group)
    if person:
        return _of_guardian(person, rest)
    if group_person:
        return _of_guardian(group_person, words)
    return _of_student(words, is_students_group=bool(STUDENT_WORDS & set(_words(group))))


def person_in(text: str) -> Person | None:
    """The guardian a text such as "Guardian 1" speaks of."""
    return _guardian_in(_words(text))[0] if len(text) <= _LONGEST_HEADING else None


def _words(text: str) -> list[str]:
    words = folded(text).split()
    return [word for word in words if word not in FILLERS] or words


def _is_guardian_phrase(person: Person | None, rest: list[str]) -> bool:
    """“Guardian phone” speaks of a guardian; “Contact number” is just a number."""
    return person is not None and person.kind != "contact" and _guardian_field(rest) is not None


def _of_group(field: str, person: Person | None, group: str) -> Heading:
    if person and field in _GUARDIAN_FIELD:
        return Heading(_GUARDIAN_FIELD[field], person)
    if STUDENT_WORDS & set(_words(group)):
        return Heading(_STUDENT_FIELD.get(field, field))
    return Heading(field)


def _of_guardian(person: Person, rest: list[str]) -> Heading | None:
    field = _guardian_field(rest)
    return Heading(field, person) if field else None


def _guardian_field(rest: list[str]) -> str | None:
    rest = [word for word in rest if word not in STUDENT_WORDS] if len(rest) > 1 else rest
    if not rest:
        return "name"
    if rest in (["contact"], ["contact", "no"], ["contact", "number"], ["no"], ["number"]):
        return "phone"
    field = _GUARDIAN_FIELD.get(FIELD_OF_HEADING.get(" ".join(rest), ""))
    return field if field in GUARDIAN_FIELDS else None


def _of_student(words: list[str], *, is_students_group: bool) -> Heading | None:
    rest = [word for word in words if word not in STUDENT_WORDS]
    if not rest:
        return Heading(Target.FULL_NAME)
    field = FIELD_OF_HEADING.get(" ".join(rest))
    if field is None:
        return None
    is_students = is_students_group or len(rest) < len(words)
    return Heading(_STUDENT_FIELD.get(field, field) if is_students else field)


def _guardian_in(words: list[str]) -> tuple[Person | None, list[str]]:
    """The guardian the words name, and the words left over."""
    for length in range(_LONGEST_GUARDIAN_WORDS, 0, -1):
        for start in range(len(words) - length + 1):
            known = GUARDIAN_WORDS.get(" ".join(words[start : start + length]))
            if known:
                rest = words[:start] + words[start + length :]
                number, rest = _number_in(rest)
                return Person(known[0], known[1], number), rest
    return None, words


def _number_in(words: list[str]) -> tuple[int, list[str]]:
    for place, word in enumerate(words):
        number = int(word) if word.isdecimal() and len(word) == 1 else ORDINALS.get(word, 0)
        if number:
            return number, words[:place] + words[place + 1 :]
    return 0, words
