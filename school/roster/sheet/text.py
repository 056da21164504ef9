"""Cleaning a cell: outer spaces, hidden characters, one form for accents."""

from __future__ import annotations

import re
from typing import Final
from unicodedata import category, is_normalized, normalize

# Controls (but tab and line ends), soft hyphen, direction marks and overrides, zero-width marks,
# tags and byte order marks. The two joiners are looked at one by one.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
# Scripts in which a joiner changes the letters beside it (Persian, Indic, Khmer, Mongolian …).
_JOINING: Final = re.compile(
    "[\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc]"
)
_SPACES: Final = re.compile(r"\s+")
_ENDS: Final = re.compile(r"\r\n?|[\u2028\u2029\x85]")


def clean_line(text: str) -> tuple[str, int]:
    """The text on one line, and how many hidden characters were taken out of it."""
    if text.isprintable():
        # Printable means: no controls, no formats, and no space but the plain one.
        kept = text.strip(" ")
        if "  " in kept:
            kept = _SPACES.sub(" ", kept)
        return (kept if kept.isascii() else composed(kept)), 0
    shown, removed = _without_hidden(text)
    return composed(_SPACES.sub(" ", shown).strip()), removed


def clean_lines(text: str) -> tuple[str, int]:
    """The same for a longer text, which keeps its line breaks and inner spaces."""
    if text.isprintable():
        kept = text.strip(" ")
        return (kept if kept.isascii() else composed(kept)), 0
    shown, removed = _without_hidden(text)
    return composed(_ENDS.sub("\n", shown).strip()), removed


def composed(text: str) -> str:
    return text if is_normalized("NFC", text) else normalize("NFC", text)


def _without_hidden(text: str) -> tuple[str, int]:
    kept: list[str] = []
    removed = 0
    last = 0
    for match in _HIDDEN.finditer(text):
        place = match.start()
        if _is_needed_joiner(text, place):
            continue
        kept.append(text[last:place])
        last = place + 1
        removed += 1
    kept.append(text[last:])
    return "".join(kept), removed


def _is_needed_joiner(text: str, place: int) -> bool:
    if text[place] not in "\u200c\u200d" or not 0 < place < len(text) - 1:
        return False
    before, after = text[place - 1], text[place + 1]
    if _JOINING.match(before) and _JOINING.match(after):
        return True
    # Families and flags among the emoji are built with the joiner.
    return text[place] == "\u200d" and (before == "\ufe0f" or category(before) in {"So", "Sk"})


_FOLDED: Final = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"})
_ACCENTS: Final = re.compile("[\u0300-\u036f]")
_POSSESSIVE: Final = re.compile(r"['’`´ʼ]s\b|['’`´ʼ](?=\s|$)")
_ELISION: Final = re.compile(r"\b([dl])['’]")
_HUMP: Final = re.compile(r"(?<=[a-zà-ÿ])(?=[A-Z][a-zà-ÿ])|(?<=[^\W\d_])(?=\d)")
# Vowel signs of Indic scripts are not letters to Python, yet part of the word.
_APART: Final = re.compile(r"[^\w\u0900-\u0dff]+|_+")


def folded(text: str) -> str:
    """A heading as it is compared: small letters without accents, words apart."""
    text = _HUMP.sub(" ", normalize("NFKC", text))
    text = _ELISION.sub(r"\1 ", _POSSESSIVE.sub("", text.casefold()))
    text = _ACCENTS.sub("", normalize("NFKD", text).translate(_FOLDED))
    return _APART.sub(" ", normalize("NFC", text)).strip()
