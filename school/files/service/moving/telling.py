"""What a move says to operators at the command line."""

from __future__ import annotations

from typing import Any

from school.db import db
from school.files.models import MoveStep, StorageMove
from school.files.service.moving.alive import is_at_work
from school.files.service.moving.books import Problem, soaked_on
from school.files.service.overview import name_schools
from school.files.service.shelf import shelf

_PROBLEMS = {
    Problem.NOT_COPIED: "could not be copied",
    Problem.DAMAGED: "holds other bytes at the new place",
    Problem.GONE: "is no longer there",
    Problem.UNSEEN: "does not lie there safely",
    Problem.NOT_DELETED: "could not be deleted",
}
COMMAND = "python -m school files migrate"
MOST_LINES = 20


def facts_of(move: StorageMove) -> dict[str, Any]:
    """For machines."""
    return {
        "id": move.id,
        "step": move.step,
        "source": move.source_url,
        "target": move.target_url,
        "names": {"source": move.source, "target": move.target},
        "started_at": move.started_at,
        "switched_at": move.switched_at,
        "finished_at": move.finished_at,
        "soaked_on": soaked_on(move),
        "at_work": is_at_work(move),
        "counts": move.counts,
        "write": reminder(),
    }


def lines_of(move: StorageMove) -> list[str]:
    """For people: where it stands, what is in its way, what to do next."""
    return [*_problem_lines(move.counts), _next(move)]


def reminder() -> str | None:
    """What is to be written into .env, once a move has ended and STORAGE_URL does not say so."""
    ended = shelf().follower.outdated()
    return None if ended is None else f"STORAGE_URL={ended.home}"


def reminder_line() -> str | None:
    """The same as a sentence."""
    line = reminder()
    if line is None:
        return None
    return f"Files are no longer where .env says. Write {line} into it and restart."


def is_stuck(move: StorageMove) -> bool:
    return bool(move.counts.get("problem_count"))


def verb_of(move: StorageMove) -> str:
    """The command that goes on from here."""
    verb = "--finish" if move.step == MoveStep.SOAKING else "--resume"
    return f"{COMMAND} {verb}"


def _problem_lines(counts: dict[str, Any]) -> list[str]:
    problems = counts.get("problems", [])
    names = name_schools(sorted({one["school"] for one in problems if one["school"]}))
    db.session.remove()
    lines = [_problem_line(one, names) for one in problems[:MOST_LINES]]
    more = counts.get("problem_count", 0) - len(lines)
    return [*lines, f"  and {more:,} more"] if more > 0 else lines


def _problem_line(problem: dict[str, Any], names: dict[str, str]) -> str:
    what = problem["key"] or "The storage"
    school = names.get(problem["school"] or "", "")
    where = f" ({school})" if school else ""
    says = _PROBLEMS[Problem(problem["kind"])] if problem["key"] else "does not do what it is asked"
    return f"  {what}{where} {says}: {problem['detail']}"


def _next(move: StorageMove) -> str:
    step = MoveStep(move.step)
    if is_at_work(move):
        return _under_way(move.counts)
    if is_stuck(move):
        return (
            "Nothing is lost, and nothing goes on until this is mended. Often this does it: "
            f"python -m school files reconcile; then {verb_of(move)}"
        )
    match step:
        case MoveStep.SOAKING:
            at = soaked_on(move)
            return (
                f"Files are read from {move.target_url} now; {move.source_url} keeps a copy of "
                f"everything. From {at:%Y-%m-%d %H:%M} UTC on: {verb_of(move)}"
            )
        case MoveStep.DONE | MoveStep.ROLLED_BACK:
            return _ended(move)
        case MoveStep.DELETING | MoveStep.ROLLING_BACK:
            return (
                "The rest of it waits for its time: uploads under way, and deletions that are due "
                f"later. Look again in a day: {verb_of(move)}"
            )
        case _:
            return f"It was interrupted. Go on: {verb_of(move)}"


def _under_way(counts: dict[str, Any]) -> str:
    if "stage" not in counts:
        return "It is under way."
    return f"It is under way: {counts['stage']}, {counts['done']:,} of {counts['total']:,} objects."


def _ended(move: StorageMove) -> str:
    is_done = move.step == MoveStep.DONE
    home, left = (
        (move.target_url, move.source_url) if is_done else (move.source_url, move.target_url)
    )
    told = f"All files lie at {home}. No record names {left} any more."
    line = reminder_line()
    return f"{told}\n{line}" if line else told
