"""What a file is called: data for people, never a place in a file system."""

from __future__ import annotations

import unicodedata

LONGEST = 150
LONGEST_BYTES = 240
LONGEST_EXTENSION = 16
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)
# Control, format (bidi, zero-width), surrogates, private use, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean_name(given: str | None) -> str:
    """The name as it is kept: no folders, nothing unseen, safe on every system; else 'file'."""
    name = (given or "").replace("\\", "/").rpartition("/")[2]
    name = unicodedata.normalize("NFC", "".join(c if _is_seen(c) else "" for c in name))
    name = _shorten(" ".join(name.split()).rstrip(". ").lstrip())
    if not name.strip("."):
        return "file"
    return f"_{name}" if _is_reserved(name) else name


def extension_of(name: str) -> str:
    """'pdf' of 'Report.PDF'; empty when there is none."""
    stem, dot, extension = name.rpartition(".")
    fits = dot and stem and 0 < len(extension) <= LONGEST_EXTENSION
    return extension.casefold() if fits else ""


def with_extension(name: str, extension: str) -> str:
    """The name, with this extension in place of its own."""
    own = extension_of(name)
    stem = name[: -len(own) - 1] if own else name
    return clean_name(f"{stem}.{extension}")


def _is_seen(char: str) -> bool:
    return unicodedata.category(char) not in _UNSEEN


def _is_reserved(name: str) -> bool:
    """Windows opens a device, not a file, for CON, COM1.txt and the like."""
    stem = unicodedata.normalize("NFKC", name).casefold().partition(".")[0]
    return stem.strip() in _RESERVED


def _shorten(name: str) -> str:
    """At most 150 characters and 240 bytes, counting a mark before a reserved name."""
    if _fits(name):
        return name
    extension = extension_of(name)
    tail = f".{extension}" if extension else ""
    stem = name[: -len(tail)] if tail else name
    while stem and not _fits(stem + tail):
        stem = stem[:-1]
    return stem.rstrip(". ") + tail


def _fits(name: str) -> bool:
    return len(name) < LONGEST and len(name.encode()) < LONGEST_BYTES
