"""What fields, columns and problems are called on screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _

from school.roster.models import RosterImport
from school.roster.sheet.problems import Problem
from school.roster.sheet.targets import Target, custom_key, guardian_part


def field_label(name: str, own: Mapping[str, str] | None = None) -> str:
    """A field of a student or guardian, as people say it. `own`: {id: name} of own fields."""
    custom = custom_key(name)
    if custom:
        return (own or {}).get(custom, custom)
    if name.startswith("guardian["):
        return _guardian_label(name)
    return _fields().get(name, name)


def _guardian_label(name: str) -> str:
    number, _sep, field = name.removeprefix("guardian[").partition("]")
    if field == " gone":
        return str(_("Guardian no longer named"))
    part = guardian_part(name)
    if part is None:
        return str(_("Guardian %(number)s", number=number))
    words = {
        "name": _("name"),
        "given_name": _("given name"),
        "family_name": _("family name"),
        "relationship": _("relationship"),
        "phone": _("phone"),
        "email": _("e-mail"),
    }
    return str(_("Guardian %(number)s, %(field)s", number=number, field=words[part[1]]))


def _fields() -> dict[str, str]:
    return {
        "admission_number": _("Admission number"),
        "family_name": _("Family name"),
        "given_name": _("Given name"),
        "full_name": _("Whole name"),
        "preferred_name": _("Preferred name"),
        "birth_date": _("Date of birth"),
        "gender": _("Gender"),
        "gender_code": _("Gender"),
        "grade_level": _("Grade level"),
        "class_name": _("Class"),
        "address": _("Address"),
        "town": _("Town"),
        "postcode": _("Postcode"),
        "email": _("E-mail"),
        "phone": _("Phone"),
        "medical_note": _("Medical note"),
        "family_phone": _("Phone of the home"),
        "family_email": _("E-mail of the home"),
        "ignore": _("Leave this column out"),
    }


def target_choices(own: list[tuple[str, str]]) -> list[tuple[str, list[tuple[str, str]]]]:
    """What a column can mean, in groups: (group, [(target, label)])."""
    student = [target.value for target in Target if target not in _APART]
    guardians = [
        f"guardian[{number}].{field}"
        for number in (1, 2, 3, 4)
        for field in ("name", "given_name", "family_name", "relationship", "phone", "email")
    ]
    home = [Target.FAMILY_PHONE.value, Target.FAMILY_EMAIL.value]
    return [
        (_("Not needed"), [(Target.IGNORE.value, field_label(Target.IGNORE))]),
        (_("Student"), [(name, field_label(name)) for name in student]),
        (_("Guardians"), [(name, field_label(name)) for name in [*guardians, *home]]),
        (_("Your own fields"), own),
    ]


_APART = frozenset({Target.IGNORE, Target.FAMILY_PHONE, Target.FAMILY_EMAIL})


def sentence(problem: Problem) -> str:
    """What is wrong and what to type, in the reader's language."""
    return str(_(problem.message)) % problem.params


def refusal(imported: RosterImport) -> str:
    """Why the file could not be read."""
    return _said(imported.counts.get("refusal") or imported.refusal or "")


def remarks(imported: RosterImport) -> list[str]:
    """What is worth saying of the whole file."""
    return [_said(one) for one in imported.counts.get("remarks", [])]


def _said(one: str | dict[str, Any]) -> str:
    """A stored sentence; older imports keep it finished."""
    if isinstance(one, str):
        return str(_(one))
    phrases = _phrases()
    params = {
        name: phrases.get(value, value) if name in {"kind", "order"} else value
        for name, value in one["params"].items()
    }
    message = one["message"]
    return str(_(message, **params))


def _phrases() -> dict[str, str]:
    """How dates were read, and what a file is instead of a spreadsheet."""
    return {
        "day first": _("day first"),
        "month first": _("month first"),
        "a PDF": _("a PDF"),
        "a picture": _("a picture"),
        "a compressed file": _("a compressed file"),
        "a text document": _("a text document"),
        "a database": _("a database"),
        "an XML document": _("an XML document"),
        "a web page": _("a web page"),
    }
