"""Sharing a file or folder: who has access, give it, take it back."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

from flask import current_app, flash, redirect, render_template, session, url_for
from flask_babel import gettext as _
from flask_babel import to_utc
from werkzeug.wrappers import Response as BaseResponse

from school.accounts.forms import ROLE_WORDS
from school.db import transaction
from school.errors import Conflict, Invalid
from school.files import policy, queries
from school.files.forms import LinkForm, ShareForm
from school.files.models import Access, File, Grantee
from school.files.queries import spot_of, trail_to
from school.files.service import folders, open_links, sharing
from school.files.service.sharing import Found, Grant, Thing
from school.files.views.blueprint import bp
from school.files.views.showing import frame_of, grantee_words, url_of_thing
from school.permissions import STAFF, Permission, Role
from school.web.access import requires, the_person
from school.web.forms import show_on_form
from school.web.notices import offer_undo, was_done

SHARE = Permission.FILE_SHARE
_MADE = "link_made"
Answer = str | tuple[str, int] | BaseResponse


@bp.get("/files/<uuid:file_id>/share")
@requires(SHARE)
def share_file(file_id: UUID) -> str:
    """Who has access to a file."""
    return _page(_thing(file_id=file_id))


@bp.get("/files/folders/<uuid:folder_id>/share")
@requires(SHARE)
def share_folder(folder_id: UUID) -> str:
    """Who has access to a folder and all in it."""
    return _page(_thing(folder_id=folder_id))


def _thing(*, file_id: UUID | None = None, folder_id: UUID | None = None) -> Thing:
    """Raises NotFound, Forbidden."""
    thing: Thing = queries.get_file(file_id) if file_id else folders.get_folder(folder_id)  # type: ignore[arg-type]
    policy.check_share(the_person(), thing)
    sharing.check_sharable(thing)
    return thing


def _page(
    thing: Thing,
    *,
    form: ShareForm | None = None,
    link_form: LinkForm | None = None,
    found: list[Found] | None = None,
) -> str:
    above = trail_to(spot_of(thing).folder_id)
    rows = sharing.list_shares(thing, above=above)
    frame = frame_of(the_person(), spot_of(thing), above, sees_owner=True)
    return render_template(
        "files/share.html",
        thing=thing,
        is_file=isinstance(thing, File),
        thing_url=url_of_thing(thing),
        crumbs=[*frame.crumbs, (thing.name, url_of_thing(thing))],
        rows=[row for row in rows if row.kind != Grantee.LINK],
        open_links=[row for row in rows if row.kind == Grantee.LINK],
        words=grantee_words,
        form=form or ShareForm(),
        link_form=link_form or LinkForm(),
        found=[_choice(one) for one in found or ()],
        link=_link_made(thing),
        is_medical=isinstance(thing, File) and thing.purpose in policy.PURPOSE_PERMISSIONS,
        allows_links=open_links.are_allowed(),
        most_days=open_links.MOST_DAYS,
        share_url=_url("share", thing),
        link_url=_url("make_link_to", thing),
    )


def _link_made(thing: Thing) -> str | None:
    """The link that was made just now, once: loading the page again makes no other one."""
    of, link = session.get(_MADE, (None, None))
    if of == str(thing.id):
        del session[_MADE]
        return str(link)
    return None


def _url(what: str, thing: Thing) -> str:
    if isinstance(thing, File):
        return url_for(f"files.{what}_file", file_id=thing.id)
    return url_for(f"files.{what}_folder", folder_id=thing.id)


@bp.post("/files/<uuid:file_id>/share")
@requires(SHARE)
def give_file(file_id: UUID) -> Answer:
    """Share a file with a person or a role."""
    return _give(_thing(file_id=file_id))


@bp.post("/files/folders/<uuid:folder_id>/share")
@requires(SHARE)
def give_folder(folder_id: UUID) -> Answer:
    """Share a folder with a person or a role."""
    return _give(_thing(folder_id=folder_id))


def _give(thing: Thing) -> Answer:
    form = ShareForm()
    if not form.validate_on_submit():
        return _page(thing, form=form), 422
    try:
        grant, found = _grantee(form)
        if grant is None:
            return _page(thing, form=form, found=found), 422
        with transaction():
            sharing.share(
                thing,
                grant,
                access=Access(form.access.data),
                expires_at=end_of(form.expires_on.data),
            )
    except Invalid as error:
        show_on_form(form, error)
        return _page(thing, form=form), 422
    flash(_told(thing, grant), "done")
    return redirect(_url("share", thing), 303)


def _told(thing: Thing, grant: Grant) -> str:
    if grant.role is not None:
        role = ROLE_WORDS[grant.role]
        return str(
            _("“%(name)s” is shared with all of the role “%(role)s”", name=thing.name, role=role)
        )
    assert grant.user_id is not None
    one = _choice(sharing.find_person(grant.user_id))
    words = {"name": thing.name, "who": one["name"], "roles": one["roles"]}
    return str(_("“%(name)s” is shared with %(who)s (%(roles)s)", **words))


def _choice(one: Found) -> dict[str, Any]:
    """Somebody to choose, as the page says who it is; families' addresses are not everybody's."""
    shows_email = the_person().may(Permission.MEMBER_VIEW) or one.roles & STAFF
    roles = [str(words) for role, words in ROLE_WORDS.items() if role in one.roles]
    return {
        "id": one.id,
        "name": one.name,
        "roles": ", ".join(roles),
        "email": one.email if shows_email else None,
    }


def _grantee(form: ShareForm) -> tuple[Grant | None, list[Found]]:
    """Whom the form means; where that is not sure, who may be meant. Raises Invalid."""
    typed, chosen = " ".join((form.who.data or "").split()), form.user_id.data
    if form.role.data:
        if typed or chosen:
            raise Invalid("Choose a group or type a name, not both.", field="who")
        return Grant(role=Role(form.role.data)), []
    if chosen and not typed:
        return Grant(user_id=chosen), []
    if not typed:
        raise Invalid("Type a name or an e-mail address, or choose a group.", field="who")
    found = sharing.find_people(typed, besides=the_person().user_id)
    if not found:
        raise Invalid("Nobody else of your school is called so.", field="who")
    # What was ticked counts only for the name it was offered for.
    ticked = [one for one in found if one.id == chosen]
    exact = [one for one in found if typed.casefold() in {one.email, one.name.casefold()}]
    sure = ticked or exact
    return (Grant(user_id=sure[0].id), []) if len(sure) == 1 else (None, found)


def end_of(day: date | None) -> datetime | None:
    """The end of this day where the person is."""
    if day is None or day >= date.max:
        return None
    midnight: datetime = to_utc(datetime.combine(day + timedelta(days=1), time()))
    return midnight.replace(tzinfo=UTC)


@bp.post("/files/shares/<uuid:share_id>/end")
@requires(SHARE)
def end_share(share_id: UUID) -> BaseResponse:
    """Take a share back; the bar at the foot gives it again."""
    given, thing = _given(share_id)
    with transaction():
        sharing.end_share(given)
    if given.grantee_kind == Grantee.LINK:
        flash(_("The link opens nothing any more"), "done")
    else:
        offer_undo(
            _("“%(name)s” is not shared with them any more", name=thing.name),
            url_for("files.renew_share", share_id=share_id),
        )
    return redirect(_url("share", thing), 303)


@bp.post("/files/shares/<uuid:share_id>/renew")
@requires(SHARE)
def renew_share(share_id: UUID) -> BaseResponse:
    """Undo of taking back."""
    given, thing = _given(share_id)
    if was_done(lambda: sharing.renew_share(given)):
        flash(_("“%(name)s” is shared again", name=thing.name), "done")
    return redirect(_url("share", thing), 303)


def _given(share_id: UUID) -> tuple[Any, Thing]:
    given, thing = sharing.get_share(share_id)
    policy.check_share(the_person(), thing)
    return given, thing


@bp.post("/files/<uuid:file_id>/link")
@requires(SHARE)
def make_link_to_file(file_id: UUID) -> Answer:
    """A link to a file, shown once."""
    return _make_link(_thing(file_id=file_id))


@bp.post("/files/folders/<uuid:folder_id>/link")
@requires(SHARE)
def make_link_to_folder(folder_id: UUID) -> Answer:
    """A link to a folder, shown once."""
    return _make_link(_thing(folder_id=folder_id))


def _make_link(thing: Thing) -> Answer:
    form = LinkForm()
    if not form.validate_on_submit():
        return _page(thing, link_form=form), 422
    try:
        with transaction():
            # The last of all days is too far off like any other.
            until = end_of(form.until.data) or datetime.max.replace(tzinfo=UTC)
            token = open_links.make_link(thing, expires_at=until, once=form.once.data)
    except (Invalid, Conflict) as error:
        show_on_form(form, error)
        return _page(thing, link_form=form), error.status
    public_url = current_app.config["SETTINGS"].public_url
    session[_MADE] = (str(thing.id), urljoin(public_url, open_links.PATH + token))
    return redirect(_url("share", thing), 303)
