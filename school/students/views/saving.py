"""Saving a form: a broken rule stands beside its field; what others saved meanwhile is kept.

A form sends back what its fields held when it was opened. So a field that only the other person
changed stays theirs, one that only you changed becomes yours, and only one that both changed is
asked about.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from flask import render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm.exc import StaleDataError

from school.audit import history as audit
from school.audit.models import AuditEvent
from school.db import db, transaction
from school.errors import DomainError, Stale
from school.students import queries
from school.students.views import words
from school.students.views.blueprint import students as bp
from school.web.errors import message_of, way_back
from school.web.formats import moment
from school.web.forms import Form, show_on_form

Answer = tuple[str, int]
_LOOKED_BACK = 20
_NO_FACTS = {"csrf_token", "version", "opened"}


class About(NamedTuple):
    """The record a form is of, and what it is called."""

    entity: str
    id: UUID
    name: str


def save(
    form: Form,
    act: Callable[[], object],
    *,
    fresh_version: Callable[[], int | str],
    about: About | None = None,
) -> Answer | None:
    """Run `act`, which reads the form, in a transaction; once more if it was overtaken.

    `about`: whose record it is, for the conflict page to say so, and who changed it. None when it
    is saved, or when the form says what is wrong; the conflict page (409) when somebody else
    changed the same fields.
    """
    try:
        _run(act)
    except Stale as error:
        db.session.expire_all()
        form["version"].data = fresh_version()
        asked = _settle(form, error)
        return (
            conflict_page(form, error, asked, about)
            if asked
            else save(form, act, fresh_version=fresh_version, about=about)
        )
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


@bp.app_template_global()
def opened_with(form: Form) -> str:
    """What each field held when the form was opened, for the form to send back."""
    if form["version"].raw_data:  # sent in and shown again
        return request.form.get("opened", "")
    return json.dumps(_as_opened(form))


def _as_opened(form: Form) -> dict[str, str]:
    return {
        field.name: _raw(field.name, field.object_data)
        for field in form
        if field.name not in _NO_FACTS
    }


def _opened() -> dict[str, str]:
    """What the form says it was opened with; nothing where that is damaged."""
    try:
        found = json.loads(request.form.get("opened", ""))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _settle(form: Form, error: Stale) -> list[str]:
    """Take over what only they changed. The fields that both changed."""
    opened, asked = _opened(), []
    for name, mine in error.yours.items():
        theirs, before = _raw(name, error.theirs[name]), opened.get(name)
        if _is_same(before, _raw(name, mine)):
            form[name].data = _for_form(error.theirs[name])
        elif not _is_same(before, theirs) and not _is_same(_raw(name, mine), theirs):
            asked.append(name)
    return asked


def _is_same(one: Any, other: Any) -> bool:
    """The same text, however its lines end and wherever white space hangs over."""
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    return [line.strip() for line in one.strip().splitlines()] == [
        line.strip() for line in other.strip().splitlines()
    ]


def _for_form(value: Any) -> Any:
    return "\n".join(value) if isinstance(value, list) else value


def conflict_page(form: Form, error: Stale, asked: list[str], about: About | None) -> Answer:
    """What both changed, side by side, with a choice for each: nothing typed is lost."""
    changes = _last_changes(about, asked) if about else {}
    settled = {
        field.name: _raw(field.name, field.data) for field in form if field.name not in _NO_FACTS
    }
    saved_now = {name: _raw(name, value) for name, value in error.theirs.items()}
    page = render_template(
        "students/conflict.html",
        rows=[_choice(form, error, name, changes.get(name)) for name in asked],
        carried=[(name, value) for name, value in settled.items() if name not in asked],
        version=form["version"].data,
        opened=json.dumps(settled | saved_now),
        title=_title(error, about, {one.actor_name for one in changes.values()}),
        save_url=request.path,
        back=way_back(),
    )
    return page, 409


def _choice(form: Form, error: Stale, name: str, change: AuditEvent | None) -> dict[str, Any]:
    theirs, yours = error.theirs[name], error.yours[name]
    return {
        "name": name,
        "label": _label(form, name),
        "theirs": _raw(name, theirs),
        "yours": _raw(name, yours),
        "theirs_text": _text(name, theirs),
        "yours_text": _text(name, yours),
        "by": change.actor_name if change else "",
        "when": moment(change.at) if change else "",
    }


def _title(error: Stale, about: About | None, names: set[str]) -> str:
    """Whose record, and who changed it, where that is one person."""
    if about is None:
        return message_of(error)
    if len(names) == 1:
        who = next(iter(names))
        return str(_("%(who)s changed %(name)s while you were writing", who=who, name=about.name))
    return str(_("Somebody else changed %(name)s while you were writing", name=about.name))


def _last_changes(about: About, asked: list[str]) -> dict[str, AuditEvent]:
    """Field → the act that gave it its value, as far as the newest acts tell."""
    found: dict[str, AuditEvent] = {}
    for event in audit.list_events(about.id, entity=about.entity, limit=_LOOKED_BACK):
        if event.entity_id == about.id:
            for name in asked:
                if name.replace("custom_", "custom.") in (event.after or {}):
                    found.setdefault(name, event)
    return found


def _label(form: Form, name: str) -> str:
    field = getattr(form, name, None)
    return str(field.label.text) if field is not None else str(words.LABELS.get(name, name))


def _raw(name: str, value: Any) -> str:
    """As a form field sends it."""
    if isinstance(value, bool):
        return "yes" if value else ("no" if name.startswith("custom_") else "")
    if isinstance(value, list):
        return "\n".join(value)
    return "" if value is None else str(value)


def _text(name: str, value: Any) -> str:
    if name.startswith("custom_"):
        found = {f"custom_{f.id}": f for f in queries.list_fields(include_archived=True)}
        return words.own_text(found[name], value) or ""
    return words.plain_word(name, value)
