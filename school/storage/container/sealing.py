"""Writing: a stream goes in, the container comes out."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from typing import BinaryIO, cast
from uuid import UUID

from school.storage.container.layout import (
    CHUNK_BYTES,
    PREFIX_BYTES,
    Chunks,
    header_of,
    sealed_size,
)
from school.storage.errors import IntegrityError


class _SealedStream(io.RawIOBase):
    """The sealed chunks to read from; a reader that asks for enough gets each uncopied."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._at = 0

    def read(self, count: int = -1) -> bytes:
        """At most `count` bytes, as they come; everything for -1."""
        if count < 0:
            return b"".join([self._chunk[self._at :], *self._chunks])
        if self._at == len(self._chunk):
            self._chunk, self._at = next(self._chunks, b""), 0
        piece = self._chunk[self._at : self._at + count]
        self._at += len(piece)
        return piece


def encrypt(stream: BinaryIO, *, object_id: UUID, data_key: bytes, size: int | None) -> BinaryIO:
    """A stream of the container around `stream`, to be read once; `sealed_size(size)` bytes.

    `size`, where known, is the plaintext's in bytes: reading raises IntegrityError, before the
    last chunk is handed out, if `stream` is longer or shorter. Use a data key for one object only.
    """
    if size is not None:
        sealed_size(size)
    prefix = secrets.token_bytes(PREFIX_BYTES)
    chunks = Chunks(data_key, object_id, prefix)
    sealed = _sealed(stream, chunks, header_of(object_id, prefix), size)
    return cast("BinaryIO", _SealedStream(sealed))


def _sealed(stream: BinaryIO, chunks: Chunks, header: bytes, size: int | None) -> Iterator[bytes]:
    yield header
    count = 0
    for number, (chunk, is_last) in enumerate(_plain_chunks(stream)):
        count += len(chunk)
        # A chunk that is not the last is followed by something, so it must end before `size`.
        if size is not None and not (count == size if is_last else count < size):
            raise IntegrityError(f"The file is not {size} bytes long, as was announced.")
        yield chunks.seal(number, chunk, is_last=is_last)


def _plain_chunks(stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Chunks, and whether it is the last: one is held back, for only reading on can tell."""
    chunk = _read_full(stream, CHUNK_BYTES)
    while len(chunk) == CHUNK_BYTES and (following := _read_full(stream, CHUNK_BYTES)):
        yield chunk, False
        chunk = following
    yield chunk, True


def _read_full(stream: BinaryIO, count: int) -> bytes:
    """Exactly `count` bytes unless the stream ends before."""
    first = stream.read(count)
    if len(first) == count or not first:
        return first
    pieces, missing = [first], count - len(first)
    while missing and (piece := stream.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
