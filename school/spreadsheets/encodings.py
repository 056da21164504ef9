"""Which encoding a text file is in: byte order mark, then strict UTF-8, then a scored guess."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from school.errors import Invalid

_CHUNK_BYTES: Final = 1 << 18
_SAMPLE_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Encoding:
    """`codec` is Python's name, `label` the one a person reads."""

    codec: str
    label: str
    errors: str = "strict"


_MARKS: Final = (
    (codecs.BOM_UTF8, Encoding("utf-8-sig", "utf-8 with BOM")),
    (codecs.BOM_UTF32_LE, Encoding("utf-32", "utf-32-le with BOM")),
    (codecs.BOM_UTF32_BE, Encoding("utf-32", "utf-32-be with BOM")),
    (codecs.BOM_UTF16_LE, Encoding("utf-16", "utf-16-le with BOM")),
    (codecs.BOM_UTF16_BE, Encoding("utf-16", "utf-16-be with BOM")),
)
_NOT_TEXT: Final = (
    "This file isn't a list we can read. Save it from the spreadsheet program as .xlsx or CSV."
)
_CONTROLS: Final = bytes(range(9)) + bytes(range(14, 27)) + bytes(range(28, 32))


def detect_encoding(path: Path) -> Encoding:
    """Raises Invalid for a file that isn't text at all."""
    with path.open("rb") as stream:
        head = stream.read(_SAMPLE_BYTES)
    for mark, marked in _MARKS:
        if head.startswith(mark):
            return _kept_if_it_reads(path, marked)
    if b"\0" in head:
        return _kept_if_it_reads(path, _unmarked_utf16(head))
    if len(head.translate(None, _CONTROLS)) < len(head) * 0.97 - 8:
        raise Invalid(_NOT_TEXT)
    if _reads(path, "utf-8"):
        return Encoding("utf-8", "utf-8")
    guess = guess_codec(_telling_lines(path))
    return _kept_if_it_reads(path, Encoding(guess, guess))


