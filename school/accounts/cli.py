"""Commands: `python -m school user …`."""

from __future__ import annotations

import json
from typing import Any, cast
from uuid import UUID

import click
import sqlalchemy as sa

from school.accounts import queries, service
from school.accounts.models import Membership, User
from school.db import db, transaction
from school.errors import NotFound
from school.permissions import Role
from school.tenancy.models import School
from school.tenancy.scope import school_scope

ROLES = click.Choice([role.value for role in Role])
NAMED = 20
as_json = click.option("--json", "machine", is_flag=True, help="Answer as JSON.")
at_school = click.option(
    "--school", "slug", help="The school's short name (its only one: not needed)."
)


@click.group("user", context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Accounts: list, invite, end, bring back, links to sign in, roles, keys, second step."""


@group.command("list")
@click.option("--search", default="", help="Part of a name or e-mail.")
@as_json
def list_users(search: str, *, machine: bool) -> None:
    """Everybody who has an account: e-mail, user name, name, schools."""
    lines = [
        {
            "email": user.email,
            "username": user.username,
            "name": user.display_name,
            "active": user.active,
            "platform_administrator": user.is_platform_admin,
            "schools": schools,
        }
        for user, schools in queries.list_accounts(search=search, limit=10_000)
    ]
    if machine:
        click.echo(json.dumps(lines, ensure_ascii=False))
        return
    for line in lines:
        state = "" if line["active"] else "  (ended)"
        signs_in = f"{line['email']:<40} {line['username'] or '-':<20}"
        click.echo(f"{signs_in} {line['name']}  {line['schools']}{state}")


@group.command()
@click.argument("email")
@click.option("--name", required=True, help="The person's name.")
@click.option("--role", type=ROLES, required=True)
@at_school
@as_json
def invite(email: str, name: str, role: str, slug: str | None, *, machine: bool) -> None:
    """Offer somebody a role in a school; prints the link with which they accept."""
    with school_scope(choose_school(slug)), transaction():
        invited = service.invite(email, role=Role(role), display_name=name)
        _tell(
            {"email": invited.email, "link": invited.url},
            invited.url or f"{invited.email} was added and signs in as always.",
            machine=machine,
        )


@group.command()
@click.argument("name")
@as_json
def link(name: str, *, machine: bool) -> None:
    """Print a one-time link (24 hours) with which somebody sets a new password.

    Whoever has a second step still takes it; see `user remove-second-step` for a lost phone.
    """
    with transaction():
        url = service.make_sign_in_link(_user(name))
    _tell({"link": url}, url, machine=machine)


@group.command()
@click.argument("name")
def deactivate(name: str) -> None:
    """End an account and, at the next click, every session of it."""
    with transaction():
        service.deactivate(_user(name))
    click.echo("The account is ended.")


@group.command()
@click.argument("name")
def reactivate(name: str) -> None:
    """Bring an ended account back."""
    with transaction():
        service.reactivate(_user(name))
    click.echo("The account works again.")


@group.command()
@click.argument("name")
@click.option("--set", "wanted", type=ROLES, multiple=True, help="Exactly these roles (repeat it).")
@click.option("--none", "nothing", is_flag=True, help="Take every role in the school away.")
@click.option("--platform", is_flag=True, help="Make this a platform administrator.")
@at_school
@as_json
def roles(
    name: str,
    wanted: tuple[str, ...],
    *,
    nothing: bool,
    platform: bool,
    slug: str | None,
    machine: bool,
) -> None:
    """Show somebody's roles in every school, or change them in one."""
    if wanted and nothing:
        raise click.UsageError("--set and --none do not go together.")
    user = _user(name)
    if platform:
        with transaction():
            service.make_platform_admin(user)
    if wanted or nothing:
        with school_scope(choose_school(slug)), transaction():
            service.set_roles(_user(name), [Role(role) for role in wanted])
    _tell_roles(_user(name), machine=machine)


def _tell_roles(user: User, *, machine: bool) -> None:
    held, looks_after_all = _held(user), user.is_platform_admin
    lines = [f"{at}: {', '.join(names)}" for at, names in held.items()]
    if looks_after_all:
        lines.insert(0, "all schools: platform administrator")
    facts = {"email": user.email, "platform_administrator": looks_after_all, "roles": held}
    _tell(facts, "\n".join(lines) or "No roles.", machine=machine)


@group.command("remove-second-step")
@click.argument("name")
def remove_second_step(name: str) -> None:
    """Let somebody who lost their phone sign in with the password alone; it is recorded.

    A one-time link sets a password but never goes round the second step: this is that act.
    """
    with transaction():
        service.remove_second_step(_user(name))
    click.echo("The second step is off. Ask them to set up a new one as soon as they are in.")


@group.command()
@click.argument("name")
@click.option("--revoke", "wanted", type=click.UUID, multiple=True, help="Id of a key (repeat it).")
@click.option("--revoke-all", "everything", is_flag=True, help="Every key, in every school.")
@as_json
def tokens(name: str, wanted: tuple[UUID, ...], *, everything: bool, machine: bool) -> None:
    """Show somebody's keys for programs (API tokens) in every school, or revoke them."""
    user_id, lines = _user(name).id, []
    for school_id, slug in db.session.execute(sa.select(School.id, School.slug)).all():
        with school_scope(school_id), transaction():
            for owned in queries.list_tokens(of=user_id):
                if everything or owned.token.id in wanted:
                    service.revoke_token(owned.token)
                lines.append(_told(owned, slug))
    text = "\n".join(
        f"{line['id']}  {line['state']:<7}  {line['school']}: {line['name']}" for line in lines
    )
    _tell({"tokens": lines}, text or "No keys for programs.", machine=machine)


def _told(owned: queries.OwnedToken, slug: str) -> dict[str, str]:
    return {
        "id": str(owned.token.id),
        "school": slug,
        "name": owned.token.name,
        "state": queries.state_of_token(owned),
    }


def _held(user: User) -> dict[str, list[str]]:
    held: dict[str, list[str]] = {}
    for slug, role in db.session.execute(
        sa.select(School.slug, Membership.role)
        .join(School, School.id == Membership.school_id)
        .where(Membership.user_id == user.id)
        .order_by(School.slug, Membership.role)
    ):
        held.setdefault(slug, []).append(role)
    return held


def _user(name: str) -> User:
    user = queries.find_user(name)
    if user is None:
        raise NotFound("There is no account for %(name)s.", name=name)
    return user


def choose_school(slug: str | None, *among: sa.ColumnElement[bool]) -> UUID:
    """The school of this short name; without one, the only school there is."""
    query = sa.select(School.id, School.slug).where(*among).order_by(School.slug)
    if slug:
        query = query.where(School.slug == slug)
    found = db.session.execute(query.limit(NAMED + 1)).all()
    db.session.remove()
    if len(found) > 1:
        raise click.UsageError(_which([row.slug for row in found]))
    if not found and slug:
        raise NotFound("There is no school with the short name %(slug)s.", slug=slug)
    if not found:
        raise NotFound("There is no school yet. Set one up first.")
    return cast("UUID", found[0].id)


def _which(slugs: list[str]) -> str:
    names = ", ".join(slugs[:NAMED]) + (" and more" if len(slugs) > NAMED else "")
    return f"There are several schools. Say which with --school: {names}."


def _tell(facts: dict[str, Any], text: str, *, machine: bool) -> None:
    click.echo(json.dumps(facts, ensure_ascii=False) if machine else text)
