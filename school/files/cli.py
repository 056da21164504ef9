"""`python -m school files …`: what is kept, and putting right what was left behind."""

from __future__ import annotations

import json
from dataclasses import asdict
from uuid import UUID

import click
import sqlalchemy as sa

from school import clock
from school.accounts.cli import choose_school
from school.db import db
from school.errors import NotFound
from school.files.queries import list_all_files
from school.files.service.outbox import Waiting, waiting
from school.files.service.sweeping import Swept, sweep
from school.tenancy.models import School
from school.tenancy.scope import school_scope


@click.group("files")
def files() -> None:
    """Files: what is kept, and what needs putting right."""


@files.command("sweep")
@click.option("--school", "slug", help="Only this school (its short name).")
@click.option("--json", "as_json", is_flag=True, help="One object for machines.")
def sweep_command(slug: str | None, *, as_json: bool) -> None:
    """Remove what broken uploads left behind, and carry out waiting copies and deletions."""
    total = Swept()
    for school_id in _school_ids(slug):
        with school_scope(school_id):
            total += sweep()
    if as_json:
        click.echo(json.dumps(asdict(total)))
        return
    click.echo(
        f"{total.discarded} broken uploads let go, {total.copied} objects copied, "
        f"{total.deleted} deleted; {total.failed} could not be reached, {total.waiting} still "
        "waiting."
    )


@files.command("backlog")
@click.option("--school", "slug", help="Only this school (its short name).")
@click.option("--json", "as_json", is_flag=True, help="One object per line for machines.")
def backlog_command(slug: str | None, *, as_json: bool) -> None:
    """Say which copies and deletions still wait, since when, and why."""
    is_empty = True
    for school_id in _school_ids(slug):
        with school_scope(school_id):
            for one in waiting():
                is_empty = False
                click.echo(_backlog_line(school_id, one, as_json=as_json))
        db.session.remove()
    if is_empty and not as_json:
        click.echo("Nothing waits.")


def _backlog_line(school_id: UUID, one: Waiting, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"school": school_id, **one._asdict()}, default=str)
    hours = (clock.now() - one.since).total_seconds() / 3600
    why = f" ({one.last_error})" if one.last_error else ""
    return (
        f"{school_id}  {one.operation} at {one.provider}: {one.objects:,} objects, "
        f"{one.bytes:,} bytes, for {hours:.1f} hours{why}"
    )


@files.command("list")
@click.option("--school", "slug", help="The school's short name; needed if there are several.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="How many at most."
)
@click.option("--json", "as_json", is_flag=True, help="One object per line for machines.")
def list_command(slug: str | None, limit: int, *, as_json: bool) -> None:
    """List a school's files: id, size, version and name."""
    with school_scope(choose_school(slug)):
        for row in list_all_files(limit=limit):
            facts = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
            click.echo(
                json.dumps(facts, default=str)
                if as_json
                else f"{row.id}  {row.size_bytes:>12,}  v{row.number:<3} {row.name}"
            )


def _school_ids(slug: str | None) -> list[UUID]:
    wanted = sa.select(School.id).order_by(School.id)
    if slug:
        wanted = wanted.where(School.slug == slug)
    found = list(db.session.scalars(wanted))
    db.session.remove()
    if slug and not found:
        raise NotFound("There is no school with the short name %(slug)s.", slug=slug)
    return found
