"""Fold text to what people type when they look for it."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Letters that carry their mark inside and do not decompose.
_LETTERS = str.maketrans(
    {
        "ł": "l",
        "Ł": "l",
        "ø": "o",
        "Ø": "o",
        "đ": "d",
        "Đ": "d",
        "ð": "d",
        "Ð": "d",
        "þ": "th",
        "Þ": "th",
        "ß": "ss",
        "æ": "ae",
        "Æ": "ae",
        "œ": "oe",
        "Œ": "oe",
        "ı": "i",
        "ħ": "h",
        "Ħ": "h",
        "ŧ": "t",
        "Ŧ": "t",
        "\u2019": "'",
        "\u200c": "",
        "\u200d": "",
    }
)
_WORD = re.compile(r"[^\W_]+")


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """Lower case without marks: 'Dąbrowska' → 'dabrowska', 'Ñgata' → 'ngata'."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    bare = "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
    return bare.casefold()


@lru_cache(maxsize=65536)
def words_of(text: str) -> tuple[str, ...]:
    """The folded words of a text; an apostrophe or hyphen parts words and joins them too.

    "O'Brien-Smith" is found by obrien, brien and smith.
    """
    folded = fold(text)
    words = dict.fromkeys(_WORD.findall(folded))
    if "'" in folded or "-" in folded:
        for chunk in folded.split():
            words.setdefault("".join(_WORD.findall(chunk)))
    return tuple(word[:60] for word in words if word)
