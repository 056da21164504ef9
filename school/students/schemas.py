"""Students and guardians as the API takes and gives them."""

from __future__ import annotations

import math
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from school.students.models import CustomFieldKind, StudentStatus
from school.students.service.values import LENGTHS
from school.web.api_fields import AfterQuery, Day, PageQuery, StrictSchema, Text, YesNo
from school.web.keepable import is_keepable

SETTABLE = [StudentStatus.JOINING.value, StudentStatus.ENROLLED.value, StudentStatus.LEFT.value]
SORTS = ("name", "-name", "number", "-number")
_WRITTEN = validate.Regexp(r"[\s\S]*\S", error="Write something besides spaces.")
_EMAIL = validate.Regexp(
    r"^[^@\s]+@[^@\s]+\.[^@\s]+$", error="An e-mail address looks like name@school.org."
)


def _text(name: str, *checks: Any, **more: Any) -> Text:
    """A text that may be empty, as long as the column of this name."""
    length = validate.Length(max=LENGTHS[name])
    return Text(allow_none=True, validate=[length, *checks], **more)


def _name(name: str, **more: Any) -> Text:
    """A text that has to be there."""
    length = validate.Length(min=1, max=LENGTHS[name])
    return Text(validate=[length, _WRITTEN], **more)


class OwnValue(fields.Raw):
    """A value of one of the school's own fields: text, number, yes or no, null."""

    def __init__(self) -> None:
        super().__init__(allow_none=True, metadata={"type": ["string", "number", "boolean"]})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> Any:
        if not isinstance(value, str | int | float | bool):
            raise ma.ValidationError("Send text, a number, true, false or null.")
        if isinstance(value, str) and not is_keepable(value):
            raise ma.ValidationError("This text holds a character that cannot be kept.")
        if isinstance(value, float) and not math.isfinite(value):
            raise ma.ValidationError("This is not a number.")
        return super()._deserialize(value, attr, data, **more)


def _own_values() -> fields.Dict:
    return fields.Dict(
        keys=Text(),
        values=OwnValue(),
        metadata={
            "description": "Values of the school's own fields, by the field's id, each in its "
            "type: text, number, date (2026-11-20), true or false, one of the choices. "
            "Null empties a field; a field that is not named stays as it is."
        },
    )


class StudentFactsSchema(StrictSchema):
    """What may be said of a student."""

    given_name = _text("given_name")
    preferred_name = _text("preferred_name")
    family_name_first = YesNo(metadata={"description": "Written family name first."})
    birth_date = Day(allow_none=True)
    gender_code = Text(
        allow_none=True,
        validate=validate.Length(max=10),
        metadata={"description": "A code of the school's own list."},
    )
    grade_level = _text("grade_level")
    status = fields.String(validate=validate.OneOf(SETTABLE))
    email = _text("email", _EMAIL)
    phone = _text("phone")
    address = _text("address")
    town = _text("town")
    postcode = _text("postcode")
    medical_note = _text("medical_note", metadata={"description": "Needs `medical:edit`."})
    custom = _own_values()


class AdmitSchema(StudentFactsSchema):
    """A student to take in."""

    family_name = _name(
        "family_name",
        required=True,
        metadata={"description": "Somebody with a single name has it here."},
    )
    admission_number = _name(
        "admission_number", metadata={"description": "The next free one if you send none."}
    )
    class_id = fields.UUID(metadata={"description": "The class to begin in."})
    begins_on = Day(metadata={"description": "First day in the class; today if you send none."})


class EditStudentSchema(StudentFactsSchema):
    """Facts to change; what is not named stays as it is."""

    family_name = _name("family_name")
    admission_number = _name("admission_number")


