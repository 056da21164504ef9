"""What was sent, before it is kept: counted, hashed, looked into; never servable from here."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, cast

from school.errors import TooLarge
from school.files.queries import PHOTO
from school.files.service import photos
from school.files.service.content import decide_kind
from school.files.service.families import BY_EXTENSION, MIB, Kind, Purpose
from school.files.service.names import clean_name, extension_of, with_extension
from school.files.service.pictures import clean

BLOCK = 256 * 1024
IN_MEMORY_BYTES = MIB
_GROWTH = 4
PHOTO_NAME = "photo.jpg"


@dataclass(frozen=True, slots=True)
class Staged:
    """Content that passed its checks: a seekable stream, its kind, size and hash, its name."""

    stream: IO[bytes]
    kind: Kind
    size_bytes: int
    sha256: str  # hex
    name: str


def check_size(size_bytes: int | None, *, purpose: Purpose, most_bytes: int) -> None:
    """Refuse before the first byte where the size is told. Raises TooLarge."""
    limit = purpose.limit_bytes(most_bytes)
    if size_bytes is not None and size_bytes > limit:
        raise _too_large(limit)


def _too_large(limit_bytes: int) -> TooLarge:
    limit_mib = max(1, limit_bytes // MIB)
    return TooLarge(
        "This file is too large. The limit is %(limit_mib)s MB.", field="file", limit_mib=limit_mib
    )


@contextlib.contextmanager
def staged(
    stream: IO[bytes], *, filename: str | None, purpose: Purpose, most_bytes: int
) -> Iterator[Staged]:
    """Check what was sent; a picture is drawn anew, a photo of somebody as such (`photos`). Raises
    TooLarge, or Refused saying why it is not taken.

    Memory stays bounded: a stream that cannot be read twice is copied to a temporary file that
    has no name and vanishes with the process.
    """
    limit = purpose.limit_bytes(most_bytes)
    with contextlib.ExitStack() as stack:
        seekable = stack.enter_context(_seekable(stream, limit))
        size_bytes, digest = _measure(seekable, limit)
        name = clean_name(filename)
        kind = decide_kind(seekable, name=name, purpose=purpose)
        if purpose.code == PHOTO:
            name, kind = PHOTO_NAME, BY_EXTENSION[extension_of(PHOTO_NAME)]
            seekable = stack.enter_context(photos.redraw(seekable))
            size_bytes, digest = _measure(seekable, limit)
        elif kind.family == "image":
            # Drawn anew it may be larger than what was sent; the limit is for what people send.
            seekable = stack.enter_context(clean(seekable, kind))
            size_bytes, digest = _measure(seekable, limit * _GROWTH)
        yield Staged(seekable, kind, size_bytes, digest, _named_by(kind, name))


def _named_by(kind: Kind, name: str) -> str:
    return name if extension_of(name) else with_extension(name, kind.extensions[0])


@contextlib.contextmanager
def _seekable(stream: IO[bytes], limit: int) -> Iterator[IO[bytes]]:
    if stream.seekable():
        yield stream
        return
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as copy:
        left = limit + 1
        while left > 0 and (block := stream.read(min(BLOCK, left))):
            copy.write(block)
            left -= len(block)
        yield cast("IO[bytes]", copy)


def _measure(stream: IO[bytes], limit: int) -> tuple[int, str]:
    """(size, sha256 in hex), reading no further than the limit."""
    stream.seek(0)
    digest, total = sha256(), 0
    while block := stream.read(BLOCK):
        total += len(block)
        if total > limit:
            raise _too_large(limit)
        digest.update(block)
    stream.seek(0)
    return total, digest.hexdigest()
