"""What a person does with a folder, and moving files and folders to another place."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as BaseResponse

from school.db import db, transaction
from school.errors import Conflict, Forbidden, Invalid, NotFound
from school.files import policy, queries
from school.files.forms import FolderForm
from school.files.models import File, Folder
from school.files.policy import Standing
from school.files.queries import Spot, read_spot, spot_of
from school.files.service import folders, sharing
from school.files.views import owners
from school.files.views.blueprint import bp
from school.files.views.downloads import ticked
from school.files.views.showing import frame_of, grantee_words, url_of
from school.permissions import Permission, Person
from school.web.access import requires, the_person
from school.web.errors import message_of
from school.web.notices import offer_undo, was_done

UPLOAD = Permission.FILE_UPLOAD


@bp.post("/files/folders/<uuid:folder_id>/rename")
@requires(UPLOAD)
def rename_folder(folder_id: UUID) -> BaseResponse:
    """Give the folder another name."""
    folder = _changeable(folder_id)
    form = FolderForm()
    try:
        with transaction():
            folders.rename_folder(folder, form.name.data, expected_version=form.version.data)
    except Invalid as error:
        flash(message_of(error), "error")
    else:
        flash(_("Saved"), "done")
    return redirect(url_for("files.folder", folder_id=folder_id), 303)


def _changeable(folder_id: UUID) -> Folder:
    """A folder is renamed by whoever may change the place it lies in."""
    folder = folders.get_folder(folder_id)
    policy.standing_in(the_person(), folders.inside(folder))
    if not policy.may_fill(the_person(), spot_of(folder)):
        raise Forbidden("You may look at this folder, but not change it.")
    return folder


@bp.post("/files/move")
@requires(UPLOAD)
def choose_place() -> str:
    """Where to: the ticked ones are named, and the places they can be put into."""
    person = the_person()
    files, chosen = _chosen()
    start = request.form.get("to") or request.form.get("at")
    spot = read_spot(start) if start else _place_of([*files, *chosen])
    return _chooser(person, spot, files, chosen)


def _chooser(
    person: Person, spot: Spot, files: list[File], chosen: list[Folder], *, fault: str = ""
) -> str:
    standing = policy.standing_in(person, spot)
    trail = standing.trail
    moving = {folder.id for folder in chosen}
    rows = [row for row in queries.list_folders(spot) if row.id not in moving]
    frame = frame_of(person, spot, trail, sees_owner=standing.sees_owner)
    return render_template(
        "files/move.html",
        seen_by=_seen_by(frame.card, trail),
        files=files,
        chosen=chosen,
        spot=spot,
        back=url_of(_place_of([*files, *chosen])),
        crumbs=frame.crumbs,
        rows=[(row, Spot(spot.owner_kind, spot.owner_id, row.id)) for row in rows],
        above=_above(person, spot, standing),
        places=_places(person, spot, [*files, *chosen]),
        may_put=standing.fill,
        fault=fault,
    )


def _seen_by(card: policy.OwnerCard | None, trail: list[Folder]) -> str:
    """Who will see what is put here: who sees the owner's files, and whom its folders are shared
    with."""
    if card is None:
        return str(_("Its owner sees what lies here, and whoever else it is shared with."))
    shares = sharing.list_shares(trail[-1], above=trail[:-1]) if trail else []
    if not shares:
        return card.seen_by
    names = ", ".join(dict.fromkeys(grantee_words(row) for row in shares))
    also = _("It is shared with others too: %(names)s.", names=names)
    return f"{card.seen_by} {also}"


def _above(person: Person, spot: Spot, standing: Standing) -> list[tuple[str, Spot]]:
    """The folders that lead here and the top, as far as this person may look into them."""
    trail, top = standing.trail, Spot(spot.owner_kind, spot.owner_id)
    steps = [(one.name, top._replace(folder_id=one.id)) for one in trail[:-1]]
    if not standing.sees_owner:
        return steps[sharing.first_shared(person, trail) :]
    title = policy.card_of(spot.owner_kind, spot.owner_id).title
    return [(title, top), *steps] if trail else []


def _places(person: Person, spot: Spot, things: list[Any]) -> list[tuple[str, Spot, str]]:
    """Other owners' files to move to, each with who sees them: the person's own places, and where
    the things are now."""
    spots = [
        place.spot for place in owners.places_of(person) if policy.may_fill(person, place.spot)
    ]
    now = Spot(things[0].owner_kind, things[0].owner_id)
    if now not in spots and policy.owner_named(now.owner_kind).may_view(person, now.owner_id):
        spots.insert(0, now)
    others = [one for one in spots if one.owner != spot.owner]
    cards = [(policy.card_of(one.owner_kind, one.owner_id), one) for one in others]
    return [(card.title, one, card.seen_by) for card, one in cards]


def _place_of(things: list[Any]) -> Spot:
    return spot_of(things[0])


@bp.post("/files/move/here")
@requires(UPLOAD)
def move_here() -> BaseResponse | tuple[str, int]:
    """Put the chosen ones into the place named by `to`."""
    person = the_person()
    files, chosen = _chosen()
    to = read_spot(request.form.get("to"))
    before = _place_of([*files, *chosen])
    policy.check_moves(person, _spots_of(files, chosen), to)
    try:
        with transaction():
            moved = folders.move(files, chosen, to)
    except (Invalid, Conflict) as error:
        return _chooser(person, to, files, chosen, fault=message_of(error)), error.status
    _say(moved, before, files, chosen)
    return redirect(url_of(to), 303)


def _say(moved: int, before: Spot, files: list[File], chosen: list[Folder]) -> None:
    """What was done, with the way back when all came from one place."""
    message = ngettext("%(num)s moved", "%(num)s moved", moved)
    ids = [*(f"folder:{folder.id}" for folder in chosen), *(str(file.id) for file in files)]
    if moved and len(ids) <= 20 and _may_move_back(before, files, chosen):
        offer_undo(message, url_for("files.move_back", to=str(before), ids=",".join(ids)))
    else:
        flash(message, "done")


def _may_move_back(before: Spot, files: list[File], chosen: list[Folder]) -> bool:
    """What somebody gave to others is not always theirs to take back."""
    try:
        policy.check_moves(the_person(), _spots_of(files, chosen), before)
    except (Forbidden, NotFound):
        return False
    return True


@bp.post("/files/move/back")
@requires(UPLOAD)
def move_back() -> BaseResponse:
    """Undo of a move: the same ones, back to where they were."""
    person = the_person()
    files, chosen = _chosen(request.args.get("ids", "").split(","))
    to = read_spot(request.args.get("to"))
    policy.check_moves(person, _spots_of(files, chosen), to)
    if was_done(lambda: folders.move(files, chosen, to)):
        flash(_("They are back"), "done")
    return redirect(url_of(to), 303)


def _chosen(values: list[str] | None = None) -> tuple[list[File], list[Folder]]:
    """The ticked files and folders, all of them seen by this person. Raises NotFound, Invalid."""
    file_ids, folder_ids = ticked(values)
    if len(file_ids or ()) + len(folder_ids) > folders.MOST_AT_ONCE:
        raise Invalid("At most %(count)s can be moved at once.", count=folders.MOST_AT_ONCE)
    files = _all_of(File, file_ids or set())
    chosen = _all_of(Folder, folder_ids)
    person = the_person()
    for spot in _spots_of(files, chosen):
        of_spot = [file for file in files if spot_of(file) == spot]
        _check_seen(person, spot, of_spot, [one for one in chosen if spot_of(one) == spot])
    folders.check_no_photo(files)
    if not files and not chosen:
        raise Invalid("Tick at least one first.", field="ids")
    return files, chosen


def _spots_of(files: list[File], chosen: list[Folder]) -> set[Spot]:
    return {*map(spot_of, files), *map(spot_of, chosen)}


def _check_seen(person: Person, spot: Spot, files: list[File], chosen: list[Folder]) -> None:
    """Once for a place; one by one where the person sees single things of it only."""
    try:
        closed = policy.standing_in(person, spot).closed
    except NotFound:
        for file in files:
            policy.check_view(person, file)
        for folder in chosen:
            policy.standing_in(person, folders.inside(folder))
    else:
        if not all(policy.may_view_beside(person, f) and f.purpose not in closed for f in files):
            raise queries.file_gone()


def _all_of(model: Any, ids: set[UUID]) -> list[Any]:
    if not ids:
        return []
    rows = db.session.scalars(
        sa.select(model)
        .where(model.id.in_(ids), model.trashed_at.is_(None))
        .order_by(model.sort_name, model.id)
    ).all()
    if len(rows) < len(ids):
        raise queries.file_gone()
    return list(rows)
