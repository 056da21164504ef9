"""XLSX: checked as an archive first, then read by calamine; hidden columns from the XML."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from posixpath import join, normpath
from typing import BinaryIO, Final, TypeVar, cast
from xml.parsers import expat

import python_calamine

from school.errors import Invalid, TooLarge
from school.spreadsheets.workbook import MAX_COLUMNS, MAX_ROWS, Cell, Merge, Row, Workbook

_MAX_ENTRIES: Final = 2_000
_MAX_UNPACKED_BYTES: Final = 300 * 1024 * 1024
_MAX_RATIO: Final = 150
_RATIO_MATTERS_BYTES: Final = 20 * 1024 * 1024
_MAX_SMALL_PART_BYTES: Final = 4 * 1024 * 1024
_CHUNK_BYTES: Final = 1 << 18

_DAMAGED: Final = (
    "This workbook is damaged or was not saved completely. Open it in the spreadsheet program, "
    "save it again and try once more."
)
_TOO_MUCH: Final = "This workbook unpacks to far more than a list needs, so it was not opened."
_NOT_A_WORKBOOK: Final = (
    "This file is an archive, but not an Excel workbook. Save the list as .xlsx or CSV."
)
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
    with zipfile.ZipFile(path) as archive:
        parts = _sheet_parts(archive)
        for part in parts.values():
            _refuse_a_vast_sheet(archive, part)
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
        raise Invalid(
            "This workbook is protected by a password. Remove the password and save it again."
        ) from locked
    except (python_calamine.CalamineError, OSError, ValueError) as broken:
        raise Invalid(_DAMAGED) from broken
    except BaseException as panic:
        # A panic in the Rust reader derives from BaseException; it says: this file is broken.
        if type(panic).__name__ != "PanicException":
            raise
        raise Invalid(_DAMAGED) from panic


# ── The archive ──────────────────────────────────────────────────────────────────────────────


def check_archive(path: Path) -> None:
    """Unpacks every part into nothing, counting: sizes an archive states may be lies."""
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as stream:
            entries = archive.infolist()
            _check_directory(entries)
            _check_sizes(stream, entries, packed_bytes=path.stat().st_size)
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError) as broken:
        raise Invalid(_DAMAGED) from broken
    except (NotImplementedError, RuntimeError) as unreadable:
        raise Invalid(_DAMAGED) from unreadable


def _check_directory(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if len(names) > _MAX_ENTRIES:
        raise TooLarge(_TOO_MUCH)
    if len(set(names)) != len(names):
        raise Invalid(_DAMAGED)
    if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
        raise Invalid(_NOT_A_WORKBOOK)
    if any(entry.flag_bits & 1 for entry in entries):
        raise Invalid(
            "This workbook is protected by a password. Remove the password and save it again."
        )
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
           for entry in entries):
        raise Invalid(_DAMAGED)


def _check_sizes(
    stream: BinaryIO, entries: list[zipfile.ZipInfo], *, packed_bytes: int
) -> None:
    total = 0
    for entry in entries:
        total += _unpacked_bytes(stream, entry, limit=_MAX_UNPACKED_BYTES - total)
        is_bomb = total > _RATIO_MATTERS_BYTES and total > packed_bytes * _MAX_RATIO
        if is_bomb or total >= _MAX_UNPACKED_BYTES:
            raise TooLarge(_TOO_MUCH)


def _unpacked_bytes(stream: BinaryIO, entry: zipfile.ZipInfo, *, limit: int) -> int:
    """How many bytes the entry really unpacks to; stops counting at `limit`."""
    stream.seek(entry.header_offset)
    header = stream.read(30)
    if header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile
    name_bytes, extra_bytes = struct.unpack("<HH", header[26:30])
    stream.seek(name_bytes + extra_bytes, 1)
    if entry.compress_type == zipfile.ZIP_STORED:
        return entry.compress_size
    unpacker = zlib.decompressobj(-15)
    count, left = 0, entry.compress_size
    while left > 0 and count < limit and not unpacker.eof:
        packed = stream.read(min(_CHUNK_BYTES, left))
        if not packed:
            raise zipfile.BadZipFile
        left -= len(packed)
        while packed and count < limit:
            count += len(unpacker.decompress(packed, _CHUNK_BYTES))
            packed = unpacker.unconsumed_tail
    return count


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
    except expat.ExpatError as broken:
        raise Invalid(_DAMAGED) from broken


def _refuse_doctype(*_: object) -> None:
    raise Invalid(_DAMAGED)


def _small_part(archive: zipfile.ZipFile, name: str) -> list[tuple[str, Attributes]]:
    found: list[tuple[str, Attributes]] = []
    try:
        entry = archive.getinfo(name)
        if entry.file_size > _MAX_SMALL_PART_BYTES:
            raise TooLarge(_TOO_MUCH)
        with archive.open(entry) as stream:
            _read_elements(cast("BinaryIO", stream), lambda tag, seen: found.append((tag, seen)))
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError) as broken:
        raise Invalid(_DAMAGED) from broken
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

    try:
        with archive.open(part) as stream:
            _read_elements(cast("BinaryIO", stream), see)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as broken:
        raise Invalid(_DAMAGED) from broken
    return frozenset(hidden)


# One filled cell far away (XFD1048576) would make the reader lay out every cell before it.
_FAR_AWAY: Final = re.compile(
    rb"<(?:\w+:)?c\s[^<>]*?\br\s*=\s*[\"'](?:[A-Z]{1,3}(\d{6,})|(?:[A-Z]{3}|S[G-Z]|[T-Z][A-Z])\d+)"
    rb"[\"'][^<>]*(?<!/)>\s*<(?!/)"
)
_OVERLAP_BYTES: Final = 512


def _refuse_a_vast_sheet(archive: zipfile.ZipFile, part: str) -> None:
    try:
        with archive.open(part) as stream:
            before = b""
            while chunk := stream.read(_CHUNK_BYTES):
                if b"\0" in chunk:
                    raise Invalid(_DAMAGED)
                window = before + chunk
                for far in _FAR_AWAY.finditer(window):
                    _refuse_far_cell(far)
                before = window[-_OVERLAP_BYTES:]
    except (zipfile.BadZipFile, zlib.error, EOFError) as broken:
        raise Invalid(_DAMAGED) from broken


def _refuse_far_cell(far: re.Match[bytes]) -> None:
    if far[1] is None:
        raise TooLarge("This workbook has more than %(limit)s columns.", limit=MAX_COLUMNS)
    if int(far[1][:12]) > MAX_ROWS:
        raise TooLarge(_TOO_MANY_ROWS, limit=MAX_ROWS)
