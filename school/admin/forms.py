"""Browser fields: opening schools and naming their first administrators."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import EmailField, PasswordField, SelectField, StringField
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


class AddressForm(Form):
    """Where the rows are to go; never shown again once typed."""

    address_with_password = PasswordField(
        _("Address of the empty PostgreSQL database"),
        validators=[
            DataRequired(_("Type the address of the new database.")),
            Length(max=500),
        ],
    )
