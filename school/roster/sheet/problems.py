"""What can be wrong with a cell, and the sentence that says so."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

MESSAGES: Final[dict[str, str]] = {
    "missing_admission_number": "There is no admission number. Type one.",
    "missing_surname": "There is no surname. Type one; a person with a single name has it here.",
    "missing_class": "There is no class. The student comes in without one.",
    "missing_date_of_birth": "There is no date of birth. Type it, or leave it empty for now.",
    "impossible_date": "“%(value)s” is not a date in the calendar. Type the right date.",
    "day_not_in_month": (
        "“%(value)s” is not in the calendar: that month has %(days)s days. Type the right date."
    ),
    "unreadable_date": "“%(value)s” can't be read as a date. Type it as day, month and year.",
    "future_date_of_birth": "“%(value)s” is in the future. Type the right date of birth.",
    "early_date_of_birth": "“%(value)s” is more than %(years)s years ago. Type the right date.",
    "unknown_gender_code": (
        "“%(value)s” is not in the school's list of genders. Type one of: %(choices)s."
    ),
    "email_malformed": "“%(value)s” is not an e-mail address. Type it like name@example.org.",
    "phone_malformed": "“%(value)s” is not a telephone number. Type the number.",
    "number_rounded": (
        "The spreadsheet program shortened this number to “%(value)s”. Type all its digits."
    ),
    "character_lost": (
        "A letter of “%(value)s” was lost and became “%(mark)s”. Type the name as it is written."
    ),
    "name_too_long": "This name has %(length)s letters; %(limit)s is the most. Shorten it.",
    "too_long": "This has %(length)s letters; %(limit)s is the most. Shorten it.",
    "unreadable_number": "“%(value)s” is not a number. Type figures only.",
    "unclear_number": (
        "“%(value)s” can mean %(first)s or %(second)s. Type it without a comma."
    ),
    "number_too_long": "“%(value)s” is too long for a number. Type a shorter one.",
    "unreadable_yes_no": "“%(value)s” is neither yes nor no. Type yes or no.",
    "unknown_choice": "“%(value)s” is not one of the choices. Type one of: %(choices)s.",
    "missing_guardian_name": "A guardian is given without a name. Type the name.",
    "duplicate_admission_number": (
        "Row %(other_line)s has the number %(value)s too, for another student. "
        "Type the right number on one of them."
    ),
    "repeated_row": "This is the same student as in row %(other_line)s. Leave one of them out.",
    # Said, but nobody has to act:
    "hidden_characters_removed": "%(count)s hidden characters were taken out.",
}

BLOCKING: Final = frozenset({
    "missing_admission_number", "missing_surname", "duplicate_admission_number", "repeated_row",
    "name_too_long",
})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at one cell. `message` is a template for `params`; `sentence` is both."""

    code: str
    column: str
    column_index: int
    value: str
    message: str
    params: dict[str, str | int] = field(default_factory=dict)
    blocking: bool = False
    other_line: int | None = None

    @property
    def sentence(self) -> str:
        return self.message % self.params

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Problem:
        return cls(**stored)


def problem(
    code: str,
    *,
    column: str,
    column_index: int,
    value: str,
    message: str | None = None,
    blocking: bool | None = None,
    other_line: int | None = None,
    params: dict[str, str | int] | None = None,
) -> Problem:
    """A problem with its sentence filled; `message` names another template of MESSAGES."""
    filled: dict[str, str | int] = {"value": shortened(value), **(params or {})}
    if other_line is not None:
        filled["other_line"] = other_line
    return Problem(
        code=code, column=column, column_index=column_index, value=value,
        message=MESSAGES[message or code], params=filled,
        blocking=code in BLOCKING if blocking is None else blocking, other_line=other_line,
    )


def shortened(value: str, limit: int = 60) -> str:
    return value if len(value) <= limit else f"{value[:limit - 3]}…"
