"""Downloads: a click gives a signed link that lives five minutes; the link is served here.

`/files/<id>/download` checks the right and redirects to where the provider serves the bytes. Our
own route `/f/<token>` trusts nothing but the token's signature, and asks again whether the
person it was made for may have the file at this moment.
"""

from __future__ import annotations

from contextlib import ExitStack
from uuid import UUID

from flask import Response, abort, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from school.audit.actor import Actor, acting_as
from school.db import transaction
from school.files import queries
from school.files.service import links
from school.files.views.blueprint import bp
from school.files.views.sending import send
from school.permissions import Permission
from school.tenancy.scope import find_school_id, school_scope
from school.web.access import current_person, public, requires, the_person


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
    with ExitStack() as scope:
        here = find_school_id()
        if here is None:
            scope.enter_context(school_scope(ticket.school_id))
        elif here != ticket.school_id:
            abort(404)
        delivery = links.redeem(ticket, signed_in=current_person())
        actor = Actor(name=delivery.person.display_name, user_id=delivery.person.user_id)
        with acting_as(actor), transaction():
            links.record_use(ticket, delivery)
    return send(
        delivery.content,
        disposition=delivery.disposition,
        cache_control="private, no-store" if delivery.is_sensitive else "private, max-age=300",
    )
