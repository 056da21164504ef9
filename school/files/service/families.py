"""The kinds of file a school takes, and which purpose takes which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file: what it is called, how its names end, how it is sent."""

    code: str
    family: str  # image | pdf | office | sheet | slides | text
    content_type: str
    extensions: tuple[str, ...]
    words: str
    # A browser may show it inside our own address: raster pictures and PDF, nothing else.
    inline: bool


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a file is kept for: which kinds, how large, and how closely it is guarded."""

    code: str
    kinds: frozenset[str]
    most_mib: int | None = None  # None: the installation's own limit
    # Never a link that works for whoever holds it, never kept by a cache.
    is_sensitive: bool = False

    def limit_bytes(self, installation_bytes: int) -> int:
        own = self.most_mib * MIB if self.most_mib else installation_bytes
        return min(own, installation_bytes)


_OOXML = "application/vnd.openxmlformats-officedocument."
_ODF = "application/vnd.oasis.opendocument."
_TABLE: tuple[tuple[str, str, str, str, str], ...] = (
    # code, family, extensions, in words, content type
    ("jpeg", "image", "jpg jpeg jfif", "a picture (JPEG)", "image/jpeg"),
    ("png", "image", "png", "a picture (PNG)", "image/png"),
    ("webp", "image", "webp", "a picture (WebP)", "image/webp"),
    ("gif", "image", "gif", "a picture (GIF)", "image/gif"),
    ("heic", "image", "heic heif", "a picture (HEIC)", "image/heic"),
    ("pdf", "pdf", "pdf", "a PDF", "application/pdf"),
    ("docx", "office", "docx", "a Word document", f"{_OOXML}wordprocessingml.document"),
    ("xlsx", "sheet", "xlsx", "an Excel workbook", f"{_OOXML}spreadsheetml.sheet"),
    ("pptx", "slides", "pptx", "PowerPoint slides", f"{_OOXML}presentationml.presentation"),
    ("odt", "office", "odt", "an OpenDocument text", f"{_ODF}text"),
    ("ods", "sheet", "ods", "an OpenDocument spreadsheet", f"{_ODF}spreadsheet"),
    ("odp", "slides", "odp", "OpenDocument slides", f"{_ODF}presentation"),
    ("csv", "text", "csv tsv", "plain text", "text/csv"),
    ("text", "text", "txt md text", "plain text", "text/plain"),
)
_INLINE = frozenset({"jpeg", "png", "webp", "gif", "pdf"})
KINDS: dict[str, Kind] = {
    code: Kind(code, family, content_type, tuple(extensions.split()), words, code in _INLINE)
    for code, family, extensions, words, content_type in _TABLE
}
BY_EXTENSION = {ext: kind for kind in KINDS.values() for ext in kind.extensions}
BY_CONTENT_TYPE = {kind.content_type: kind for kind in KINDS.values()}

PURPOSES: dict[str, Purpose] = {
    purpose.code: purpose
    for purpose in (
        Purpose("document", frozenset(KINDS)),
        Purpose("medical", frozenset(KINDS), is_sensitive=True),
        Purpose("photo", frozenset({"jpeg", "png", "webp", "gif"}), most_mib=20),
    )
}


def purpose_named(code: str) -> Purpose:
    """The purpose with this code. Raises KeyError for one that no page offers."""
    return PURPOSES[code]


def is_safe_inline(content_type: str | None) -> bool:
    kind = BY_CONTENT_TYPE.get(content_type or "")
    return kind is not None and kind.inline


def accept_list(kinds: Iterable[str]) -> str:
    """For a file field's `accept`: '.jpg,.png,…'."""
    return ",".join(f".{ext}" for code, k in KINDS.items() if code in kinds for ext in k.extensions)
