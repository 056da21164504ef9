"""Characters nobody sees: dropped from what people type."""

from __future__ import annotations

import unicodedata

_JOINERS = "\u200c\u200d"
"""Without and with a joint: Persian and Indian writing need them between two letters."""


def drop_unseen(text: str) -> str:
    """Without control and format characters (null, zero-width space, writing-direction marks).

    White space stays, and so does a joiner between letters.
    """
    return "".join(
        char
        for at, char in enumerate(text)
        if char.isspace()
        or unicodedata.category(char) not in {"Cc", "Cf"}
        or (
            char in _JOINERS and _is_letter(text[at - 1 : at]) and _is_letter(text[at + 1 : at + 2])
        )
    )


def _is_letter(char: str) -> bool:
    """Marks count: in Devanagari a joiner follows one."""
    return char != "" and unicodedata.category(char)[0] in "LM"
