"""Read stored content for more than a plain download: later than the request, or here and there."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO, cast

from school.files.queries import Content
from school.files.service.sealing import opened
from school.files.service.shelf import shelf

Blocks = AbstractContextManager[Iterator[bytes]]
Opener = Callable[[Content, int, int], Blocks]
"""Opens so many bytes of some content, beginning at one."""
PIECE_BYTES = 64 * 1024


def opener() -> Opener:
    """Opens content of the application at work; what it gives works after the request too."""
    here = shelf()
    return lambda content, start, length: opened(content, start=start, length=length, at=here)


class TooMuchRead(OSError):
    """A reader wanted more of the content than it was given leave to."""


def sought(content: Content, *, most_bytes: int) -> BinaryIO:
    """The content as a file to seek in; of a large one only what is asked for is fetched.

    Raises TooMuchRead beyond `most_bytes`, and what providers raise.
    """
    raw = _Sought(content, opener(), most_bytes)
    return cast("BinaryIO", io.BufferedReader(raw, PIECE_BYTES))


class _Sought(io.RawIOBase):
    def __init__(self, content: Content, open_part: Opener, most_bytes: int) -> None:
        self._content, self._open, self._left = content, open_part, most_bytes
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._content.size_bytes}
        self._at = max(0, base[whence] + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = min(len(buffer), self._content.size_bytes - self._at)
        if count <= 0:
            return 0
        self._left -= count
        if self._left < 0:
            raise TooMuchRead
        with self._open(self._content, self._at, count) as blocks:
            data = b"".join(blocks)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
