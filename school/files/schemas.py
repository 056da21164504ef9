"""Files as the API takes and gives them."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from school.files.models import ScanState
from school.files.service.keeping import LONGEST_NOTE
from school.web.api_fields import PageQuery, StrictSchema, Text

PURPOSES = ["document", "medical"]
LONGEST_NAME = 150


class FileRowSchema(ma.Schema):
    """A file in a list, with what its current version says."""

    id = fields.UUID(required=True)
    version = fields.Integer(required=True, metadata={"description": "The record's; see ETag."})
    name = fields.String(required=True)
    purpose = fields.String(required=True)
    current_version = fields.Integer(required=True)
    size_bytes = fields.Integer(required=True)
    content_type = fields.String(required=True)
    changed_at = fields.DateTime(required=True)
    changed_by = fields.String(required=True)
    archived_at = fields.DateTime(required=True, allow_none=True)
    scan_state = fields.String(
        required=True,
        validate=validate.OneOf([str(state) for state in ScanState]),
        metadata={"description": "Only clean and unscanned content can be downloaded."},
    )


class FileVersionSchema(ma.Schema):
    """One version of a file."""

    number = fields.Integer(required=True)
    name = fields.String(required=True)
    note = fields.String(required=True, allow_none=True)
    size_bytes = fields.Integer(required=True)
    content_type = fields.String(required=True)
    sha256 = fields.String(required=True)
    scan_state = fields.String(required=True)
    created_at = fields.DateTime(required=True)
    created_by = fields.String(required=True)
    pruned_at = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "When its content was let go; it cannot be downloaded any more."},
    )


class FileSchema(FileRowSchema):
    """A file with all its versions, the newest first."""

    student_id = fields.UUID(
        required=True,
        allow_none=True,
        metadata={"description": "None for a file that hangs on no student."},
    )
    folder_id = fields.UUID(required=True, allow_none=True)
    versions = fields.List(fields.Nested(FileVersionSchema), required=True)


class FilesQuery(PageQuery):
    """Where a page begins, and whether files that were put away are meant."""

    archived = fields.Boolean(
        load_default=False, truthy={"true"}, falsy={"false"}, metadata={"default": False}
    )


class UploadSchema(StrictSchema):
    """What may be said of a file that is sent."""

    purpose = fields.String(load_default="document", validate=validate.OneOf(PURPOSES))
    folder_id = fields.UUID(load_default=None)


class FolderSchema(ma.Schema):
    """A folder."""

    id = fields.UUID(required=True)
    version = fields.Integer(required=True)
    name = fields.String(required=True)
    updated_at = fields.DateTime(required=True)


class FoldersQuery(StrictSchema):
    """Which folders: those in another, or by default those at the top."""

    parent_id = fields.UUID(load_default=None)


class NewFolderSchema(StrictSchema):
    """A folder to be made."""

    name = Text(
        required=True,
        validate=[
            validate.Length(min=1, max=LONGEST_NAME),
            validate.Regexp(r"[\s\S]*\S", error="Write something besides spaces."),
        ],
    )
    parent_id = fields.UUID(load_default=None, allow_none=True)


class NewVersionSchema(StrictSchema):
    """What may be said of a new version."""

    note = Text(load_default=None, validate=validate.Length(max=LONGEST_NOTE))


class RenameSchema(StrictSchema):
    """Another name."""

    name = Text(
        required=True,
        validate=[
            validate.Length(min=1, max=LONGEST_NAME),
            validate.Regexp(r"[\s\S]*\S", error="Write something besides spaces."),
        ],
        metadata={"description": "The extension stays what the content is."},
    )


class DownloadQuery(StrictSchema):
    """Which version."""

    version = fields.Integer(load_default=None, validate=validate.Range(1, 1_000_000))


class UsageDaySchema(ma.Schema):
    """What the school took up at the end of a day."""

    day = fields.Date(required=True)
    used_bytes = fields.Integer(required=True)
    files = fields.Integer(required=True)


class UsageSchema(ma.Schema):
    """How much space the school's files take up, and may."""

    used_bytes = fields.Integer(required=True)
    limit_bytes = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Null: there is no limit."}
    )
    left_bytes = fields.Integer(required=True, allow_none=True)
    days = fields.List(
        fields.Nested(UsageDaySchema),
        required=True,
        metadata={"description": "The last 90 days, the oldest first."},
    )


class DownloadSchema(ma.Schema):
    """Where the content can be fetched, once and soon."""

    url = fields.String(required=True)
    expires_at = fields.DateTime(required=True)
