"""What can go wrong, in the school's words.

    DomainError            422  a rule of the school is broken
    ├── Invalid            422  a value cannot be taken; `field` names it
    ├── NotFound           404  not there, or another school's
    ├── Forbidden          403  known, but not yours to do
    ├── Conflict           409  somebody else was faster, or it exists already
    │   └── Stale          409  edited by another person since it was read
    ├── TooLarge           413  over a stated limit
    ├── TooMany            429  too many tries in a short time
    └── Unavailable        503  a part we need is down; come back after `retry_after_s`
        └── MovedAway      503  the database has moved; this server has to be restarted

Messages are English sentences with `%(name)s` places, filled from the parameters, so that
pages can translate the sentence and fill it afterwards.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DomainError(Exception):
    """A broken rule: `message` for the reader, `field` for the form, `params` for the places."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "rule_broken"

    def __init__(self, message: str, *, field: str | None = None, **params: Any) -> None:
        super().__init__(message % params if params else message)
        self.message = message
        self.field = field
        self.params = params


class Invalid(DomainError):
    code = "invalid"


class NotFound(DomainError):
    status = 404
    code = "not_found"


class Forbidden(DomainError):
    status = 403
    code = "forbidden"


class Conflict(DomainError):
    status = 409
    code = "conflict"


class Stale(Conflict):
    """Edited by another person meanwhile.

    `theirs` and `yours` map field names to the values that differ, so a page can show both.
    """

    code = "stale"

    def __init__(
        self, message: str, *, theirs: dict[str, Any], yours: dict[str, Any], **params: Any
    ) -> None:
        super().__init__(message, **params)
        self.theirs = theirs
        self.yours = yours


class TooLarge(DomainError):
    status = 413
    code = "too_large"


class TooMany(DomainError):
    status = 429
    code = "too_many"

    def __init__(self, message: str, *, retry_after_s: int, **params: Any) -> None:
        super().__init__(message, **params)
        self.retry_after_s = retry_after_s


class Unavailable(DomainError):
    status = 503
    code = "unavailable"

    def __init__(self, message: str, *, retry_after_s: int = 5, **params: Any) -> None:
        super().__init__(message, **params)
        self.retry_after_s = retry_after_s


class MovedAway(Unavailable):
    """Nothing is saved in a database that has moved: it would be missing in the new one."""

    code = "moved_away"
