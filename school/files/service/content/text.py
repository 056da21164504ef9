"""Plain text in an encoding people use, and not a page or a program in disguise."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import IO

from school.files.service.content.refusals import Refused
from school.files.service.content.signatures import reason_by_guess

BLOCK = 64 * 1024
BEGINNING = 8192
LONGEST_TAG = 16
_BLANK = "\ufeff\x0b\x0c \t\r\n\x85\xa0\u2028\u2029"
_CONTROLS = {code: None for code in range(32) if code not in {9, 10, 12, 13, 27}}
# What browsers take for a page when it stands first, and what other programs run.
_PAGE = re.compile(
    r"<(?:!doctype|!--|\?xml|\?php|\?=|%|hta:"
    r"|(?:html|head|body|script|svg|iframe|frameset|h1|div|font|table|a|style|title|b|br|p|img"
    r"|object|embed|meta|link|base|form|input|video|audio|math|scriptlet|job|package)(?=[\s>/]|$))"
)
_COMMANDS = re.compile(
    r"#!|@echo off|\[internetshortcut\]|\[desktop entry\]|\[autorun\]|windows registry editor"
    r"|regedit4"
)
_CODE = re.compile(r"<(?:script|svg|html|iframe|\?php)")
# "<" in UTF-7, which old browsers took for markup.
_UTF7 = re.compile(r"\+adw(?:-|a)")
_MAIL_PAGE = re.compile(r"multipart/related|text/html")
# A cell that starts a program when the table is opened.
_DDE = re.compile(r"(?:^|[;,\t\"\n])\s*[=+@-]\s*(?:cmd|msexcel|mshta|powershell|rundll32|regsvr32"
                  r"|wscript|cscript)(?:\.exe)?['\"]?\s*\|")  # fmt: skip


def check_text(stream: IO[bytes], head: bytes) -> None:
    """Raises Refused for what is no text, or more than text."""
    encoding = _encoding_of(head)
    if encoding is None:
        raise Refused(reason_by_guess(head))
    beginning, before = "", ""
    odd = total = 0
    try:
        for text in _decoded(stream, encoding):
            total += len(text)
            odd += len(text) - len(text.translate(_CONTROLS))
            lowered = text.lower()
            beginning = _begin(beginning, lowered)
            _refuse_code(before + lowered)
            before = lowered[-LONGEST_TAG:]
    except UnicodeDecodeError:
        raise Refused(reason_by_guess(head)) from None
    # Old word processors leave a stray control character or two.
    if odd > total // 1000:
        raise Refused(reason_by_guess(head))
    _refuse_disguise(beginning)


def _encoding_of(head: bytes) -> str | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\x00" in head:
        return None
    try:
        # A character may be cut at the end of the head.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "latin-1"  # stands for every eight-bit encoding: only its controls are looked at
    return "utf-8"


def _decoded(stream: IO[bytes], encoding: str) -> Iterator[str]:
    """The whole text, in bounded memory."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    while block := stream.read(BLOCK):
        yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def _begin(beginning: str, text: str) -> str:
    """The first characters that are not blank, however many blanks stand before them."""
    if len(beginning) >= BEGINNING:
        return beginning
    return (beginning + text).lstrip(_BLANK)[:BEGINNING]


def _refuse_code(text: str) -> None:
    if _CODE.search(text):
        raise Refused("web_page")
    if "|" in text and _DDE.search(text):
        raise Refused("program")


def _refuse_disguise(beginning: str) -> None:
    if _COMMANDS.match(beginning):
        raise Refused("program")
    is_mail_page = "mime-version:" in beginning and _MAIL_PAGE.search(beginning)
    if _PAGE.match(beginning) or _UTF7.search(beginning) or is_mail_page:
        raise Refused("web_page")
