"""Pages of the roster import, `/imports`: file, columns, check, done."""

from __future__ import annotations

from flask import Blueprint
from flask_babel import lazy_gettext

from school.permissions import Permission
from school.web.navigation import Place, add_place

bp = Blueprint("roster", __name__, url_prefix="/imports")
add_place(
    Place(
        lazy_gettext("Imports"),
        "roster.index",
        "table-import",
        Permission.ROSTER_IMPORT,
        group="manage",
        order=10,
    )
)

# Pages register themselves on the blueprint.
from school.roster.views import columns, pages, preview  # noqa: E402, F401
