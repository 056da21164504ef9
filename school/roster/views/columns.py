"""What each column means: shown as recognised, to be corrected."""

from __future__ import annotations

from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from school.db import db, transaction
from school.errors import DomainError
from school.roster.service import staging, uploads
from school.roster.service.directory import own_fields
from school.roster.sheet.columns import new_field_target
from school.roster.sheet.mapping import Mapping
from school.roster.sheet.own import OwnFields
from school.roster.sheet.targets import custom_key, custom_target
from school.roster.views import bp
from school.roster.views.pages import IMPORT, job_row, mapping_of
from school.roster.views.words import target_choices
from school.web.access import requires
from school.web.errors import message_of


@bp.get("/<uuid:import_id>/columns")
@requires(IMPORT)
def columns(import_id: UUID) -> str | BaseResponse:
    """Every column with its first values and what it means."""
    imported = staging.get_import(import_id)
    if imported.state not in staging.OPEN_STATES:
        return redirect(url_for("roster.show", import_id=import_id), 303)
    faults = mapping_of(imported).faults() if imported.counts.get("faults") else []
    return _page(import_id, message_of(faults[0]) if faults else None)


@bp.post("/<uuid:import_id>/columns")
@requires(IMPORT)
def choose_columns(import_id: UUID) -> BaseResponse | tuple[str, int]:
    """Read the file again with what was chosen."""
    imported = staging.get_import(import_id)
    mapping = mapping_of(imported)
    targets = {
        column.index: request.form[f"column-{column.index}"]
        for column in mapping.columns
        if f"column-{column.index}" in request.form
    }
    try:
        with transaction():
            has_changed = any(
                targets[c.index] != c.target for c in mapping.columns if c.index in targets
            )
            if has_changed or job_row(imported)["stopped"]:
                uploads.choose_columns(import_id, targets)
    except DomainError as error:
        return _page(import_id, message_of(error), targets), error.status
    return redirect(url_for("roster.show", import_id=import_id), 303)


def _page(import_id: UUID, problem: str | None, chosen: dict[int, str] | None = None) -> str:
    imported = staging.get_import(import_id)
    mapping = mapping_of(imported)
    own = own_fields(db.session())
    meant = {
        column.index: own.resolved(column.target) or new_field_target(column)
        for column in mapping.columns
    }
    how = {
        "header": _("from its heading"),
        "data": _("from what stands in it"),
        "remembered": _("as last time"),
        "person": _("as you said"),
        "own": _("a field of your own"),
        "hidden": _("hidden in the file"),
        "repeat": _("the same heading as a column before it"),
        "unknown": _("becomes a field of its own for all students"),
    }
    return render_template(
        "roster/columns.html",
        imported=imported,
        mapping=mapping,
        problem=problem,
        how=how,
        chosen=meant | (chosen or {}),
        choices=target_choices(_own_choices(mapping, own)),
    )


def _own_choices(mapping: Mapping, own: OwnFields) -> list[tuple[str, str]]:
    """The fields the school has, and those the columns of this file can become."""
    targets = {new_field_target(column) for column in mapping.columns}
    targets |= {column.target for column in mapping.columns}
    new = sorted(
        name
        for target in targets
        if (name := custom_key(target)) and own.resolved(target) == target and not own.find(target)
    )
    return [
        *((custom_target(field.id), field.label) for field in own),
        *(
            (custom_target(name), _("New field for all students: %(name)s", name=name))
            for name in new
        ),
    ]
