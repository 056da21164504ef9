"""What each column means: shown as recognised, to be corrected."""

from __future__ import annotations

from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from school.db import transaction
from school.errors import DomainError
from school.roster.service import staging, uploads
from school.roster.sheet.targets import custom_target
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
    own = {custom_target(column.label[:120]) for column in mapping.columns}
    own |= {column.target for column in mapping.columns if column.target.startswith("custom:")}
    how = {
        "header": _("from its heading"),
        "data": _("from what stands in it"),
        "remembered": _("as last time"),
        "person": _("as you said"),
        "hidden": _("hidden in the file"),
        "unknown": _("kept as a field of your own"),
    }
    return render_template(
        "roster/columns.html",
        imported=imported,
        mapping=mapping,
        problem=problem,
        how=how,
        chosen=chosen or {},
        choices=target_choices(sorted(own)),
    )
