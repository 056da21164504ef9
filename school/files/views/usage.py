"""How full the school is, of what and by whom; how much space a person may take up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, url_for
from flask.blueprints import BlueprintSetupState
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response as BaseResponse

from school import cache
from school.db import transaction
from school.files.forms import LimitForm
from school.files.models import HolderKind
from school.files.service import quotas, usage
from school.files.service.families import PURPOSE_WORDS
from school.files.service.quotas import Standing
from school.files.views.blueprint import bp
from school.permissions import Permission, Person
from school.tenancy.scope import current_school_id
from school.web.access import current_person, requires, the_person
from school.web.gauges import NEARLY, Gauge, add_account_gauge, space_gauge
from school.web.navigation import Place, add_place
from school.web.todo import Task, add_task

SETTINGS = Permission.SCHOOL_SETTINGS
PART_WORDS = {
    **{purpose: lazy_gettext(words) for purpose, words in PURPOSE_WORDS.items()},
    usage.EARLIER: lazy_gettext("Earlier versions"),
    usage.TRASH: lazy_gettext("In the trash"),
    usage.PREVIEWS: lazy_gettext("Small pictures for previews"),
    usage.UPLOADS: lazy_gettext("Being sent right now"),
}

add_place(
    Place(lazy_gettext("Space"), "files.usage", "chart-pie", SETTINGS, group="manage", order=72)
)


@bp.get("/files/usage", endpoint="usage")
@requires(SETTINGS)
def usage_page() -> str:
    """The school's space."""
    seen = usage.look(the_person())
    unit, points = _points(seen.days)
    return render_template(
        "files/usage.html",
        gauge=_gauge(_("Space of the school"), seen.school),
        parts=[(PART_WORDS.get(part.code, part.code), part.size_bytes) for part in seen.parts],
        largest=[(file, PART_WORDS.get(file.purpose, file.purpose)) for file in seen.largest],
        senders=[(sender, _gauge(sender.name, sender.standing)) for sender in seen.senders],
        as_of=seen.as_of,
        unit=unit,
        points=points,
    )


def _gauge(title: str, standing: Standing) -> Gauge:
    return space_gauge(title, standing.used_bytes, standing.limit_bytes)


def _points(days: list[usage.Day]) -> tuple[str, list[tuple[usage.Day, float]]]:
    """A unit in which all days can be read, and each day's space in it."""
    most = max((day.used_bytes for day in days), default=0)
    unit, bytes_each = next((one for one in quotas.UNITS if most >= one[1]), quotas.UNITS[-1])
    return unit, [(day, round(day.used_bytes / bytes_each, 2)) for day in days]


@bp.route("/files/usage/people/<uuid:user_id>", methods=["GET", "POST"])
@requires(SETTINGS)
def limit_person(user_id: UUID) -> str | tuple[str, int] | BaseResponse:
    """What one person takes up, and may."""
    sender = usage.get_sender(user_id)
    form = LimitForm.of(sender.standing)
    if form.validate_on_submit():
        with transaction():
            quotas.set_limit(HolderKind.PERSON, user_id, form.limit_bytes)
        flash(_("Saved"), "done")
        return redirect(url_for("files.usage"), 303)
    page = render_template(
        "files/limit_person.html",
        sender=sender,
        form=form,
        gauge=_gauge(_("Space of %(name)s", name=sender.name), sender.standing),
        usual=quotas.default_limit(HolderKind.PERSON),
    )
    return (page, 422) if form.errors else page


@dataclass(frozen=True, slots=True)
class Room:
    """What a page may still send, and what it says of a file that is larger."""

    left_bytes: int
    sentence: str


def room_for_upload() -> Room | None:
    """For drop zones, so that they refuse before anything is sent; None: there is no limit."""
    person = current_person()
    if person is None or person.school_id is None:
        return None
    found = cache.remember(
        person.school_id, quotas.TOPIC, f"room:{person.user_id}", lambda: _room_of(person.user_id)
    )
    if found is None:
        return None
    left_bytes, message, params = found
    return Room(left_bytes, str(_(message, **params)))


def _room_of(user_id: UUID) -> tuple[int, str, dict[str, Any]] | None:
    tightest = quotas.find_tightest(user_id)
    if tightest is None:
        return None
    error = tightest.refusal()
    return tightest.left_bytes or 0, error.message, error.params


def _own_gauge(person: Person) -> Gauge | None:
    if person.school_id is None or not person.may(Permission.FILE_UPLOAD):
        return None
    return _gauge(_("Space for your files"), quotas.list_standings(person.user_id)[1])


def _waiting(_person: Person) -> Task | None:
    """Before the school is full, somebody who can change it should know."""
    percent = cache.remember(current_school_id(), quotas.TOPIC, "percent", _percent_used)
    if percent is None or percent < NEARLY:
        return None
    sentence = _("The school’s space is used up to %(percent)s%%", percent=percent)
    return Task(sentence, _("See what is large"), url_for("files.usage"), order=30)


def _percent_used() -> int | None:
    school = quotas.list_standings(None)[0]
    return 100 * school.used_bytes // school.limit_bytes if school.limit_bytes else None


@bp.record
def _tell_templates(state: BlueprintSetupState) -> None:
    state.app.jinja_env.globals["room_for_upload"] = room_for_upload


add_account_gauge("files", _own_gauge)
add_task("files.usage", SETTINGS, _waiting)