class StudentSchema(ma.Schema):
    """A student."""

    id = fields.UUID(required=True)
    version = fields.Integer(required=True)
    admission_number = fields.String(required=True)
    family_name = fields.String(required=True)
    given_name = fields.String(required=True, allow_none=True)
    preferred_name = fields.String(required=True, allow_none=True)
    family_name_first = fields.Boolean(required=True)
    birth_date = fields.Date(required=True, allow_none=True)
    gender_code = fields.String(required=True, allow_none=True)
    grade_level = fields.String(required=True, allow_none=True)
    status = fields.String(required=True, validate=validate.OneOf([*StudentStatus]))
    email = fields.String(required=True, allow_none=True)
    phone = fields.String(required=True, allow_none=True)
    address = fields.String(required=True, allow_none=True)
    town = fields.String(required=True, allow_none=True)
    postcode = fields.String(required=True, allow_none=True)
    class_id = fields.UUID(required=True, allow_none=True)
    class_name = fields.String(required=True, allow_none=True)
    custom = _own_values()
    medical_note = fields.String(
        allow_none=True, metadata={"description": "There only with `medical:view`."}
    )
    archived_at = fields.DateTime(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class StudentsQuery(PageQuery):
    """Which students, in which order."""

    q = Text(
        load_default="",
        validate=validate.Length(max=100),
        metadata={"description": "Words of a name, number or guardian's name."},
    )
    status = fields.String(
        load_default="roll",
        validate=validate.OneOf(["roll", "all", *StudentStatus]),
        metadata={"description": "`roll`: enrolled and joining."},
    )
    class_id = fields.UUID(load_default=None)
    grade_level = Text(load_default="", validate=validate.Length(max=60))
    gender_code = Text(load_default="", validate=validate.Length(max=10))
    sort = fields.String(load_default="name", validate=validate.OneOf(SORTS))


class FieldSchema(ma.Schema):
    """A field the school added to its students."""

    id = fields.UUID(required=True)
    label = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf([*CustomFieldKind]))
    choices = fields.List(fields.String(), required=True)
    help = fields.String(required=True, allow_none=True)
    is_archived = fields.Boolean(required=True)


class GuardianFactsSchema(StrictSchema):
    """What may be said of a guardian."""

    phone = _text("phone")
    email = _text("email", _EMAIL)
    address = _text("address")
    language = _text("language")


class EditGuardianSchema(GuardianFactsSchema):
    """Facts to change, for all their students at once; what is not named stays as it is."""

    name = _name("name")


class GuardiansQuery(AfterQuery):
    """Which guardians."""

    q = Text(
        load_default="",
        validate=validate.Length(max=100),
        metadata={"description": "Words of a name, e-mail address or telephone number."},
    )


class GuardianRowSchema(ma.Schema):
    """A guardian in a list."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    phone = fields.String(required=True, allow_none=True)
    email = fields.String(required=True, allow_none=True)


class ChildSchema(ma.Schema):
    """A student of a guardian."""

    id = fields.UUID(required=True)
    admission_number = fields.String(required=True)
    family_name = fields.String(required=True)
    given_name = fields.String(required=True, allow_none=True)
    relationship = fields.String(required=True, allow_none=True)


class GuardianSchema(GuardianRowSchema):
    """A guardian, with the students you may see."""

    version = fields.Integer(required=True)
    address = fields.String(required=True, allow_none=True)
    language = fields.String(required=True, allow_none=True)
    students = fields.List(fields.Nested(ChildSchema), required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class LinkFactsSchema(StrictSchema):
    """What a guardian is to a student."""

    relationship = _text("relationship")
    has_custody = YesNo()
    may_be_contacted = YesNo()
    lives_with = YesNo()


class AddGuardianSchema(LinkFactsSchema, GuardianFactsSchema):
    """A guardian for a student: `guardian_id` of one the school knows, or `name` of a new one."""

    guardian_id = fields.UUID()
    name = _name("name")

    @ma.validates_schema
    def _one_or_the_other(self, data: dict[str, Any], **_more: Any) -> None:
        new = {"name", "phone", "email", "address", "language"} & data.keys()
        if "guardian_id" in data and new:
            raise ma.ValidationError(
                {name: ["Change a guardian the school knows at the guardian."] for name in new}
            )
        if "guardian_id" not in data and "name" not in data:
            raise ma.ValidationError({"name": ["Send a name, or guardian_id."]})


class GuardianLinkSchema(ma.Schema):
    """A guardian of a student. Families see the contact of themselves only."""

    id = fields.UUID(required=True)
    version = fields.Integer(required=True)
    student_id = fields.UUID(required=True)
    guardian_id = fields.UUID(required=True)
    name = fields.String(required=True)
    relationship = fields.String(required=True, allow_none=True)
    emergency_order = fields.Integer(
        required=True, metadata={"description": "Whom to call first: 1, then 2."}
    )
    phone = fields.String(allow_none=True)
    email = fields.String(allow_none=True)
    has_custody = fields.Boolean()
    may_be_contacted = fields.Boolean()
    lives_with = fields.Boolean()
