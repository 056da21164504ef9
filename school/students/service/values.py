"""Take a value only if it can be true: names, dates, addresses, the school's own typed fields."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from school import clock
from school.errors import Conflict, Invalid
from school.students import queries
from school.students.models import CustomField, CustomFieldKind, StudentStatus
from school.unseen import drop_unseen

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_OLDEST_YEARS = 130
LENGTHS = {
    "family_name": 300,
    "given_name": 300,
    "preferred_name": 300,
    "name": 300,
    "admission_number": 60,
    "grade_level": 60,
    "email": 320,
    "phone": 60,
    "address": 500,
    "town": 120,
    "postcode": 20,
    "language": 60,
    "relationship": 60,
    "medical_note": 10_000,
}
_REQUIRED = {
    "family_name": "A student needs a name. Somebody with a single name has it here.",
    "admission_number": "Every student needs a number.",
    "name": "A guardian needs a name.",
}
_YES, _NO = frozenset({"yes", "true", "1", "y"}), frozenset({"no", "false", "0", "n"})


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Every value cleaned and checked. Raises Invalid naming the field."""
    return {name: _checked(name, value) for name, value in values.items()}


def _checked(name: str, value: Any) -> Any:
    if isinstance(value, str):
        value = _text(name, value)
    if value is None and name in _REQUIRED:
        raise Invalid(_REQUIRED[name], field=name)
    check = _CHECKS.get(name)
    if check is not None and value is not None:
        check(value)
    return value


def _text(name: str, value: str) -> str | None:
    value = drop_unseen(value)
    kept = value.strip() if name in {"address", "medical_note"} else " ".join(value.split())
    limit = LENGTHS.get(name, 500)
    if len(kept) > limit:
        raise Invalid("This is too long: at most %(limit)s letters.", field=name, limit=limit)
    return kept or None


def _check_birth_date(value: date) -> None:
    today = clock.today()
    if value > today:
        raise Invalid("This date lies in the future. Type the right one.", field="birth_date")
    if today.year - value.year > _OLDEST_YEARS:
        raise Invalid("This is too long ago. Type the right year.", field="birth_date")


def _check_email(value: str) -> None:
    if not _EMAIL.fullmatch(value):
        raise Invalid("An e-mail address looks like name@school.org.", field="email")


def _check_gender(value: str) -> None:
    if value not in {gender.code for gender in queries.list_genders()}:
        raise Invalid("This is not on the school's list. Choose from it.", field="gender_code")


def _check_status(value: str) -> None:
    if value not in set(StudentStatus) - {StudentStatus.ARCHIVED}:
        raise Invalid("Choose joining, enrolled or left.", field="status")


_CHECKS: dict[str, Callable[[Any], None]] = {
    "birth_date": _check_birth_date,
    "email": _check_email,
    "gender_code": _check_gender,
    "status": _check_status,
}


def refuse_taken_number(admission_number: str, *, student_id: Any = None) -> None:
    """Raises Conflict when another student has this number."""
    taken = queries.find_by_number(admission_number)
    if taken is not None and taken.id != student_id:
        raise Conflict(
            "%(name)s has the number %(number)s already. Choose another.",
            field="admission_number",
            name=" ".join(part for part in (taken.given_name, taken.family_name) if part),
            number=admission_number,
        )


def checked_custom(
    values: Mapping[str, Any], *, present: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """{field id as text: value} with every value in its field's own type. None empties a field.

    What the student has already (`present`) is kept, though it may be no choice any more, or
    come from an import that took any text.
    """
    have = present or {}
    fields = {str(field.id): field for field in queries.list_fields(include_archived=True)}
    result = {}
    for key, value in values.items():
        if key not in fields:
            raise Invalid("There is no such field.", field=f"custom_{key}")
        result[key] = _custom_or_kept(fields[key], value, have.get(key))
    return result


def _custom_or_kept(field: CustomField, value: Any, present: Any) -> Any:
    try:
        return custom_value(field, value)
    except Invalid:
        if value is None or value != present:
            raise
        return present


def custom_value(field: CustomField, value: Any) -> Any:
    """The value as it is kept: text, number, ISO date, true or false, one of the choices."""
    if isinstance(value, str):
        value = drop_unseen(value).strip()
    if value is None or value == "":
        return None
    return _KINDS[CustomFieldKind(field.kind)](field, value)


def _wrong(field: CustomField, message: str, **params: Any) -> Invalid:
    return Invalid(message, field=f"custom_{field.id}", **params)


def _as_text(field: CustomField, value: Any) -> str:
    text = drop_unseen(str(value))
    if len(text) > 2_000:
        raise _wrong(field, "This is too long: at most %(limit)s letters.", limit=2_000)
    return text


# Beyond it a number of a computer skips whole numbers (IEEE 754, binary64).
_EXACT = 2**53


def _as_number(field: CustomField, value: Any) -> float | int:
    try:
        number = float(str(value).replace(" ", "").replace(",", "."))
    except ValueError:
        raise _wrong(field, "This is not a number. Type figures only.") from None
    if not math.isfinite(number):
        raise _wrong(field, "This is not a number. Type figures only.")
    if abs(number) >= _EXACT:
        raise _wrong(field, "This number is too long. Keep it as text.")
    return int(number) if number.is_integer() else number


def _as_date(field: CustomField, value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise _wrong(field, "This is not a date. Type it as 2026-11-20.") from None


def _as_yes_no(field: CustomField, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text not in _YES | _NO:
        raise _wrong(field, "Choose yes or no.")
    return text in _YES


def _as_choice(field: CustomField, value: Any) -> str:
    if str(value) not in field.choices:
        raise _wrong(field, "This is not one of the choices. Choose from the list.")
    return str(value)


_KINDS: dict[CustomFieldKind, Callable[[CustomField, Any], Any]] = {
    CustomFieldKind.TEXT: _as_text,
    CustomFieldKind.NUMBER: _as_number,
    CustomFieldKind.DATE: _as_date,
    CustomFieldKind.YES_NO: _as_yes_no,
    CustomFieldKind.CHOICE: _as_choice,
}
