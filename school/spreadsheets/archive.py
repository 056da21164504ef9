"""Is it safe to unpack this workbook? Counted, not believed: an archive may lie about its sizes."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from school.errors import Invalid, TooLarge

_MAX_ENTRIES: Final = 2_000
_MAX_UNPACKED_BYTES: Final = 300 * 1024 * 1024
_MAX_RATIO: Final = 150
_RATIO_MATTERS_BYTES: Final = 20 * 1024 * 1024
_CHUNK_BYTES: Final = 1 << 18

DAMAGED: Final = (
    "This workbook is damaged or was not saved completely. Open it in the spreadsheet program, "
    "save it again and try once more."
)
TOO_MUCH: Final = "This workbook unpacks to far more than a list needs, so it was not opened."
_NOT_A_WORKBOOK: Final = (
    "This file is an archive, but not an Excel workbook. Save the list as .xlsx or CSV."
)
PROTECTED: Final = (
    "This workbook is protected by a password. Remove the password and save it again."
)


@contextmanager
def damage_in_a_sentence() -> Iterator[None]:
    """Everything `zipfile` says about an archive it can't take becomes one sentence."""
    try:
        yield
    except (
        zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, KeyError,
        NotImplementedError, RuntimeError,
    ) as broken:
        raise Invalid(DAMAGED) from broken


def check_archive(path: Path) -> None:
    """Unpacks every part into nothing, counting: sizes an archive states may be lies."""
    with damage_in_a_sentence(), zipfile.ZipFile(path) as archive, path.open("rb") as stream:
        entries = archive.infolist()
        _check_directory(entries)
        _check_sizes(stream, entries, packed_bytes=path.stat().st_size)


def _check_directory(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if len(names) > _MAX_ENTRIES:
        raise TooLarge(TOO_MUCH)
    if len(set(names)) != len(names):
        raise Invalid(DAMAGED)
    if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
        raise Invalid(_NOT_A_WORKBOOK)
    if any(entry.flag_bits & 1 for entry in entries):
        raise Invalid(PROTECTED)
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
           for entry in entries):
        raise Invalid(DAMAGED)


def _check_sizes(
    stream: BinaryIO, entries: list[zipfile.ZipInfo], *, packed_bytes: int
) -> None:
    total = 0
    for entry in entries:
        total += _unpacked_bytes(stream, entry, limit=_MAX_UNPACKED_BYTES - total)
        is_bomb = total > _RATIO_MATTERS_BYTES and total > packed_bytes * _MAX_RATIO
        if is_bomb or total >= _MAX_UNPACKED_BYTES:
            raise TooLarge(TOO_MUCH)


def _unpacked_bytes(stream: BinaryIO, entry: zipfile.ZipInfo, *, limit: int) -> int:
    """How many bytes the entry really unpacks to; stops counting at `limit`."""
    stream.seek(entry.header_offset)
    header = stream.read(30)
    if header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile
    name_bytes, extra_bytes = struct.unpack("<HH", header[26:30])
    stream.seek(name_bytes + extra_bytes, 1)
    if entry.compress_type == zipfile.ZIP_STORED:
        return entry.compress_size
    unpacker = zlib.decompressobj(-15)
    count, left = 0, entry.compress_size
    while left > 0 and count < limit and not unpacker.eof:
        packed = stream.read(min(_CHUNK_BYTES, left))
        if not packed:
            raise zipfile.BadZipFile
        left -= len(packed)
        while packed and count < limit:
            count += len(unpacker.decompress(packed, _CHUNK_BYTES))
            packed = unpacker.unconsumed_tail
    return count
