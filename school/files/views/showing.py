"""What pages about files say of where a thing lies and whom it is shared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import flash, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from school.files import policy
from school.files.models import File, Folder, Grantee
from school.files.policy import OwnerCard
from school.files.queries import Spot
from school.files.service.sharing import ShareRow, Thing, first_shared
from school.permissions import Person, Role

EVERYBODY: dict[Role, Any] = {
    Role.TEACHER: lazy_gettext("All teachers"),
    Role.REGISTRAR: lazy_gettext("All registrars"),
    Role.ADMINISTRATOR: lazy_gettext("All administrators"),
    Role.GUARDIAN: lazy_gettext("All guardians"),
    Role.STUDENT: lazy_gettext("All students"),
}
Crumbs = list[tuple[str, str | None]]


@dataclass(frozen=True, slots=True)
class Frame:
    """The top of a page about something that lies in a place."""

    crumbs: Crumbs
    # None where the person sees single things of the owner only: the owner is not named then.
    card: OwnerCard | None


def frame_of(person: Person, spot: Spot, above: Sequence[Folder], *, sees_owner: bool) -> Frame:
    """The way to what lies below these folders of the place's owner: the owner's own way for
    those who see all the owner has, for others no more than was shared with them."""
    names: Crumbs = [(one.name, url_for("files.folder", folder_id=one.id)) for one in above]
    if sees_owner:
        card = policy.card_of(spot.owner_kind, spot.owner_id)
        top: Crumbs = [] if card.place else [(_("Files"), card.files_url)]
        return Frame([*card.crumbs, *top, *names], card)
    reached = first_shared(person, above) if above else 0
    files: Crumbs = [
        (_("Files"), url_for("files.index")),
        (_("Shared with me"), url_for("files.shared")),
    ]
    return Frame([*files, *names[reached:]], None)


def url_of(spot: Spot) -> str:
    """The page of a place."""
    if spot.folder_id:
        return url_for("files.folder", folder_id=spot.folder_id)
    return policy.card_of(spot.owner_kind, spot.owner_id).files_url


def url_of_thing(thing: Thing) -> str:
    """The page of a file or folder."""
    if isinstance(thing, File):
        return url_for("files.show", file_id=thing.id)
    return url_for("files.folder", folder_id=thing.id)


def tell_back(thing: Thing, name_before: str) -> None:
    """Say that a file or folder is there again, and what it is called if that has changed."""
    words = _("“%(name)s” is back", name=thing.name)
    if thing.name != name_before:
        taken = _("“%(old)s” is back as “%(name)s”: another file of its name is there by now")
        if isinstance(thing, Folder):
            taken = _("“%(old)s” is back as “%(name)s”: another folder of its name is there by now")
        words = taken % {"old": name_before, "name": thing.name}
    flash(words, "done")


def grantee_words(row: ShareRow) -> str:
    """Whom a share is with, in words."""
    if row.kind == Grantee.ROLE and row.role:
        return str(EVERYBODY[Role(row.role)])
    if row.kind == Grantee.LINK:
        return str(_("Whoever has the link"))
    return row.name or str(_("Somebody who left"))
