"""What whoever holds a link sees: a file or a folder, without signing in, nothing to change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from flask import Response, after_this_request, current_app, render_template, request, url_for

from school.accounts.service.attempts import note_link_try
from school.audit.actor import Actor, acting_as
from school.errors import NotFound
from school.files import queries
from school.files.models import File
from school.files.service import open_links
from school.files.views.blueprint import bp
from school.files.views.lists import Line, line_of
from school.files.views.sending import send, tell_release
from school.tenancy.scope import find_school_id, outside_schools, school_scope
from school.web.access import public
from school.web.pagination import read_place


@bp.get("/s/<token>")
@public
def open_link(token: str) -> str:
    """The file or folder a link leads to. 404 for a link that is none, or none any more."""
    return _show(token, None)


@bp.get("/s/<token>/folders/<uuid:folder_id>")
@public
def open_link_folder(token: str, folder_id: UUID) -> str:
    """A folder inside the one the link leads to."""
    return _show(token, folder_id)


@bp.get("/s/<token>/file")
@public
def fetch_by_link(token: str) -> Response:
    """The content of the file a link leads to."""
    return _fetch(token, None)


@bp.get("/s/<token>/files/<uuid:file_id>")
@public
def fetch_in_link(token: str, file_id: UUID) -> Response:
    """The content of a file in the folder a link leads to."""
    return _fetch(token, file_id)


def _show(token: str, folder_id: UUID | None) -> str:
    # Drawn outside the link's school: what the frame says is about whoever looks.
    with _in_school(token):
        told = _told(token, folder_id)
    return render_template("files/link.html", **told)


def _told(token: str, folder_id: UUID | None) -> dict[str, Any]:
    opened = open_links.open_link(token, folder_id)
    told = {
        "token": token,
        "name": opened.trail[-1].name if opened.trail else opened.thing.name,
        "school_name": open_links.school_name(),
        "until": opened.share.expires_at,
        "available": queries.AVAILABLE,
        "crumbs": [
            (one.name, url_for("files.open_link_folder", token=token, folder_id=one.id))
            for one in opened.trail[:-1]
        ],
    }
    if isinstance(opened.thing, File):
        rows = queries.rows_of([opened.thing.id], [])
        return told | {"is_file": True, "page": None, "folders": [], "lines": _lines(rows)}
    place = read_place(request.args.get("place"))
    page = queries.list_in(opened.spot, closed=open_links.CLOSED, place=place)
    folders = [] if place else queries.list_folders(opened.spot)
    return told | {"is_file": False, "page": page, "folders": folders, "lines": _lines(page.rows)}


def _lines(rows: Sequence[queries.FileRow]) -> list[Line]:
    return [line_of(row) for row in rows]


def _fetch(token: str, file_id: UUID | None) -> Response:
    with _in_school(token), acting_as(Actor(name="Link")):
        content = open_links.content_by_link(token, file_id)
        # Inline only what the link of a signed-in person would show inline too: nothing here.
        response = send(content, disposition="attachment", cache_control="private, no-store")
        asker = f"{open_links.hash_of(token)}:{content.key}:{request.remote_addr}"
        return tell_release(
            response, f"by-link:{asker}", lambda: open_links.record_use(content, token)
        )


@contextmanager
def _in_school(token: str) -> Iterator[None]:
    """The school the token names, whoever else is signed in; every try is counted."""
    after_this_request(_keep_secret)
    if find_school_id() is None:
        with _counted(token):
            yield
        return
    with outside_schools(), _counted(token):
        yield


@contextmanager
def _counted(token: str) -> Iterator[None]:
    try:
        school_id = open_links.school_of(token)
        with school_scope(school_id):
            open_links.open_link(token)
            is_known = True
    except NotFound:
        is_known = False
    _note(token, is_known=is_known)
    if not is_known:
        raise queries.file_gone()
    with school_scope(school_id):
        yield


def _note(token: str, *, is_known: bool) -> None:
    settings = current_app.config["SETTINGS"]
    note_link_try(
        open_links.hash_of(token),
        address=request.remote_addr or "",
        pepper=settings.secret_key.get_secret_value(),
        is_known=is_known,
    )


def _keep_secret(response: Response) -> Response:
    """The address is the key: no index, cache or other site gets to know it."""
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "private, no-store"
    return response
