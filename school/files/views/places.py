"""Places files lie in: the first page of files, the top of an owner's files, a folder.

A student's files are such a place too; their page stands in `pages` and shows the same list.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response as BaseResponse

from school.db import transaction
from school.errors import Invalid
from school.files import policy, queries
from school.files.forms import FolderForm
from school.files.models import Folder
from school.files.policy import Standing
from school.files.queries import Spot, read_spot
from school.files.service import finding, folders, holding, sharing
from school.files.service.places import spot_of_person, spot_of_role, spot_of_school
from school.files.views import owners
from school.files.views.blueprint import bp
from school.files.views.holds import shown_holds
from school.files.views.lists import line_of, list_of, put_away_in
from school.files.views.pages import keep_all, keep_each
from school.files.views.showing import frame_of, grantee_words, url_of
from school.files.views.uploads import unfinished_in
from school.permissions import Permission, Person, Role
from school.web.access import requires, the_person, wants_json
from school.web.errors import message_of
from school.web.navigation import Place, add_place
from school.web.pagination import read_place

VIEW, UPLOAD = Permission.FILE_VIEW, Permission.FILE_UPLOAD
add_place(Place(lazy_gettext("Files"), "files.index", "folder", VIEW, order=45))
FAMILY_WORDS = {
    "pdf": lazy_gettext("PDF"),
    "picture": lazy_gettext("Pictures"),
    "document": lazy_gettext("Documents"),
    "sheet": lazy_gettext("Sheets"),
    "slides": lazy_gettext("Slides"),
}
FEW = 6
NOTHING_OFFERED = dict.fromkeys(("may_share", "may_change", "may_delete_here", "may_see_history"))
"""Of the top of an owner's files, and of a folder while it shows what was put away."""


@bp.get("/files")
@requires(VIEW)
def index() -> str:
    """The places a person keeps files in, what is shared with them, and a search over all."""
    person = the_person()
    q = request.args.get("q", "").strip()[:100]
    family = request.args.get("kind", "")
    family = family if family in FAMILY_WORDS else ""
    found = None
    if q or family:
        place = read_place(request.args.get("place"))
        found = finding.find_files(person, q, family=family, place=place)
    return render_template(
        "files/index.html",
        places=[] if found else owners.places_of(person),
        shared=[] if found else finding.list_shared_with(person)[:FEW],
        families=FAMILY_WORDS,
        may_see_trash=person.may(Permission.FILE_DELETE),
        is_office=person.is_office,
        q=q,
        family=family,
        found=found,
        lines=[line_of(row) for row in found.rows] if found else [],
    )


@bp.get("/files/shared")
@requires(VIEW)
def shared() -> str:
    """Everything that was shared with this person or a role of theirs."""
    return render_template("files/shared.html", shared=finding.list_shared_with(the_person()))


@bp.get("/files/mine")
@requires(VIEW)
def mine() -> str:
    """A person's own files."""
    return _page(spot_of_person(the_person().user_id))


@bp.get("/files/school")
@requires(VIEW)
def of_school() -> str:
    """The school's files."""
    return _page(spot_of_school())


@bp.get("/files/roles/<any(teacher, registrar, administrator):role>")
@requires(VIEW)
def of_role(role: str) -> str:
    """The files everybody with a role keeps together."""
    return _page(spot_of_role(Role(role)))


@bp.get("/files/folders/<uuid:folder_id>")
@requires(VIEW)
def folder(folder_id: UUID) -> str:
    """What lies in a folder."""
    trail = queries.trail_to(folder_id)
    if not trail:
        raise queries.file_gone()
    return _page(folders.inside(trail[-1]), trail)


def _page(spot: Spot, trail: list[Folder] | None = None) -> str:
    person = the_person()
    standing = policy.standing_in(person, spot, trail)
    trail = standing.trail
    here = trail[-1] if trail else None
    frame = frame_of(person, spot, trail[:-1], sees_owner=standing.sees_owner)
    card = frame.card
    archived = request.args.get("show") == "archived"
    listed = put_away_in(person, spot, standing) if archived else list_of(spot, standing)
    return render_template(
        "files/place.html",
        **listed,
        **_held(person, here, trail, standing),
        card=card,
        archived=archived,
        may_restore=standing.archive,
        place_url=url_of(spot),
        may_view_archived=standing.sees_owner and policy.may_view_archived(person),
        may_see_trash=standing.delete,
        crumbs=card.crumbs[:-1] if card and not here else frame.crumbs,
        here=here,
        **_offered(person, here, standing, listed) if here and not archived else NOTHING_OFFERED,
        zip_url=url_for("files.bundle_place", show="archived" if archived else None),
        unfinished=unfinished_in(person, spot) if listed["may_fill"] else [],
        share_words=grantee_words,
    )


def _offered(
    person: Person, here: Folder, standing: Standing, listed: dict[str, Any]
) -> dict[str, Any]:
    """What can be done with the folder itself (else NOTHING_OFFERED)."""
    may_change = _may_change(person, here, standing)
    return {
        "may_share": standing.share,
        "shares": sharing.list_shares(here, above=standing.trail[:-1]) if standing.share else [],
        "may_change": may_change,
        "may_delete_here": may_change and _may_delete(here, standing, listed),
        "may_see_history": policy.may_see_history(person, standing, folders.inside(here)),
    }


def _held(
    person: Person, here: Folder | None, trail: list[Folder], standing: Standing
) -> dict[str, Any]:
    """What a folder's page says of holds; a place has none of its own."""
    if here is None or not standing.sees_owner:
        return {"holds": [], "may_hold": False}
    return shown_holds(
        person,
        holding.aims_at(here, trail[:-1]),
        url_for("files.hold_folder", folder_id=here.id),
        may_delete=standing.delete,
    )


def _may_delete(here: Folder, standing: Standing, listed: dict[str, Any]) -> bool:
    """As `policy.check_delete_folder`, asked only where the list does not say it."""
    if standing.delete:
        return True
    return not (listed["lines"] or listed["folders"]) and queries.is_empty(here.id)


def _may_change(person: Person, here: Folder, standing: Standing) -> bool:
    """A folder is changed where it lies: by whom it was shared with only deeper down."""
    above = queries.spot_of(here)
    is_by_share = standing.fill and not standing.share
    return policy.may_fill(person, above) if is_by_share else standing.fill


@bp.post("/files/folders")
@requires(UPLOAD)
def make_folder() -> BaseResponse | tuple[str, int]:
    """A new folder in the place named by `at`."""
    spot = read_spot(request.form.get("at"))
    policy.check_fill(the_person(), spot)
    form = FolderForm()
    try:
        with transaction():
            made = folders.make_folder(spot, form.name.data)
    except Invalid as error:
        flash(message_of(error), "error")
        return redirect(url_of(spot), 303)
    flash(_("The folder “%(name)s” is here", name=made.name), "done")
    return redirect(url_of(spot), 303)


@bp.post("/files/folders/upload")
@requires(UPLOAD)
def upload_here() -> BaseResponse | tuple[Response, int]:
    """Take one file or many into the place named by `at`. A program gets JSON."""
    spot = read_spot(request.form.get("at"))
    policy.check_fill(the_person(), spot)
    sent = [item for item in request.files.getlist("file") if item.filename]
    if not sent:
        raise Invalid("Choose a file.", field="file")
    if wants_json():
        kept = keep_all(sent, spot)
        return jsonify([{"id": str(file.id), "name": file.name} for file in kept]), 201
    keep_each(sent, spot)
    return redirect(url_of(spot), 303)
