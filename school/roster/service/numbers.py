"""Admission numbers for a file that has none: the next free ones, as wide as the school's."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from school.students.models import Student

_WIDTH = 6


class NumberGiver:
    """Gives numbers one after the other. Looks at the school's only when first asked."""

    def __init__(self, session: Session, wait: Callable[[], None]) -> None:
        """`wait` until the session is free."""
        self.session = session
        self._wait = wait
        self._last: int | None = None

    def next(self) -> str:
        if self._last is None:
            self._wait()
            numbers = self.session.scalars(sa.select(Student.admission_number))
            self._last = max(
                (int(one) for one in numbers if one.isascii() and one.isdecimal()), default=0
            )
        self._last += 1
        return str(self._last).zfill(_WIDTH)
