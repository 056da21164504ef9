"""XLSX: checked as an archive first, then read by calamine; hidden columns from the XML."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from posixpath import join, normpath
from typing import BinaryIO, Final, TypeVar, cast
from xml.parsers import expat

import python_calamine

from school.errors import Invalid, TooLarge
from school.spreadsheets.archive import (
    DAMAGED,
    PROTECTED,
    TOO_MUCH,
    check_archive,
    damage_in_a_sentence,
)
from school.spreadsheets.vastness import check_cells
from school.spreadsheets.workbook import MAX_COLUMNS, MAX_ROWS, Cell, Merge, Row, Workbook

_MAX_SMALL_PART_BYTES: Final = 4 * 1024 * 1024
_CHUNK_BYTES: Final = 1 << 18

_TOO_MANY_ROWS: Final = (
    "This workbook has more than %(limit)s rows. Split it into smaller files."
)

Answer = TypeVar("Answer")
Attributes = dict[str, str]


@dataclass(frozen=True)
class ExcelSheet:
    """One sheet; read by calamine when its rows are first asked for, then kept."""

    path: Path
    name: str
    is_visible: bool
    hidden_columns: frozenset[int]
    holds_only_text: bool = False

    @cached_property
    def _sheet(self) -> python_calamine.CalamineSheet:
        return _calamine(lambda: _open(self.path).get_sheet_by_name(self.name))

    @cached_property
    def merges(self) -> tuple[Merge, ...]:
        return tuple(
            Merge(top + 1, left, bottom + 1, right)
            for (top, left), (bottom, right) in self._sheet.merged_cell_ranges or []
        )

    def rows(self, *, fill_down: bool = False) -> Iterator[Row]:
        sheet = self._sheet
        if sheet.start is None:
            return
        first_column = sheet.start[1]
        if first_column + sheet.width > MAX_COLUMNS:
            raise TooLarge(
                "The sheet “%(sheet)s” has more than %(limit)s columns.",
                sheet=self.name, limit=MAX_COLUMNS,
            )
        rows = _numbered(sheet, indent=first_column)
        yield from _filled_down(rows, self.merges) if fill_down else rows


def _numbered(sheet: python_calamine.CalamineSheet, *, indent: int) -> Iterator[Row]:
    blank: list[Cell] = [""] * indent
    for line, cells in enumerate(sheet.iter_rows(), start=1):
        if line > MAX_ROWS:
            raise TooLarge(_TOO_MANY_ROWS, limit=MAX_ROWS)
        yield Row(line, blank + cast("list[Cell]", cells))


def _filled_down(rows: Iterator[Row], merges: tuple[Merge, ...]) -> Iterator[Row]:
    """Tall merged cells give their value to every row they span."""
    tall = sorted(merge for merge in merges if merge.last_line > merge.first_line)
    open_merges: list[tuple[Merge, Cell]] = []
    for row in rows:
        open_merges = [pair for pair in open_merges if pair[0].last_line >= row.line]
        for merge, value in open_merges:
            if merge.first_column < len(row.cells):
                row.cells[merge.first_column] = value
        while tall and tall[0].first_line <= row.line:
            merge = tall.pop(0)
            if merge.first_line == row.line and merge.first_column < len(row.cells):
                open_merges.append((merge, row.cells[merge.first_column]))
        yield row


def open_excel(path: Path, *, filename: str) -> Workbook:
    check_archive(path)
    with damage_in_a_sentence(), zipfile.ZipFile(path) as archive:
        parts = _sheet_parts(archive)
        check_cells(archive, list(parts.values()))
        hidden = {name: _hidden_columns(archive, part) for name, part in parts.items()}
        counts_from_1904 = _counts_from_1904(archive)
    book = _calamine(lambda: _open(path))
    sheets = [
        ExcelSheet(
            path=path,
            name=entry.name,
            is_visible=entry.visible == python_calamine.SheetVisibleEnum.Visible,
            hidden_columns=hidden.get(entry.name, frozenset()),
        )
        for entry in book.sheets_metadata
        if entry.typ == python_calamine.SheetTypeEnum.WorkSheet
    ]
    if not sheets:
        raise Invalid("This workbook has no sheet with cells.")
    return Workbook(
        filename=filename, encoding=None, delimiter=None, sheets=list(sheets),
        counts_from_1904=counts_from_1904,
    )


def _open(path: Path) -> python_calamine.CalamineWorkbook:
    return python_calamine.CalamineWorkbook.from_path(str(path))


def _calamine(read: Callable[[], Answer]) -> Answer:
    """What the reader says, with its complaints as one sentence."""
    try:
        return read()
    except python_calamine.PasswordError as locked:
        raise Invalid(PROTECTED) from locked
    except (python_calamine.CalamineError, OSError, ValueError) as broken:
        raise Invalid(DAMAGED) from broken
    except BaseException as panic:
        # A panic in the Rust reader derives from BaseException; it says: this file is broken.
        if type(panic).__name__ != "PanicException":
            raise
        raise Invalid(DAMAGED) from panic


# ── The XML parts ────────────────────────────────────────────────────────────────────────────


class _EnoughSeen(Exception):
    """The part of the file that matters is over."""


def _read_elements(
    stream: BinaryIO, see: Callable[[str, Attributes], None]
) -> None:
    """Calls `see` for each element. A document type (and so any entity) is refused."""
    parser = expat.ParserCreate(namespace_separator=None)
    parser.StartElementHandler = lambda name, attributes: see(name.rpartition(":")[2], attributes)
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        while chunk := stream.read(_CHUNK_BYTES):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except _EnoughSeen:
        return
    except (expat.ExpatError, LookupError, ValueError) as broken:
        # The last two: the part names an encoding nobody knows, or one expat can't take.
        raise Invalid(DAMAGED) from broken


def _refuse_doctype(*_: object) -> None:
    raise Invalid(DAMAGED)


def _small_part(archive: zipfile.ZipFile, name: str) -> list[tuple[str, Attributes]]:
    found: list[tuple[str, Attributes]] = []
    if archive.getinfo(name).file_size > _MAX_SMALL_PART_BYTES:
        raise TooLarge(TOO_MUCH)
    with archive.open(name) as stream:
        _read_elements(cast("BinaryIO", stream), lambda tag, seen: found.append((tag, seen)))
    return found


def _sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """Sheet name → its part in the archive."""
    targets = {
        seen.get("Id", ""): seen.get("Target", "")
        for tag, seen in _small_part(archive, "xl/_rels/workbook.xml.rels")
        if tag == "Relationship" and seen.get("Type", "").endswith("/worksheet")
    }
    names = {}
    for tag, seen in _small_part(archive, "xl/workbook.xml"):
        target = targets.get(seen.get("r:id", "")) if tag == "sheet" else None
        if target:
            part = target.lstrip("/") if target.startswith("/") else normpath(join("xl", target))
            names[seen.get("name", "")] = part
    return {name: part for name, part in names.items() if part in archive.namelist()}


def _counts_from_1904(archive: zipfile.ZipFile) -> bool:
    return any(
        tag == "workbookPr" and seen.get("date1904", "0") in {"1", "true"}
        for tag, seen in _small_part(archive, "xl/workbook.xml")
    )


def _hidden_columns(archive: zipfile.ZipFile, part: str) -> frozenset[int]:
    hidden: set[int] = set()

    def see(tag: str, seen: Attributes) -> None:
        if tag == "sheetData":
            raise _EnoughSeen
        if tag == "col" and seen.get("hidden", "0") in {"1", "true"}:
            first, last = int(seen.get("min", "1")), int(seen.get("max", "1"))
            hidden.update(range(first - 1, min(last, MAX_COLUMNS)))

    with archive.open(part) as stream:
        _read_elements(cast("BinaryIO", stream), see)
    return frozenset(hidden)
