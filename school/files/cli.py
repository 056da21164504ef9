"""`python -m school files …`: what is kept, and putting right what was left behind."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from uuid import UUID

import click
import sqlalchemy as sa
from flask import current_app

from school import clock
from school.accounts.cli import choose_school
from school.db import db, transaction
from school.errors import NotFound
from school.files.queries import list_all_files
from school.files.service.families import MIB
from school.files.service.moving.beginning import Plan, begin, plan_move
from school.files.service.moving.books import SOAK_DAYS, Books, take_move
from school.files.service.moving.running import finish as finish_move
from school.files.service.moving.running import go_on, roll_back
from school.files.service.moving.telling import facts_of, is_stuck, lines_of
from school.files.service.outbox import Waiting, waiting
from school.files.service.quotas import Standing, list_standings
from school.files.service.reconciling import Outcome, distrust, reconcile, trust
from school.files.service.recounting import Drift, recount
from school.files.service.retention import amount_of, limits_of, list_rules, retain
from school.files.service.scanning import scan_waiting
from school.files.service.sealing import rewrap
from school.files.service.shelf import shelf
from school.files.service.sweeping import Swept, sweep
from school.files.service.uploading.allowing import cors_rules
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


@files.command("rewrap")
@click.option("--school", "slug", help="Only this school (its short name).")
def rewrap_command(slug: str | None) -> None:
    """Wrap the keys of sensitive files by the newest of FILE_ENCRYPTION_KEYS; files stay as they
    are. When it is done, the older keys may be taken out of the settings."""
    count = 0
    for school_id in _school_ids(slug):
        with school_scope(school_id):
            count += rewrap()
        db.session.remove()
    click.echo(f"{count:,} keys of files wrapped anew.")


@files.command("scan")
@click.option("--school", "slug", help="Only this school (its short name).")
@click.option("--json", "as_json", is_flag=True, help="One object for machines.")
def scan_command(slug: str | None, *, as_json: bool) -> None:
    """Ask the virus scanner about what is held back and what newer signatures have not seen."""
    if not shelf().scanner_url:
        raise click.ClickException("No virus scanner is named: set CLAMAV_URL.")
    total: Counter[str] = Counter()
    for school_id in _school_ids(slug):
        with school_scope(school_id):
            total.update(asdict(scan_waiting(nightly=True)))
        db.session.remove()
    click.echo(
        json.dumps(total)
        if as_json
        else f"{total['clean']:,} clean, {total['infected']:,} with a virus, {total['held']:,} "
        f"held back, {total['unchecked']:,} still to be checked."
    )


@files.command("usage")
@click.option("--school", "slug", help="Only this school (its short name).")
@click.option("--recount", "mends", is_flag=True, help="Put right what drifted, too.")
@click.option("--json", "as_json", is_flag=True, help="One object per line for machines.")
def usage_command(slug: str | None, *, mends: bool, as_json: bool) -> None:
    """Say how much space each school takes up, and compare the counters with what they count.

    Ends with 1 when a counter had drifted and was not put right.
    """
    is_clean = True
    for school_id in _school_ids(slug):
        with school_scope(school_id):
            drifts = recount(dry_run=not mends)
            click.echo(_usage_line(list_standings(None)[0], drifts, as_json=as_json))
        db.session.remove()
        is_clean = is_clean and (mends or not drifts)
    if not is_clean:
        raise click.exceptions.Exit(1)


def _usage_line(school: Standing, drifts: list[Drift], *, as_json: bool) -> str:
    if as_json:
        told = {
            "school": school.holder_id,
            "used_bytes": school.used_bytes,
            "limit_bytes": school.limit_bytes or None,
            "drifts": [drift._asdict() for drift in drifts],
        }
        return json.dumps(told, default=str)
    limit = f" of {school.limit_bytes:,}" if school.limit_bytes else ""
    lines = [f"{school.holder_id}  {school.used_bytes:,}{limit} bytes"]
    lines += [
        f"  {drift.kind} {drift.holder_id}: counted {drift.counted_bytes:,} bytes, there are "
        f"{drift.actual_bytes:,}"
        for drift in drifts
    ]
    return "\n".join(lines)


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


@files.command("reconcile")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--provider", "only", help="Only this storage (its name, such as local or s3).")
@click.option(
    "--empty-lost-and-found",
    is_flag=True,
    help="Delete what was put aside more than 30 days ago.",
)
@click.option(
    "--however-many",
    is_flag=True,
    help="Put everything right even where it is so much that it stops otherwise.",
)
@click.option("--json", "as_json", is_flag=True, help="One object per storage for machines.")
def reconcile_command(
    only: str | None,
    *,
    dry_run: bool,
    empty_lost_and_found: bool,
    however_many: bool,
    as_json: bool,
) -> None:
    """Compare what lies in the storage with what the database says, and put it right.

    Ends with 1 when something is lost, or the comparison could not be finished.
    """
    outcomes = reconcile(
        only=only,
        dry_run=dry_run,
        empty_lost_and_found=empty_lost_and_found,
        however_many=however_many,
    )
    for outcome in outcomes:
        click.echo(_outcome_json(outcome) if as_json else _outcome_lines(outcome))
    if not all(outcome.is_clean for outcome in outcomes):
        raise click.exceptions.Exit(1)


def _outcome_json(outcome: Outcome) -> str:
    return json.dumps({**asdict(outcome), "clean": outcome.is_clean}, default=str)


def _outcome_lines(outcome: Outcome) -> str:
    counts = ", ".join(f"{name} {number:,}" for name, number in outcome.counts.items() if number)
    lines = [f"{outcome.provider} ({outcome.mode}): {counts or 'nothing there'}"]
    if outcome.stopped:
        facts = ", ".join(f"{name} {value}" for name, value in outcome.stopped.items())
        lines.append(f"  Stopped, nothing more was changed: {facts}")
    lines += [f"  {found['kind']:>9}  {found['key']}" for found in outcome.findings]
    return "\n".join(lines)


@files.command("retention")
@click.option("--school", "slug", help="Only this school (its short name).")
@click.option("--dry-run", is_flag=True, help="Only say what would be let go.")
@click.option("--json", "as_json", is_flag=True, help="One object per school for machines.")
def retention_command(slug: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Let older versions go, as each school's rules say; every night this is done by itself."""
    for school_id in _school_ids(slug):
        with school_scope(school_id):
            rules = [limits_of(rule) for rule in list_rules()]
            amounts = [(limits.purpose, amount_of(limits)) for limits in rules]
            db.session.rollback()
            done = None if dry_run else retain()
        db.session.remove()
        if as_json:
            would = [{"purpose": purpose, **amount._asdict()} for purpose, amount in amounts]
            said = {"school": str(school_id), "rules": would, "done": done and asdict(done)}
            click.echo(json.dumps(said))
            continue
        for purpose, amount in amounts:
            click.echo(
                f"{school_id}  {purpose}: {amount.versions:,} versions of {amount.files:,} files, "
                f"{amount.bytes:,} bytes {'would go' if dry_run else 'to go'}"
            )
        if done:
            click.echo(f"{school_id}  {done.versions:,} versions let go.")


