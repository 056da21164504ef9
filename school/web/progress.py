"""What pages say of background work."""

from __future__ import annotations

from typing import Any

from flask_babel import format_decimal, gettext

from school.jobs.models import Job
from school.jobs.queue import progress_of


def told(job: Job) -> dict[str, Any]:
    """How far it is and what stopped it, in the reader's language, for the job's row."""
    fraction, sentence, numbers = progress_of(job)
    shown = {name: format_decimal(number) for name, number in numbers.items()}
    return {
        "fraction": fraction,
        "sentence": gettext(sentence, **shown) if sentence else "",
        "error": _error(job),
    }


def _error(job: Job) -> str | None:
    """The rule it broke; nothing for a fault of ours, whose text may hold data and SQL."""
    rule = job.result if job.error else None
    if not rule:
        return None
    sentence = rule["message"]
    return str(gettext(sentence, **rule["params"]))
