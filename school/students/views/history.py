"""Who changed what and when, in words; and taking it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import flash, redirect, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext
from werkzeug.wrappers import Response

from school.academics.models import SchoolClass
from school.audit import history as audit
from school.audit import undo
from school.audit.models import AuditEvent
from school.db import db, transaction
from school.errors import Forbidden, NotFound
from school.permissions import Permission, Person
from school.students import queries
from school.students.models import Guardian
from school.students.views import words
from school.students.views.blueprint import history as bp
from school.web.access import requires, the_person
from school.web.formats import moment
from school.web.history import SHARED_TITLES

TITLES: dict[str, Any] = SHARED_TITLES | {
    "student.admitted": lazy_gettext("Admitted"),
    "student.imported": lazy_gettext("Imported"),
    "student.edited": lazy_gettext("Changed"),
    "student.archived": lazy_gettext("Archived"),
    "student.restored": lazy_gettext("Restored"),
    "student.undone": lazy_gettext("Taken back"),
    "guardian.added": lazy_gettext("Guardian added"),
    "guardian.edited": lazy_gettext("Guardian changed"),
    "guardian.undone": lazy_gettext("Guardian taken back"),
    "student_guardian.linked": lazy_gettext("Guardian linked"),
    "student_guardian.edited": lazy_gettext("Guardian’s part changed"),
    "student_guardian.unlinked": lazy_gettext("Guardian unlinked"),
    "student_guardian.undone": lazy_gettext("Guardian link taken back"),
    "enrollment.opened": lazy_gettext("Placed in a class"),
    "enrollment.closed": lazy_gettext("Left a class"),
    "enrollment.undone": lazy_gettext("Class taken back"),
    "school_class.created": lazy_gettext("Class added"),
    "school_class.edited": lazy_gettext("Class changed"),
    "school_class.archived": lazy_gettext("Class archived"),
    "school_class.restored": lazy_gettext("Class restored"),
}
# Recorded for undo, meaningless to a reader.
_SILENT = frozenset(
    {"sort_name", "student_id", "user_id", "status_before_archive", "archived_at", "custom",
     "academic_year_id", "guardian_id", "photo_file_id", "position", "target_kind", "target_id",
     "placed_by_name", "lifted_at", "lifted_by_name", "owner_kind", "owner_id", "folder_id",
     "parent_id"}
)  # fmt: skip
MEDICAL = "medical_note"
HERE_UNDOABLE = frozenset({"student.archive", "class.move"})
"""Kinds of change sets small enough to be undone while the page waits."""


def entries_of(
    events: Sequence[AuditEvent], person: Person, *, short: bool = False
) -> list[dict[str, Any]]:
    """Events as the history macro takes them. A handful of queries, however many events."""
    names = _names(events)
    sets = audit.change_sets_of(event.change_set_id for event in events)
    may_undo = person.may(Permission.HISTORY_UNDO) and not short
    standing = undo.may_be_undone(events) if may_undo else set()
    return [
        {
            "title": str(TITLES.get(event.action, _("Changed"))),
            "changes": _changes(event, person, names),
            "note": _("Part of “%(title)s”", title=_title(sets[event.change_set_id]))
            if event.change_set_id in sets
            else None,
            "at": event.at,
            "when": moment(event.at),
            "who": event.actor_name,
            "undo_url": url_for("history.undo_event", event_id=event.id)
            if event.id in standing and _may_undo(person, event)
            else None,
        }
        for event in events
    ]


def _title(change_set: Any) -> str:
    """A bulk act in the reader's language; an import is called as its file."""
    counts = change_set.counts
    if change_set.kind == "student.archive" and "students" in counts:
        return str(
            ngettext("%(num)s student archived", "%(num)s students archived", counts["students"])
        )
    if change_set.kind == "class.move" and "class" in counts:
        return str(_("Moved to class %(name)s", name=counts["class"]))
    return str(change_set.title)


def _may_undo(person: Person, event: AuditEvent) -> bool:
    """Whoever takes something back must be allowed to do it by hand."""
    if not person.may(Permission.HISTORY_UNDO):
        return False
    if event.action == "enrollment.closed" and event.change_set_id:
        return False  # one half of a move; the other half's button takes both back
    if MEDICAL in {**(event.before or {}), **(event.after or {})}:
        return person.may(Permission.MEDICAL_EDIT)
    return person.may(_NEEDED.get(event.entity, Permission.STUDENT_EDIT))


_NEEDED = {
    "guardian": Permission.GUARDIAN_EDIT,
    "student_guardian": Permission.GUARDIAN_EDIT,
    "school_class": Permission.CLASS_EDIT,
    "custom_field": Permission.SCHOOL_SETTINGS,
}


