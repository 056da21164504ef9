"""A ZIP, taken apart by us: its directory, its local headers and its bytes must tell one story.

What `zipfile` forgives (bytes before and after, members that overlap, two members of one name,
sizes that lie) is what makes one program see another document than the next one.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from school.files.service.content.refusals import Refused

MOST_PARTS = 1000
MOST_UNPACKED_BYTES = 200 * 1024 * 1024
MOST_RATIO = 100
# Small documents of repeated XML pack very well; only large ones are suspicious.
RATIO_MATTERS_BYTES = 10 * 1024 * 1024
MOST_DIRECTORY_BYTES = 1024 * 1024
BLOCK = 64 * 1024
BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError, KeyError,
    IndexError, struct.error,
)  # fmt: skip
_END = struct.Struct("<4s4H2LH")
_LOCAL = struct.Struct("<4s5H3L2H")
_LOCKED = 0x1 | 0x40 | 0x2000
_SIZES_FOLLOW = 0x8
_UTF8 = 0x800
_DESCRIPTOR_BYTES = 24
_NOT_TOLD = 0xFFFFFFFF
_DRIVE = re.compile(r"[a-z]:")


@dataclass(frozen=True, slots=True)
class Member:
    """One part: its name in one spelling, and where its packed bytes lie."""

    name: str  # with / and in small letters
    starts_at: int
    packed_bytes: int
    unpacked_bytes: int
    checksum: int
    is_packed: bool


@dataclass(slots=True)
class Budget:
    """How much a document and all it holds may still unpack to."""

    left: int = MOST_UNPACKED_BYTES
    members: int = MOST_PARTS

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise Refused("bomb")

    def count_members(self, count: int) -> None:
        self.members -= count
        if self.members < 0:
            raise Refused("bomb")


def read_directory(stream: IO[bytes], budget: Budget) -> list[Member]:
    """All members, in the order they lie in. Raises Refused, or one of BROKEN."""
    directory_at = _check_end(stream, budget)
    with zipfile.ZipFile(stream) as archive:
        entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
    budget.count_members(len(entries))
    for entry in entries:
        _check_entry(entry)
    _check_sizes(entries, budget)
    members = [_member(stream, entry) for entry in entries]
    _check_places(entries, members, directory_at)
    _check_names([member.name for member in members])
    return members


def _check_end(stream: IO[bytes], budget: Budget) -> int:
    """Where the directory starts. It is read before `zipfile` makes an object of every entry."""
    size = stream.seek(0, 2)
    tail_at = max(0, size - 0xFFFF - _END.size)
    stream.seek(tail_at)
    tail = stream.read()
    found = tail.rfind(b"PK\x05\x06")
    if found < 0:
        raise zipfile.BadZipFile
    _, disk, start_disk, here, count, length, offset, comment = _END.unpack_from(tail, found)
    if count > budget.members or length > MOST_DIRECTORY_BYTES:
        raise Refused("bomb")
    # A comment, bytes behind the end, before the beginning or between would be a hiding place;
    # no office program leaves any. Nor does one need ZIP64 for a document of our size.
    is_whole = (
        comment == 0
        and tail_at + found + _END.size == size
        and offset + length == tail_at + found
        and (disk, start_disk, here) == (0, 0, count)
        and tail[max(0, found - 20) : found][:4] != b"PK\x06\x07"
    )
    if not is_whole:
        raise Refused("hidden" if size > tail_at + found + _END.size + 64 else "damaged_document")
    return int(offset)


def _check_sizes(entries: list[zipfile.ZipInfo], budget: Budget) -> None:
    """What they declare; that it is true is seen while unpacking."""
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    is_dense = unpacked > RATIO_MATTERS_BYTES and unpacked > packed * MOST_RATIO
    if is_dense or unpacked > budget.left:
        raise Refused("bomb")


def _check_entry(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & _LOCKED:
        raise Refused("old_office")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise Refused("damaged_document")
    file_type = stat.S_IFMT(entry.external_attr >> 16)
    if entry.create_system == 3 and file_type not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise Refused("trapped")


def _member(stream: IO[bytes], entry: zipfile.ZipInfo) -> Member:
    """The local header must say what the directory says."""
    stream.seek(entry.header_offset)
    header = stream.read(_LOCAL.size)
    signature, _, flags, method, _, _, crc, packed, unpacked, name, extra = _LOCAL.unpack(header)
    raw_name, raw_extra = stream.read(name), stream.read(extra)
    own_name = raw_name.decode("utf-8" if flags & _UTF8 else "cp437")
    is_same = (
        signature == b"PK\x03\x04"
        and own_name == entry.orig_filename == entry.filename
        and method == entry.compress_type
        and (flags ^ entry.flag_bits) & (_LOCKED | _SIZES_FOLLOW) == 0
    )
    if is_same and not flags & _SIZES_FOLLOW:
        told = (crc, *_long_sizes(raw_extra, packed, unpacked))
        is_same = told == (entry.CRC, entry.compress_size, entry.file_size)
    if not is_same:
        raise Refused("damaged_document")
    return Member(
        own_name.replace("\\", "/").casefold(),
        entry.header_offset + _LOCAL.size + name + extra,
        entry.compress_size,
        entry.file_size,
        entry.CRC,
        method == zipfile.ZIP_DEFLATED,
    )


def _long_sizes(extra: bytes, packed: int, unpacked: int) -> tuple[int, int]:
    """(packed, unpacked): some programs write every local header in the long form."""
    if _NOT_TOLD not in {packed, unpacked}:
        return packed, unpacked
    while len(extra) >= 4:
        code, length = struct.unpack_from("<HH", extra)
        if code == 1 and length >= 16:
            long_unpacked, long_packed = struct.unpack_from("<QQ", extra, 4)
            return int(long_packed), int(long_unpacked)
        extra = extra[4 + length :]
    return packed, unpacked


def _check_places(entries: list[zipfile.ZipInfo], members: list[Member], directory_at: int) -> None:
    """One member begins where the one before it ends: nothing shared, nothing between."""
    begins = [*(entry.header_offset for entry in entries), directory_at]
    if begins[0] != 0:
        raise Refused("hidden")
    for member, following in zip(members, begins[1:], strict=True):
        gap = following - (member.starts_at + member.packed_bytes)
        if gap < 0:
            raise Refused("bomb")
        if gap > _DESCRIPTOR_BYTES:
            raise Refused("hidden")


def _check_names(names: list[str]) -> None:
    if len(set(names)) != len(names):
        raise Refused("trapped")
    for name in names:
        is_outside = name.startswith("/") or ".." in name.split("/") or _DRIVE.match(name)
        if is_outside or any(ord(char) < 32 for char in name):
            raise Refused("trapped")


def unpack(stream: IO[bytes], member: Member) -> Iterator[bytes]:
    """The member's bytes in pieces; exactly as many as were declared, with their checksum."""
    total = checksum = 0
    for block in _inflate(stream, member) if member.is_packed else _stored(stream, member):
        total += len(block)
        if total > member.unpacked_bytes:
            break
        checksum = zlib.crc32(block, checksum)
        yield block
    if total != member.unpacked_bytes or checksum != member.checksum:
        raise Refused("damaged_document")


def _stored(stream: IO[bytes], member: Member) -> Iterator[bytes]:
    at, end = member.starts_at, member.starts_at + member.packed_bytes
    while at < end:
        stream.seek(at)
        block = stream.read(min(BLOCK, end - at))
        if not block:
            raise EOFError
        at += len(block)
        yield block


def _inflate(stream: IO[bytes], member: Member) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-15)
    for packed in _stored(stream, member):
        waiting = packed
        while waiting:
            yield unpacker.decompress(waiting, BLOCK)
            waiting = unpacker.unconsumed_tail
            if unpacker.eof:
                break
    while not unpacker.eof and (block := unpacker.decompress(unpacker.unconsumed_tail, BLOCK)):
        yield block
    if not unpacker.eof or unpacker.unused_data:
        raise Refused("damaged_document")
