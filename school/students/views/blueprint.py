"""The blueprints of this domain's pages and their places in the side bar."""

from __future__ import annotations

from flask import Blueprint
from flask_babel import lazy_gettext as _

from school.permissions import Permission
from school.web.navigation import Place, add_place

today = Blueprint("today", __name__)
students = Blueprint("students", __name__, url_prefix="/students")
guardians = Blueprint("guardians", __name__, url_prefix="/guardians")
classes = Blueprint("classes", __name__, url_prefix="/classes")
history = Blueprint("history", __name__, url_prefix="/history")
search = Blueprint("search", __name__)
settings = Blueprint("settings", __name__, url_prefix="/settings")

add_place(Place(_("Today"), "today.index", "sun", Permission.STUDENT_VIEW, order=10, on_phone=True))
add_place(
    Place(
        _("Students"), "students.index", "users", Permission.STUDENT_VIEW, order=20, on_phone=True
    )
)
add_place(
    Place(
        _("Guardians"),
        "guardians.index",
        "user",
        Permission.GUARDIAN_VIEW,
        order=25,
        staff_only=True,
    )
)
add_place(
    Place(_("Classes"), "classes.index", "school", Permission.CLASS_VIEW, order=30, on_phone=True)
)
add_place(
    Place(
        _("Settings"),
        "settings.index",
        "settings",
        Permission.SCHOOL_SETTINGS,
        group="manage",
        order=80,
    )
)
