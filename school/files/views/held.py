"""What the virus check holds back: a list for administrators, and "check again"."""

from __future__ import annotations

from uuid import UUID

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext
from werkzeug.wrappers import Response as BaseResponse

from school import cache
from school.errors import Conflict
from school.files import policy, queries
from school.files.models import File, ScanState
from school.files.service import scanning
from school.files.service.shelf import shelf
from school.files.views.blueprint import bp
from school.permissions import Permission, Person
from school.tenancy.scope import current_school_id
from school.web.access import requires, the_person
from school.web.todo import Task, add_task

SETTINGS = Permission.SCHOOL_SETTINGS
REASONS = {
    "unreachable": lazy_gettext("The virus scanner does not answer."),
    "timeout": lazy_gettext("The virus scanner took too long."),
    "protocol": lazy_gettext("The virus scanner gave an answer that makes no sense."),
    "unreadable": lazy_gettext("The file store could not be read."),
    "too_large": lazy_gettext("It is larger than the virus scanner takes."),
    "limits": lazy_gettext("The virus scanner could not look into all of it."),
}


def reason_words(state: str, reason: str | None) -> str:
    """Why content is held back, for a person; a signature's name as it is."""
    if state == ScanState.INFECTED:
        return str(_("Virus found: %(name)s", name=reason or ""))
    known = REASONS.get(reason or "")
    # Anything else is the name clamd gives to a limit or a lock it met.
    return str(known if known is not None else REASONS["limits"])


@bp.get("/files/held")
@requires(SETTINGS)
def held() -> str:
    """Files nobody can open: those that wait for the check, and those it caught."""
    rows = queries.list_held(policy.seen_files(the_person()))
    return render_template(
        "files/held.html",
        rows=[(row, reason_words(row.scan_state, row.scan_reason)) for row in rows],
        most=queries.MOST_LISTED,
        has_scanner=bool(shelf().scanner_url),
    )


@bp.post("/files/<uuid:file_id>/scan")
@requires(Permission.FILE_VIEW)
def scan(file_id: UUID) -> BaseResponse:
    """Ask the scanner once more, now. What it has caught only an administrator asks about again."""
    person, file = the_person(), queries.get_file(file_id)
    policy.check_edit(person, file)
    current = next(v for v in queries.list_versions(file) if v.is_current)
    if not may_scan(person, file, current.scan_state):
        raise Conflict("There is nothing to be checked again.")
    name, result = file.name, scanning.scan_again(file)
    if result.clean:
        flash(_("“%(name)s” is clean", name=name), "done")
    elif result.infected:
        flash(_("A virus was found in “%(name)s”. It stays closed.", name=name), "error")
    else:
        flash(_("The check could not be made. “%(name)s” stays closed.", name=name), "error")
    return redirect(url_for("files.show", file_id=file_id), 303)


def _waiting(_person: Person) -> Task | None:
    count = cache.remember(current_school_id(), "files", "held", queries.count_held)
    if not count:
        return None
    return Task(
        ngettext(
            "1 file is held back by the virus check",
            "%(num)s files are held back by the virus check",
            count,
        ),
        _("See them"),
        url_for("files.held"),
        order=20,
    )


def may_scan(person: Person, file: File, state: str) -> bool:
    """Whether asking the scanner again can change something, and is this person's to do."""
    is_closed = state == ScanState.HELD or (state == ScanState.INFECTED and person.may(SETTINGS))
    return is_closed and file.archived_at is None and bool(shelf().scanner_url)


add_task("files.held", SETTINGS, _waiting)
