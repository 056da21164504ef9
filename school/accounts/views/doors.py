"""Pages on the way in: a one-time link, choosing the school."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from flask import abort, current_app, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_security import login_user, logout_user
from flask_security.utils import validate_redirect_url
from werkzeug.wrappers import Response

from school.accounts import queries, service
from school.accounts.forms import ROLE_WORDS, AcceptForm, NewPasswordForm
from school.accounts.views.door import bp
from school.db import transaction
from school.errors import NotFound
from school.permissions import Permission
from school.web.access import current_person, public, signed_in, the_person

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
    try:
        return _join(secret) if service.is_invitation(secret) else _sign_in(secret)
    except NotFound:
        return render_template("accounts/welcome_gone.html"), 404


def _sign_in(secret: str) -> Answer:
    """A new password for an account that is there."""
    user = service.open_link(secret)
    form = NewPasswordForm()
    if form.validate_on_submit():
        with transaction():
            user = service.use_link(secret, password=form.password.data)
        return _enter(user.id)
    page = render_template(
        "accounts/welcome.html", form=form, name=user.display_name, email=user.email
    )
    return page, 422 if form.errors else 200


def _join(secret: str) -> Answer:
    """An invitation: whoever is new chooses a password, everybody else just says yes."""
    offer = service.open_invitation(secret)
    form: NewPasswordForm | AcceptForm = NewPasswordForm() if offer.needs_password else AcceptForm()
    if form.validate_on_submit():
        password = form.password.data if isinstance(form, NewPasswordForm) else None
        user = service.accept_invitation(secret, password=password)
        return _enter(user.id) if offer.needs_password else _welcome(offer)
    page = render_template(
        "accounts/welcome.html" if offer.needs_password else "accounts/join.html",
        form=form,
        name=offer.display_name,
        email=offer.email,
        school=offer.school,
        role=ROLE_WORDS[offer.role],
        somebody_else=_somebody_else(offer),
    )
    return page, 422 if form.errors else 200


def _somebody_else(offer: service.Offer) -> str | None:
    """The address of whoever is signed in, if the invitation is another's."""
    person = current_person()
    return person.email if person is not None and person.email != offer.email else None


def _welcome(offer: service.Offer) -> Answer:
    """Saying yes opens no account: whoever is not signed in does that as always."""
    told = _("%(email)s now belongs to %(school)s.", email=offer.email, school=offer.school)
    flash(told, "done")
    return redirect(url_for("accounts.choose_school"), 303)


def _enter(user_id: UUID) -> Answer:
    """The link and the new password are one step; whoever has a second takes it, too."""
    if "_user_id" in session:
        logout_user()
    user = queries.get_user(user_id)
    second_step = current_app.extensions["security"].two_factor_plugins.tf_enter(
        user, False, "link", next_loc=None
    )
    if second_step is not None:
        return cast("Response", second_step)
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
