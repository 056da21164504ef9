"""`python -m school students import …`: the same import, for people at a terminal and machines."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import sqlalchemy as sa
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from school import clock
from school.accounts.cli import choose_school
from school.audit.actor import Actor, acting_as
from school.db import db, transaction
from school.errors import Invalid
from school.roster.models import ImportState, RosterImport
from school.roster.service.committing import commit
from school.roster.service.reporting import report
from school.roster.service.staging import OPEN_STATES, Tell, silent, stage
from school.roster.service.undoing import undo
from school.roster.service.uploads import new_import
from school.roster.sheet.mapping import Mapping, memory_key
from school.tenancy.models import School, SchoolStatus
from school.tenancy.scope import school_scope

TERMINAL = Actor(name="Command line")
_LONGEST_AT_A_TERMINAL = timedelta(hours=1)
IS_OPEN = School.status == SchoolStatus.ACTIVE


class _DryRun(Exception):
    """Thrown to roll everything back."""


def _no_pipe(_context: click.Context, _parameter: click.Parameter, file: Path) -> Path:
    if not file.is_file():
        raise click.BadParameter("It is a pipe, and would be read twice. Save it first.")
    return file


@click.command("import")
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), callback=_no_pipe
)
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@click.option("--yes", is_flag=True, help="Import without asking.")
@click.option("--school", "slug", help="The school's short name; needed if there are several.")
@click.option(
    "--map",
    "map_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='What columns mean, as JSON: {"Form": "class_name", "Notes": "ignore"}.',
)
@click.option("--overwrite-edited", is_flag=True, help="Overwrite what people edited since.")
@click.option("--archive-gone", is_flag=True, help="Archive students no longer in the file.")
@click.option("--json", "as_json", is_flag=True, help="One object for machines.")
def import_command(
    file: Path,
    slug: str | None,
    map_file: Path | None,
    *,
    dry_run: bool,
    yes: bool,
    overwrite_edited: bool,
    archive_gone: bool,
    as_json: bool,
) -> None:
    """Import students, guardians and classes from a spreadsheet."""
    has_keyboard = sys.stdin is not None and sys.stdin.isatty()
    if dry_run == yes and (dry_run or not has_keyboard):
        raise click.UsageError("Say either --dry-run or --yes.")
    targets = _read_map(map_file)
    options = {"overwrite_edited": overwrite_edited, "archive_gone": archive_gone}
    with school_scope(choose_school(slug, IS_OPEN)), acting_as(TERMINAL), _watched() as tell:
        _forget_cut_off()
        began = time.monotonic()
        done = (
            _look(file, targets, options, tell, began)
            if dry_run
            else _import(file, targets, options, tell, began, is_asking=not yes)
        )
    if done is not None:
        _print(done, as_json=as_json, is_saved=not dry_run)


def _look(
    file: Path, targets: dict[str, str], options: dict[str, Any], tell: Tell, began: float
) -> dict[str, Any]:
    """What would happen. Everything is rolled back."""
    result: dict[str, Any] = {}
    try:
        with transaction():
            imported = _stage(file, targets, options, tell)
            result = report(imported, seconds=time.monotonic() - began)
            raise _DryRun  # noqa: TRY301 - the way to roll back from inside
    except _DryRun:
        return result


def _import(
    file: Path,
    targets: dict[str, str],
    options: dict[str, Any],
    tell: Tell,
    began: float,
    *,
    is_asking: bool,
) -> dict[str, Any] | None:
    imported = _stage(file, targets, options, tell)
    if is_asking:
        _print(report(imported, seconds=time.monotonic() - began), as_json=False, is_saved=False)
        if not click.confirm("Import this?", err=True):
            _discard(imported.id)
            return None
    with transaction():
        commit(imported.id, tell=tell)
    done = report(imported, seconds=time.monotonic() - began)
    done_id = imported.id
    if sys.stderr.isatty():
        click.echo(f"Undo it with: students import-undo {done_id}", err=True)
    return done


def _stage(
    file: Path, targets: dict[str, str], options: dict[str, Any], tell: Tell
) -> RosterImport:
    """Rows to look at. Raises Invalid, and leaves nothing, for a file that can't be read."""
    with transaction():
        imported = new_import(
            file.name,
            size_bytes=file.stat().st_size,
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        )
        imported.options = options
    imported = stage(imported.id, file, targets=targets, tell=tell)
    faults = [*_unknown_columns(imported, targets), *imported.counts.get("faults", [])]
    problem = imported.refusal or next(iter(faults), None)
    if problem is not None:
        _discard(imported.id)
        raise Invalid("%(reason)s", reason=problem)
    return imported


