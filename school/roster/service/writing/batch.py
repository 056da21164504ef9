"""Rows waiting to be sent, by table, with the audit events that tell of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from school import clock
from school.academics.models import SchoolClass
from school.audit.actor import current_actor
from school.audit.models import AuditEvent, ChangeSet
from school.db import Base, as_json
from school.enrollment.models import Enrollment
from school.roster.models import RosterRecord
from school.roster.service import bulk
from school.roster.service.writing.words import WordWriter
from school.search.models import Kind
from school.students.models import CustomField, Guardian, Student, StudentGuardian

KEY = ("school_id", "id")
STAMPS = ("version", "created_at", "updated_at")
_EVENT = (
    *KEY,
    "happened_on",
    "at",
    "action",
    "entity",
    "entity_id",
    "actor_id",
    "actor_name",
    "request_id",
    "change_set_id",
    "about_id",
    "before",
    "after",
)
# In this order foreign keys hold.
_ORDER: tuple[type[Base], ...] = (
    CustomField,
    SchoolClass,
    Student,
    Guardian,
    StudentGuardian,
    Enrollment,
    RosterRecord,
    AuditEvent,
)

Rows = dict[type[Base], tuple[tuple[str, ...], list[Any]]]
Updates = defaultdict[tuple[type[Base], tuple[str, ...]], list[Any]]


class Batch:
    """Gathers what the writers say. Ids are hex; values are in storage form (see `bulk`)."""

    def __init__(self, session: Session, change_set: ChangeSet) -> None:
        at = change_set.committed_at
        assert at is not None
        actor = current_actor()
        self.session = session
        self.school_id = change_set.school_id.hex
        # Every row an import makes carries this instant: undo knows them by it.
        self.happened_at = at
        self.at = bulk.instant(session, at)
        self.today = clock.today().isoformat()
        self._who = (
            actor.user_id.hex if actor.user_id else None,
            actor.name,
            actor.request_id,
        )
        self._change_set_id = change_set.id.hex
        self._rows: Rows = {}
        self._updates: Updates = defaultdict(list)
        self._removed: list[Any] = []
        self._words = WordWriter(session)

    def add(self, model: type[Base], columns: tuple[str, ...], row: tuple[Any, ...]) -> None:
        if model not in self._rows:
            self._rows[model] = (columns, [])
        self._rows[model][1].append(row)

    def update(self, model: type[Base], entity_id: str, values: dict[str, Any]) -> None:
        columns = (*values, "updated_at")
        row = (*values.values(), self.at, self.school_id, entity_id)
        self._updates[model, columns].append(row)

    def untie(self, link_id: str) -> None:
        """Take the tie between a student and a guardian away."""
        self._removed.append((self.school_id, link_id))

    def index(self, kind: Kind, entity_id: str, words: Iterable[str]) -> None:
        """Let a new thing be found by these words."""
        self._words.add(self.school_id, kind.value, entity_id, words)

    def note(
        self,
        action: str,
        entity: str,
        entity_id: str,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
        *,
        about: str | None = None,
        in_change_set: bool = True,
    ) -> None:
        """One audit event. `about` is the student on whose page it is told too."""
        self.add(
            AuditEvent,
            _EVENT,
            (
                self.school_id,
                bulk.new_hex(),
                self.today,
                self.at,
                action,
                entity,
                entity_id,
                *self._who,
                self._change_set_id if in_change_set else None,
                about,
                None if before is None else as_json(before),
                None if after is None else as_json(after),
            ),
        )

    def take(self) -> Callable[[], None]:
        """What was gathered since the last time, as an act that sends it; gathering begins anew."""
        removed, updates, rows = self._removed, self._updates, self._rows
        self._removed, self._updates, self._rows = [], defaultdict(list), {}
        return partial(self._send, removed, updates, rows, self._words.take())

    def flush_words(self) -> None:
        """Send the search words that were waiting for more."""
        self._words.send(self._words.take_all())

    def _send(
        self, removed: list[Any], updates: Updates, rows: Rows, words: list[bulk.Values]
    ) -> None:
        bulk.delete(self.session, StudentGuardian, keys=KEY, rows=removed)
        for (model, columns), values in updates.items():
            bulk.update(self.session, model, keys=KEY, columns=columns, rows=values)
        for model in _ORDER:
            columns, values = rows.pop(model, ((), []))
            bulk.insert(self.session, model, columns, values)
        self._words.send(words)


def dashed(hexadecimal: str) -> str:
    """An id as JSON holds it."""
    return str(UUID(hexadecimal))
