"""Classes and who is in them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.academics.models import SchoolClass
from school.academics.service import sort_name
from school.enrollment.models import Enrollment
from school.errors import Invalid
from school.roster.service import bulk
from school.roster.service.directory import Known
from school.roster.service.writing.batch import KEY, STAMPS, Batch, dashed
from school.search.models import Kind
from school.search.words import words_of

_CLASS = (*KEY, "academic_year_id", "name", "sort_name", "is_archived", *STAMPS)
_ENROLLMENT = (*KEY, "student_id", "class_id", "begins_on", "created_at", "updated_at")


class ClassWriter:
    def __init__(self, batch: Batch, year_id: UUID | None) -> None:
        self._batch = batch
        self._year_id = year_id
        rows = batch.session.execute(
            sa.select(SchoolClass.name, SchoolClass.id).where(
                SchoolClass.academic_year_id == year_id
            )
        )
        self._ids = {name: class_id.hex for name, class_id in rows}
        self._before = frozenset(self._ids)

    def enroll(self, student_id: str, class_name: str) -> dict[str, Any]:
        """Into the class, from today on. Returns the facts of the enrollment, with its id."""
        batch = self._batch
        enrollment_id, class_id = bulk.new_hex(), self._id_of(class_name)
        batch.add(
            Enrollment,
            _ENROLLMENT,
            (
                *(batch.school_id, enrollment_id, student_id, class_id),
                *(batch.today, batch.at, batch.at),
            ),
        )
        return {"id": enrollment_id, "class_id": dashed(class_id), "begins_on": batch.today}

    def move(self, known: Known, class_name: str | None) -> None:
        """The old enrollment ended yesterday, a new one begins."""
        if known.enrollment_id:
            self._close(known, known.enrollment_id)
        if class_name:
            opened = self.enroll(known.id, class_name)
            enrollment_id = opened.pop("id")
            self._batch.note(
                "enrollment.opened",
                "enrollment",
                enrollment_id,
                None,
                {"student_id": dashed(known.id), **opened},
                about=known.id,
            )

    def _close(self, known: Known, enrollment_id: str) -> None:
        yesterday = clock.today() - timedelta(days=1)
        ends_on = max(yesterday, known.placed_on or yesterday).isoformat()
        self._batch.update(Enrollment, enrollment_id, {"ends_on": ends_on})
        self._batch.note(
            "enrollment.closed",
            "enrollment",
            enrollment_id,
            {"ends_on": None},
            {"ends_on": ends_on},
            about=known.id,
        )

    def _id_of(self, name: str) -> str:
        """The class of this year with this name; made if there is none."""
        found = self._ids.get(name)
        if found is None:
            found = self._ids[name] = self._add(name)
        return found

    def _add(self, name: str) -> str:
        if self._year_id is None:
            raise Invalid("There is no current academic year to put classes in. Add one first.")
        batch, class_id = self._batch, bulk.new_hex()
        batch.add(
            SchoolClass,
            _CLASS,
            (
                *(batch.school_id, class_id, self._year_id.hex, name, sort_name(name), False),
                *(1, batch.at, batch.at),
            ),
        )
        batch.index(Kind.CLASS, class_id, words_of(name))
        # Not of the change set: a class goes with the import only if nobody else is in it.
        batch.note(
            "school_class.created",
            "school_class",
            class_id,
            None,
            {"name": name},
            in_change_set=False,
        )
        return class_id

    def counts(self, named: set[str]) -> dict[str, int]:
        """As written; `named` are the classes the rows name."""
        return {
            "new": len(self._ids) - len(self._before),
            "existing": len(named & self._before),
        }
