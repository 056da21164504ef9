"""What a school keeps beyond the usual: its genders and its own fields."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from school import cache
from school.audit import log
from school.db import db, take_write_lock
from school.errors import Conflict, Invalid, Stale
from school.students import queries
from school.students.models import CustomField, CustomFieldKind, Gender, Student
from school.tenancy.scope import current_school_id
from school.unseen import drop_unseen

FACTS = ("label", "kind", "choices", "help", "position", "is_archived")
GENDERS = (("F", "Female"), ("M", "Male"), ("X", "Other"))


def seed_school(genders: Sequence[tuple[str, str]] = GENDERS) -> None:
    """A new school's list of genders, unless it has one: (code, label)."""
    if not queries.list_genders():
        for position, (code, label) in enumerate(genders):
            db.session.add(Gender(code=code, label=label, position=position))
        db.session.flush()


def genders_version() -> str:
    """Names the list as it is now: another name when anything in it has changed."""
    pairs = [[gender.code, gender.label] for gender in queries.list_genders()]
    return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()[:16]


def genders_text(genders: Iterable[tuple[str, str]]) -> str:
    """One on each line, as the settings page shows and takes them."""
    return "\n".join(f"{code} = {label}" for code, label in genders)


def save_genders(genders: Sequence[tuple[str, str]], *, version: str) -> None:
    """Replace the list: (code, label) in order.

    `version` is what `genders_version` said when the editor read it. Raises Stale when the list
    has changed since, Conflict when a dropped one is in use.
    """
    wanted = _checked_genders(genders)
    present = {gender.code: gender for gender in _locked_genders()}
    saved = [(gender.code, gender.label) for gender in present.values()]
    if saved == list(wanted.items()):
        return
    if version != genders_version():
        raise Stale(
            "Somebody else changed the genders while you were writing.",
            theirs={"genders": genders_text(saved)},
            yours={"genders": genders_text(wanted.items())},
        )
    before = {"genders": ", ".join(label for _code, label in saved)}
    for code in present.keys() - wanted.keys():
        if db.session.scalar(sa.select(Student.id).where(Student.gender_code == code).limit(1)):
            raise Conflict(
                "%(label)s is in use, so it has to stay on the list.",
                field="genders",
                label=present[code].label,
            )
        db.session.delete(present[code])
    for position, (code, label) in enumerate(wanted.items()):
        if code not in present:
            db.session.add(Gender(code=code, label=label, position=position))
        else:
            present[code].label, present[code].position = label, position
    db.session.flush()
    after = {"genders": ", ".join(wanted.values())}
    log.record("school.genders_edited", "school", current_school_id(), before=before, after=after)
    cache.forget(current_school_id(), "students")


def _locked_genders() -> list[Gender]:
    """The list as it is now, held until the transaction ends."""
    take_write_lock(db.session())
    held = sa.select(Gender).with_for_update().execution_options(populate_existing=True)
    db.session.scalars(held).all()
    return queries.list_genders()


def _checked_genders(genders: Sequence[tuple[str, str]]) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for code, label in genders:
        if not code or len(code) > 10 or not label or len(label) > 60:
            raise Invalid("Each line is a short code, an equals sign and a word.", field="genders")
        if code in wanted:
            raise Invalid("The code %(code)s stands here twice.", field="genders", code=code)
        wanted[code] = label
    if not wanted:
        raise Invalid("Keep at least one.", field="genders")
    return wanted


def add_field(
    label: str,
    kind: str,
    *,
    choices: Sequence[str] = (),
    help: str | None = None,  # noqa: A002
) -> CustomField:
    """A field of the school's own, last in its order."""
    field = CustomField(
        label=_checked_label(label),
        kind=CustomFieldKind(kind),
        choices=_checked_choices(kind, choices),
        help=help,
        position=len(queries.list_fields(include_archived=True)),
    )
    db.session.add(field)
    db.session.flush()
    log.record("custom_field.added", "custom_field", field.id, after=log.facts(field, FACTS))
    return field


def edit_field(
    field: CustomField,
    *,
    version: int,
    label: str,
    choices: Sequence[str] = (),
    help: str | None = None,  # noqa: A002
) -> None:
    """Rename it, change its choices or its help. The kind stays: values of it are stored.

    Raises Stale with what differs when somebody else changed it meanwhile, Conflict when a choice
    that students have is dropped.
    """
    wanted: dict[str, Any] = {
        "label": _checked_label(label, other_than=field),
        "choices": _checked_choices(field.kind, choices),
        "help": help,
    }
    saved = {name: getattr(field, name) for name in wanted}
    differing = [name for name in wanted if wanted[name] != saved[name]]
    if field.version != version and differing:
        raise Stale(
            "Somebody else changed this field while you were writing.",
            theirs={name: saved[name] for name in differing},
            yours={name: wanted[name] for name in differing},
        )
    _refuse_lost_choices(field, wanted["choices"])
    before = log.facts(field, FACTS)
    for name, value in wanted.items():
        setattr(field, name, value)
    _saved("custom_field.edited", field, before)


def move_field(field: CustomField, *, by: int) -> None:
    """Show it earlier (by -1) or later (by 1). An archived one has no place to move from."""
    if field.is_archived:
        return
    fields = queries.list_fields()
    at = fields.index(field)
    fields.insert(min(max(at + by, 0), len(fields) - 1), fields.pop(at))
    for position, other in enumerate(fields):
        before = log.facts(other, FACTS)
        other.position = position
        _saved("custom_field.moved", other, before)


def archive_field(field: CustomField) -> None:
    """Out of the forms; what was typed into it stays."""
    before = log.facts(field, FACTS)
    field.is_archived = True
    _saved("custom_field.archived", field, before)


def restore_field(field: CustomField) -> None:
    before = log.facts(field, FACTS)
    field.is_archived = False
    _saved("custom_field.restored", field, before)


def _refuse_lost_choices(field: CustomField, kept: Sequence[str]) -> None:
    """Raises Conflict naming a choice that is dropped though students have it."""
    for choice in field.choices:
        if choice in kept:
            continue
        count = queries.count_with_value(field, choice)
        if count:
            raise Conflict(
                "“%(choice)s” has to stay on the list. Students who have it, archived ones "
                "included: %(count)s.",
                field="choices",
                choice=choice,
                count=count,
            )


def _saved(action: str, field: CustomField, before: log.Facts) -> None:
    db.session.flush()
    after = log.facts(field, FACTS)
    log.record_change(action, "custom_field", field, before=before, after=after)


def _checked_label(label: str, *, other_than: CustomField | None = None) -> str:
    label = " ".join(drop_unseen(label).split())
    if not 1 <= len(label) <= 120:
        raise Invalid("A field needs a name of up to 120 letters.", field="label")
    if label.startswith("="):
        # It heads a column in exported sheets; columns of an import are held to the same.
        raise Invalid("A field's name can't begin with “=”.", field="label")
    for field in queries.list_fields(include_archived=True):
        if field.label == label and field is not other_than:
            raise Conflict("There is a field %(label)s already.", field="label", label=label)
    return label


def _checked_choices(kind: str, choices: Sequence[str]) -> list[str]:
    cleaned = (" ".join(drop_unseen(choice).split()) for choice in choices)
    kept = list(dict.fromkeys(choice for choice in cleaned if choice))
    if kind == CustomFieldKind.CHOICE and len(kept) < 2:
        raise Invalid("Give at least two choices, one on each line.", field="choices")
    return kept if kind == CustomFieldKind.CHOICE else []
