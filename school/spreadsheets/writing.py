"""Rows to a file that opens well in a spreadsheet program and cannot run anything there."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import BinaryIO

import xlsxwriter

from school.spreadsheets.formulas import mark
from school.spreadsheets.workbook import Cell, cell_text

_FLUSH_ROWS = 500
_CELL_LIMIT = 32_767
_MAX_WIDTH = 60


def write_csv(rows: Iterable[Sequence[Cell]], stream: BinaryIO) -> None:
    """UTF-8 with a byte order mark (Excel needs it), CR LF, formula-like cells marked as text."""
    stream.write(b"\xef\xbb\xbf")
    page = io.StringIO(newline="")
    writer = csv.writer(page)
    for number, row in enumerate(rows, start=1):
        writer.writerow([mark(cell_text(cell)) for cell in row])
        if number % _FLUSH_ROWS == 0:
            _flush(page, stream)
    _flush(page, stream)


def _flush(page: io.StringIO, stream: BinaryIO) -> None:
    stream.write(page.getvalue().encode("utf-8", errors="replace"))
    page.seek(0)
    page.truncate()


def write_xlsx(
    rows: Iterable[Sequence[Cell]],
    stream: BinaryIO,
    *,
    columns: Sequence[str],
    sheet_name: str = "List",
) -> None:
    """A workbook with `columns` as its frozen heading; every cell is text, none a formula."""
    workbook = xlsxwriter.Workbook(
        stream, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    sheet = workbook.add_worksheet(sheet_name)
    for index, heading in enumerate(columns):
        sheet.set_column(index, index, min(max(len(heading) + 2, 12), _MAX_WIDTH))
    bold = workbook.add_format({"bold": True})
    for index, heading in enumerate(columns):
        sheet.write_string(0, index, heading[:_CELL_LIMIT], bold)
    sheet.freeze_panes(1, 0)
    for number, row in enumerate(rows, start=1):
        for index, cell in enumerate(row):
            text = cell_text(cell)
            if text:
                sheet.write_string(number, index, text[:_CELL_LIMIT])
    workbook.close()
