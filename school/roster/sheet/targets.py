"""What a column of a roster can mean."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

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


def guardian_target(number: int, field: str) -> str:
    return f"guardian[{number}].{field}"


def custom_target(header: str) -> str:
    return f"{_CUSTOM}{header}"


def guardian_part(target: str) -> tuple[int, str] | None:
    """(number, field) of a guardian's column."""
    match = _GUARDIAN.fullmatch(target)
    return (int(match[1]), match[2]) if match and match[2] in GUARDIAN_FIELDS else None


def custom_label(target: str) -> str | None:
    return target.removeprefix(_CUSTOM) if target.startswith(_CUSTOM) else None


def is_target(text: str) -> bool:
    return (
        text in Target.__members__.values()
        or guardian_part(text) is not None
        or bool(custom_label(text))
    )


def all_targets() -> list[str]:
    """Every fixed choice, in the order to offer them (a school's own fields are added to it)."""
    guardians = [
        guardian_target(number, field)
        for number in range(1, MAX_GUARDIANS + 1)
        for field in GUARDIAN_FIELDS
    ]
    return [*(target.value for target in Target), *guardians]