def _unknown_columns(imported: RosterImport, targets: dict[str, str]) -> list[str]:
    """The sentence about columns that --map names and the file does not have, if there are any."""
    columns = Mapping.from_json(imported.mapping).columns
    known = {column.key for column in columns}
    missing = [name for name in targets if not {name, memory_key(name)} & known]
    if not missing or not columns:
        return []
    there = [
        column.label if memory_key(column.label) == column.key else column.key for column in columns
    ]
    return [f"--map names {_quoted(missing)}, and the file has {_quoted(there)}."]


def _quoted(names: list[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def _discard(import_id: UUID) -> None:
    with transaction():
        db.session.execute(
            sa.delete(RosterImport)
            .where(RosterImport.id == import_id)
            .execution_options(synchronize_session=False)
        )
        db.session.expunge_all()


def _forget_cut_off() -> None:
    """Say of imports at a terminal whose process died that they saved nothing, and remove them."""
    with transaction():
        dead = db.session.scalars(
            sa.select(RosterImport).where(
                RosterImport.state.in_(OPEN_STATES),
                RosterImport.job_id.is_(None),
                RosterImport.storage_key.is_(None),
                RosterImport.updated_at < clock.now() - _LONGEST_AT_A_TERMINAL,
            )
        ).all()
        for imported in dead:
            click.echo(
                f"An earlier import of {imported.filename} was cut off before anything was saved; "
                "what it had read is removed.",
                err=True,
            )
            db.session.delete(imported)


@click.command("import-undo")
@click.argument("import_id", type=click.UUID, metavar="ID")
@click.option("--school", "slug", help="The school's short name; needed if there are several.")
@click.option("--json", "as_json", is_flag=True, help="One object for machines.")
def undo_command(import_id: UUID, slug: str | None, *, as_json: bool) -> None:
    """Take a saved import back; what people edited since is kept and listed."""
    with school_scope(choose_school(slug, IS_OPEN)), acting_as(TERMINAL), transaction():
        done = undo(import_id)
    kept = [
        {"entity": one.entity, "id": str(one.entity_id), "field": one.field} for one in done.kept
    ]
    if as_json:
        click.echo(json.dumps({"restored": done.restored, "kept": kept}))
        return
    click.echo(
        f"{done.restored:,} records were put back; {len(kept):,} were edited since and stay."
    )
    for one in kept:
        click.echo(f"  {one['entity']} {one['id']} {one['field']}".rstrip())


@click.command("imports")
@click.option("--school", "slug", help="The school's short name; needed if there are several.")
def list_command(slug: str | None) -> None:
    """List imports, the newest first: id, state, file."""
    with school_scope(choose_school(slug, IS_OPEN)):
        rows = db.session.execute(
            sa.select(RosterImport.id, RosterImport.state, RosterImport.filename)
            .order_by(RosterImport.created_at.desc(), RosterImport.id.desc())
            .limit(100)
        )
        for import_id, state, filename in rows:
            click.echo(f"{import_id}  {ImportState(state).value:<10}  {filename}")


COMMANDS = (import_command, undo_command, list_command)
"""For the group `students`."""


def _read_map(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        loaded = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError:
        raise click.UsageError(f"{path.name} is not JSON.") from None
    if not isinstance(loaded, dict) or not all(isinstance(v, str) for v in loaded.values()):
        raise click.UsageError(f'{path.name} must be like {{"Form": "class_name"}}.')
    return loaded


@contextmanager
def _watched() -> Iterator[Tell]:
    """A bar on standard error where somebody looks at it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield silent
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Reading", total=1.0)

        def tell(fraction: float, sentence: str, **numbers: int) -> None:
            shown = sentence % {name: f"{number:,}" for name, number in numbers.items()}
            bar.update(task, completed=fraction, description=shown)

        yield tell


def _print(done: dict[str, Any], *, as_json: bool, is_saved: bool) -> None:
    if as_json:
        click.echo(json.dumps(done, ensure_ascii=False))
        return
    students, guardians, classes = done["students"], done["guardians"], done["classes"]
    click.echo(f"{done['file']}: {done['rows']:,} rows{'' if is_saved else ', nothing saved yet'}")
    click.echo(
        f"  students   {students['new']:,} new, {students['changed']:,} changed, "
        f"{students['unchanged']:,} unchanged, {students['gone']:,} no longer in the file, "
        f"{students['problem']:,} left out"
    )
    click.echo(f"  guardians  {guardians['new']:,} new, {guardians['merged']:,} merged")
    click.echo(f"  classes    {classes['new']:,} new, {classes['existing']:,} existing")
    for one in done["problems"]:
        where = f"{one['column']}: " if one["column"] else ""
        click.echo(f"  row {one['row']}: {where}{one['message']}")
