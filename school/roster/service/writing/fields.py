"""A school's own fields: made when a column first needs them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from school.roster.service import bulk
from school.roster.service.directory import CUSTOM, Directory
from school.roster.service.writing.batch import KEY, STAMPS, Batch, dashed
from school.students.models import CustomField

_FIELD = (*KEY, "label", "kind", "choices", "position", "is_archived", *STAMPS)


class FieldWriter:
    def __init__(self, batch: Batch, directory: Directory) -> None:
        self._batch = batch
        self._directory = directory
        rows = batch.session.execute(sa.select(CustomField.label, CustomField.id))
        self._ids = {label: str(field_id) for label, field_id in rows}

    def id_of(self, key: str) -> str:
        """The id of the field that a value's key ("custom.Bus route") names."""
        label = key.removeprefix(CUSTOM)
        if label not in self._ids:
            self._add(label)
        return self._ids[label]

    def lay_over(self, now: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        """The own fields with these values laid over them; None takes a value away."""
        laid = now | {self.id_of(key): value for key, value in new.items()}
        return {field_id: value for field_id, value in laid.items() if value is not None}

    def _add(self, label: str) -> None:
        batch, field_id, position = self._batch, bulk.new_hex(), len(self._ids)
        self._ids[label] = dashed(field_id)
        self._directory.labels[dashed(field_id)] = label
        batch.add(
            CustomField,
            _FIELD,
            (
                *(batch.school_id, field_id, label, "text", "[]", position, False),
                *(1, batch.at, batch.at),
            ),
        )
        batch.note(
            "custom_field.added",
            "custom_field",
            field_id,
            None,
            {"label": label},
            in_change_set=False,
        )
