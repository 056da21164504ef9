"""What a spreadsheet is once it is open: sheets of numbered rows, whatever the format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple, Protocol

Cell = str | float | int | bool | date | datetime | time | timedelta | None

MAX_FILE_BYTES = 50 * 1024 * 1024
MAX_ROWS = 200_000
MAX_COLUMNS = 500


class Row(NamedTuple):
    """`line` as a person sees it: the physical line, or the row number of the sheet, from 1."""

    line: int
    cells: list[Cell]


class Merge(NamedTuple):
    """A merged range; rows are line numbers from 1, columns indexes from 0, ends included."""

    first_line: int
    first_column: int
    last_line: int
    last_column: int


class Sheet(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def is_visible(self) -> bool: ...
    @property
    def hidden_columns(self) -> frozenset[int]: ...
    @property
    def holds_only_text(self) -> bool:
        """True when every cell is a str, as in a CSV."""
        ...
    @property
    def merges(self) -> tuple[Merge, ...]: ...

    def rows(self, *, fill_down: bool = False) -> Iterator[Row]:
        """All rows from the first, afresh each time.

        With `fill_down`, a cell merged over several rows gives its value to each of them.
        """
        ...


@dataclass(frozen=True, slots=True)
class Workbook:
    """An open spreadsheet. `encoding` and `delimiter` are None for a workbook (XLSX)."""

    filename: str
    encoding: str | None
    delimiter: str | None
    sheets: list[Sheet]
    counts_from_1904: bool = False

    def sheet(self, name: str) -> Sheet | None:
        return next((sheet for sheet in self.sheets if sheet.name == name), None)


def cell_text(value: Cell) -> str:
    """The cell as a person would have typed it: dates in ISO order, whole numbers without .0."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        on = value.date().isoformat()
        return on if value.time() == time.min else f"{on} {value.time().isoformat('seconds')}"
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