def _names(events: Sequence[AuditEvent]) -> dict[str, str]:
    """Id as text → name, for the classes, guardians, fields and genders the events speak of."""
    facts = [{**(event.before or {}), **(event.after or {})} for event in events]
    names = _named(SchoolClass, {fact["class_id"] for fact in facts if fact.get("class_id")})
    wanted = {fact["guardian_id"] for fact in facts if fact.get("guardian_id")}
    names |= _named(Guardian, wanted)
    if any(key.startswith("custom.") for fact in facts for key in fact):
        for field in queries.list_fields(include_archived=True):
            names[f"custom.{field.id}"] = field.label
    if any("gender_code" in fact for fact in facts):
        names |= {f"gender:{code}": label for code, label in words.gender_labels().items()}
    # A link's later events name only what changed, an enrollment's only its end.
    return names


def _named(model: Any, ids: set[str]) -> dict[str, str]:
    if not ids:
        return {}
    rows = db.session.execute(
        sa.select(model.id, model.name).where(model.id.in_([UUID(i) for i in ids]))
    )
    return {str(row[0]): row[1] for row in rows}


def _changes(event: AuditEvent, person: Person, names: dict[str, str]) -> list[dict[str, str]]:
    if event.entity == "legal_hold" and not person.may(Permission.FILE_HOLD):
        return []  # that it stands is told to the office, not why
    before, after = event.before or {}, event.after or {}
    keys = sorted((key for key in {**before, **after} if key not in _SILENT), key=_rank)
    changes = [_change(key, before, after, names, person) for key in keys]
    for side, facts in (("old", before), ("new", after)):
        if (guardian_id := facts.get("guardian_id")) in names:
            changes.insert(0, {"label": "", "old": "", "new": "", side: names[guardian_id]})
    return [change for change in changes if change["old"] or change["new"]]


def _rank(key: str) -> tuple[int, str]:
    """In the order of our words: databases keep facts in orders of their own."""
    known = list(words.LABELS)
    return known.index(key) if key in known else len(known), key


def _change(
    key: str, before: dict[str, Any], after: dict[str, Any], names: dict[str, str], person: Person
) -> dict[str, str]:
    if key == MEDICAL:
        return _medical(before, after, person)
    label = names.get(key) if key.startswith("custom.") else None
    return {
        "label": label or str(words.LABELS.get(key, _("Class") if key == "class_id" else key)),
        "old": _word(key, before.get(key), names),
        "new": _word(key, after.get(key), names),
    }


def _medical(before: dict[str, Any], after: dict[str, Any], person: Person) -> dict[str, str]:
    """That it was changed is no secret; what it says is."""
    label = str(words.LABELS[MEDICAL])
    if not person.may(Permission.MEDICAL_VIEW):
        return {"label": label, "old": "", "new": str(_("changed"))}
    return {"label": label, "old": before.get(MEDICAL) or "", "new": after.get(MEDICAL) or ""}


def _word(key: str, value: Any, names: dict[str, str]) -> str:
    if value is None:
        return ""
    if key == "class_id":
        return names.get(value, "")
    if key == "gender_code":
        return names.get(f"gender:{value}", str(value))
    return words.plain_word(key, value, {})


@bp.post("/events/<uuid:event_id>/undo")
@requires(Permission.HISTORY_UNDO)
def undo_event(event_id: UUID) -> Response:
    event = audit.get_event(event_id)
    if not undo.is_known(event.entity) or event.id not in undo.may_be_undone([event]):
        raise NotFound("This can't be undone any more.")
    if not _may_undo(the_person(), event):
        raise Forbidden("You may not change this, so you can't take it back either.")
    with transaction():
        report = undo.undo_event(event)
    _tell(report)
    subject = event.about_id or event.entity_id
    return redirect(_page_of(event, subject), 303)


def _page_of(event: AuditEvent, subject: UUID) -> str:
    if event.entity == "guardian":
        return url_for("guardians.show", guardian_id=subject)
    if event.entity == "school_class":
        return url_for("classes.show", class_id=subject)
    if event.entity == "custom_field":
        return url_for("settings.index")
    return url_for("students.history", student_id=subject)


@bp.post("/changes/<uuid:change_set_id>/undo")
@requires(Permission.HISTORY_UNDO, Permission.STUDENT_EDIT)
def undo_change_set(change_set_id: UUID) -> Response:
    change_set = audit.get_change_set(change_set_id)
    if change_set.kind not in HERE_UNDOABLE:
        raise NotFound("This is undone on its own page.")
    with transaction():
        report = undo.undo_change_set(change_set)
    _tell(report)
    return redirect(url_for("students.index"), 303)


def _tell(report: undo.UndoReport) -> None:
    flash(_("Taken back."), "done")
    if report.kept:
        flash(
            _(
                "%(count)s values were kept, because somebody changed them since: %(fields)s.",
                count=len(report.kept),
                fields=", ".join(
                    sorted(
                        {str(words.LABELS.get(k.field, k.field or k.theirs)) for k in report.kept}
                    )
                ),
            ),
            "warn",
        )
