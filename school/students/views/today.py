"""What to do now: for the office, for teachers, for families."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import render_template, url_for
from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _

from school import clock
from school.enrollment.queries import classes_of
from school.permissions import Permission, Person
from school.students.queries.listing import StudentFilter, count_new, count_students, list_students
from school.students.views import words
from school.students.views.blueprint import today as bp
from school.students.views.classes import class_rows
from school.web.access import requires, the_person
from school.web.formats import tint
from school.web.todo import Task, add_task, tasks_for


@bp.get("/")
@requires(Permission.STUDENT_VIEW)
def index() -> str:
    person = the_person()
    if not person.is_staff:
        return render_template("today/family.html", children=_children(person))
    is_office = person.may(Permission.STUDENT_ADMIT)
    return render_template(
        "today/index.html",
        tasks=tasks_for(person),
        on_roll=count_students(person, StudentFilter()),
        new=count_new(since=clock.now() - timedelta(days=7)) if is_office else None,
        is_office=is_office,
        classes=class_rows() if person.may(Permission.CLASS_VIEW) else [],
    )


def _children(person: Person) -> list[dict[str, Any]]:
    """A family's own: name, class, where to read more."""
    rows = list_students(person, StudentFilter(status="all")).page.rows
    classes = classes_of([row.id for row in rows])
    return [
        {
            "name": row.name,
            "initials": words.letters(row),
            "tint": tint(row.id),
            "url": url_for("students.show", student_id=row.id),
            "second": _("Class %(name)s", name=classes[row.id].name)
            if row.id in classes
            else str(words.STATUS[row.status]),  # type: ignore[index]
        }
        for row in rows
        if row.status != "archived"
    ]


def _without_guardian(person: Person) -> Task | None:
    count = count_students(person, StudentFilter(without_guardian=True))
    if not count:
        return None
    return Task(
        ngettext(
            "%(n)s student has no guardian",
            "%(n)s students have no guardian",
            count,
            n=format_decimal(count),
        ),
        _("Add guardians"),
        url_for("students.index", guardian="none"),
        order=20,
    )


def _without_class(person: Person) -> Task | None:
    count = count_students(person, StudentFilter(status="enrolled", no_class=True))
    if not count:
        return None
    return Task(
        ngettext(
            "%(n)s student is in no class",
            "%(n)s students are in no class",
            count,
            n=format_decimal(count),
        ),
        _("Choose classes"),
        url_for("students.index") + "?status=enrolled&class=none",
        order=30,
    )


add_task("students.without_guardian", Permission.GUARDIAN_EDIT, _without_guardian)
add_task("students.without_class", Permission.STUDENT_ADMIT, _without_class)
