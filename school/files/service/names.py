"""What a file is called: data for people, never a place in a file system."""

from __future__ import annotations

import itertools
import re
import unicodedata

LONGEST = 150
LONGEST_BYTES = 240
LONGEST_EXTENSION = 16
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{port}{n}" for port in ("com", "lpt") for n in range(10)]
)
# Control, format (bidi, zero-width), surrogates, private use, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks by category, but nothing is drawn for them: fillers, joiners, variants.
_UNSEEN_LETTERS = frozenset(
    map(
        chr,
        itertools.chain(
            (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
            range(0x180B, 0x1810),
            range(0xFE00, 0xFE10),
            range(0xE0100, 0xE01F0),
        ),
    )
)


def clean_name(given: str | None) -> str:
    """The name as it is kept: no folders, nothing unseen, safe on every system; else 'file'."""
    name = (given or "").replace("\\", "/").rpartition("/")[2]
    name = unicodedata.normalize("NFC", "".join(c if _is_seen(c) else "" for c in name))
    name = " ".join(name.split()).rstrip(". ").lstrip()
    if not name:
        return "file"
    return _shorten(f"_{name}" if _is_reserved(name) else name)


def is_blank(given: str | None) -> bool:
    """Whether there is nothing in it to see."""
    return not any(_is_seen(char) and not char.isspace() for char in given or "")


def extension_of(name: str) -> str:
    """'pdf' of 'Report.PDF'; empty when there is none."""
    stem, dot, extension = name.rpartition(".")
    fits = dot and stem and 0 < len(extension) <= LONGEST_EXTENSION
    return extension.casefold() if fits else ""


def with_extension(name: str, extension: str) -> str:
    """The name, with this extension in place of its own."""
    return clean_name(f"{_split(name)[0]}.{extension}")


def numbered(name: str, number: int) -> str:
    """'Report (2).pdf' of 'Report.pdf' and 2."""
    stem, extension = _split(name)
    return _cut(stem, f" ({number}){extension}")


def numbered_folder(name: str, number: int) -> str:
    """'Trip 3.4 (2)' of 'Trip 3.4' and 2: a folder's name has no extension."""
    return _cut(name, f" ({number})")


def _split(name: str) -> tuple[str, str]:
    """('Report', '.PDF') of 'Report.PDF', as it is written."""
    stem, dot, extension = name.rpartition(".")
    return (stem, dot + extension) if extension_of(name) else (name, "")


def _is_seen(char: str) -> bool:
    return unicodedata.category(char) not in _UNSEEN and char not in _UNSEEN_LETTERS


def _is_reserved(name: str) -> bool:
    """Windows opens a device, not a file, for CON, COM1.txt and the like."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.split(r"[.:]", plain)[0].strip() in _RESERVED


def _shorten(name: str) -> str:
    """At most 150 characters and 240 bytes; the extension stays."""
    return name if _fits(name) else _cut(*_split(name))


def _cut(stem: str, tail: str) -> str:
    while stem and not _fits(stem + tail):
        stem = stem[:-1]
    return stem.rstrip(". ") + tail


def _fits(name: str) -> bool:
    return len(name) <= LONGEST and len(name.encode()) <= LONGEST_BYTES
