"""A picture's header, read before anything is unfolded: dots, frames, and that its end is there."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from school.files.service.content.refusals import Refused

MOST_PIXELS = 40_000_000
MOST_FRAMES = 200
# All frames of a moving picture together.
MOST_DOTS = 100_000_000
# A JPEG may be told in many passes; each of them costs as much as a picture of its own.
MOST_SCANNED_DOTS = 1_000_000_000
# Pillow holds the whole of a WebP in memory.
MOST_WEBP_BYTES = 32 * 1024 * 1024
MOST_PIECES = 100_000
BLOCK = 64 * 1024


@dataclass(slots=True)
class Measure:
    """What a picture says about itself."""

    code: str
    width: int = 0
    height: int = 0
    frames: int = 1
    scans: int = 1
    is_lossless: bool = False
    durations_ms: tuple[int, ...] = ()


def code_of(head: bytes) -> str | None:
    """'jpeg', 'png', 'gif', 'webp', or None for anything else."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    return None


def check_picture(stream: IO[bytes]) -> Measure:
    """Its measure. Raises Refused before a dot is drawn when it is cut off or would unfold."""
    stream.seek(0)
    code = code_of(stream.read(16))
    if code is None:
        raise Refused("damaged_picture")
    try:
        found = _WALKS[code](stream)
    except (struct.error, IndexError):
        raise Refused("damaged_picture") from None
    stream.seek(0)
    _refuse_floods(found)
    return found


def _refuse_floods(found: Measure) -> None:
    dots = found.width * found.height
    if dots == 0:
        raise Refused("damaged_picture")
    if dots > MOST_PIXELS:
        raise Refused("pixels")
    if found.frames > MOST_FRAMES or (found.frames > 1 and dots * found.frames > MOST_DOTS):
        raise Refused("frames")
    if found.scans > 1 and dots * found.scans > MOST_SCANNED_DOTS:
        raise Refused("pixels")


def _take(stream: IO[bytes], count: int) -> bytes:
    """Exactly so many bytes; a picture that ends before them is cut off."""
    data = stream.read(count)
    if len(data) < count:
        raise Refused("damaged_picture")
    return data


def _skip(stream: IO[bytes], count: int) -> None:
    if count > 0:
        stream.seek(count - 1, 1)
        _take(stream, 1)


def _png(stream: IO[bytes]) -> Measure:
    stream.seek(8)
    found = Measure("png", is_lossless=True)
    for _ in range(MOST_PIECES):
        length, kind = struct.unpack(">I4s", _take(stream, 8))
        if kind == b"IHDR":
            found.width, found.height = struct.unpack(">II", _take(stream, 8))
            length -= 8
        _skip(stream, length + 4)
        if kind == b"IEND":
            return found
    raise Refused("damaged_picture")


_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAME_STARTS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_END, _SCAN = 0xD9, 0xDA


def _jpeg(stream: IO[bytes]) -> Measure:
    stream.seek(2)
    found = Measure("jpeg", scans=0)
    for _ in range(MOST_PIECES):
        marker = _marker(stream)
        if marker == _END:
            return found
        if marker in _STANDALONE:
            continue
        length = struct.unpack(">H", _take(stream, 2))[0] - 2
        if marker in _FRAME_STARTS:
            _, found.height, found.width = struct.unpack(">BHH", _take(stream, 5))
            length -= 5
        _skip(stream, length)
        if marker == _SCAN:
            found.scans += 1
            _refuse_floods(found)
            _to_next_marker(stream)
    raise Refused("damaged_picture")


def _marker(stream: IO[bytes]) -> int:
    if _take(stream, 1) != b"\xff":
        # Stray bytes between two segments: a reader looks for the next marker too.
        _to_next_marker(stream)
        _take(stream, 1)
    while (byte := _take(stream, 1)) == b"\xff":
        continue
    return byte[0]


_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)


def _to_next_marker(stream: IO[bytes]) -> None:
    """Over the packed dots, to the 0xFF of the next marker."""
    while block := stream.read(BLOCK):
        if match := _MARKER.search(block):
            stream.seek(match.start() - len(block), 1)
            return
        if block.endswith(b"\xff") and len(block) > 1:
            stream.seek(-1, 1)
    raise Refused("damaged_picture")


def _gif(stream: IO[bytes]) -> Measure:
    stream.seek(6)
    found = Measure("gif", frames=0)
    found.width, found.height, flags = struct.unpack("<HHBxx", _take(stream, 7))
    _skip(stream, _palette_bytes(flags))
    while found.frames <= MOST_FRAMES:
        kind = stream.read(1)
        if kind == b"!":
            _skip(stream, 1)
            _skip_blocks(stream)
        elif kind == b",":
            _gif_frame(stream, found)
        elif kind in {b";", b""} and found.frames:  # many programs forget the end mark
            return found
        else:
            raise Refused("damaged_picture")
    return found


def _gif_frame(stream: IO[bytes], found: Measure) -> None:
    left, top, width, height, flags = struct.unpack("<HHHHB", _take(stream, 9))
    # A frame larger than the picture makes the picture grow.
    found.width, found.height = max(found.width, left + width), max(found.height, top + height)
    found.frames += 1
    _skip(stream, _palette_bytes(flags) + 1)
    _skip_blocks(stream)


def _palette_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(stream: IO[bytes]) -> None:
    while size := _take(stream, 1)[0]:
        _skip(stream, size)


def _webp(stream: IO[bytes]) -> Measure:
    size = stream.seek(0, 2)
    if size > MOST_WEBP_BYTES:
        raise Refused("heavy_picture")
    stream.seek(4)
    end = struct.unpack("<I", _take(stream, 4))[0] + 8
    if end > size + 1:  # the padding byte at the end is often forgotten
        raise Refused("damaged_picture")
    stream.seek(12)
    found = Measure("webp", frames=0)
    durations: list[int] = []
    _webp_pieces(stream, end, found, durations)
    found.frames, found.durations_ms = max(1, len(durations)), tuple(durations)
    return found


def _webp_pieces(stream: IO[bytes], end: int, found: Measure, durations: list[int]) -> None:
    for _ in range(MOST_PIECES):
        start = stream.tell()
        if start + 8 > end:
            return
        kind, length = struct.unpack("<4sI", _take(stream, 8))
        body = stream.read(min(length, 40))
        if kind == b"ANMF":
            durations.append(int.from_bytes(body[12:15], "little"))
            kind, body = body[16:20], body[24:]
        _webp_piece(kind, body, found)
        stream.seek(start + 8 + length + length % 2)
    raise Refused("damaged_picture")


def _webp_piece(kind: bytes, body: bytes, found: Measure) -> None:
    if kind == b"VP8X":
        width, height = int.from_bytes(body[4:7], "little"), int.from_bytes(body[7:10], "little")
        _grow(found, width + 1, height + 1)
    elif kind == b"VP8L":
        found.is_lossless = True
        bits = struct.unpack("<xI", body[:5])[0]
        _grow(found, (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    elif kind == b"VP8 ":
        width, height = struct.unpack("<6xHH", body[:10])
        _grow(found, width & 0x3FFF, height & 0x3FFF)


def _grow(found: Measure, width: int, height: int) -> None:
    found.width, found.height = max(found.width, width), max(found.height, height)


_WALKS: dict[str, Callable[[IO[bytes]], Measure]] = {
    "png": _png,
    "jpeg": _jpeg,
    "gif": _gif,
    "webp": _webp,
}
