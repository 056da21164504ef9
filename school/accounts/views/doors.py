"""Pages on the way in: a one-time link, choosing the school."""

from __future__ import annotations

from uuid import UUID

from flask import abort, current_app, flash, redirect, render_template, request, session
from flask_babel import gettext as _
from flask_security import login_user
from flask_security.utils import validate_redirect_url
from werkzeug.wrappers import Response

from school.accounts import queries, service
from school.accounts.forms import ROLE_WORDS, NewPasswordForm
from school.accounts.models import User
from school.accounts.views.door import bp
from school.db import transaction
from school.errors import NotFound
from school.permissions import Permission
from school.web.access import public, signed_in, the_person

Answer = str | Response | tuple[str, int]


@bp.app_context_processor
def _demo_accounts() -> dict[str, object]:
    """On a demo the sign-in page lists who one may be; nowhere else."""
    is_demo = current_app.config["SETTINGS"].demo and request.endpoint == "security.login"
    if not is_demo:
        return {}
    return {"demo_accounts": queries.demo_accounts(), "role_words": ROLE_WORDS}


@bp.route("/welcome/<secret>", methods=["GET", "POST"])
@public
def welcome(secret: str) -> Answer:
    """The page behind a one-time link. Opening it uses nothing up; the button does."""
    form = NewPasswordForm()
    try:
        user = service.open_link(secret)
        if form.validate_on_submit():
            with transaction():
                user = service.use_link(secret, password=form.password.data)
            return _enter(user)
    except NotFound:
        return render_template("accounts/welcome_gone.html"), 404
    return render_template(
        "accounts/welcome.html", form=form, user=user
    ), 422 if form.errors else 200


def _enter(user: User) -> Answer:
    with transaction():
        login_user(user, remember=False, authn_via=["link"])
    return redirect("/", 303)


@bp.get("/account/school")
@signed_in
def choose_school() -> Answer:
    person = the_person()
    return render_template(
        "accounts/choose_school.html",
        person=person,
        next=_next() or "",
        platform_url=_platform_url(),
    )


@bp.post("/account/school")
@signed_in
def enter_school() -> Answer:
    """Enter one of one's own schools."""
    person = the_person()
    wanted = request.form.get("school_id", "")
    schools = {str(school_id): name for school_id, name in person.schools}
    if wanted not in schools:
        abort(404)
    session["school_id"] = str(UUID(wanted))
    flash(_("You are in %(school)s.", school=schools[wanted]), "done")
    return redirect(_next() or "/", 303)


def _platform_url() -> str | None:
    """Where those who look after all schools work, which is another domain's page."""
    return "/platform/schools" if the_person().may(Permission.PLATFORM_SCHOOLS) else None


def _next() -> str | None:
    """Where the person wanted to go; only within this installation."""
    wanted = request.values.get("next", "")
    return wanted if wanted.startswith("/") and validate_redirect_url(wanted) else None
