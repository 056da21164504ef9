"""Small files of every kind, made here: good ones, and ones that pretend."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

from PIL import Image

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)


def picture(kind: str = "JPEG", size: tuple[int, int] = (40, 30), **more: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(out, format=kind, **more)
    return out.getvalue()


def zipped(parts: dict[str, bytes | str], *, stored_first: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, data) in enumerate(parts.items()):
            method = zipfile.ZIP_STORED if stored_first and number == 0 else zipfile.ZIP_DEFLATED
            archive.writestr(name, data, compress_type=method)
    return out.getvalue()


_OOXML = "application/vnd.openxmlformats-officedocument."
_MAIN_TYPES = {
    "word/document.xml": f"{_OOXML}wordprocessingml.document.main+xml",
    "xl/workbook.xml": f"{_OOXML}spreadsheetml.sheet.main+xml",
    "ppt/presentation.xml": f"{_OOXML}presentationml.presentation.main+xml",
}


def types(part: str, content_type: str | None = None) -> str:
    """[Content_Types].xml naming one main part."""
    told = content_type or _MAIN_TYPES[part]
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/{part}" ContentType="{told}"/></Types>'
    )


def word(**more: bytes) -> bytes:
    return office("word/document.xml", **{n.replace("__", "/"): data for n, data in more.items()})


def office(part: str, **more: bytes | str) -> bytes:
    return zipped({"[Content_Types].xml": types(part), part: "<x/>", **more})


def open_document(kind: str) -> bytes:
    return zipped(
        {"mimetype": f"application/vnd.oasis.opendocument.{kind}", "content.xml": "<office/>"},
        stored_first=True,
    )


def huge_picture(width: int, height: int) -> bytes:
    """A PNG that claims to be enormous; a few bytes long."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\x00" * 100))
        + chunk(b"IEND", b"")
    )


