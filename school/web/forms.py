"""Browser fields: what every form of ours does the same way."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext
from flask_wtf import FlaskForm
from wtforms import Field

from school.errors import DomainError
from school.web.errors import message_of
from school.web.keepable import UNKEEPABLE, is_keepable


class Form(FlaskForm):
    """CSRF is on; outer white space goes away; an empty text means None."""

    class Meta(FlaskForm.Meta):
        def bind_field(self, form: Any, unbound_field: Any, options: dict[str, Any]) -> Field:
            filters = list(unbound_field.kwargs.get("filters", []))
            if unbound_field.field_class.__name__ in {"StringField", "TextAreaField", "EmailField"}:
                filters.append(_strip)
            return unbound_field.bind(form=form, filters=filters, **options)


def _strip(value: Any) -> Any:
    if isinstance(value, str):
        if not is_keepable(value):
            raise ValueError(gettext(UNKEEPABLE))
        return value.strip() or None
    return value


def show_on_form(form: FlaskForm, error: DomainError) -> None:
    """Put a broken rule beside its field, or above the form when it names none."""
    field = getattr(form, error.field, None) if error.field else None
    if isinstance(field, Field):
        field.errors = [*field.errors, message_of(error)]
    else:
        form.form_errors.append(message_of(error))
