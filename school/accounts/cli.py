"""Commands: `python -m school user …`."""

from __future__ import annotations

import json
from typing import Any

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
as_json = click.option("--json", "machine", is_flag=True, help="Answer as JSON.")
at_school = click.option(
    "--school", "slug", help="The school's short name (its only one: not needed)."
)


@click.group("user", context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Accounts: list, invite, end, bring back, links to sign in, roles."""


@group.command("list")
@click.option("--search", default="", help="Part of a name or e-mail.")
@as_json
def list_users(search: str, *, machine: bool) -> None:
    """Everybody who has an account."""
    lines = [
        {
            "email": user.email,
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
        click.echo(f"{line['email']:<40} {line['name']}  {line['schools']}{state}")


@group.command()
@click.argument("email")
@click.option("--name", required=True, help="The person's name.")
@click.option("--role", type=ROLES, required=True)
@at_school
@as_json
def invite(email: str, name: str, role: str, slug: str | None, *, machine: bool) -> None:
    """Give somebody a role in a school; prints the one-time link."""
    with school_scope(_school(slug).id), transaction():
        invited = service.invite(email, role=Role(role), display_name=name)
        _tell(
            {"email": invited.user.email, "link": invited.url},
            invited.url or f"{invited.user.email} was added and signs in as always.",
            machine=machine,
        )


@group.command()
@click.argument("name")
@as_json
def link(name: str, *, machine: bool) -> None:
    """Print a one-time link (24 hours) with which somebody sets a new password."""
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
    user = _user(name)
    if platform:
        with transaction():
            service.make_platform_admin(user)
    if wanted or nothing:
        with school_scope(_school(slug).id), transaction():
            service.set_roles(_user(name), [Role(role) for role in wanted])
    held = _held(user)
    lines = [f"{at}: {', '.join(names)}" for at, names in held.items()] or ["No roles."]
    _tell({"email": user.email, "roles": held}, "\n".join(lines), machine=machine)


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


def _school(slug: str | None) -> School:
    query = sa.select(School).where(School.slug == slug) if slug else sa.select(School).limit(2)
    schools = db.session.scalars(query).all()
    if len(schools) == 1:
        return schools[0]
    if slug:
        raise NotFound("There is no school %(slug)s.", slug=slug)
    raise NotFound(
        "Say which school with --school; `python -m school user list` names them."
        if schools
        else "There is no school yet."
    )


def _tell(facts: dict[str, Any], text: str, *, machine: bool) -> None:
    click.echo(json.dumps(facts, ensure_ascii=False) if machine else text)
