"""Pages of the students' domain: today, students, guardians, classes, history, search, settings."""

from __future__ import annotations

from flask import Flask

from school.students.views import (
    admission,
    blueprint,
    bulk,
    classes,
    files_owner,
    finder,
    guardians,
    history,
    links,
    listing,
    record,
    settings,
    today,
)

__all__ = [
    "admission",
    "bulk",
    "classes",
    "finder",
    "guardians",
    "history",
    "links",
    "listing",
    "record",
    "register",
    "settings",
    "today",
]


def register(app: Flask) -> None:
    """Open every page of this domain, and answer for students' files."""
    for bp in (
        blueprint.today,
        blueprint.students,
        blueprint.guardians,
        blueprint.classes,
        blueprint.history,
        blueprint.search,
        blueprint.settings,
    ):
        app.register_blueprint(bp)
    files_owner.register()
