"""Browser fields: opening schools and naming their first administrators."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import EmailField, SelectField, StringField
from wtforms.validators import DataRequired, Length

from school.web.forms import Form


class AdministratorForm(Form):
    """Somebody to look after one school."""

    display_name = StringField(
        _("Name of the administrator"),
        validators=[DataRequired(_("Type the person's name.")), Length(max=200)],
    )
    email = EmailField(
        _("E-mail of the administrator"),
        validators=[DataRequired(_("Type an e-mail address.")), Length(max=320)],
    )


class SchoolForm(AdministratorForm):
    """A new school and who begins there."""

    name = StringField(
        _("Name of the school"),
        validators=[DataRequired(_("Type the school's name.")), Length(max=200)],
    )
    time_zone = SelectField(_("Time zone"))


class RenameForm(Form):
    name = StringField(
        _("Name of the school"),
        validators=[DataRequired(_("Type the school's name.")), Length(max=200)],
    )
