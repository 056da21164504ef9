"""Fields of the API: what a program may send, read to the letter."""

from __future__ import annotations

import re
from typing import Any

import marshmallow as ma

from school.web.keepable import UNKEEPABLE, is_keepable

LARGEST_PAGE = 200


class Text(ma.fields.String):
    """Text that every database can keep: no NUL, no half of a surrogate pair."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **more)
        if not is_keepable(text):
            raise ma.ValidationError(UNKEEPABLE)
        return text


class YesNo(ma.fields.Boolean):
    """True or false, not words that mean it."""

    def _deserialize(self, value: Any, *_more: Any, **_most: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Day(ma.fields.Date):
    """A date as 2026-11-20 and in no other spelling."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE)
        return super()._deserialize(value, attr, data, **more)


class StrictSchema(ma.Schema):
    """Fields of ours: an unknown one is refused by name, never silently dropped."""

    class Meta:
        unknown = ma.RAISE


class AfterQuery(StrictSchema):
    """Where a page begins."""

    after = Text(
        load_default=None,
        validate=ma.validate.Length(max=2_000),
        metadata={"description": "`next` of the page before."},
    )


class PageQuery(AfterQuery):
    """Where a page begins and how many rows it has."""

    limit = ma.fields.Integer(load_default=50, validate=ma.validate.Range(1, LARGEST_PAGE))
