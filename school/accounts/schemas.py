"""Schools and their people as the API gives them."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from school.accounts.queries import Belongs
from school.permissions import Role
from school.tenancy.models import SchoolStatus
from school.web.api_fields import PageQuery, Text


class SchoolSchema(ma.Schema):
    """A school."""

    id = fields.UUID(required=True)
    version = fields.Integer(required=True)
    name = fields.String(required=True)
    time_zone = fields.String(required=True)
    locale = fields.String(required=True)
    phone = fields.String(required=True, allow_none=True)
    status = fields.String(required=True, validate=validate.OneOf([*SchoolStatus]))


class UserSchema(ma.Schema):
    """A person with an account in the school, and what they are here."""

    id = fields.UUID(required=True)
    display_name = fields.String(required=True)
    email = fields.String(required=True)
    roles = fields.List(fields.String(validate=validate.OneOf([*Role])), required=True)
    state = fields.String(required=True, validate=validate.OneOf([*Belongs]))
    is_active = fields.Boolean(required=True)
    last_seen_at = fields.DateTime(required=True, allow_none=True)


class UsersQuery(PageQuery):
    """Which people."""

    q = Text(
        load_default="",
        validate=validate.Length(max=100),
        metadata={"description": "Words of a name or e-mail address."},
    )
    role = fields.Enum(Role, by_value=True, load_default=None)
    state = fields.Enum(Belongs, by_value=True, load_default=None)
