"""CSV and its cousins: any encoding, separator and line ending, read as a stream."""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from school.errors import Invalid, TooLarge
from school.spreadsheets.encodings import Encoding, detect_encoding
from school.spreadsheets.formulas import MARKED, unmark
from school.spreadsheets.workbook import MAX_COLUMNS, MAX_ROWS, Cell, Merge, Row, Workbook

_SEPARATORS = ",;\t|"
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*\Z", re.IGNORECASE)
_SAMPLE_LINES = 60
_MAX_LINE_CHARACTERS = 1_000_000
# A quotation mark nobody closed swallows lines until the next one; no honest cell is this tall.
_MAX_LINES_IN_A_ROW = 500
_CHUNK_BYTES = 1 << 18


@dataclass(frozen=True)
class DelimitedSheet:
    """The one sheet of a text file."""

    path: Path
    encoding: Encoding
    delimiter: str
    first_line: int
    has_marked_cells: bool
    name: str = ""
    is_visible: bool = True
    hidden_columns: frozenset[int] = frozenset()
    merges: tuple[Merge, ...] = ()
    holds_only_text: bool = True

    def rows(self, *, fill_down: bool = False) -> Iterator[Row]:  # noqa: ARG002  nothing merges
        with _open_text(self.path, self.encoding) as stream:
            for _ in range(self.first_line - 1):
                stream.readline()
            yield from self._records(stream)

    def _records(self, stream: TextIO) -> Iterator[Row]:
        reader = csv.reader(_bounded(stream), delimiter=self.delimiter)
        before = self.first_line - 1
        line = last = before
        in_the_air = False
        width = 0
        try:
            for number, cells in enumerate(reader):
                line = last + 1
                last = before + reader.line_num
                if number >= MAX_ROWS or len(cells) > MAX_COLUMNS or last > line:
                    _check_shape(number, cells, line=line, last=last)
                if last == line:
                    width = max(width, len(cells))
                elif self._swallows_rows(cells, width):
                    raise Invalid(_UNCLOSED, line=line)
                in_the_air = last - line > 1 and cells[-1].endswith(("\n", "\r"))
                kept = [unmark(cell) for cell in cells] if self.has_marked_cells else cells
                yield Row(line, cast("list[Cell]", kept))
        except csv.Error as broken:
            within_a_line = before + reader.line_num <= last + 1
            raise _refusal(broken, line=last + 1, within_a_line=within_a_line) from broken
        if in_the_air:  # the file ended before the quotation mark was closed
            raise Invalid(_UNCLOSED, line=line)


    def _swallows_rows(self, cells: list[str], width: int) -> bool:
        """A cell that holds whole rows of the list: its quotation mark was never meant as one.

        It ends at the next row's end, or in the middle of a row that has a quotation mark too.
        """
        return width >= _LEAST_WIDTH and any(
            line.count(self.delimiter) >= (1 if '"' in cell else width - 1)
            for cell in cells
            if "\n" in cell
            for line in cell.splitlines()[1:]
        )


def _refusal(broken: csv.Error, *, line: int, within_a_line: bool) -> Invalid | TooLarge:
    if within_a_line and "field larger" in str(broken):
        return TooLarge("A cell in line %(line)s is longer than any cell of a list.", line=line)
    return Invalid(_UNCLOSED, line=line)


# In narrower lists a line of an address may have as many commas as a row.
_LEAST_WIDTH = 3
_UNCLOSED = (
    "The row in line %(line)s doesn't end: a quotation mark seems to be opened and never closed."
)


def _check_shape(number: int, cells: list[str], *, line: int, last: int) -> None:
    if number >= MAX_ROWS:
        raise TooLarge(
            "This file has more than %(limit)s rows. Split it into smaller files.", limit=MAX_ROWS
        )
    if len(cells) > MAX_COLUMNS:
        raise TooLarge(
            "Line %(line)s has %(columns)s columns; %(limit)s is the most we can read.",
            line=line, columns=len(cells), limit=MAX_COLUMNS,
        )
    if last - line > _MAX_LINES_IN_A_ROW:
        raise Invalid(_UNCLOSED, line=line)


def open_delimited(path: Path, *, filename: str) -> Workbook:
    encoding = detect_encoding(path)
    has_marked_cells = _survey(path, encoding)
    delimiter, first_line = _find_delimiter(path, encoding)
    sheet = DelimitedSheet(
        path=path, encoding=encoding, delimiter=delimiter, first_line=first_line,
        has_marked_cells=has_marked_cells,
    )
    return Workbook(
        filename=filename, encoding=encoding.label, delimiter=delimiter, sheets=[sheet]
    )


def _open_text(path: Path, encoding: Encoding) -> TextIO:
    return path.open(encoding=encoding.codec, errors=encoding.errors, newline="")


def _bounded(stream: TextIO) -> Iterator[str]:
    """Lines of the stream; one that is absurdly long is refused before it fills the memory."""
    number = 0
    while line := stream.readline(_MAX_LINE_CHARACTERS):
        number += 1
        if len(line) >= _MAX_LINE_CHARACTERS:
            raise TooLarge("Line %(line)s is too long to be a row of a list.", line=number)
        yield line


def _survey(path: Path, encoding: Encoding) -> bool:
    """Decodes the whole file once: are there NULs (refused), are there marked cells?"""
    decoder = codecs.getincrementaldecoder(encoding.codec)(encoding.errors)
    has_marked_cells = False
    tail = ""
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            text = decoder.decode(chunk)
            if "\0" in text:
                raise Invalid(
                    "This file holds characters that no list has; it isn't a spreadsheet. "
                    "Save the list as .xlsx or CSV."
                )
            has_marked_cells = has_marked_cells or bool(MARKED.search(tail + text))
            tail = text[-1:]
    return has_marked_cells


def _find_delimiter(path: Path, encoding: Encoding) -> tuple[str, int]:
    """The separator, and the line the table begins at (2 after Excel's own "sep=;" line)."""
    with _open_text(path, encoding) as stream:
        lines = list(_take(_bounded(stream), _SAMPLE_LINES))
    if lines and (named := _SEPARATOR_LINE.match(lines[0])):
        return named[1], 2
    return max(_SEPARATORS, key=lambda mark: _regularity(lines, mark)), 1


def _take(lines: Iterable[str], count: int) -> Iterator[str]:
    for line, _ in zip(lines, range(count), strict=False):
        yield line


def _regularity(lines: list[str], delimiter: str) -> float:
    """How much the lines look like a table when cut at `delimiter`: 0 when nothing is cut."""
    try:
        widths = [len(cells) for cells in csv.reader(lines, delimiter=delimiter) if any(cells)]
    except csv.Error:
        return 0.0
    wide = Counter(width for width in widths if width > 1)
    if not wide:
        return 0.0
    width, count = wide.most_common(1)[0]
    return count / len(widths) * math.sqrt(min(width, 40))
