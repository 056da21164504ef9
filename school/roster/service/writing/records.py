"""The base of the next import: what this one said of each student."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.db import as_json
from school.roster.models import RosterRecord
from school.roster.service import bulk
from school.roster.service.writing.batch import Batch

_RECORD = ("school_id", "student_id", "import_id", "said", "before")
_REPLACED = ("import_id", "said", "before")
_MOST_KEPT = 10


class RecordWriter:
    def __init__(self, batch: Batch, import_id: UUID) -> None:
        self._batch = batch
        self._import_id = import_id.hex
        self._again: dict[str, str] = {}

    def add(self, student_id: str, said: dict[str, Any]) -> None:
        """The base of a new student."""
        row = (self._batch.school_id, student_id, self._import_id, as_json(said), "[]")
        self._batch.add(RosterRecord, _RECORD, row)

    def replace(self, student_id: str, said: dict[str, Any]) -> None:
        """A new base for a student the school had already."""
        self._again[student_id] = as_json(said)

    def take(self) -> Callable[[], None]:
        """An act that sends the new bases of known students, the old ones put aside for undoing."""
        again, self._again = self._again, {}
        return partial(self._send, again)

    def _send(self, again: dict[str, str]) -> None:
        if not again:
            return
        old = self._old(again)
        session, school_id = self._batch.session, self._batch.school_id
        bulk.update(
            session,
            RosterRecord,
            keys=("school_id", "student_id"),
            columns=_REPLACED,
            rows=[
                (self._import_id, again[student_id], before, school_id, student_id)
                for student_id, before in old.items()
            ],
        )
        new = [one for one in again if one not in old]
        rows = [(school_id, one, self._import_id, again[one], "[]") for one in new]
        bulk.insert(session, RosterRecord, _RECORD, rows)

    def _old(self, ids: dict[str, str]) -> dict[str, str]:
        """{student: what imports said before this one, as JSON} for those that have a base."""
        found = self._batch.session.execute(
            sa.select(
                RosterRecord.student_id,
                RosterRecord.import_id,
                RosterRecord.said,
                RosterRecord.before,
            ).where(RosterRecord.student_id.in_([UUID(one) for one in ids]))
        )
        return {
            student_id.hex: as_json(
                [{"import_id": str(import_id), "said": said}, *before][:_MOST_KEPT]
            )
            for student_id, import_id, said, before in found
        }
