"""Browser fields of students, guardians, classes and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import (
    BooleanField,
    DateField,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Optional
from wtforms.widgets import HiddenInput

from school.students.models import CustomField, CustomFieldKind
from school.web.forms import Form

DATE_WRONG = _("This date does not exist. Type the right one, such as 2013-03-04.")


class RightDateField(DateField):
    """A date that says in plain words when it is none."""

    def process_formdata(self, valuelist: Any) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            self.data = None
            raise ValueError(str(DATE_WRONG)) from None


def _needed(sentence: Any) -> list[Any]:
    return [InputRequired(sentence)]


class VersionedForm(Form):
    """Carries what the editor had read, so that nothing newer is overwritten unseen."""

    version = IntegerField(widget=HiddenInput(), validators=[Optional()])


class NamesForm(VersionedForm):
    given_name = StringField(_("Given name"), validators=[Optional()])
    family_name = StringField(
        _("Family name"), validators=_needed(_("Type the name. A single name goes here."))
    )
    preferred_name = StringField(_("Known as"), validators=[Optional()])
    family_name_first = BooleanField(_("The family name is written first"))
    admission_number = StringField(
        _("Number"), validators=_needed(_("Every student needs a number."))
    )


class FactsForm(VersionedForm):
    birth_date = RightDateField(_("Born"), validators=[Optional()])
    gender_code = SelectField(_("Gender"), validators=[Optional()], coerce=lambda v: v or None)
    grade_level = StringField(_("Grade level"), validators=[Optional()])
    status = SelectField(
        _("Status"),
        choices=[
            ("joining", _("Joining")),
            ("enrolled", _("Enrolled")),
            ("left", _("Left")),
        ],
    )


class ContactForm(VersionedForm):
    phone = StringField(_("Phone"), validators=[Optional()])
    email = StringField(_("E-mail"), validators=[Optional()])
    address = TextAreaField(_("Address"), validators=[Optional()])
    town = StringField(_("Town"), validators=[Optional()])
    postcode = StringField(_("Postcode"), validators=[Optional()])


class MedicalForm(VersionedForm):
    medical_note = TextAreaField(_("Medical note"), validators=[Optional()])


class AdmitForm(NamesForm, FactsForm):
    class_id = SelectField(_("Class"), validators=[Optional()], coerce=lambda v: v or None)
    begins_on = RightDateField(_("From"), validators=[Optional()])


class LinkForm(VersionedForm):
    relationship = StringField(_("Relationship"), validators=[Optional()])
    has_custody = BooleanField(
        _("Has custody"),
        default=True,
        description=_("Without custody the guardian's own account does not see this child."),
    )
    may_be_contacted = BooleanField(_("May be contacted"), default=True)
    lives_with = BooleanField(_("The student lives with this person"), default=True)


class GuardianForm(VersionedForm):
    name = StringField(_("Name"), validators=_needed(_("A guardian needs a name.")))
    phone = StringField(_("Phone"), validators=[Optional()])
    email = StringField(_("E-mail"), validators=[Optional()])
    address = TextAreaField(_("Address"), validators=[Optional()])
    language = StringField(_("Prefers to speak"), validators=[Optional()])


class NewGuardianForm(GuardianForm, LinkForm):
    is_new = HiddenField()


class MoveForm(Form):
    class_id = SelectField(_("Class"), validators=_needed(_("Choose a class.")))
    on = RightDateField(_("From"), validators=[Optional()])


class ClassForm(VersionedForm):
    name = StringField(_("Name"), validators=_needed(_("A class needs a name.")))
    grade_level = StringField(_("Grade level"), validators=[Optional()])


class SchoolForm(VersionedForm):
    name = StringField(_("Name of the school"), validators=_needed(_("Type the school's name.")))
    time_zone = SelectField(_("Time zone"))
    phone = StringField(_("Phone"), validators=[Optional()])


class GendersForm(Form):
    version = HiddenField()
    genders = TextAreaField(_("Genders"))


class CustomFieldForm(VersionedForm):
    label = StringField(_("Name"), validators=_needed(_("A field needs a name.")))
    kind = SelectField(
        _("What it holds"),
        choices=[
            (CustomFieldKind.TEXT, _("Text")),
            (CustomFieldKind.NUMBER, _("Number")),
            (CustomFieldKind.DATE, _("Date")),
            (CustomFieldKind.YES_NO, _("Yes or no")),
            (CustomFieldKind.CHOICE, _("One of several choices")),
        ],
    )
    choices = TextAreaField(_("Choices"), validators=[Optional()])
    help = StringField(_("Help beside the field"), validators=[Optional()])


def with_own_fields(
    form: type[Form], fields: Sequence[CustomField], present: Mapping[str, Any] | None = None
) -> type[Form]:
    """The form with the school's own fields after its own, named `custom_<id>`.

    `present` are a student's values: one that is no choice any more, or was never of the field's
    kind, can still be kept.
    """
    have = present or {}
    own = {f"custom_{field.id}": _own_field(field, have.get(str(field.id))) for field in fields}
    return type(form.__name__, (form,), own)


def _own_field(field: CustomField, present: Any) -> Any:
    common = {"description": field.help or "", "validators": [Optional()]}
    if not _is_of_kind(field, present):
        return StringField(field.label, **common)  # shown as it is, to be put right
    if field.kind == CustomFieldKind.DATE:
        return RightDateField(field.label, **common)
    if field.kind == CustomFieldKind.YES_NO:
        choices = [("", ""), ("yes", _("Yes")), ("no", _("No"))]
        return SelectField(field.label, choices=choices, **common)
    if field.kind == CustomFieldKind.CHOICE:
        gone = [present] if present and present not in field.choices else []
        choices = [("", ""), *((choice, choice) for choice in [*field.choices, *gone])]
        return SelectField(field.label, choices=choices, **common)
    return StringField(field.label, **common)


def _is_of_kind(field: CustomField, present: Any) -> bool:
    """A date or an answer that its own kind of field can show."""
    if present is None or field.kind not in {CustomFieldKind.DATE, CustomFieldKind.YES_NO}:
        return True
    if field.kind == CustomFieldKind.YES_NO:
        return isinstance(present, bool)
    try:
        return isinstance(date.fromisoformat(present), date)
    except (TypeError, ValueError):
        return False


def own_values(form: Form) -> dict[str, Any]:
    """{field id: value} of the school's own fields in a form."""
    return {
        field.name.removeprefix("custom_"): field.data
        for field in form
        if field.name.startswith("custom_")
    }