GOOD: dict[str, tuple[bytes, str]] = {
    "photo.jpg": (picture("JPEG"), "image/jpeg"),
    "photo.JPEG": (picture("JPEG"), "image/jpeg"),
    "drawing.png": (picture("PNG"), "image/png"),
    "screen.webp": (picture("WEBP"), "image/webp"),
    "small.gif": (picture("GIF"), "image/gif"),
    "report.pdf": (PDF, "application/pdf"),
    "letter.docx": (
        word(),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    "marks.xlsx": (
        office("xl/workbook.xml"),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    "lesson.pptx": (
        office("ppt/presentation.xml"),
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
    "letter.odt": (open_document("text"), "application/vnd.oasis.opendocument.text"),
    "marks.ods": (
        open_document("spreadsheet"),
        "application/vnd.oasis.opendocument.spreadsheet",
    ),
    "lesson.odp": (
        open_document("presentation"),
        "application/vnd.oasis.opendocument.presentation",
    ),
    "notes.txt": ("Zażółć gęślą jaźń\n".encode(), "text/plain"),
    "notes16.txt": ("Zażółć".encode("utf-16"), "text/plain"),
    "russian.txt": ("Привет, школа".encode("cp1251"), "text/plain"),
    "list.csv": (b"name;class\nZofia;7B\n", "text/csv"),
    "mz.txt": (b"MZ is how this letter begins.", "text/plain"),
}

_BOMB = b"<x>" + b" " * (60 * 1024 * 1024) + b"</x>"

# name, content (made when asked), a piece of the sentence that must be shown
HOSTILE: list[tuple[str, Callable[[], bytes], str]] = [
    ("program.exe", lambda: b"MZ\x90\x00" + b"\x00" * 200, "program"),
    ("photo.jpg", lambda: b"MZ\x90\x00" + b"\x00" * 200, "program"),
    ("report.pdf", lambda: b"\x7fELF" + b"\x00" * 100, "program"),
    ("notes.txt", lambda: b"#!/bin/sh\nrm -rf /\n", "program"),
    ("mac.pdf", lambda: b"\xcf\xfa\xed\xfe" + b"\x00" * 100, "program"),
    ("page.html", lambda: b"<!doctype html><script>alert(1)</script>", "web page"),
    ("page.txt", lambda: b"  \n<html><body>hi</body></html>", "web page"),
    ("bom.txt", lambda: b"\xef\xbb\xbf<script>alert(1)</script>", "web page"),
    ("drawing.svg", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "web page"),
    ("drawing.png", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "web page"),
    ("data.csv", lambda: b"<?xml version='1.0'?><a/>", "web page"),
    ("late.csv", lambda: b"a,b\n1,<script>alert(1)</script>\n", "web page"),
    ("wide.txt", lambda: "<html>".encode("utf-16"), "web page"),
    ("page.php", lambda: b"<?php system($_GET['c']);", "web page"),
    ("letter.txt.exe", lambda: b"harmless text", ".exe"),
    ("script.js", lambda: b"alert(1)", ".js"),
    ("macro.docm", lambda: word(word__vbaProject_bin=b"x"), ".docm"),
    ("macro.docx", lambda: office("word/document.xml", **{"word/vbaProject.bin": b"x"}), "macro"),
    ("inside.xlsx", lambda: office("xl/workbook.xml", **{"xl/run.exe": b"MZ"}), "program"),
    ("nested.docx", lambda: office("word/document.xml", **{"word/more.zip": b"PK"}), "archive"),
    ("up.docx", lambda: office("word/document.xml", **{"../../etc/passwd": b"x"}), "can harm"),
    ("back.docx", lambda: office("word/document.xml", **{"..\\..\\boot.ini": b"x"}), "can harm"),
    ("bomb.docx", lambda: office("word/document.xml", **{"word/big.xml": _BOMB}), "unpacks"),
    (
        "parts.docx",
        lambda: office("word/document.xml", **{f"word/p{n}.xml": b"" for n in range(1100)}),
        "unpacks",
    ),
    ("half.docx", lambda: word()[:-30], "damaged"),
    ("files.zip", lambda: zipped({"a.txt": "hello"}), "archive"),
    ("files.docx", lambda: zipped({"a.txt": "hello"}), "archive"),
    ("old.doc", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "office file"),
    ("locked.docx", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "office file"),
    ("sheet.docx", lambda: office("xl/workbook.xml"), ".xlsx"),
    ("letter.pdf", word, ".docx"),
    ("photo.png", lambda: picture("JPEG"), ".jpg"),
    ("report.jpg", lambda: PDF, ".pdf"),
    ("report.txt", lambda: PDF, ".pdf"),
    ("cut.pdf", lambda: PDF[:60], "damaged"),
    ("late.pdf", lambda: b"junk\x00\x01" * 80 + PDF, "Nobody can tell"),
    ("cut.jpg", lambda: picture("JPEG")[:20], "damaged"),
    ("fake.gif", lambda: b"GIF89a", "damaged"),
    ("flood.png", lambda: huge_picture(30_000, 30_000), "too large"),
    ("wide.png", lambda: huge_picture(12_000, 12_000), "too large"),
    ("phone.heic", lambda: b"\x00\x00\x00\x18ftypheic" + b"\x00" * 40, "HEIC"),
    ("song.mp3", lambda: b"ID3\x03\x00" + b"\x00" * 200, "sound"),
    ("film.mp4", lambda: b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 200, "sound"),
    ("all.gz", lambda: b"\x1f\x8b\x08" + b"\x00" * 100, "archive"),
    ("all.rar", lambda: b"Rar!\x1a\x07\x00" + b"\x00" * 100, "archive"),
    ("empty.pdf", lambda: b"", "empty"),
    ("zeros.txt", lambda: b"\x00" * 500, "Nobody can tell"),
    ("noise.csv", lambda: bytes(n * 7 % 251 + 1 for n in range(4000)), "Nobody can tell"),
    ("noname", lambda: bytes(n * 7 % 251 + 1 for n in range(4000)), "Nobody can tell"),
]
