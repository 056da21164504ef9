"""A person repairs a cell, leaves a row out, or decides whose word counts: one row, judged anew."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Mapping as MappingType
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.db import db
from school.errors import Conflict, Invalid, NotFound
from school.roster.models import ImportState, RosterImport, RosterRow
from school.roster.service.directory import Directory
from school.roster.service.rows import Matcher, Rank, Staged, read_back
from school.roster.service.staging import (
    DECIDED,
    forget_decisions,
    get_import,
    save_row,
    school_hints,
)
from school.roster.sheet.judge import RowContext, evaluate_row
from school.roster.sheet.mapping import Mapping
from school.roster.sheet.values import StudentValues
from school.tenancy.scope import current_school_id

_CELL_LIMIT = 10_000
_ABOUT_OTHERS = frozenset({"duplicate_admission_number", "repeated_row"})


def repair(import_id: UUID, line: int, cells: MappingType[int, str]) -> list[int]:
    """Lay what a person typed over the row's cells and judge it anew.

    Returns the lines whose judgement may have changed: a number put right here can clear a
    duplicate there.
    """
    imported, row = _open_row(import_id, line)
    mapping = Mapping.from_json(imported.mapping)
    known = {column.index for column in mapping.columns}
    for index, text in cells.items():
        if index not in known:
            raise Invalid("There is no such column in this file.")
        if len(text) > _CELL_LIMIT:
            raise Invalid("This is too long: at most %(limit)s letters.", limit=_CELL_LIMIT)
    row.repairs.update({str(index): text.replace("\0", "") for index, text in cells.items()})
    _judge_anew(imported, mapping, row)
    others = _lines_about(import_id, {line})
    for other in others:
        _judge_anew(imported, mapping, read_back(_get_row(import_id, other)))
    return [line, *others]


def leave_out(import_id: UUID, line: int, *, left_out: bool) -> None:
    """Leave one row out of the import, or take it in again."""
    imported, row = _open_row(import_id, line)
    row.is_left_out = left_out
    _judge_anew(imported, Mapping.from_json(imported.mapping), row)


def take_from_file(
    import_id: UUID, line: int, fields: Iterable[str], *, is_more: bool = False
) -> None:
    """For these fields the file's value counts, though a person edited them since.

    `is_more`: beside those chosen before.
    """
    imported, row = _open_row(import_id, line)
    row.take = sorted({*fields, *(row.take if is_more else ())})
    _judge_anew(imported, Mapping.from_json(imported.mapping), row)


def lay_over(import_id: UUID) -> None:
    """After the file was read again: what people decided about its rows holds still."""
    imported = get_import(import_id)
    decided = imported.options.get(DECIDED)
    if not decided or imported.state != ImportState.PREVIEW or imported.counts.get("faults"):
        return
    mapping = Mapping.from_json(imported.mapping)
    for line in sorted(map(int, decided)):
        found = _find_row(import_id, line)
        if found is not None:
            row, one = read_back(found), decided[str(line)]
            row.repairs, row.is_left_out, row.take = one["repairs"], one["is_left_out"], one["take"]
            _judge_anew(imported, mapping, row)
    repaired = {int(line) for line, one in decided.items() if one["repairs"]}
    for line in _lines_about(import_id, repaired):
        _judge_anew(imported, mapping, read_back(_get_row(import_id, line)))
    forget_decisions(imported)


def _open_row(import_id: UUID, line: int) -> tuple[RosterImport, Staged]:
    imported = get_import(import_id)
    if imported.state != ImportState.PREVIEW:
        raise Conflict("This import can't be changed any more.")
    return imported, read_back(_get_row(import_id, line))


def _find_row(import_id: UUID, line: int) -> RosterRow | None:
    return db.session.scalar(
        sa.select(RosterRow)
        .where(RosterRow.import_id == import_id, RosterRow.line == line)
        .execution_options(populate_existing=True)
    )


def _get_row(import_id: UUID, line: int) -> RosterRow:
    found = _find_row(import_id, line)
    if found is None:
        raise NotFound("There is no such row.")
    return found


def _judge_anew(imported: RosterImport, mapping: Mapping, row: Staged) -> None:
    context = RowContext(school=school_hints())
    cells = {str(index): text for index, text in row.raw.items()} | row.repairs
    number = evaluate_row(row.line, cells, mapping, context).values.admission_number
    context = RowContext(school=context.school)
    _add_same_number(imported.id, row.line, number, context)
    fresh = Staged.of(evaluate_row(row.line, cells, mapping, context))
    fresh.raw, fresh.repairs = row.raw, row.repairs
    fresh.take, fresh.is_left_out = row.take, row.is_left_out
    fresh.shared = _still_shared(row, fresh)
    _match(imported, mapping, fresh)
    save_row(fresh, imported.school_id.hex, imported.id.hex)


def _still_shared(row: Staged, fresh: Staged) -> dict[str, int]:
    """Whose guardians stayed as they were is shared with the same rows as before."""
    pairs = enumerate(zip(row.guardians, fresh.guardians, strict=False), start=1)
    same = {str(place) for place, (was, now) in pairs if was == now}
    return {place: line for place, line in row.shared.items() if place in same}


def _number_of_row() -> Any:
    return RosterRow.values["student"]["admission_number"].as_string()


def _add_same_number(import_id: UUID, line: int, number: str | None, context: RowContext) -> None:
    """Let the judge meet the other row that bears this number rightfully."""
    if number is None:
        return
    others = db.session.execute(
        sa.select(RosterRow.line, RosterRow.values)
        .where(RosterRow.import_id == import_id, RosterRow.line != line)
        .where(_number_of_row() == number)
        .where(RosterRow.is_blocked.is_(False), RosterRow.is_left_out.is_(False))
        .order_by(RosterRow.line)
        .limit(1)
    )
    for other, values in others:
        plain = {k: v for k, v in values["student"].items() if not k.startswith("custom:")}
        context.seen.add(other, StudentValues.from_json(plain))


def _match(imported: RosterImport, mapping: Mapping, row: Staged) -> None:
    matcher = Matcher(
        Directory(db.session(), current_school_id()),
        mapping,
        overwrite_edited=bool(imported.options.get("overwrite_edited")),
    )
    matcher.match([row])
    if row.line in matcher.undecided:
        numbers = [one.number for one in matcher.undecided[row.line]]
        matcher.numbers.update(
            db.session.scalars(
                sa.select(_number_of_row()).where(
                    RosterRow.import_id == imported.id, _number_of_row().in_(numbers)
                )
            )
        )
        matcher.settle(row)


def _lines_about(import_id: UUID, lines: Collection[int]) -> list[int]:
    """Blocked rows whose trouble is with one of these rows."""
    if not lines:
        return []
    rows = db.session.execute(
        sa.select(RosterRow.line, RosterRow.problems)
        .where(RosterRow.import_id == import_id, RosterRow.rank == Rank.BLOCKED)
    )
    return [
        other
        for other, problems in rows
        if any(one["code"] in _ABOUT_OTHERS and one["other_line"] in lines for one in problems)
    ]
