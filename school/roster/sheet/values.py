"""What a row says: a student, guardians; and what must be known of the school to read it."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime
from typing import Any, Final

from school.roster.sheet.dates import DateOrder
from school.roster.sheet.own import (
    OwnFields,
)

Value = str | date | float | bool | None


def _utc_today() -> date:
    return datetime.now(UTC).date()


@dataclass(frozen=True, slots=True)
class SchoolHints:
    """What the reader must know of the school.

    `genders` is the school's own list, code → label; `date_order` decides where the file doesn't.
    """

    genders: MappingType[str, str] = field(
        default_factory=lambda: {"F": "Female", "M": "Male", "X": "Other"}
    )
    today: date = field(default_factory=_utc_today)
    date_order: DateOrder = DateOrder.DAY_FIRST
    name_limit: int = 300
    own: OwnFields = field(default_factory=OwnFields)


@dataclass(slots=True)
class StudentValues:
    """A student as the row says; None for what it doesn't say.

    `custom` is {id of the school's own field, or its name while there is none: value}.
    """

    admission_number: str | None = None
    family_name: str | None = None
    given_name: str | None = None
    preferred_name: str | None = None
    birth_date: date | None = None
    gender_code: str | None = None
    grade_level: str | None = None
    class_name: str | None = None
    address: str | None = None
    town: str | None = None
    postcode: str | None = None
    email: str | None = None
    phone: str | None = None
    medical_note: str | None = None
    custom: dict[str, str | float | bool] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "birth_date": self.birth_date and self.birth_date.isoformat()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> StudentValues:
        born = stored.get("birth_date")
        return cls(**{**stored, "birth_date": date.fromisoformat(born) if born else None})


@dataclass(slots=True)
class GuardianValues:
    """A guardian as the row says; always with a name."""

    name: str
    relationship: str | None = None
    phone: str | None = None
    email: str | None = None

    def to_json(self) -> dict[str, str | None]:
        return {"name": self.name, "relationship": self.relationship, "phone": self.phone,
                "email": self.email}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> GuardianValues:
        return cls(**stored)


STUDENT_FIELDS: Final = tuple(
    entry.name for entry in fields(StudentValues) if entry.name != "custom"
)
