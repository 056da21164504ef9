"""Reading: whole or in ranges, and not a byte that is not proven."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from uuid import UUID

from school.storage.container.keys import TAG_BYTES
from school.storage.container.layout import (
    CHUNK_BYTES,
    HEADER_BYTES,
    SEALED_CHUNK_BYTES,
    Chunks,
    count_chunks,
    nonce_prefix,
    plain_size_of,
)
from school.storage.errors import IntegrityError

OpenRange = Callable[[int, int], AbstractContextManager[Iterator[bytes]]]


class Sealed:
    """A stored container, to be read whole or in ranges.

    `open_range(start, length)` is the provider's `open` for this key; `stored_size` the object's
    bytes as the provider tells (`stat`); `size` the plaintext's bytes as the database tells.

    Guaranteed, whoever changed the object:

    - Bytes that come out stood at this place of this object: a chunk is released when its tag is
      verified, never before.
    - A read that reaches the end (a whole read, a range up to or beyond the last chunk) proves the
      end: cut off or longer objects raise IntegrityError before a byte of the last chunk, also if
      `stored_size` is wrong. So an answer shorter than what was asked for is a proven one.
    - With `size`, an object whose `stored_size` differs from `sealed_size(size)` is refused before
      anything is read.

    Not guaranteed: a range that ends before the last chunk does not look at the end. If `size` is
    None, or `stored_size` was computed and not asked of the provider, it gives its (genuine) bytes
    of an object that was cut off behind them.
    """

    def __init__(
        self,
        open_range: OpenRange,
        *,
        object_id: UUID,
        data_key: bytes,
        stored_size: int,
        size: int | None,
    ) -> None:
        """Reads the header. Raises IntegrityError, and what the provider raises."""
        self.plain_size = plain_size_of(stored_size)
        if size is not None and size != self.plain_size:
            raise IntegrityError(
                f"The encrypted object holds {self.plain_size} bytes instead of {size}."
            )
        self._open_range = open_range
        self._last = count_chunks(self.plain_size) - 1
        with open_range(0, HEADER_BYTES) as blocks:
            header = bytes(_Cutter(blocks).take(HEADER_BYTES))
        self._chunks = Chunks(data_key, object_id, nonce_prefix(header, object_id))

    def read(self, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Pieces of at most CHUNK_BYTES, from byte `start`, `length` bytes at most.

        Only the chunks touched are fetched. Iterating raises IntegrityError, and what the provider
        raises; a caller who must not act on half a file waits for the end.
        """
        if start < 0 or (length is not None and length < 0):
            raise ValueError("A range begins and ends behind the beginning.")
        if length == 0:
            return iter(())
        stop = self.plain_size if length is None else start + length
        return self._pieces(start, stop, proves_end=length is None or stop >= self.plain_size)

    def _pieces(self, start: int, stop: int, *, proves_end: bool) -> Iterator[bytes]:
        first = min(start // CHUNK_BYTES, self._last)
        last = self._last if proves_end else (stop - 1) // CHUNK_BYTES
        for number, chunk in self._unsealed(first, last):
            begins = number * CHUNK_BYTES
            if piece := chunk[max(start - begins, 0) : max(stop - begins, 0)]:
                yield piece

    def _unsealed(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        offset, end = self._begins(first), self._begins(last) + self._sealed_bytes(last)
        # One byte more than there should be: whether something was appended shows only by asking.
        more = 1 if last == self._last else 0
        with self._open_range(offset, end + more - offset) as blocks:
            cutter = _Cutter(blocks)
            for number in range(first, last):
                yield number, self._unseal(number, cutter.take(SEALED_CHUNK_BYTES))
            sealed = cutter.take(self._sealed_bytes(last) + more)
            yield last, self._unseal(last, sealed)

    def _begins(self, number: int) -> int:
        return HEADER_BYTES + number * SEALED_CHUNK_BYTES

    def _sealed_bytes(self, number: int) -> int:
        if number < self._last:
            return SEALED_CHUNK_BYTES
        return self.plain_size - number * CHUNK_BYTES + TAG_BYTES

    def _unseal(self, number: int, sealed: memoryview) -> bytes:
        if len(sealed) != self._sealed_bytes(number):
            raise IntegrityError("The encrypted object is cut off, or something was appended.")
        return self._chunks.unseal(number, sealed, is_last=number == self._last)


class _Cutter:
    """Cuts blocks into pieces; copies only those that lie across two blocks."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def take(self, count: int) -> memoryview:
        """The next `count` bytes, less only at the end."""
        gathered = bytearray()
        while len(gathered) + len(self._rest) < count:
            gathered += self._rest
            block = next(self._blocks, b"")
            self._rest = memoryview(block)
            if not block:
                return memoryview(gathered)
        missing = count - len(gathered)
        piece, self._rest = self._rest[:missing], self._rest[missing:]
        return memoryview(gathered + piece) if gathered else piece