@files.command("distrust")
def distrust_command() -> None:
    """After a database was restored: let `reconcile` report only, until `files trust`."""
    with transaction():
        distrust()
    click.echo("From now on nothing in the storage is moved or given up. Later: files trust.")


@files.command("trust")
def trust_command() -> None:
    """The database fits the storage: let `reconcile` put things right again."""
    with transaction():
        was_distrusted = trust()
    click.echo(
        "Things are put right again."
        if was_distrusted
        else "The database was trusted already; nothing changed."
    )


@files.command("migrate")
@click.option("--to", "url", help="Where files are to lie, written like STORAGE_URL.")
@click.option("--dry-run", is_flag=True, help="With --to: only look whether it could begin.")
@click.option("--resume", is_flag=True, help="Go on where the last command was cut off.")
@click.option("--finish", is_flag=True, help="After the soak: empty the old storage.")
@click.option("--rollback", is_flag=True, help="Back to the old storage; empty the new one.")
@click.option(
    "--rate", type=click.FloatRange(min=0.1), default=None, help="At most so many MiB a second."
)
@click.option(
    "--soak-days",
    type=click.IntRange(min=0),
    default=SOAK_DAYS,
    show_default=True,
    help="With --to: how long the old storage keeps everything after reading was switched.",
)
@click.option("--json", "as_json", is_flag=True, help="One object for machines.")
def migrate_command(
    url: str | None,
    rate: float | None,
    soak_days: int,
    *,
    dry_run: bool,
    resume: bool,
    finish: bool,
    rollback: bool,
    as_json: bool,
) -> None:
    """Move all files to another storage while the school works; without options: how far it is.

    Ends with 1 when something is in the way. See docs/administrators/moving-storage.md.
    """
    if sum((url is not None, resume, finish, rollback)) > 1 or (dry_run and url is None):
        raise click.UsageError("Give one of --to, --resume, --finish and --rollback.")
    if dry_run and url is not None:
        _tell_plan(plan_move(url), as_json=as_json)
        return
    if url is not None:
        begin(url, soak_days=soak_days)
    act = finish_move if finish else roll_back if rollback else go_on
    if url is not None or resume or finish or rollback:
        act(rate_mib_per_s=rate or 0, say=_silent if as_json else _draw_move)
    _tell_move(as_json=as_json)


def _tell_plan(plan: Plan, *, as_json: bool) -> None:
    click.echo(
        json.dumps(plan._asdict())
        if as_json
        else f"{plan.objects:,} objects ({plan.bytes / MIB:,.0f} MiB) would move from "
        f"{plan.source_url} to {plan.target_url}, called “{plan.target}”. Nothing was changed."
    )


def _tell_move(*, as_json: bool) -> None:
    move = take_move()
    if move is None:
        raise NotFound("No files were ever moved. Begin with --to ADDRESS.")
    click.echo(
        json.dumps(facts_of(move), default=str) if as_json else "\n".join(lines_of(move))
    )
    if is_stuck(move):
        raise click.exceptions.Exit(1)


def _draw_move(books: Books) -> None:
    """A bar on one line of a terminal; a log gets nothing of it."""
    if not sys.stderr.isatty():
        return
    share = books.done / max(books.total, 1)
    bar = "#" * round(30 * share)
    click.echo(
        f"\r{books.stage:<9} [{bar:<30}] {books.done:,} of {books.total:,} objects, "
        f"{books.done_bytes / MIB:,.0f} MiB",
        nl=share >= 1,
        err=True,
    )


def _silent(_books: Books) -> None:
    return


@files.command("cors")
@click.option("--xml", "as_xml", is_flag=True, help="As S3's XML, for tools that want it.")
def cors_command(*, as_xml: bool) -> None:
    """Print what the bucket has to allow so that browsers may send files to it (UPLOAD_DIRECT)."""
    public_url = current_app.config["SETTINGS"].public_url
    click.echo(cors_rules(public_url, as_xml=as_xml))


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
