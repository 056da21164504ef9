"""How pages say what the tables hold: statuses, genders, names, fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask_babel import format_date, gettext, lazy_gettext

from school.students import queries
from school.students.models import CustomField, CustomFieldKind, Student, StudentStatus

_ = lazy_gettext
STATUS = {
    StudentStatus.JOINING: _("Joining"),
    StudentStatus.ENROLLED: _("Enrolled"),
    StudentStatus.LEFT: _("Left"),
    StudentStatus.ARCHIVED: _("Archived"),
}
LABELS: dict[str, Any] = {
    "admission_number": _("Number"),
    "family_name": _("Family name"),
    "given_name": _("Given name"),
    "preferred_name": _("Known as"),
    "family_name_first": _("Family name first"),
    "birth_date": _("Born"),
    "gender_code": _("Gender"),
    "grade_level": _("Grade level"),
    "status": _("Status"),
    "email": _("E-mail"),
    "phone": _("Phone"),
    "address": _("Address"),
    "town": _("Town"),
    "class_name": _("Class"),
    "postcode": _("Postcode"),
    "medical_note": _("Medical note"),
    "name": _("Name"),
    "language": _("Prefers to speak"),
    "relationship": _("Relationship"),
    "emergency_order": _("Call order"),
    "has_custody": _("Has custody"),
    "may_be_contacted": _("May be contacted"),
    "lives_with": _("Lives with"),
    "begins_on": _("From"),
    "ends_on": _("Until"),
    "photo_file_id": _("Photo"),
    "label": _("Name"),
    "reason": _("Why"),
    "help": _("Help"),
    "choices": _("Choices"),
    "time_zone": _("Time zone"),
}


def full_name(student: Any) -> str:
    """As the person writes it; also of a list row."""
    parts = [student.given_name, student.family_name]
    if student.family_name_first:
        parts.reverse()
    return " ".join(part for part in parts if part)


def letters(student: Any) -> str:
    """The initials on the avatar: given name's, then family name's, as the name is written."""
    parts = [student.given_name, student.family_name]
    if student.family_name_first:
        parts.reverse()
    return "".join(part.strip()[0] for part in parts if part and part.strip()).upper()


def gender_labels() -> dict[str, str]:
    return {gender.code: gender.label for gender in queries.list_genders()}


def long_date(value: date | None) -> str | None:
    """'4 March 2013'."""
    return str(format_date(value, gettext("d MMMM yyyy"))) if value else None


def own_facts(student: Student) -> list[tuple[str, str]]:
    """The school's own fields of a student, as words."""
    values = student.custom or {}
    return [
        (field.label, own_text(field, values.get(str(field.id))) or "")
        for field in queries.list_fields()
    ]


def own_text(field: CustomField, value: Any) -> str | None:
    if value is None:
        return None
    if field.kind == CustomFieldKind.YES_NO and isinstance(value, bool):
        return str(gettext("Yes")) if value else str(gettext("No"))
    day = day_of(value) if field.kind == CustomFieldKind.DATE else None
    return long_date(day) if day else str(value)


def day_of(value: Any) -> date | None:
    """A recorded date; None for what is none, such as a text that was imported as it stood."""
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def plain_word(name: str, value: Any, genders: Mapping[str, str] | None = None) -> str:
    """A recorded value as a person says it."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return str(gettext("Yes")) if value else str(gettext("No"))
    if name == "status" and value in set(StudentStatus):
        return str(STATUS[StudentStatus(value)])
    if name == "gender_code":
        return (genders or gender_labels()).get(str(value), str(value))
    if name in {"birth_date", "begins_on", "ends_on"}:
        day = value if isinstance(value, date) else date.fromisoformat(str(value)[:10])
        return long_date(day) or ""
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)
