"""A PDF: its beginning and end, and what in it runs or is attached.

A whole PDF reader would itself be something to attack. This looks for the names that every active
piece must carry, in the file and inside its packed object streams, however they are spelt, in
windows that overlap: memory and work stay bounded for a file of any size.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from school.files.service.content.refusals import Refused

WINDOW = 1024 * 1024
OVERLAP = 4096
TAIL_BYTES = 2048
ZIP_TAIL_BYTES = 0xFFFF + 22
HEAD_BYTES = 1024
MOST_STREAMS = 500_000
MOST_UNPACKED_BYTES = 128 * 1024 * 1024
PEEK_BYTES = 1024
BLOCK = 64 * 1024

_AFTER = rb"(?=[\x00\t\n\x0c\r ()<>\[\]{}/%]|$)"
_ACTIVE = re.compile(
    rb"/(?:JavaScript|Launch|EmbeddedFiles?|FileAttachment|RichMedia(?:Content|Settings)?"
    rb"|Rendition|ImportData|GoToE|Collection)"
    + _AFTER
    # Short names happen by chance among packed bytes: they count with their value behind them.
    + rb"|/EF\s*<<|/XFA\s*(?:\[|\d+\s+\d+\s+R)|/JS\s*(?:\(\s*\w{2}|<[0-9A-Fa-f]{4}|\d+\s+\d+\s+R)"
    rb"|/(?:OpenAction|AA)\s*<<[^\x00]{0,200}?/S\s*/(?:URI|SubmitForm|GoToR)" + _AFTER
)
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM = re.compile(rb"stream(?:\r\n|\n|\r)")
_OBJECT_STREAM = re.compile(rb"/ObjStm" + _AFTER)
_PLAIN_FLATE = re.compile(
    rb"/(?:Filter|F)\s*\[?\s*/(?:FlateDecode|Fl)\s*\]?(?!\s*/(?:A|L|R|C|F)\w+Decode)"
)
_FILTER = re.compile(rb"/Filter" + _AFTER)
_PREDICTED = re.compile(rb"/Predictor\s+(?!1\b)\d")
# How an object stream begins: numbers of objects and their places.
_NUMBERS = re.compile(rb"(?:\s|%[^\r\n]*[\r\n])*\d+\s+\d+\s")
_PAGE = re.compile(rb"<(?:script|html|svg|!doctype|\?php|iframe)", re.IGNORECASE)


@dataclass(slots=True)
class _Work:
    """What was seen and how much was done so far."""

    is_locked: bool = False
    has_unreadable: bool = False
    streams: int = 0
    unpacked: int = 0


def check_pdf(stream: IO[bytes]) -> None:
    """Raises Refused for a PDF that is cut off, hides another file, or holds active content."""
    size = stream.seek(0, 2)
    _check_ends(stream, size)
    work = _Work()
    for at, before, window in _windows(stream, size):
        _look_at(window, work)
        _look_into_streams(stream, at, before, window, work)
    # A locked PDF's object streams cannot be read by anybody without its password.
    if work.has_unreadable and not work.is_locked:
        raise Refused("active_pdf")


def _check_ends(stream: IO[bytes], size: int) -> None:
    stream.seek(0)
    if _PAGE.search(stream.read(HEAD_BYTES)):
        raise Refused("web_page")
    stream.seek(max(0, size - ZIP_TAIL_BYTES))
    tail = stream.read()
    if b"PK\x05\x06" in tail:
        raise Refused("hidden")
    if b"%%EOF" not in tail[-TAIL_BYTES:]:
        raise Refused("damaged_pdf")
    if _PAGE.search(tail[tail.rfind(b"%%EOF") :]):
        raise Refused("web_page")


def _windows(stream: IO[bytes], size: int) -> Iterator[tuple[int, int, bytes]]:
    """(where the window begins, bytes of it seen before, the window)."""
    for at in range(0, size, WINDOW):
        begin = max(0, at - OVERLAP)
        stream.seek(begin)
        yield begin, at - begin, stream.read(at - begin + WINDOW + OVERLAP)


def _look_at(data: bytes, work: _Work) -> None:
    plain = _spelt_out(data)
    if _ACTIVE.search(plain):
        raise Refused("active_pdf")
    work.is_locked = work.is_locked or b"/Encrypt" in plain


def _spelt_out(data: bytes) -> bytes:
    """'/J#61vaScript' is '/JavaScript' to every reader."""
    if b"#" not in data:
        return data
    return _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), data)


def _look_into_streams(stream: IO[bytes], at: int, before: int, window: bytes, work: _Work) -> None:
    for match in _STREAM.finditer(window, before):
        if match.start() >= before + WINDOW:
            return  # the next window's
        if window.startswith(b"end", max(0, match.start() - 3)):
            continue
        work.streams += 1
        if work.streams > MOST_STREAMS:
            raise Refused("bomb")
        head = _dictionary_before(window, match.start())
        is_objects = _OBJECT_STREAM.search(head) is not None
        if is_objects:
            _refuse_odd_packing(head)
        _look_into(
            stream, at + match.end(), window[match.end() :][:PEEK_BYTES], work,
            is_objects=is_objects and _FILTER.search(head) is not None,
        )  # fmt: skip


def _dictionary_before(window: bytes, end: int) -> bytes:
    head = window[max(0, end - 2048) : end]
    # Only this object's own dictionary: not what belongs to the one before it.
    return _spelt_out(head[head.rfind(b"endobj") + 1 :])


def _refuse_odd_packing(head: bytes) -> None:
    """Every program packs object streams in one plain way; another one is meant to hide them."""
    is_odd = _FILTER.search(head) is not None and _PLAIN_FLATE.search(head) is None
    if is_odd or _PREDICTED.search(head):
        raise Refused("active_pdf")


def _look_into(stream: IO[bytes], at: int, peek: bytes, work: _Work, *, is_objects: bool) -> None:
    """Unpack what looks like an object stream, whatever it calls itself."""
    try:
        beginning = zlib.decompressobj().decompress(peek, PEEK_BYTES)
    except zlib.error:
        work.has_unreadable = work.has_unreadable or is_objects
        return
    if is_objects or _NUMBERS.match(beginning):
        before = b""
        for block in _unpacked(stream, at, work):
            _look_at(before + block, work)
            before = block[-OVERLAP:]


def _unpacked(stream: IO[bytes], at: int, work: _Work) -> Iterator[bytes]:
    unpacker = zlib.decompressobj()
    waiting = b""
    while not unpacker.eof:
        if not waiting:
            stream.seek(at)
            waiting = stream.read(BLOCK)
            at += len(waiting)
            if not waiting:
                return
        try:
            block = unpacker.decompress(waiting, WINDOW)
        except zlib.error:
            return  # readers show what came before the fault, and that was looked at
        waiting = unpacker.unconsumed_tail
        work.unpacked += len(block)
        if work.unpacked > MOST_UNPACKED_BYTES:
            raise Refused("bomb")
        yield block
