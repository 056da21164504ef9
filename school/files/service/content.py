"""What is really inside: the kind is decided by content, and the name must agree.

Nothing here trusts what the sender says. Each family has checks of its own (a picture's header
and size in pixels, an office document's parts, a PDF's beginning and end, text without a
program's bytes); what is refused is named in words a person knows.
"""

from __future__ import annotations

import codecs
import struct
import warnings
import zipfile
import zlib
from typing import IO

import filetype
from PIL import Image, UnidentifiedImageError

from school.errors import Invalid
from school.files.service.families import BY_EXTENSION, KINDS, Kind, Purpose
from school.files.service.names import extension_of

MOST_PIXELS = 40_000_000
MOST_PARTS = 1000
MOST_UNPACKED_BYTES = 200 * 1024 * 1024
MOST_RATIO = 100
HEAD_BYTES = 8192
TEXT_BLOCK = 64 * 1024
_PILLOW = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "WEBP": "webp", "GIF": "gif"}
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis")
_OOXML_PARTS = {
    "word/document.xml": "docx",
    "xl/workbook.xml": "xlsx",
    "ppt/presentation.xml": "pptx",
}
_ODF_TYPES = {KINDS[code].content_type: code for code in ("odt", "ods", "odp")}
_MARKUP = (
    b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<svg", b"<iframe", b"<?xml",
    b"<!doctype svg", b"<img", b"<object", b"<embed", b"<style", b"<?php", b"<%",
)  # fmt: skip


_MACHINE_CODE = (
    b"#!", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa", b"\xcf\xfa\xed\xfe",
    b"\xce\xfa\xed\xfe", b"dex\n", b"\x00asm",
)  # fmt: skip
_BROKEN_ZIP = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError,
    struct.error,
)  # fmt: skip


REFUSAL_SENTENCES = {
    "program": "This is a program. Send the document itself.",
    "web_page": "This is a web page or a drawing with code in it. Save it as a PDF and send that.",
    "archive": "This is an archive of several files. Send the files one by one.",
    "sound": "This is a sound or a film. Only pictures and documents are taken here.",
    "old_office": "This is an old or locked office file. "
    "Save it as .docx, .xlsx or PDF, without a password.",
    "macro": "This document contains a program (a macro). Save it without macros and send that.",
    "unknown": "Nobody can tell what kind of file this is. "
    "Save it as a PDF or a picture and send that.",
    "damaged_picture": "This picture is damaged and cannot be read. Save it again and send that.",
    "damaged_pdf": "This PDF is damaged: its end is missing. Save it again and send that.",
    "damaged_document": "This document is damaged and cannot be read. Save it again and send that.",
    "not_a_picture": "This is not a picture. Send a JPEG, PNG, WebP or GIF.",
    "bomb": "This file unpacks to more than it may. Save it again without what is not needed.",
    "pixels": "This picture is too large. Make it smaller than 40 million dots.",
    "empty": "This file is empty.",
    "misnamed": "The name ends in .%(extension)s, but inside is a .%(inside)s file. "
    "Save it again under the right name.",
    "not_taken": "Files that end in .%(extension)s are not taken. Save it as a PDF and send that.",
}  # fmt: skip
"""Why content is refused, in words a person knows."""


class Refused(Invalid):
    """This content is not taken. `reason` is a key of REFUSAL_SENTENCES."""

    code = "content_refused"

    def __init__(self, reason: str, *, field: str = "file", **params: object) -> None:
        super().__init__(REFUSAL_SENTENCES[reason], field=field, **params)
        self.reason = reason


def decide_kind(stream: IO[bytes], *, name: str, purpose: Purpose) -> Kind:
    """The kind of what `stream` (seekable) holds. Raises Refused saying why it is not taken."""
    kind = _agree(_inside(stream), extension_of(name))
    if kind.code not in purpose.kinds:
        raise Refused("not_a_picture")
    stream.seek(0)
    return kind


def _agree(kind: Kind, extension: str) -> Kind:
    """What is inside and what the name says must be one; no extension says nothing."""
    if not extension:
        return kind
    named = BY_EXTENSION.get(extension)
    if named is None:
        raise Refused("not_taken", extension=extension)
    if kind.family == named.family == "text":
        return named
    if named is not kind:
        raise Refused("misnamed", extension=extension, inside=kind.extensions[0])
    return kind


def _inside(stream: IO[bytes]) -> Kind:
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    if not head:
        raise Refused("empty")
    _refuse_programs(head)
    if head.startswith(b"%PDF-"):
        return _pdf(stream)
    if head.startswith(b"PK\x03\x04"):
        return _office(stream)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return KINDS["heic"]
    guess = filetype.guess(head)
    mime = guess.mime if guess is not None else ""
    if mime in {"image/jpeg", "image/png", "image/webp", "image/gif"}:
        return _picture(stream, KINDS[mime.removeprefix("image/")])
    return _text(stream, head, mime)


def _refuse_programs(head: bytes) -> None:
    if head.startswith(_MACHINE_CODE) or _is_windows_program(head):
        raise Refused("program")
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        raise Refused("old_office")


def _is_windows_program(head: bytes) -> bool:
    """'MZ' and machine bytes; a letter that begins "MZ" is no program."""
    return head.startswith(b"MZ") and b"\x00" in head[:128]


