"""What a column of a roster can mean."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from school.unseen import drop_unseen

MAX_GUARDIANS: Final = 4


class Target(StrEnum):
    ADMISSION_NUMBER = "admission_number"
    FAMILY_NAME = "family_name"
    GIVEN_NAME = "given_name"
    FULL_NAME = "full_name"
    PREFERRED_NAME = "preferred_name"
    BIRTH_DATE = "birth_date"
    GENDER = "gender"
    GRADE_LEVEL = "grade_level"
    CLASS_NAME = "class_name"
    ADDRESS = "address"
    TOWN = "town"
    POSTCODE = "postcode"
    EMAIL = "email"
    PHONE = "phone"
    MEDICAL_NOTE = "medical_note"
    # One number or address for the home: it goes to each guardian of the row.
    FAMILY_PHONE = "family_phone"
    FAMILY_EMAIL = "family_email"
    IGNORE = "ignore"


GUARDIAN_FIELDS: Final = (
    "name", "given_name", "family_name", "relationship", "phone", "email",
)
# Several columns may be one address.
JOINED: Final = frozenset({Target.ADDRESS.value, Target.MEDICAL_NOTE.value})

_GUARDIAN: Final = re.compile(r"guardian\[([1-4])\]\.(\w+)")
_CUSTOM: Final = "custom:"
_FIELD_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LABEL_LIMIT: Final = 120


def guardian_target(number: int, field: str) -> str:
    return f"guardian[{number}].{field}"


def custom_target(key: str) -> str:
    """A field of the school's own, by its id; by its name while there is no such field yet."""
    return f"{_CUSTOM}{key}"


def guardian_part(target: str) -> tuple[int, str] | None:
    """(number, field) of a guardian's column."""
    match = _GUARDIAN.fullmatch(target)
    return (int(match[1]), match[2]) if match and match[2] in GUARDIAN_FIELDS else None


def custom_key(target: str) -> str | None:
    """The id of the own field a column means, or the name it will have."""
    return target.removeprefix(_CUSTOM) if target.startswith(_CUSTOM) else None


def is_field_id(key: str) -> bool:
    return _FIELD_ID.fullmatch(key) is not None


def as_label(text: str) -> str:
    """What a field made from this heading is called; "" if it can't be one."""
    # In a spreadsheet that comes out again, a name beginning with "=" would be a formula.
    return " ".join(drop_unseen(text).split()).lstrip("= ")[:LABEL_LIMIT].rstrip()


def is_label(text: str) -> bool:
    """A name the settings of own fields take as well."""
    return bool(text) and text == as_label(text)


def is_target(text: str) -> bool:
    return (
        text in Target.__members__.values()
        or guardian_part(text) is not None
        or bool(custom_key(text))
    )


def all_targets() -> list[str]:
    """Every fixed choice, in the order to offer them (a school's own fields are added to it)."""
    guardians = [
        guardian_target(number, field)
        for number in range(1, MAX_GUARDIANS + 1)
        for field in GUARDIAN_FIELDS
    ]
    return [*(target.value for target in Target), *guardians]
