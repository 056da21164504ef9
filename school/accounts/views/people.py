"""The people of the school: who has an account, what they are, how they come and go."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response

from school.accounts import policy, queries, service
from school.accounts.forms import ROLE_WORDS, InviteForm, RolesForm
from school.accounts.queries import Belongs, Member
from school.accounts.views import words
from school.accounts.views.door import bp
from school.audit import history
from school.db import transaction
from school.errors import DomainError, NotFound
from school.permissions import Permission, Person, Role
from school.tenancy.scope import current_school_id
from school.web.access import requires, the_person
from school.web.forms import show_on_form
from school.web.navigation import Place, add_place
from school.web.notices import offer_undo, was_done
from school.web.pagination import read_place

MOST_LETTERS = 100
STATES = {
    Belongs.ACTIVE: lazy_gettext("Active"),
    Belongs.INVITED: lazy_gettext("Invited"),
    Belongs.ENDED: lazy_gettext("Ended"),
}
ROLES_CHANGED = "member.roles_changed"

add_place(
    Place(
        lazy_gettext("People"),
        "accounts.people",
        "users",
        Permission.MEMBER_VIEW,
        group="manage",
        order=60,
    )
)


@bp.get("/people")
@requires(Permission.MEMBER_VIEW)
def people() -> str:
    """Everybody with an account in this school."""
    wanted = _wanted()
    school_id = current_school_id()
    page = queries.list_members(school_id, **wanted, place=read_place(request.args.get("place")))
    return render_template(
        "accounts/people.html",
        page=page,
        total=queries.count_people(school_id, **wanted),
        wanted=wanted,
        roles=[(role, ROLE_WORDS[role]) for role in Role],
        states=list(STATES.items()),
        role_words=role_words,
    )


def _wanted() -> dict[str, Any]:
    role, state = request.args.get("role", ""), request.args.get("state", "")
    return {
        "search": request.args.get("q", "").strip()[:MOST_LETTERS],
        "role": Role(role) if role in set(Role) else None,
        "state": Belongs(state) if state in set(Belongs) else None,
    }


def role_words(member: Member) -> str:
    return ", ".join(str(ROLE_WORDS[role]) for role in member.roles)


@bp.route("/people/invite", methods=["GET", "POST"])
@requires(Permission.MEMBER_INVITE)
def invite() -> str | tuple[str, int] | Response:
    """Give somebody an account, or a role here if they have one: the answer is the same."""
    person = the_person()
    form = InviteForm()
    form.role.choices = [("", _("Choose a role")), *_choices(person)]
    if form.validate_on_submit():
        try:
            with transaction():
                service.invite(
                    form.email.data,
                    role=Role(form.role.data),
                    display_name=form.display_name.data,
                    by=person,
                )
        except DomainError as error:
            show_on_form(form, error)
        else:
            flash(_("Invitation on its way to %(email)s", email=form.email.data), "done")
            return redirect(url_for("accounts.people"), 303)
    page = render_template("accounts/invite.html", form=form)
    return (page, 422) if form.errors else page


def _choices(person: Person) -> list[tuple[str, Any]]:
    """The roles this person may give."""
    return [(role.value, ROLE_WORDS[role]) for role in Role if policy.may_grant(person, {role})]


@bp.get("/people/<uuid:user_id>")
@requires(Permission.MEMBER_VIEW)
def member(user_id: UUID) -> str:
    shown = queries.get_member(current_school_id(), user_id)
    return _member_page(shown, _roles_form(shown))


def _roles_form(shown: Member, *, posted: bool = False) -> RolesForm:
    form = RolesForm() if posted else RolesForm(formdata=None)
    mine = set(_choices(the_person()))
    held = [(role.value, ROLE_WORDS[role]) for role in shown.roles]
    order = [role.value for role in Role]
    form.roles.choices = sorted(mine | set(held), key=lambda choice: order.index(choice[0]))
    if not posted:
        form.roles.data = [role.value for role in shown.roles]
    return form


def _member_page(shown: Member, form: RolesForm) -> str:
    person = the_person()
    may_edit = person.may(Permission.MEMBER_EDIT) and policy.may_grant(person, shown.roles)
    return render_template(
        "accounts/member.html",
        member=shown,
        form=form,
        state_word=STATES[shown.state],
        my_words=words.roles_in_words(shown.roles),
        may_edit=may_edit and not shown.is_offer,
        may_end=person.may(Permission.MEMBER_EDIT)
        and not shown.is_offer
        and shown.id != person.user_id,
    )


@bp.post("/people/<uuid:user_id>/roles")
@requires(Permission.MEMBER_EDIT)
def change_roles(user_id: UUID) -> tuple[str, int] | Response:
    """Exactly the ticked roles; none ticked: the person leaves the school."""
    shown = queries.get_member(current_school_id(), user_id)
    form = _roles_form(shown, posted=True)
    if form.validate_on_submit():
        try:
            with transaction():
                roles = {Role(role) for role in form.roles.data or ()}
                service.set_roles(queries.get_user(user_id), roles, by=the_person())
        except DomainError as error:
            show_on_form(form, error)
        else:
            return _after_change(shown, roles)
    return _member_page(shown, form), 422


def _after_change(shown: Member, roles: set[Role]) -> Response:
    if roles == set(shown.roles):
        flash(_("Nothing was changed"), "done")
    else:
        _offer_undo(shown, roles)
    if not roles:
        return redirect(url_for("accounts.people"), 303)
    return redirect(url_for("accounts.member", user_id=shown.id), 303)


def _offer_undo(shown: Member, roles: set[Role]) -> None:
    fill = {"name": shown.display_name, "roles": words.roles_in_words(roles)}
    message = (
        _("%(name)s is now %(roles)s", **fill) if roles else _("%(name)s left the school", **fill)
    )
    events = history.list_events(shown.id, entity="user", limit=1)
    url = url_for("accounts.put_roles_back", user_id=shown.id, event_id=events[0].id)
    offer_undo(message, url)


@bp.post("/people/<uuid:user_id>/roles/back/<uuid:event_id>")
@requires(Permission.MEMBER_EDIT)
def put_roles_back(user_id: UUID, event_id: UUID) -> Response:
    """Undo: the roles as they were before. Only history of this school names somebody who left."""
    event = history.get_event(event_id)
    if event.entity_id != user_id or event.action != ROLES_CHANGED:
        raise NotFound("There is no such entry in the history.")
    before = str((event.before or {}).get("roles", ""))
    roles = {Role(word) for word in before.split(", ") if word in set(Role)}
    with transaction():
        service.set_roles(queries.get_user(user_id), roles, by=the_person())
    flash(_("The roles are as they were"), "done")
    return redirect(url_for("accounts.member", user_id=user_id), 303)


@bp.post("/people/<uuid:user_id>/invite-again")
@requires(Permission.MEMBER_INVITE)
def invite_again(user_id: UUID) -> Response:
    """A new link for somebody who has not come yet; the one before stops working."""
    shown = queries.get_member(current_school_id(), user_id)
    if shown.state is not Belongs.INVITED:
        flash(_("%(name)s has come in already", name=shown.display_name), "problem")
    else:
        _invite_again(shown)
    return redirect(url_for("accounts.member", user_id=user_id), 303)


def _invite_again(shown: Member) -> None:
    if was_done(
        lambda: service.invite(
            shown.email, role=shown.roles[0], display_name=shown.display_name, by=the_person()
        )
    ):
        flash(_("Invitation on its way to %(email)s", email=shown.email), "done")


@bp.post("/people/<uuid:user_id>/take-back")
@requires(Permission.MEMBER_INVITE)
def take_back(user_id: UUID) -> Response:
    """The invitation is gone, and its link opens nothing."""
    shown = queries.get_member(current_school_id(), user_id)
    with transaction():
        service.take_back(shown.id)
    flash(_("The invitation to %(email)s is taken back", email=shown.email), "done")
    return redirect(url_for("accounts.people"), 303)


@bp.post("/people/<uuid:user_id>/end")
@requires(Permission.MEMBER_EDIT)
def end_account(user_id: UUID) -> Response:
    """Nobody signs in with it any more, and every open session of it is over."""
    shown = queries.get_member(current_school_id(), user_id)
    if was_done(lambda: service.deactivate(queries.get_user(user_id), by=the_person())):
        message = _("%(name)s can no longer sign in", name=shown.display_name)
        url = url_for("accounts.restart_account", user_id=user_id)
        offer_undo(message, url)
    return redirect(url_for("accounts.member", user_id=user_id), 303)


@bp.post("/people/<uuid:user_id>/restart")
@requires(Permission.MEMBER_EDIT)
def restart_account(user_id: UUID) -> Response:
    shown = queries.get_member(current_school_id(), user_id)
    if was_done(lambda: service.reactivate(queries.get_user(user_id), by=the_person())):
        flash(_("%(name)s can sign in again", name=shown.display_name), "done")
    return redirect(url_for("accounts.member", user_id=user_id), 303)
