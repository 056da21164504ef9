"""Would this workbook fill the memory? A few bytes of XML can stand for billions of cells.

The reader lays out every cell between the first and the last filled one, and copies a shared text
into each cell that names it. Both are counted here before it is let loose.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import Final

from school.errors import Invalid, TooLarge
from school.spreadsheets.archive import DAMAGED, TOO_MUCH
from school.spreadsheets.workbook import MAX_COLUMNS, MAX_ROWS

_CHUNK_BYTES: Final = 1 << 20
# A cell's tag with its attributes is never longer.
_OVERLAP_BYTES: Final = 512
_MAX_TEXT_BYTES: Final = 300 * 1024 * 1024
_SHARED_TEXTS: Final = "xl/sharedStrings.xml"


def _filled_cell(reference: str) -> re.Pattern[bytes]:
    """Cells that hold something; formatted empty ones may lie anywhere."""
    return re.compile(
        rf"<(?:\w+:)?c\s[^<>]*?\br\s*=\s*[\"'](?:{reference})[\"'][^<>]*(?<!/)>\s*<(?!/)".encode()
    )


_FAR_RIGHT: Final = _filled_cell(r"(?:[A-Z]{3}|S[G-Z]|[T-Z][A-Z])\d+")
_FAR_DOWN: Final = _filled_cell(r"[A-Z]+(\d{6,})")
# More than 60 columns together with 20,000 rows or more is a sheet for a CSV.
_WIDE: Final = _filled_cell(r"(?:[A-Z]{3}|B[I-Z]|[C-Z][A-Z])\d+")
_TALL: Final = _filled_cell(r"[A-Z]+(?:[2-9]\d{4}|\d{6,})")
_TEXT_CELL: Final = re.compile(rb"<(?:\w+:)?v>\s*(\d+)\s*</")


def check_cells(archive: zipfile.ZipFile, parts: list[str]) -> None:
    """Raises TooLarge for sheets that would grow beyond reason."""
    filled = sum(_check_sheet(archive, part) for part in parts)
    _check_texts(archive, parts, filled)


def _windows(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """The part in pieces that overlap, so that no tag is cut in all of them."""
    before = b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            if b"\0" in chunk:
                raise Invalid(DAMAGED)
            yield before + chunk
            before = chunk[-_OVERLAP_BYTES:]


def _check_sheet(archive: zipfile.ZipFile, part: str) -> int:
    """About how many filled cells the sheet has."""
    filled = 0
    is_wide = is_tall = False
    for window in _windows(archive, part):
        filled += window.count(b"</c>") + window.count(b":c>")
        if _WIDE.search(window):
            is_wide = True
            _refuse_far_right(window)
        # What is far down is tall as well: two walks over each window are enough.
        if is_tall or _TALL.search(window):
            is_tall = True
            _refuse_far_down(window)
        if is_wide and is_tall:
            raise TooLarge("This sheet is too large to be read as a workbook. Save it as CSV.")
    return filled


def _refuse_far_right(window: bytes) -> None:
    if _FAR_RIGHT.search(window):
        raise TooLarge("This workbook has more than %(limit)s columns.", limit=MAX_COLUMNS)


def _refuse_far_down(window: bytes) -> None:
    if any(int(far[1][:12]) > MAX_ROWS for far in _FAR_DOWN.finditer(window)):
        raise TooLarge(
            "This workbook has more than %(limit)s rows. Split it into smaller files.",
            limit=MAX_ROWS,
        )


def _check_texts(archive: zipfile.ZipFile, parts: list[str], filled: int) -> None:
    """How long all texts are once each cell has its own copy."""
    if _SHARED_TEXTS not in archive.namelist():
        return
    longest = max(_lengths(archive), default=0)
    if longest * filled <= _MAX_TEXT_BYTES:
        return
    # One long note may be to blame: count exactly.
    named: Counter[int] = Counter()
    for part in parts:
        for window in _windows(archive, part):
            named.update(int(number[:9]) for number in _TEXT_CELL.findall(window))
    total = sum(length * named[place] for place, length in enumerate(_lengths(archive)))
    if total > _MAX_TEXT_BYTES:
        raise TooLarge(TOO_MUCH)


def _lengths(archive: zipfile.ZipFile) -> Iterator[int]:
    """The length of each shared text in bytes, tags included."""
    length = 0
    with archive.open(_SHARED_TEXTS) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            *ended, rest = chunk.split(b"</si>")
            for text in ended:
                yield length + len(text)
                length = 0
            length += len(rest)
    yield length
