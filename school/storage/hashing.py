"""Count and hash while reading, and cut a stream into blocks and parts."""

from __future__ import annotations

import hashlib
import io
from base64 import b64encode
from collections.abc import Iterator
from typing import BinaryIO

from school.storage.errors import IntegrityError
from school.storage.protocol import BLOCK_BYTES


class CountingReader:
    """Reads a stream once; afterwards `size_bytes` and `sha256` are what was read."""

    def __init__(
        self, stream: BinaryIO, *, size: int | None = None, sha256: str | None = None
    ) -> None:
        self._stream = stream
        self._wanted_size = size
        self._wanted_sha256 = sha256
        self._hash = hashlib.sha256()
        self.size_bytes = 0
        # What the stream itself raised: the caller's, not for providers to translate.
        self.failure: Exception | None = None

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def read(self, count: int = BLOCK_BYTES) -> bytes:
        """Up to `count` bytes, as the stream gives them; b'' at the end. Raises IntegrityError
        for more than announced, and what the stream raises."""
        try:
            data = self._stream.read(count)
        except Exception as error:
            self.failure = error
            raise
        self.size_bytes += len(data)
        self._hash.update(data)
        if self._wanted_size is not None and self.size_bytes > self._wanted_size:
            raise IntegrityError(f"More than the announced {self._wanted_size} bytes.")
        return data

    def read_full(self, count: int) -> bytes:
        """Exactly `count` bytes unless the stream ends before."""
        pieces: list[bytes] = []
        missing = count
        while missing and (piece := self.read(min(missing, BLOCK_BYTES))):
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def blocks(self) -> Iterator[bytes]:
        while block := self.read(BLOCK_BYTES):
            yield block

    def check(self) -> None:
        """Raises IntegrityError when size or checksum are not as announced."""
        if self._wanted_size is not None and self.size_bytes != self._wanted_size:
            raise IntegrityError(f"{self.size_bytes} bytes instead of {self._wanted_size}.")
        if self._wanted_sha256 is not None and self.sha256 != self._wanted_sha256:
            raise IntegrityError("The checksum differs from the announced one.")


class BlockStream(io.RawIOBase):
    """Blocks as a stream to read from: what one provider gives becomes what another takes."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def read(self, count: int = -1) -> bytes:
        """At most `count` bytes, as they come; everything for -1."""
        if count < 0:
            return b"".join([bytes(self._rest), *self._blocks])
        if not self._rest:
            self._rest = memoryview(next(self._blocks, b""))
        piece, self._rest = self._rest[:count], self._rest[count:]
        return bytes(piece)


def md5_base64(data: bytes) -> str:
    """Content-MD5 as HTTP writes it: transport check only, never identity."""
    return b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def hex_to_base64(digest: str) -> str:
    return b64encode(bytes.fromhex(digest)).decode()
