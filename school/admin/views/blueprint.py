"""The blueprint of these pages and their places in the side bar."""

from __future__ import annotations

from flask import Blueprint
from flask_babel import lazy_gettext as _

from school.permissions import Permission
from school.web.navigation import Place, add_place

bp = Blueprint("admin", __name__, url_prefix="/platform")

PLACES = (
    (_("Schools"), "admin.schools", "school", Permission.PLATFORM_SCHOOLS),
    (_("Accounts"), "admin.accounts", "users", Permission.PLATFORM_USERS),
    (_("Outgoing mail"), "admin.mail", "mail", Permission.PLATFORM_OPERATE),
    (_("Storage"), "admin.storage", "folder", Permission.PLATFORM_OPERATE),
    (_("Database"), "admin.database", "database", Permission.PLATFORM_OPERATE),
)
for order, (label, endpoint, icon, permission) in enumerate(PLACES, 10):
    add_place(Place(label, endpoint, icon, permission, group="platform", order=order))
