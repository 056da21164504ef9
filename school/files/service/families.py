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
_TABLE: tuple[tuple[str, str, str, str], ...] = (
    # code, family, extensions, content type
    ("jpeg", "image", "jpg jpeg jfif", "image/jpeg"),
    ("png", "image", "png", "image/png"),
    ("webp", "image", "webp", "image/webp"),
    ("gif", "image", "gif", "image/gif"),
    ("heic", "image", "heic heif", "image/heic"),
    ("pdf", "pdf", "pdf", "application/pdf"),
    ("docx", "office", "docx", f"{_OOXML}wordprocessingml.document"),
    ("xlsx", "sheet", "xlsx", f"{_OOXML}spreadsheetml.sheet"),
    ("pptx", "slides", "pptx", f"{_OOXML}presentationml.presentation"),
    ("odt", "office", "odt", f"{_ODF}text"),
    ("ods", "sheet", "ods", f"{_ODF}spreadsheet"),
    ("odp", "slides", "odp", f"{_ODF}presentation"),
    ("csv", "text", "csv tsv", "text/csv"),
    ("text", "text", "txt md text", "text/plain"),
)
KIND_WORDS = {
    "jpeg": "Picture (JPEG)",
    "png": "Picture (PNG)",
    "webp": "Picture (WebP)",
    "gif": "Picture (GIF)",
    "heic": "Picture (HEIC)",
    "pdf": "PDF",
    "docx": "Word document",
    "xlsx": "Excel workbook",
    "pptx": "PowerPoint slides",
    "odt": "OpenDocument text",
    "ods": "OpenDocument spreadsheet",
    "odp": "OpenDocument slides",
    "csv": "Table as text (CSV)",
    "text": "Plain text",
}
"""What people call each kind."""
_INLINE = frozenset({"jpeg", "png", "webp", "gif", "pdf"})
KINDS: dict[str, Kind] = {
    code: Kind(
        code, family, content_type, tuple(extensions.split()), KIND_WORDS[code], code in _INLINE
    )
    for code, family, extensions, content_type in _TABLE
}
BY_EXTENSION = {ext: kind for kind in KINDS.values() for ext in kind.extensions}
BY_CONTENT_TYPE = {kind.content_type: kind for kind in KINDS.values()}

# Known, so that one kept earlier is still called by its name; not taken any more, because its
# metadata (where and when it was taken) cannot be removed here.
TAKEN = frozenset(KINDS) - {"heic"}

PURPOSES: dict[str, Purpose] = {
    purpose.code: purpose
    for purpose in (
        Purpose("document", TAKEN),
        Purpose("medical", TAKEN, is_sensitive=True),
        Purpose("photo", frozenset({"jpeg", "png", "webp", "gif"}), most_mib=20),
    )
}
PURPOSE_WORDS = {
    "document": "Documents",
    "medical": "Medical documents",
    "photo": "Photos",
}
"""What people call the files of each purpose."""


def is_safe_inline(content_type: str | None) -> bool:
    kind = BY_CONTENT_TYPE.get(content_type or "")
    return kind is not None and kind.inline


def accept_list(kinds: Iterable[str]) -> str:
    """For a file field's `accept`: '.jpg,.png,…'."""
    return ",".join(f".{ext}" for code, k in KINDS.items() if code in kinds for ext in k.extensions)
