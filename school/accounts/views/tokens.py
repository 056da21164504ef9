"""Keys for programs: one's own in the school one is in, and everybody's for administrators."""

from __future__ import annotations

from uuid import UUID

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response as BaseResponse

from school.accounts import policy, queries, service
from school.accounts.forms import TokenForm
from school.accounts.models import ApiToken
from school.accounts.views import words
from school.accounts.views.door import bp
from school.db import transaction
from school.errors import DomainError, NotFound
from school.permissions import Permission, Person
from school.web.access import requires, signed_in, the_person
from school.web.forms import Form, show_on_form
from school.web.navigation import Place, add_place

add_place(
    Place(
        lazy_gettext("Keys for programs"),
        "accounts.api_tokens",
        "key",
        Permission.API_TOKEN,
        group="manage",
        order=75,
    )
)


@bp.get("/api-tokens")
@signed_in
def api_tokens() -> str | BaseResponse:
    """One's own keys, and for those who may take them away, everybody's.

    One's own are shown to whoever may make none any more, too: they may still have some.
    """
    person = the_person()
    if person.school_id is None:
        return redirect(url_for("accounts.choose_school", next=request.path))
    return render_template(
        "accounts/api_tokens.html",
        tokens=queries.list_tokens(of=_whose(person)),
        sees_all=policy.may_see_all_tokens(person),
        may_make=person.may(Permission.API_TOKEN),
        state_of=queries.state_of_token,
        acts=_acts,
    )


def _whose(person: Person) -> UUID | None:
    """Whose keys this person may see and revoke: None for everybody's."""
    return None if policy.may_see_all_tokens(person) else person.user_id


def _acts(token: ApiToken) -> str:
    """What it may do, in words; rights that are gone since are left out."""
    known = [Permission(scope) for scope in token.scopes if scope in set(Permission)]
    return words.listed(words.act(permission) for permission in known)


@bp.route("/api-tokens/new", methods=["GET", "POST"])
@requires(Permission.API_TOKEN)
def make_token() -> str | tuple[str, int] | Response:
    """Make one. The answer shows it, this once: it is kept nowhere."""
    form = TokenForm()
    form.scopes.choices = [
        (permission.value, words.title(permission)) for permission in _grantable()
    ]
    if form.validate_on_submit():
        try:
            with transaction():
                token, text = service.create_token(
                    form.name.data,
                    scopes=[Permission(scope) for scope in form.scopes.data or ()],
                    days=form.days.data,
                    by=the_person(),
                )
        except DomainError as error:
            show_on_form(form, error)
        else:
            return _show_once(token, text)
    page = render_template("accounts/make_token.html", form=form)
    return (page, 422) if form.errors else page


def _grantable() -> list[Permission]:
    """What the asker may do in the school, except making more keys."""
    person = the_person()
    return [
        permission
        for _label, permissions in words.GROUPS
        for permission in permissions
        if person.may(permission)
        and permission is not Permission.API_TOKEN
        and not policy.is_platform_permission(permission)
    ]


def _show_once(token: ApiToken, text: str) -> Response:
    page = render_template("accounts/token_made.html", token=token, text=text, acts=_acts(token))
    response = make_response(page, 201)
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/api-tokens/<uuid:token_id>/revoke")
@signed_in
def ask_revoke(token_id: UUID) -> str:
    """A key that was revoked cannot come back, so this is asked once."""
    return render_template("accounts/revoke_token.html", token=_token(token_id), form=Form())


@bp.post("/api-tokens/<uuid:token_id>/revoke")
@signed_in
def revoke_token(token_id: UUID) -> BaseResponse:
    token = _token(token_id)
    with transaction():
        service.revoke_token(token)
    flash(_("“%(name)s” opens nothing any more", name=token.name), "done")
    return redirect(url_for("accounts.api_tokens"), 303)


def _token(token_id: UUID) -> ApiToken:
    """Raises NotFound, for somebody who is in no school too."""
    person = the_person()
    if person.school_id is None:
        raise NotFound("There is no such token.")
    return queries.get_token(token_id, of=_whose(person))
