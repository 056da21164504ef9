"""Downloads: a click gives a signed link that lives five minutes; the link is served here.
Previews go the same way, by links of their own. Many files at once come as a ZIP.

`/files/<id>/download` checks the right and redirects to where the provider serves the bytes. Our
own route `/f/<token>` trusts nothing but the token's signature, and asks again whether the
person it was made for may have the file at this moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from uuid import UUID

from flask import Response, abort, flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_babel import to_user_timezone
from werkzeug.wrappers import Response as BaseResponse

from school.audit.actor import Actor, acting_as
from school.db import transaction
from school.errors import Invalid, TooLarge
from school.files import policy, queries
from school.files.models import OwnerKind
from school.files.service import bundles, links, previews
from school.files.service.names import clean_name
from school.files.service.reading import opener
from school.files.views.blueprint import bp
from school.files.views.sending import SANDBOX, send, tell_release
from school.permissions import Permission
from school.storage.disposition import content_disposition
from school.tenancy.scope import find_school_id, school_scope
from school.web.access import current_person, public, requires, the_person, wants_json
from school.web.errors import message_of

STUDENT = OwnerKind.STUDENT.value


@bp.get("/files/<uuid:file_id>/download")
@requires(Permission.FILE_VIEW)
def download(file_id: UUID) -> BaseResponse:
    """Send the person on to a link of their own. `?save=1`: to keep it, not to look at it."""
    file = queries.get_file(file_id)
    with transaction():
        link = links.issue_link(
            the_person(),
            file,
            number=_wanted_number(),
            disposition="attachment" if request.args.get("save") else "inline",
        )
    return redirect(link, 303)


def _wanted_number() -> int | None:
    """The version asked for; None: the current one. Raises NotFound for what is no number."""
    try:
        return int(request.args["version"]) if "version" in request.args else None
    except ValueError:
        raise queries.file_gone() from None


@bp.get("/f/<token>")
@public
def fetch(token: str) -> Response:
    """Redeem a link. 404 for one we did not make or that is not yours, 410 for an old one."""
    ticket = links.read_ticket(token)
    with _redeemed(ticket) as delivery:
        return _told(
            ticket,
            delivery,
            send(
                delivery.content,
                disposition=delivery.disposition,
                cache_control=_kept_for(delivery),
            ),
        )


@contextmanager
def _redeemed(ticket: links.Ticket) -> Iterator[links.Delivery]:
    """What the ticket gives, with its school in scope."""
    with ExitStack() as scope:
        here = find_school_id()
        if here is None:
            scope.enter_context(school_scope(ticket.school_id))
        elif here != ticket.school_id:
            abort(404)
        yield links.redeem(ticket, signed_in=current_person())


def _told(ticket: links.Ticket, delivery: links.Delivery, response: Response) -> Response:
    actor = Actor(name=delivery.person.display_name, user_id=delivery.person.user_id)
    with acting_as(actor):
        return tell_release(
            response, f"link:{ticket.nonce}", lambda: links.record_use(ticket, delivery)
        )


def _kept_for(delivery: links.Delivery) -> str:
    return "private, no-store" if delivery.is_sensitive else "private, max-age=300"


@bp.get("/files/<uuid:file_id>/preview")
@requires(Permission.FILE_VIEW)
def preview(file_id: UUID) -> BaseResponse:
    """What the frame on the file's page asks for: a link of its own to the current version."""
    file = queries.get_file(file_id)
    with transaction():
        link = previews.issue(the_person(), file)
    return redirect(link, 303)


@bp.get("/p/<token>")
@public
def show_preview(token: str) -> Response:
    """Redeem a preview link, for a frame on our own pages and nobody else's."""
    ticket = previews.read_ticket(token)
    with _redeemed(ticket) as delivery:
        response = send(
            previews.as_shown(delivery.content),
            disposition="inline",
            cache_control=_kept_for(delivery),
        )
        _told(ticket, delivery, response)
    headers = response.headers
    headers["X-Frame-Options"] = "SAMEORIGIN"
    headers["Content-Security-Policy"] = headers["Content-Security-Policy"].replace(
        "frame-ancestors 'none'", "frame-ancestors 'self'"
    )
    return response


@bp.post("/students/<uuid:student_id>/files/zip")
@requires(Permission.FILE_VIEW)
def bundle(student_id: UUID) -> BaseResponse:
    """The ticked files as a ZIP, or with `all` every one of the list."""
    archived = request.args.get("show") == "archived"
    back = url_for("files.of_student", student_id=student_id, show="archived" if archived else None)
    spot = queries.Spot(STUDENT, student_id)
    policy.check_owner(the_person(), STUDENT, student_id, archived=archived)
    title = policy.card_of(STUDENT, student_id).title
    return _bundle(spot, archived=archived, back=back, title=title)


@bp.post("/files/zip")
@requires(Permission.FILE_VIEW)
def bundle_place() -> BaseResponse:
    """The ticked files and folders of the place named by `at` as a ZIP, or with `all` all of it."""
    spot = queries.read_spot(request.form.get("at"))
    archived = request.args.get("show") == "archived"
    trail = policy.standing_in(the_person(), spot).trail
    card = None if trail else policy.card_of(spot.owner_kind, spot.owner_id)
    title = card.title if card else trail[-1].name
    back = card.files_url if card else url_for("files.folder", folder_id=spot.folder_id)
    return _bundle(spot, archived=archived, back=back, title=title)


def _bundle(spot: queries.Spot, *, archived: bool, back: str, title: str) -> BaseResponse:
    ids, folder_ids = ticked()
    try:
        with transaction():
            entries = bundles.gather(
                the_person(),
                spot.owner_kind,
                spot.owner_id,
                folder_id=spot.folder_id,
                ids=ids,
                folder_ids=folder_ids,
                archived=archived,
            )
        bundles.check_store(entries, opener())
    except (Invalid, TooLarge) as error:
        if wants_json():
            raise
        flash(message_of(error), "error")
        return redirect(back, 303)
    return zipped(entries, title)


FOLDER = "folder:"


def ticked(values: list[str] | None = None) -> tuple[set[UUID] | None, set[UUID]]:
    """Files and folders that were ticked; None for all files. Raises NotFound for what is no
    id."""
    if values is None and request.form.get("all"):
        return None, set()
    values = request.form.getlist("ids") if values is None else values
    inside = {value.removeprefix(FOLDER) for value in values if value.startswith(FOLDER)}
    try:
        files = {UUID(value) for value in values if not value.startswith(FOLDER)}
        return files, {UUID(value) for value in inside}
    except ValueError:
        raise queries.file_gone() from None


def zipped(entries: list[bundles.Entry], title: str) -> Response:
    timed = [entry._replace(at=to_user_timezone(entry.at)) for entry in entries]
    words = bundles.Words(
        heading=_("These files are not in the ZIP, though you asked for them:"),
        unreadable=_("the file store could not be read. Try again later."),
        held=_("the virus check holds it back."),
        changed=_("the file store holds something else than what was put there. Tell the office."),
    )
    response = Response(bundles.stream(timed, opener(), words), direct_passthrough=True)
    name = clean_name(_("Files of %(name)s", name=title) + ".zip")
    response.headers["Content-Type"] = "application/zip"
    response.headers["Content-Disposition"] = content_disposition("attachment", name)
    response.headers["Content-Security-Policy"] = SANDBOX
    # Made for this person at this moment: no cache keeps it, whatever is inside.
    response.headers["Cache-Control"] = "private, no-store"
    return response
