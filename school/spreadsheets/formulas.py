"""Cells that a spreadsheet program would run: marked as text on the way out, unmarked coming in.

A CSV has no types: Excel and LibreOffice run a cell that begins with = + - @ (or their full-width
forms, or after a tab or line end). The writer puts one apostrophe before such a cell, and before
one that already begins with apostrophes and such a sign; the reader takes exactly one away. So
every text survives the round trip, and nothing can run.

Telephone numbers (+44 7700 900123) are marked too: unmarked, a program would count
"+44-7700-900123" together and lose the number. In XLSX nothing is marked: cells are typed there.
"""

from __future__ import annotations

import re

_SIGN = r"[=+\-@\t\r\n＝＋－＠]"
_RISKY = re.compile(rf"['\s]*{_SIGN}")
_MARKED_CELL = re.compile(rf"'['\s]*{_SIGN}")
# Anywhere in a text: is it worth looking at each cell? Two characters wide, so it stays linear.
MARKED = re.compile(r"'['\s=+\-@＝＋－＠]")


def mark(text: str) -> str:
    return f"'{text}" if _RISKY.match(text) else text


def unmark(text: str) -> str:
    return text[1:] if text[:1] == "'" and _MARKED_CELL.match(text) else text
