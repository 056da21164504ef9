"""Accounts of all schools: found, ended, let in again, helped back in."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from school.accounts import queries as accounts_queries
from school.accounts import service as accounts_service
from school.accounts.forms import ROLE_WORDS
from school.accounts.models import User
from school.admin import queries, service
from school.admin.views.blueprint import bp
from school.permissions import Permission
from school.web.access import requires, the_person
from school.web.notices import offer_undo, was_done
from school.web.pagination import read_place

MOST_LETTERS = 100


@bp.get("/accounts")
@requires(Permission.PLATFORM_USERS)
def accounts() -> str:
    search = request.args.get("q", "").strip()[:MOST_LETTERS]
    page = queries.list_accounts(search=search, place=read_place(request.args.get("place")))
    return render_template("admin/accounts.html", page=page, search=search)


@bp.get("/accounts/<uuid:user_id>")
@requires(Permission.PLATFORM_USERS)
def account(user_id: UUID) -> str:
    shown = queries.get_account(user_id)
    return render_template(
        "admin/account.html",
        account=shown,
        places=[(school, ROLE_WORDS[role]) for school, role in shown.places],
        is_me=user_id == the_person().user_id,
    )


@bp.post("/accounts/<uuid:user_id>/end")
@requires(Permission.PLATFORM_USERS)
def end_account(user_id: UUID) -> Response:
    """Nobody signs in with it any more, and every open session of it is over."""
    name = queries.get_account(user_id).display_name
    if _do(user_id, lambda user: accounts_service.deactivate(user, by=the_person())):
        message = _("%(name)s can no longer sign in", name=name)
        url = url_for("admin.restart_account", user_id=user_id)
        offer_undo(message, url)
    return _back(user_id)


@bp.post("/accounts/<uuid:user_id>/restart")
@requires(Permission.PLATFORM_USERS)
def restart_account(user_id: UUID) -> Response:
    name = queries.get_account(user_id).display_name
    if _do(user_id, lambda user: accounts_service.reactivate(user, by=the_person())):
        flash(_("%(name)s can sign in again", name=name), "done")
    return _back(user_id)


@bp.post("/accounts/<uuid:user_id>/link")
@requires(Permission.PLATFORM_USERS)
def send_link(user_id: UUID) -> Response:
    """A link to sign in once, to the person's own address: nobody else ever sees it."""
    email = queries.get_account(user_id).email
    if _do(user_id, accounts_service.send_sign_in_link):
        flash(_("A link to sign in once is on its way to %(email)s", email=email), "done")
    return _back(user_id)


@bp.post("/accounts/<uuid:user_id>/platform")
@requires(Permission.PLATFORM_USERS)
def give_platform(user_id: UUID) -> Response:
    """Let this person look after all schools, too."""
    name = queries.get_account(user_id).display_name
    if _do(user_id, accounts_service.make_platform_admin):
        message = _("%(name)s now looks after all schools", name=name)
        url = url_for("admin.take_platform", user_id=user_id)
        offer_undo(message, url)
    return _back(user_id)


@bp.post("/accounts/<uuid:user_id>/platform/take")
@requires(Permission.PLATFORM_USERS)
def take_platform(user_id: UUID) -> Response:
    name = queries.get_account(user_id).display_name
    if _do(user_id, lambda user: service.take_platform_from(user, by=the_person())):
        flash(_("%(name)s no longer looks after all schools", name=name), "done")
    return _back(user_id)


def _do(user_id: UUID, verb: Callable[[User], object]) -> bool:
    """Do it; if a rule is in the way, tell it on the page that follows."""
    return was_done(lambda: verb(accounts_queries.get_user(user_id)))


def _back(user_id: UUID) -> Response:
    return redirect(url_for("admin.account", user_id=user_id), 303)
