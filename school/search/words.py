"""Fold text to what people type when they look for it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
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
_DIGITS = re.compile(r"\d+")
# A telephone number with the gaps people write in it, standing alone.
_NUMBER = re.compile(r"(?<!\S)[+(]{0,2}\d[\d\s()./-]*(?!\S)")

# The end of a number that stays the same with and without the code of the country, and the part
# that people say.
_TAIL, _SHORT_TAIL = 9, 6


@lru_cache(maxsize=16384)
def fold(text: str) -> str:
    """Lower case without marks: 'Dąbrowska' → 'dabrowska', 'Ñgata' → 'ngata'."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    bare = "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
    return bare.casefold()


@lru_cache(maxsize=16384)
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


def words_of_all(texts: Iterable[str | None]) -> set[str]:
    """The words of several texts together."""
    return {word for text in texts if text for word in words_of(text)}


def contact_words(phone: str | None, email: str | None) -> set[str]:
    """By what a person's telephone and e-mail are found: a number as one word, without its first
    group ("0113 496 0000" by 113… and by 496…) and by its end, however the country was written;
    an address as one word and by the later parts of the name in it. Few, because every guardian
    has them.
    """
    groups = _DIGITS.findall(phone or "")
    number = "".join(groups).lstrip("0")
    ends = {number[-_TAIL:], number[-_SHORT_TAIL:]}
    words = (
        {"".join(groups), number, "".join(groups[1:]), *ends}
        if groups
        else set(words_of(phone or ""))
    )
    if email:
        address = "".join(fold(email).split())
        words.add(address)
        words.update(words_of(address.partition("@")[0])[1:])
    return {word[:60] for word in words if word}


def contact_question(question: str) -> tuple[str, ...]:
    """The words of a question about people who have `contact_words`: the groups of a telephone
    number are one word, an e-mail address is one."""
    words: dict[str, None] = {}
    for chunk in _NUMBER.sub(_without_gaps, fold(question)).split():
        words.update(dict.fromkeys([chunk[:60]] if "@" in chunk[1:] else words_of(chunk)))
    return tuple(words)


def one_contact(question: str) -> str | None:
    """The word asked for when the question is a telephone number or an e-mail address only."""
    words = contact_question(question)
    if len(words) != 1:
        return None
    is_number = words[0].isdecimal() and len(words[0]) >= _SHORT_TAIL
    return words[0] if is_number or "@" in words[0] else None


def _without_gaps(number: re.Match[str]) -> str:
    digits = "".join(_DIGITS.findall(number[0]))
    bare = digits.lstrip("0") or digits
    return bare[-_TAIL:] if len(bare) > _TAIL else bare
