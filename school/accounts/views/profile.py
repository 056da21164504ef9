"""One's own account: name, picture, language, how pages look, ways to sign in."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from uuid import UUID

from flask import (
    Response,
    abort,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import gettext as _
from flask_security.utils import validate_redirect_url
from werkzeug.wrappers import Response as BaseResponse

from school.accounts import queries, service
from school.accounts.forms import AvatarForm, LookForm, ProfileForm, zone_choices
from school.accounts.models import User
from school.accounts.views import words
from school.accounts.views.door import bp
from school.db import transaction
from school.errors import DomainError, NotFound, Unavailable
from school.storage.errors import NotFound as NotStored
from school.storage.errors import StorageError
from school.web.access import signed_in, the_person
from school.web.errors import message_of
from school.web.forms import show_on_form
from school.web.gauges import account_gauges_for
from school.web.storage import storage_in_use

PICTURES = "image/jpeg,image/png,image/webp,image/gif"


@bp.get("/account")
@signed_in
def account() -> str:
    me = _me()
    return _page(_profile_form(me), me)


@bp.post("/account")
@signed_in
def save_account() -> str | tuple[str, int] | BaseResponse:
    """Name, language, time zone."""
    form = _profile_form(None)
    if form.validate_on_submit():
        try:
            with transaction():
                service.update_profile(
                    _me(),
                    display_name=form.display_name.data,
                    locale=form.locale.data,
                    time_zone=form.time_zone.data,
                )
        except DomainError as error:
            show_on_form(form, error)
        else:
            flash(_("Saved"), "done")
            return redirect(url_for("accounts.account"), 303)
    return _page(form, _me()), 422


@bp.post("/account/look")
@signed_in
def save_look() -> BaseResponse:
    """Light or dark, roomy or compact."""
    form = LookForm()
    with transaction():
        service.set_look(_me(), theme=form.theme.data, density=form.density.data)
    flash(_("Saved"), "done")
    return redirect(url_for("accounts.account"), 303)


@bp.post("/account/appearance")
@signed_in
def appearance() -> BaseResponse:
    """The three buttons of the account menu, from any page; back to that page."""
    with transaction():
        service.set_look(_me(), theme=request.form.get("theme", ""))
    wanted = request.form.get("next", "")
    return redirect(wanted if _is_ours(wanted) else url_for("accounts.account"), 303)


def _is_ours(address: str) -> bool:
    """A page of this installation; browsers read a backslash as a slash."""
    is_path = address.startswith("/") and "\\" not in address
    return is_path and bool(validate_redirect_url(address))


@bp.post("/account/picture")
@signed_in
def set_picture() -> BaseResponse:
    form = AvatarForm()
    picture = request.files.get("picture")
    if picture is None or not picture.filename:
        flash(_("Choose a picture first."), "problem")
    elif form.validate_on_submit():
        _keep_picture(picture.stream)
    return redirect(url_for("accounts.account"), 303)


def _keep_picture(stream: Any) -> None:
    try:
        with transaction():
            service.set_avatar(_me(), stream, storage=storage_in_use())
    except StorageError as error:
        raise Unavailable("The file store does not answer. Try again in a minute.") from error
    except DomainError as error:
        flash(message_of(error), "problem")
    else:
        flash(_("Your picture is kept"), "done")


@bp.post("/account/picture/remove")
@signed_in
def remove_picture() -> BaseResponse:
    with transaction():
        service.remove_avatar(_me(), storage=storage_in_use())
    flash(_("Your picture is taken away"), "done")
    return redirect(url_for("accounts.account"), 303)


@bp.get("/account/picture/<uuid:user_id>")
@signed_in
def picture(user_id: UUID) -> Response:
    """The picture of oneself or of somebody in one of one's schools."""
    key = queries.find_avatar_key(user_id, seen_by=the_person().user_id)
    if key is None:
        raise NotFound("There is no such picture.")
    response = Response(mimetype="image/png")
    tag = key.rpartition("/")[2]
    response.set_etag(tag)
    response.headers["Cache-Control"] = "private, max-age=300"
    if tag not in request.if_none_match:
        response.set_data(_read(key))
    response.make_conditional(request)
    return response


def _read(key: str) -> bytes:
    """At most 256 × 256 points: small enough to be read whole."""
    with ExitStack() as stack:
        try:
            return b"".join(stack.enter_context(storage_in_use().open(key)))
        except NotStored:
            abort(404)
        except StorageError as error:
            raise Unavailable("The file store does not answer. Try again in a minute.") from error


@bp.post("/account/sessions/end")
@signed_in
def end_sessions() -> BaseResponse:
    """Sign out everywhere else: whoever else is signed in as me is out at their next click."""
    me = _me()
    with transaction():
        service.end_other_sessions(me)
    session["_user_id"] = me.fs_uniquifier
    flash(_("You are signed out everywhere else"), "done")
    return redirect(url_for("accounts.account"), 303)


def _me() -> User:
    return queries.get_user(the_person().user_id)


def _profile_form(user: User | None) -> ProfileForm:
    form = ProfileForm(obj=user)
    locales = current_app.config["LOCALES"]
    form.locale.choices = [("", _("As my browser")), *locales.items()]
    form.time_zone.choices = {"": [("", _("As the school"))], **zone_choices()}
    if user is not None:
        form.locale.data, form.time_zone.data = user.locale or "", user.time_zone or ""
    return form


def _page(form: ProfileForm, me: User) -> str:
    person = the_person()
    return render_template(
        "accounts/account.html",
        me=me,
        form=form,
        look=LookForm(formdata=None, obj=me),
        picture_form=AvatarForm(formdata=None),
        pictures=PICTURES,
        passkeys=queries.list_passkeys(me.id),
        my_words=words.roles_in_words(person.roles) if person.roles else None,
        has_tokens=person.school_id is not None and queries.has_tokens(me.id),
        gauges=account_gauges_for(person),
    )
