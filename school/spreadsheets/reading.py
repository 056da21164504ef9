"""The door: a file of unknown kind becomes a workbook, or a plain sentence says why not."""

from __future__ import annotations

from pathlib import Path

from school.errors import Invalid, TooLarge
from school.spreadsheets.delimited import open_delimited
from school.spreadsheets.excel import open_excel
from school.spreadsheets.workbook import (
    MAX_COLUMNS,
    MAX_FILE_BYTES,
    MAX_ROWS,
    Cell,
    Merge,
    Row,
    Sheet,
    Workbook,
    cell_text,
)

__all__ = [
    "MAX_COLUMNS", "MAX_FILE_BYTES", "MAX_ROWS", "Cell", "Merge", "Row", "Sheet", "Workbook",
    "cell_text", "open_workbook",
]

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_OTHER_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x1f\x8b", "a compressed file"),
    (b"7z\xbc\xaf", "a compressed file"),
    (b"Rar!", "a compressed file"),
    (b"BZh", "a compressed file"),
    (b"\xfd7zXZ", "a compressed file"),
    (b"{\\rtf", "a text document"),
    (b"SQLite format 3", "a database"),
    (b"<?xml", "an XML document"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"<table", "a web page"),
)


def open_workbook(path: Path, *, filename: str) -> Workbook:
    """Reads the shape of a spreadsheet; its rows are read when asked for.

    The content decides the kind, never the name. Raises Invalid or TooLarge with a sentence
    for the person who chose the file.
    """
    size_bytes = path.stat().st_size
    if size_bytes > MAX_FILE_BYTES:
        raise TooLarge(
            "This file is larger than %(limit)s MB. Split it into smaller files.",
            limit=MAX_FILE_BYTES // 1024 // 1024,
        )
    with path.open("rb") as stream:
        head = stream.read(65536)
    _refuse_other_kinds(head)
    if head.startswith(_ZIP):
        return open_excel(path, filename=filename)
    return open_delimited(path, filename=filename)


def _refuse_other_kinds(head: bytes) -> None:
    if not head.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0"):
        raise Invalid("This file is empty.")
    if head.startswith(_OLE):
        _refuse_old_office(head)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:16].lower()
    for magic, kind in _OTHER_KINDS:
        if start.startswith(magic.lower()):
            raise Invalid(
                "This file is %(kind)s, not a spreadsheet. Save the list as .xlsx or CSV.",
                kind=kind,
            )


def _refuse_old_office(head: bytes) -> None:
    if _ENCRYPTED_PACKAGE in head:
        raise Invalid(
            "This workbook is protected by a password. Remove the password and save it again."
        )
    raise Invalid(
        "This file is in the old Excel format (.xls). Open it and save it as .xlsx or CSV."
    )