def _pdf(stream: IO[bytes]) -> Kind:
    """`%PDF-` at the very beginning and `%%EOF` near the end."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - 2048))
    if b"%%EOF" not in stream.read():
        raise Refused("damaged_pdf")
    return KINDS["pdf"]


def _picture(stream: IO[bytes], kind: Kind) -> Kind:
    """Its header can be read, and it does not unfold into more dots than anybody needs."""
    stream.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(stream, formats=("JPEG", "PNG", "WEBP", "GIF")) as image:
                width, height = image.size
                found = _PILLOW.get(str(image.format))
    except Image.DecompressionBombError:
        raise Refused("pixels") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, struct.error):
        raise Refused("damaged_picture") from None
    if width * height > MOST_PIXELS:
        raise Refused("pixels")
    if found != kind.code:
        raise Refused("damaged_picture")
    return kind


def _office(stream: IO[bytes]) -> Kind:
    """A ZIP that is an office document, within limits and without programs inside."""
    stream.seek(0)
    try:
        with zipfile.ZipFile(stream) as archive:
            parts = archive.infolist()
            names = {part.filename for part in parts}
            kind = _kind_of_parts(archive, names)
            _check_parts(archive, parts)
    except _BROKEN_ZIP:
        raise Refused("damaged_document") from None
    except RuntimeError:  # how zipfile says "encrypted"
        raise Refused("old_office") from None
    return kind


def _kind_of_parts(archive: zipfile.ZipFile, names: set[str]) -> Kind:
    if "[Content_Types].xml" in names:
        for part, code in _OOXML_PARTS.items():
            if part in names:
                return KINDS[code]
    if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
        code = _ODF_TYPES.get(archive.read("mimetype").decode("ascii", "replace").strip(), "")
        if code and "content.xml" in names:
            return KINDS[code]
    raise Refused("archive")


def _check_parts(archive: zipfile.ZipFile, parts: list[zipfile.ZipInfo]) -> None:
    if len(parts) > MOST_PARTS:
        raise Refused("bomb")
    for part in parts:
        _check_part_name(part.filename.replace("\\", "/").casefold())
    if sum(part.file_size for part in parts) > MOST_UNPACKED_BYTES:
        raise Refused("bomb")
    _count_unpacked(archive, parts)


def _check_part_name(name: str) -> None:
    if name.startswith("/") or ".." in name.split("/"):
        raise Refused("damaged_document")
    if name.endswith(("vbaproject.bin", "vbadata.xml")) or name.startswith("basic/"):
        raise Refused("macro")
    if name.endswith((".exe", ".dll", ".js", ".vbs", ".bat", ".cmd", ".ps1", ".jar", ".scr")):
        raise Refused("program")
    if name.endswith((".zip", ".rar", ".7z", ".gz")):
        raise Refused("archive")


def _count_unpacked(archive: zipfile.ZipFile, parts: list[zipfile.ZipInfo]) -> None:
    """Unpack and count, because declared sizes can lie; stop at the limit."""
    total = 0
    packed = sum(part.compress_size for part in parts)
    for part in parts:
        with archive.open(part) as content:
            while block := content.read(TEXT_BLOCK):
                total += len(block)
                if total > MOST_UNPACKED_BYTES:
                    raise Refused("bomb")
    # Small documents of repeated XML pack very well; only large ones are suspicious.
    if total > 10 * 1024 * 1024 and total > packed * MOST_RATIO:
        raise Refused("bomb")


def _text(stream: IO[bytes], head: bytes, mime: str) -> Kind:
    """Plain text in an encoding people use, and not a page or a program in disguise."""
    if mime.startswith(("audio/", "video/")):
        raise Refused("sound")
    if mime in _ARCHIVES:
        raise Refused("archive")
    encoding = _encoding_of(head)
    if encoding is None or not _is_text_throughout(stream, encoding):
        raise Refused("unknown")
    beginning = head.decode(encoding, "ignore").lstrip("\ufeff\x0c \t\r\n").lower().encode()
    if beginning.startswith(_MARKUP) or any(tag in beginning for tag in _CODE):
        raise Refused("web_page")
    return KINDS["text"]


_CODE = (b"<script", b"<svg", b"<html")
_ARCHIVES = frozenset(
    f"application/{kind}"
    for kind in (
        "zip", "x-tar", "x-rar-compressed", "gzip", "x-bzip2", "x-7z-compressed", "x-xz", "zstd",
        "vnd.ms-cab-compressed", "x-lzip", "x-compress", "x-iso9660-image",
    )
)  # fmt: skip


def _encoding_of(head: bytes) -> str | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\x00" in head:
        return None
    try:
        # A character may be cut at the end of the head.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "latin-1"  # stands for every eight-bit encoding: only its controls are looked at
    return "utf-8"


def _is_text_throughout(stream: IO[bytes], encoding: str) -> bool:
    """Decodes, and holds no character that text does not have; in bounded memory."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    odd = total = 0
    try:
        while block := stream.read(TEXT_BLOCK):
            text = decoder.decode(block)
            total += len(text)
            odd += len(text) - len(text.translate(_CONTROLS))
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    # Old word processors leave a stray control character or two.
    return odd <= total // 1000


_CONTROLS = {code: None for code in range(32) if code not in {9, 10, 12, 13, 27}}
