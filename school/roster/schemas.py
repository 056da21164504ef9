"""Imports of spreadsheets as the API takes and gives them."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from school.jobs.models import JobState
from school.roster.models import ImportState, RowOutcome
from school.web.api_fields import PageQuery, StrictSchema, YesNo

SHOWS = ["all", "repair", "look", "new", "changed", "same", "out"]


class NoFieldsSchema(StrictSchema):
    """Nothing beside the file."""


class CommitSchema(StrictSchema):
    """How to save."""

    overwrite_edited = YesNo(
        load_default=False,
        metadata={"description": "Take the file's values over what people edited since."},
    )
    archive_gone = YesNo(
        load_default=False,
        metadata={"description": "Archive students of an earlier import who are not in the file."},
    )


class JobSchema(ma.Schema):
    """The work in the background."""

    id = fields.UUID(required=True)
    state = fields.String(required=True, validate=validate.OneOf([*JobState]))
    progress = fields.Float(required=True, metadata={"description": "0 to 1."})
    sentence = fields.String(required=True)
    error = fields.String(required=True, allow_none=True)


class ImportSchema(ma.Schema):
    """An import: ask again until its job is done, then look at its state."""

    id = fields.UUID(required=True)
    version = fields.Integer(required=True)
    filename = fields.String(required=True)
    size_bytes = fields.Integer(required=True)
    sha256 = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf([*ImportState]))
    refusal = fields.String(
        required=True, allow_none=True, metadata={"description": "Why it cannot be read."}
    )
    encoding = fields.String(required=True, allow_none=True)
    counts = fields.Dict(required=True, keys=fields.String())
    job = fields.Nested(JobSchema, required=True, allow_none=True)
    created_by = fields.String(required=True)
    created_at = fields.DateTime(required=True)
    committed_at = fields.DateTime(required=True, allow_none=True)


class RowsQuery(PageQuery):
    """Which rows of the preview."""

    show = fields.String(
        load_default="all",
        validate=validate.OneOf(SHOWS),
        metadata={"description": "`repair`: stay out until repaired; `look`: have a remark."},
    )


class RowProblemSchema(ma.Schema):
    """One thing wrong at one cell."""

    column = fields.String(required=True)
    value = fields.String(required=True)
    code = fields.String(required=True)
    message = fields.String(required=True)
    is_blocking = fields.Boolean(required=True)


class ImportRowSchema(ma.Schema):
    """One row of the file, and what would come of it."""

    row = fields.Integer(
        required=True, metadata={"description": "As a person sees it; the first line is 1."}
    )
    outcome = fields.String(required=True, validate=validate.OneOf([*RowOutcome]))
    is_blocked = fields.Boolean(required=True)
    is_left_out = fields.Boolean(required=True)
    student_id = fields.UUID(required=True, allow_none=True)
    changes = fields.Dict(
        required=True,
        keys=fields.String(),
        metadata={"description": "By field: what is saved now, and what the file says."},
    )
    problems = fields.List(fields.Nested(RowProblemSchema), required=True)
