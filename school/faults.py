"""What may be said of a fault of ours in logs and job rows: where it happened, not what it held.

Messages of exceptions quote values ("Invalid isoformat string: '2014-03-09'"), and a database's
even whole rows. Those of broken connections say what is down and hold nothing of people.
"""

from __future__ import annotations

import traceback
from types import TracebackType

from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_TELLABLE = (OSError, OperationalError, PoolTimeout, RedisConnectionError)

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def name_fault(error: BaseException) -> str:
    """Its kind, the last place it came through, and its message where that is harmless."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    message = f": {error}" if isinstance(error, _TELLABLE) else ""
    return f"{type(error).__name__}{place}{message}"


def format_trace(exc_info: ExcInfo) -> str:
    """The way the fault came, and the faults behind it; lines of code, no values."""
    parts: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        frames = "".join(traceback.format_tb(error.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{frames}{name_fault(error)}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\nThis came of:\n\n".join(parts)
