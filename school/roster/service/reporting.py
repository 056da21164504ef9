"""The one object that says how an import went, and the rows to repair as a sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.db import db
from school.roster.models import ImportState, RosterImport, RosterRow
from school.roster.service.gone import count_gone
from school.roster.service.rows import Rank
from school.roster.sheet.mapping import Mapping
from school.roster.sheet.problems import Problem


def report(imported: RosterImport, *, seconds: float) -> dict[str, Any]:
    """The object `students import --json` prints. `problem` counts rows that stay out."""
    counts = imported.counts
    students = dict(counts["students"])
    if imported.state != ImportState.COMMITTED:
        students["gone"] = count_gone(imported.id)
    return {
        "file": imported.filename,
        "encoding": imported.encoding,
        "rows": counts["rows"],
        "students": {
            name: students.get(name, 0)
            for name in ("new", "changed", "unchanged", "gone", "problem")
        },
        "guardians": counts["guardians"],
        "classes": counts["classes"],
        "problems": [
            {
                "row": line,
                "column": one.column,
                "value": one.value,
                "code": one.code,
                "message": one.sentence,
            }
            for line, one in list_problems(imported.id)
        ],
        "seconds": round(seconds, 3),
    }


def plain_counts(imported: RosterImport) -> dict[str, Any]:
    """An import's counts for programs: remarks as English sentences."""
    counts = {name: value for name, value in imported.counts.items() if name != "refusal"}
    if "remarks" in counts:
        counts["remarks"] = [
            # Older imports keep the finished sentence.
            one if isinstance(one, str) else one["message"] % one["params"]
            for one in counts["remarks"]
        ]
    return counts


def list_problems(import_id: UUID) -> Iterator[tuple[int, Problem]]:
    """(line, problem) in the order of the file."""
    rows = db.session.execute(
        sa.select(RosterRow.line, RosterRow.problems)
        .where(RosterRow.import_id == import_id, RosterRow.rank <= Rank.REMARK)
        .order_by(RosterRow.line)
    )
    for line, problems in rows:
        for stored in problems:
            yield line, Problem.from_json(stored)


def problem_headings(imported: RosterImport) -> list[str]:
    """The file's own headings."""
    return [column.label for column in Mapping.from_json(imported.mapping).columns]


def problem_rows(imported: RosterImport, say: Callable[[Problem], str]) -> Iterator[list[str]]:
    """The rows that stay out or lack something, as they are in the file, and the reason behind.

    `say`: a problem as a sentence in the reader's language.
    """
    mapping = Mapping.from_json(imported.mapping)
    rows = db.session.execute(
        sa.select(RosterRow.raw, RosterRow.repairs, RosterRow.problems)
        .where(RosterRow.import_id == imported.id, RosterRow.rank <= Rank.REMARK)
        .order_by(RosterRow.line)
    )
    for raw, repairs, problems in rows:
        cells = {**raw, **repairs}
        reasons = [Problem.from_json(one) for one in problems]
        if reasons:
            yield [cells.get(str(column.index), "") for column in mapping.columns] + [
                " ".join(
                    f"{one.column}: {say(one)}" if one.column else say(one)
                    for one in reasons
                )
            ]
