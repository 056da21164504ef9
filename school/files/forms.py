"""Browser fields of the file pages."""

from __future__ import annotations

from functools import partial
from secrets import token_urlsafe
from typing import Any
from uuid import UUID

from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField, FileRequired
from wtforms import DateField, HiddenField, IntegerField, SelectField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional
from wtforms.widgets import HiddenInput

from school.files.service.keeping import LONGEST_NOTE
from school.files.service.names import LONGEST
from school.files.service.quotas import LARGEST_LIMIT, Standing
from school.files.service.retention import MOST_DAYS, MOST_VERSIONS
from school.permissions import Role
from school.web.forms import Form

MB = 10**6  # as pages say sizes
MOST_MB = LARGEST_LIMIT // MB


class VersionField(IntegerField):
    """A version; what is no number counts as one that is long gone."""

    def process_formdata(self, valuelist: Any) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            self.data = 0 if valuelist[0] else None


class VersionedForm(Form):
    """Carries the `File.version` that was on the page, so that nothing is overwritten unseen."""

    version = VersionField(widget=HiddenInput(), validators=[Optional()])


class RenameForm(VersionedForm):
    name = StringField(
        _("Name"), validators=[DataRequired(_("Type a name.")), Length(max=LONGEST)]
    )


class FolderForm(VersionedForm):
    # What is wrong with a name says the service, in the same words as to programs.
    name = StringField(_("Name of the folder"), validators=[Optional()])


def _role_choices() -> list[tuple[str, Any]]:
    return [
        ("", _("One person")),
        (Role.TEACHER.value, _("All teachers")),
        (Role.REGISTRAR.value, _("All registrars")),
        (Role.ADMINISTRATOR.value, _("All administrators")),
        (Role.GUARDIAN.value, _("All guardians")),
        (Role.STUDENT.value, _("All students")),
    ]


def _as_id(value: str | None) -> UUID | None:
    try:
        return UUID(value) if value else None
    except ValueError:
        return None


class ShareForm(Form):
    """With whom, how far, until when."""

    role = SelectField(_("Share with"), choices=_role_choices(), default="")
    who = StringField(_("Name or e-mail address"), validators=[Optional(), Length(max=320)])
    # One of several who are called so.
    user_id = HiddenField(filters=[_as_id])
    access = SelectField(
        _("They may"),
        choices=[("view", _("look")), ("edit", _("look and change"))],
        default="view",
    )
    expires_on = DateField(_("Until"), validators=[Optional()])


class LinkForm(Form):
    """How long a link opens."""

    until = DateField(_("Last day"), validators=[InputRequired(_("Choose the last day."))])
    # Sent twice, the form makes one link.
    once = HiddenField(default=partial(token_urlsafe, 16))


class ReplaceForm(VersionedForm):
    file = FileField(_("New version"), validators=[FileRequired(_("Choose a file."))])
    note = StringField(_("What changed"), validators=[Optional(), Length(max=LONGEST_NOTE)])


class UploadForm(Form):
    purpose = HiddenField(default="document")


class PhotoForm(Form):
    file = FileField(_("Photo"), validators=[FileRequired(_("Choose a picture."))])


class DirectUploadForm(Form):
    """What is announced of content that comes by a signed link; whose it is stands beside it.

    Without a `type` it is that of the file's name.
    """

    size = IntegerField(validators=[InputRequired()])
    type = StringField(validators=[Optional()])
    sha256 = StringField(validators=[DataRequired()])


class LimitForm(Form):
    """How much space somebody may take up. Empty: as usual; 0: as much as they like."""

    limit_mb = IntegerField(
        _("Space in MB"),
        validators=[
            Optional(),
            NumberRange(0, MOST_MB, _("Type a whole number of megabytes, or nothing.")),
        ],
    )

    @classmethod
    def of(cls, standing: Standing, *, posted: bool = True) -> LimitForm:
        """With what holds now, under what was `posted`."""
        data = {"limit_mb": standing.limit_bytes // MB if standing.is_own_limit else None}
        return cls(data=data) if posted else cls(formdata=None, data=data)

    @property
    def limit_bytes(self) -> int | None:
        return None if self.limit_mb.data is None else self.limit_mb.data * MB


def _number(label: Any, most: int) -> IntegerField:
    message = _("Type a whole number from 1 to %(most)s, or leave it empty.", most=most)
    return IntegerField(label, validators=[Optional(), NumberRange(1, most, message)])


class RuleForm(VersionedForm):
    """What is kept of the older versions of one purpose."""

    most_versions = _number(_("Versions kept"), MOST_VERSIONS)
    most_days = _number(_("Days an older version is kept"), MOST_DAYS)
