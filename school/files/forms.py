"""Browser fields of the file pages."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField, FileRequired
from wtforms import HiddenField, IntegerField, StringField
from wtforms.validators import InputRequired, Length, Optional
from wtforms.widgets import HiddenInput

from school.files.service.keeping import LONGEST_NOTE
from school.files.service.names import LONGEST
from school.web.forms import Form


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
        _("Name"), validators=[InputRequired(_("Type a name.")), Length(max=LONGEST)]
    )


class ReplaceForm(VersionedForm):
    file = FileField(_("New version"), validators=[FileRequired(_("Choose a file."))])
    note = StringField(_("What changed"), validators=[Optional(), Length(max=LONGEST_NOTE)])


class UploadForm(Form):
    purpose = HiddenField(default="document")


class PhotoForm(Form):
    file = FileField(_("Photo"), validators=[FileRequired(_("Choose a picture."))])
