"""What becomes of values that PostgreSQL cannot hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class OnBad(StrEnum):
    # Nothing is written; every kind of fault is told with its number and examples.
    STOP = "stop"
    # Rows with a fault, and rows that hang on them, go to the list of rejects.
    REJECT = "reject"
    # The value is mended where that has one meaning (see conversion.mended), else made NULL, and
    # where it may not be NULL the row is rejected.
    FIX = "fix"


@dataclass(slots=True)
class Rules:
    """By table: the rows left out, by key, with column and code; and the columns that are made
    NULL in some rows because they name a row that is not there."""

    on_bad: OnBad = OnBad.STOP
    rejected: dict[str, dict[Any, tuple[str, str]]] = field(default_factory=dict)
    emptied: dict[str, dict[str, set[Any]]] = field(default_factory=dict)

    def reject(self, table: str, key: Any, column: str, code: str) -> bool:
        """Leave the row out; False when it is out already."""
        rows = self.rejected.setdefault(table, {})
        if key in rows:
            return False
        rows[key] = (column, code)
        return True

    def of(self, table: str) -> TableRules:
        return TableRules(
            self.on_bad is OnBad.FIX, self.rejected.get(table, {}), self.emptied.get(table, {})
        )


@dataclass(frozen=True, slots=True)
class TableRules:
    """The same for one table."""

    fixes: bool = False
    rejected: Mapping[Any, tuple[str, str]] = field(default_factory=dict)
    emptied: Mapping[str, set[Any]] = field(default_factory=dict)
