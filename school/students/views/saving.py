"""Saving a form: a broken rule stands beside its field, a newer version is shown beside yours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm.exc import StaleDataError

from school.db import db, transaction
from school.errors import DomainError, Stale
from school.students import queries
from school.students.views import words
from school.web.errors import way_back
from school.web.forms import Form, show_on_form

Answer = tuple[str, int]


def save(
    form: Form, act: Callable[[], object], *, fresh_version: Callable[[], int | str]
) -> Answer | None:
    """Run `act` in a transaction; once more if it was overtaken while writing.

    None when it is saved, or when the form says what is wrong; the conflict page (409) when
    somebody else was faster.
    """
    try:
        _run(act)
    except Stale as error:
        db.session.expire_all()
        return conflict_page(form, error, version=fresh_version())
    except DomainError as error:
        if error.status not in {409, 422}:
            raise
        show_on_form(form, error)
    return None


def _run(act: Callable[[], object]) -> None:
    try:
        with transaction():
            act()
    except StaleDataError:
        # Saved by another between our reading and our writing. Rolled back, every row is read
        # anew, so the second run sees the newer version and can say what differs (Stale).
        with transaction():
            act()


def conflict_page(form: Form, error: Stale, *, version: int | str) -> Answer:
    """Both values side by side, with a choice for each: nothing typed is lost."""
    rows = [
        {
            "name": name,
            "label": _label(form, name),
            "theirs": _raw(error.theirs[name]),
            "yours": _raw(error.yours[name]),
            "theirs_text": _text(name, error.theirs[name]),
            "yours_text": _text(name, error.yours[name]),
        }
        for name in error.yours
    ]
    differing = {*error.yours, "version", "csrf_token"}
    carried = [
        (key, value) for key, value in request.form.items(multi=True) if key not in differing
    ]
    page = render_template(
        "students/conflict.html",
        rows=rows,
        carried=carried,
        version=version,
        message=_(error.message),
        save_url=request.path,
        back=way_back(),
    )
    return page, 409


def _label(form: Form, name: str) -> str:
    field = getattr(form, name, None)
    return str(field.label.text) if field is not None else str(words.LABELS.get(name, name))


def _raw(value: Any) -> str:
    """As a form field sends it."""
    if value is None or value is False:
        return ""
    if isinstance(value, list):
        return "\n".join(value)
    return "yes" if value is True else str(value)


def _text(name: str, value: Any) -> str:
    if name.startswith("custom_"):
        found = {f"custom_{f.id}": f for f in queries.list_fields(include_archived=True)}
        return words.own_text(found[name], value) or ""
    return words.plain_word(name, value)