def _unmarked_utf16(head: bytes) -> Encoding:
    """Latin letters in UTF-16 leave every second byte zero."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) < len(head) * 0.1 or min(even, odd) > len(head) * 0.02:
        raise Invalid(_NOT_TEXT)
    codec = "utf-16-le" if odd > even else "utf-16-be"
    return Encoding(codec, codec)


def _kept_if_it_reads(path: Path, encoding: Encoding) -> Encoding:
    """The encoding; with lost characters shown as � where the file breaks its own rules."""
    if _reads(path, encoding.codec):
        return encoding
    return Encoding(encoding.codec, encoding.label, errors="replace")


def _reads(path: Path, codec: str) -> bool:
    decoder = codecs.getincrementaldecoder(codec)("strict")
    with path.open("rb") as stream:
        try:
            while chunk := stream.read(_CHUNK_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeError:
            return False
    return True


def _telling_lines(path: Path) -> bytes:
    """Lines with bytes beyond ASCII, up to a sample; the rest says nothing."""
    kept: list[bytes] = []
    size = 0
    with path.open("rb") as stream:
        while (line := stream.readline(_SAMPLE_BYTES)) and size < _SAMPLE_BYTES:
            if not line.isascii():
                kept.append(line)
                size += len(line)
    return b"".join(kept)


# ── The guess ────────────────────────────────────────────────────────────────────────────────
# A wrong code page shows itself three ways: letters of no common language, capitals inside words,
# and vowels or consonants piling up (Dvoøák for Dvořák, Niccolň for Niccolò).

_WESTERN: Final = (
    "àâæçéèêëîïôœùûüÿ", "äöüßé", "áéíóúüñªº", "àáâãçéêíóôõúüªº", "àèéìòóùº", "åäöæøéü",
    "áéíóúýþæöð", "àáèéêëíïóöúü",
)
# A list with names from many countries knows all of them, but is less of a proof.
_WESTERN_MIXED: Final = frozenset("".join(_WESTERN) + "šž")
_MIXED_WEIGHT: Final = 0.9
_LETTERS: Final[dict[str, tuple[str, ...]]] = {
    "cp1252": _WESTERN,
    "cp1250": (
        "ąćęłńóśźż", "áčďéěíňóřšťúůýžäĺľôŕ", "áéíóöőúüű", "ăâîşţ", "čćđšž", "áâăçéëíîóôöúüýäß",
    ),
    "cp1254": ("çğıiöşüâîû",),
    "cp1257": ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž"),
    "cp1251": ("абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґ",),
    "koi8-r": ("абвгдежзийклмнопрстуфхцчшщъыьэюяё",),
    "cp1253": ("αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋΐΰ",),
    "cp1255": ("אבגדהוזחטיךכלםמןנסעףפץצקרשת",),
    "cp1256": ("ابتثجحخدذرزسشصضطظعغفقكلمنهويىةءأإآؤئپچژگ",),
    "mac_roman": _WESTERN,
}
# Western offices are the most common, and mac_roman the least: evidence must beat these.
_PRIOR: Final = {"cp1252": 0.0, "mac_roman": -0.3, "koi8-r": -0.1, "cp1257": -0.08, "euc_kr": -0.02}
# Shared by the Windows code pages: says nothing about the language.
_PUNCTUATION: Final = frozenset("’‘“”„‚–—…€£§°·´`©®™«»•\xa0")
_ONLY_PUNCTUATION: Final = 2.5
_VOWELS: Final = frozenset(
    "aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýœąęěėįųūůőűăıāēīаеёиоуыэюяіїєαεηιουωάέήίόύώϊϋ"
)
_WORD: Final = re.compile(r"[^\W\d_]+(?:[^\w\s,;.|\"'()/-][^\W\d_]+)*")


def guess_codec(sample: bytes) -> str:
    """The likeliest 8-bit or East Asian encoding of the sample (never empty: cp1252 at worst)."""
    best, best_score = "cp1252", _score_or_none("cp1252", sample, score_alphabet) or 0.0
    western = _decoded("cp1252", sample)
    for codec, score in _candidates():
        if _decoded(codec, sample) == western:
            continue
        points = _score_or_none(codec, sample, score)
        if points is not None and points > best_score:
            best, best_score = codec, points
    return best


def _candidates() -> Iterable[tuple[str, Callable[[str, str], float]]]:
    for codec in _LETTERS:
        yield codec, score_alphabet
    for codec in _COMMON_LEADS:
        yield codec, score_ideographs


def _decoded(codec: str, sample: bytes) -> str | None:
    try:
        return sample.decode(codec)
    except UnicodeDecodeError:
        return None


def _score_or_none(
    codec: str, sample: bytes, score: Callable[[str, str], float]
) -> float | None:
    text = _decoded(codec, sample)
    return None if text is None else score(codec, text) + _PRIOR.get(codec, -0.04)


def score_alphabet(codec: str, text: str) -> float:
    """0–3: share of foreign characters that are letters of one language, in well-made words."""
    foreign = [letter for letter in text if not letter.isascii() and letter not in _PUNCTUATION]
    if not foreign:
        return _ONLY_PUNCTUATION
    lowered = [letter.lower()[0] for letter in foreign]
    known = max(_share(lowered, alphabet) for alphabet in _LETTERS[codec])
    if _LETTERS[codec] is _WESTERN:
        known = max(known, _MIXED_WEIGHT * _share(lowered, _WESTERN_MIXED))
    return known + 2 * _well_made(text)


def _share(letters: list[str], alphabet: str | frozenset[str]) -> float:
    return sum(letter in alphabet for letter in letters) / len(letters)


def _well_made(text: str) -> float:
    """Share of foreign letters that sit in their word as a letter of that language would."""
    good = total = 0
    for match in _WORD.finditer(text):
        word = match[0]
        for place, letter in enumerate(word):
            if letter.isascii() or letter in _PUNCTUATION:
                continue
            total += 1
            good += _sits_well(word, place)
    return good / total if total else 0.0


def _sits_well(word: str, place: int) -> bool:
    before, letter, after = word[:place][-1:], word[place], word[place + 1 :][:1]
    near = [side for side in (before, after) if side]
    return _is_cased_well(before, letter, after) and _sounds_well(before, letter, after, near)


def _is_cased_well(before: str, letter: str, after: str) -> bool:
    if not letter.isalpha() or (letter.isupper() and before.islower()):
        return False
    return not (letter.islower() and after.isupper())


def _sounds_well(before: str, letter: str, after: str, near: list[str]) -> bool:
    if any(_script(side) != _script(letter) for side in near):
        return False
    if letter in "ªº":
        return not after
    # Portuguese writes õ before e only; elsewhere it is a Hungarian ő read wrongly.
    if letter == "õ" and after != "e":
        return False
    if _script(letter) == "without vowels":
        return True
    is_vowel = letter.lower()[0] in _VOWELS
    sounds = [side.lower()[0] in _VOWELS for side in near]
    starts_a_word = not before and not is_vowel
    return starts_a_word or not sounds or (not is_vowel) in sounds


def _script(letter: str) -> str:
    code = ord(letter)
    if code < 0x250:
        return "latin"
    return "without vowels" if 0x590 <= code < 0x780 else "other"


# First bytes of the everyday characters: the first level of each national standard, and kana.
_COMMON_LEADS: Final[dict[str, tuple[range, ...]]] = {
    "shift_jis": (range(0x82, 0x84), range(0x88, 0x99)),
    "gb18030": (range(0xB0, 0xD8),),
    "big5": (range(0xA4, 0xC7),),
    "euc_kr": (range(0xB0, 0xC9),),
}


_BESIDE_LATIN: Final = re.compile(r"(?<=[A-Za-z])[^\x00-\x7f]|[^\x00-\x7f](?=[a-z])")


def score_ideographs(codec: str, text: str) -> float:
    """0–3: share of foreign characters that are everyday ones in that national standard."""
    foreign = [letter for letter in text if not letter.isascii()]
    if not foreign:
        return 0.0
    leads = _COMMON_LEADS[codec]
    common = sum(_is_everyday(letter, codec, leads) for letter in foreign)
    # O坂rien: half a Latin word swallowed.
    swallowed = len(_BESIDE_LATIN.findall(text))
    return 3 * (common - 2 * swallowed) / len(foreign)


def _is_everyday(letter: str, codec: str, leads: tuple[range, ...]) -> bool:
    coded = letter.encode(codec, errors="replace")
    if codec == "euc_kr" and not "가" <= letter <= "힣":
        return False
    return len(coded) == 2 and any(coded[0] in lead for lead in leads)
