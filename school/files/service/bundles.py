"""Many files in one ZIP, written while it is sent: nothing of it is ever kept, here or on a disk.

`zipfile` of the standard library writes to a place it cannot go back to (sizes follow the bytes,
ZIP64 where it must be), so no further package is needed.
"""

from __future__ import annotations

import unicodedata
import zipfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import IO, NamedTuple, cast
from uuid import UUID

from school.audit.log import record
from school.errors import Invalid, TooLarge, Unavailable
from school.files.policy import check_owner, may_view_beside
from school.files.queries import Content, StoredFile, file_gone, list_stored
from school.files.service.families import BY_CONTENT_TYPE, MIB
from school.files.service.names import LONGEST, LONGEST_BYTES, clean_name, extension_of
from school.files.service.reading import Opener
from school.permissions import Person
from school.storage import errors

MOST_FILES = 1000
MOST_BYTES = 2048 * MIB
NOT_INCLUDED = "_not-included.txt"
# Windows keeps none of these in a name; a colon would even write into another file's shadow.
_FORBIDDEN = str.maketrans(dict.fromkeys('<>:"|?*', "_"))
# Packing these again takes time and saves nothing.
_PACKED = frozenset({"image", "pdf", "office", "sheet", "slides"})
_EARLIEST, _LATEST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)


class Entry(NamedTuple):
    """One file of a bundle: what it is called in it. No content: the store has lost it, or the
    virus check holds it back."""

    name: str
    at: datetime
    content: Content | None
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """What the list of what is missing says, in the reader's language."""

    heading: str
    unreadable: str
    changed: str
    held: str


def gather(
    person: Person,
    owner_kind: str,
    owner_id: UUID,
    *,
    ids: Collection[UUID] | None,
    archived: bool = False,
) -> list[Entry]:
    """All the owner's files that the person may see, or the ones named; noted as downloaded.

    Raises NotFound when one of those named is not there for this person, Invalid for none at
    all, TooLarge.
    """
    check_owner(person, owner_kind, owner_id, archived=archived)
    if ids is not None and len(ids) > MOST_FILES:
        raise _too_large()
    stored = list_stored(owner_kind, owner_id, archived=archived, ids=ids, limit=MOST_FILES + 1)
    seen = [one for one in stored if may_view_beside(person, one.file)]
    if ids is not None and len(seen) < len(set(ids)):
        raise file_gone()
    if len(stored) > MOST_FILES or _total(seen) > MOST_BYTES:
        raise _too_large()
    if not seen:
        raise Invalid("Tick at least one file first.", field="ids")
    for one in seen:
        details = {"version": one.number, "name": one.file.name, "via": "zip"}
        record("file.downloaded", "file", one.file.id, after=details)
    names = safe_names([one.file.name for one in seen])
    return [
        Entry(name, one.at, one.content, one.is_held) for name, one in zip(names, seen, strict=True)
    ]


def _total(seen: list[StoredFile]) -> int:
    return sum(one.content.size_bytes for one in seen if one.content)


def _too_large() -> TooLarge:
    return TooLarge(
        "One download holds %(files)s files and %(gib)s GB at most. Tick fewer of them.",
        files=MOST_FILES,
        gib=MOST_BYTES // (1024 * MIB),
    )


def safe_names(names: Iterable[str]) -> list[str]:
    """The names as every system can keep them side by side in one folder."""
    taken = {_folded(NOT_INCLUDED)}
    numbers: dict[str, int] = {}
    found = []
    for given in names:
        plain = name = clean_name(given.translate(_FORBIDDEN))
        while _folded(name) in taken:
            numbers[plain] = numbers.get(plain, 1) + 1
            name = _numbered(plain, numbers[plain])
        taken.add(_folded(name))
        found.append(name)
    return found


def _folded(name: str) -> str:
    """As systems that take big and small letters for one compare it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _numbered(name: str, number: int) -> str:
    """'Report (2).pdf'."""
    stem, dot, extension = name.rpartition(".") if extension_of(name) else (name, "", "")
    tail = f" ({number}){dot}{extension}"
    while len(stem + tail) > LONGEST or len((stem + tail).encode()) > LONGEST_BYTES:
        stem = stem[:-1]
    return stem.rstrip(". ") + tail


def check_store(entries: Iterable[Entry], open_part: Opener) -> None:
    """Raises Unavailable when the store is away as a whole, before anything was sent."""
    content = next((entry.content for entry in entries if entry.content), None)
    if content is None:
        return
    try:
        with open_part(content, 0, 1) as blocks:
            next(blocks, b"")
    except (errors.Unavailable, errors.Throttled) as error:
        raise Unavailable(
            "The file store does not answer. Try again in a minute.", retry_after_s=60
        ) from error
    except errors.StorageError:
        return  # this one file: the list of what is missing will name it


def stream(entries: Iterable[Entry], open_part: Opener, words: Words) -> Iterator[bytes]:
    """The ZIP in pieces, of which one block is held at a time.

    A file that cannot be read to its end, or is not what was stored, is in no directory of the
    ZIP (the bytes already sent of it belong to nothing) and stands in `_not-included.txt`.
    """
    sheet, missing = _Sheet(), []
    with zipfile.ZipFile(cast("IO[bytes]", sheet), "w") as archive:
        for entry in entries:
            try:
                yield from _add(archive, sheet, entry, open_part)
            except (errors.StorageError, OSError) as error:
                _take_out(archive, entry.name)
                missing.append(f"{entry.name}: {_reason(entry, error, words)}")
        if missing:
            archive.writestr(_plain_info(NOT_INCLUDED), _listed(words.heading, missing))
    yield sheet.take()


def _reason(entry: Entry, error: Exception, words: Words) -> str:
    if entry.is_held:
        return words.held
    return words.changed if isinstance(error, errors.IntegrityError) else words.unreadable


def _listed(heading: str, missing: list[str]) -> bytes:
    return "\r\n".join([heading, "", *missing, ""]).encode()


def _add(
    archive: zipfile.ZipFile, sheet: _Sheet, entry: Entry, open_part: Opener
) -> Iterator[bytes]:
    content = entry.content
    if content is None:
        raise errors.NotFound("The content is in no place.")
    digest, size = sha256(), 0
    with (
        open_part(content, 0, content.size_bytes) as blocks,
        archive.open(_info(entry, content), "w") as target,
    ):
        for block in blocks:
            digest.update(block)
            size += len(block)
            target.write(block)
            yield sheet.take()
    if (size, digest.hexdigest()) != (content.size_bytes, content.sha256):
        raise errors.IntegrityError("Not what was stored.", key=content.key)


def _take_out(archive: zipfile.ZipFile, name: str) -> None:
    """The ZIP's directory, written last, decides what is in it."""
    info = archive.NameToInfo.pop(name, None)
    if info is not None:
        archive.filelist.remove(info)


def _info(entry: Entry, content: Content) -> zipfile.ZipInfo:
    at = min(max(entry.at.timetuple()[:6], _EARLIEST), _LATEST)
    info = _plain_info(entry.name, at)
    info.file_size = content.size_bytes  # decides whether ZIP64 is needed
    kind = BY_CONTENT_TYPE.get(content.content_type)
    if kind is not None and kind.family in _PACKED:
        info.compress_type = zipfile.ZIP_STORED
    return info


def _plain_info(name: str, at: tuple[int, int, int, int, int, int] = _EARLIEST) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, at)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


class _Sheet:
    """What `zipfile` writes on: it cannot go back, and only what was not yet sent is on it."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._waiting.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def take(self) -> bytes:
        data = b"".join(self._waiting)
        self._waiting.clear()
        return data
