"""Files on their way to another storage, as operators see it."""

from __future__ import annotations

from typing import Any

from flask_babel import format_decimal, format_percent, ngettext
from flask_babel import gettext as _

from school.files.models import MoveStep, StorageMove
from school.files.service import overview
from school.files.service.moving.books import Problem, soaked_on
from school.files.service.moving.telling import is_stuck, reminder, verb_of
from school.web.formats import moment

_ORDER = (
    MoveStep.COPYING, MoveStep.COMPARING, MoveStep.SOAKING, MoveStep.DELETING, MoveStep.DONE,
)  # fmt: skip


def shown(move: StorageMove | None) -> dict[str, Any] | None:
    """The move for the page; None where there is none, or it is history."""
    line = reminder()
    if move is None or (line is None and move.finished_at is not None):
        return None
    step = MoveStep(move.step)
    return {
        "source": move.source_url,
        "target": move.target_url,
        "steps": _words() if step in _ORDER else [],
        # At the end all are ticked.
        "number": _ORDER.index(step) + 1 + (step == MoveStep.DONE) if step in _ORDER else 0,
        "title": _title(step),
        "bar": _bar(move.counts) if move.finished_at is None else None,
        "problem": _problem_sentence(move.counts),
        "problems": _problems(move.counts),
        "next": _next(move, line),
        "command": line or verb_of(move),
    }


def _words() -> list[str]:
    return [str(word) for word in (_("Copy"), _("Compare"), _("Soak"), _("Empty"), _("Done"))]


def _title(step: MoveStep) -> str:
    if step == MoveStep.ROLLING_BACK:
        return str(_("Files move back"))
    if step in {MoveStep.DONE, MoveStep.ROLLED_BACK}:
        return str(_("Files have moved"))
    return str(_("Files move to another storage"))


def _bar(counts: dict[str, Any]) -> dict[str, Any] | None:
    total, done = int(counts.get("total") or 0), int(counts.get("done") or 0)
    if not total:
        return None
    share = min(done / total, 1)
    labels = {
        "copying": _("Copied"),
        "comparing": _("Read again and compared"),
        "deleting": _("Deleted at the place that is left"),
    }
    told = _(
        "%(done)s of %(total)s files, %(share)s",
        done=format_decimal(done),
        total=format_decimal(total),
        share=format_percent(share, "#,##0 %"),
    )
    label = labels.get(counts.get("stage", ""), labels["copying"])
    return {"done": done, "total": total, "label": str(label), "text": str(told)}


def _problem_sentence(counts: dict[str, Any]) -> str | None:
    number = int(counts.get("problem_count") or 0)
    if not number:
        return None
    return str(
        ngettext(
            "%(number)s problem is in the way. Nothing is lost, and nothing goes on until it is "
            "mended.",
            "%(number)s problems are in the way. Nothing is lost, and nothing goes on until they "
            "are mended.",
            number,
            number=format_decimal(number),
        )
    )


def _problems(counts: dict[str, Any]) -> list[dict[str, Any]]:
    found = counts.get("problems") or []
    names = overview.name_schools(sorted({one["school"] for one in found if one["school"]}))
    sentences = {
        Problem.NOT_COPIED: _("Could not be copied"),
        Problem.DAMAGED: _("Other bytes lie at the new place"),
        Problem.GONE: _("Was at the new place, and is no longer there"),
        Problem.UNSEEN: _("Does not lie safely at the new place yet"),
        Problem.NOT_DELETED: _("Could not be deleted"),
    }
    no_answer = _("A storage does not do what it is asked")
    return [
        {
            "sentence": str(sentences[Problem(one["kind"])] if one["key"] else no_answer),
            "key": one["key"] or one["detail"],
            "school": names.get(one["school"] or "", ""),
        }
        for one in found
    ]


def _next(move: StorageMove, line: str | None) -> str:
    if line is not None:
        return str(_("Files are no longer where .env says. Write this line into it and restart:"))
    if is_stuck(move):
        return str(_("Mend it (comparing files and database often does), then go on:"))
    match MoveStep(move.step):
        case MoveStep.SOAKING:
            at = soaked_on(move)
            return str(
                _(
                    "Files are read from the new storage; the old one keeps a copy of everything. "
                    "From %(moment)s on it may be emptied:",
                    moment=moment(at),
                )
            )
        case MoveStep.ROLLING_BACK:
            return str(_("Files are read from the old storage again. If it was interrupted:"))
        case MoveStep.DELETING:
            return str(_("The old storage is being emptied. If it was interrupted, or waits:"))
        case _:
            return str(_("New files go to both places. If it was interrupted:"))
