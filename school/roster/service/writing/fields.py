"""A school's own fields: made when a column first needs them."""

from __future__ import annotations

from typing import Any

from school.errors import Conflict
from school.roster.service import bulk
from school.roster.service.directory import CUSTOM, Directory
from school.roster.service.writing.batch import KEY, STAMPS, Batch, dashed
from school.roster.sheet.targets import custom_target, is_field_id
from school.students.models import CustomField

_FIELD = (*KEY, "label", "kind", "choices", "position", "is_archived", *STAMPS)


class FieldWriter:
    def __init__(self, batch: Batch, directory: Directory) -> None:
        self._batch = batch
        self._directory = directory
        self._labels = {field.label for field in directory.own}
        # {"custom:Bus route": "custom:<id>"} of those this import made.
        self.made: dict[str, str] = {}

    def id_of(self, key: str) -> str:
        """The id of the field that a value's key ("custom:<id>" or "custom:Bus route") names."""
        own = self.made.get(key, key).removeprefix(CUSTOM)
        return own if own in self._directory.own_ids else self._add(own)

    def by_id(self, said: dict[str, Any]) -> dict[str, Any]:
        """What the file says, by the ids of the fields: their names may change."""
        if not self.made:
            return said
        return {self.made.get(name, name): value for name, value in said.items()}

    def lay_over(self, now: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        """The own fields with these values laid over them; None takes a value away."""
        laid = now | {self.id_of(key): value for key, value in new.items()}
        return {field_id: value for field_id, value in laid.items() if value is not None}

    def _add(self, label: str) -> str:
        if is_field_id(label) or label in self._labels:
            # Taken away since, or made by hand for something else than text.
            raise Conflict(
                "The school's own fields have changed since this was checked. Check the file again."
            )
        batch, field_id, position = self._batch, bulk.new_hex(), len(self._directory.own_ids)
        self.made[custom_target(label)] = custom_target(dashed(field_id))
        self._directory.own_ids.add(dashed(field_id))
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
        return dashed(field_id)
