"""Many files in one ZIP, written while it is sent: nothing of it is ever kept, here or on a disk.

`zipfile` of the standard library writes to a place it cannot go back to (sizes follow the bytes,
ZIP64 where it must be), so no further package is needed.
"""

from __future__ import annotations

import unicodedata
import zipfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import IO, Any, NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa

from school.audit.log import record
from school.db import db
from school.errors import Invalid, TooLarge, Unavailable
from school.files.models import File, Folder
from school.files.policy import check_owner, may_view_beside, standing_in
from school.files.queries import (
    Content,
    Spot,
    StoredFile,
    below,
    file_gone,
    lies_in,
    list_stored,
)
from school.files.service.families import BY_CONTENT_TYPE, MIB
from school.files.service.names import clean_name, numbered
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
    folder_id: UUID | None = None,
    folder_ids: Collection[UUID] = (),
    archived: bool = False,
) -> list[Entry]:
    """All in a place that the person may see, or the files and folders named; noted as downloaded.

    Raises NotFound when one of those named is not there for this person, Invalid for none at
    all, TooLarge.
    """
    spot = Spot(owner_kind, owner_id, folder_id)
    if archived:
        check_owner(person, owner_kind, owner_id, archived=True)
    closed = standing_in(person, spot).closed
    if len(ids or ()) + len(folder_ids) > MOST_FILES:
        raise _too_large()
    # What was put away of all folders of an owner stands in one list.
    is_one_list = archived and not folder_id
    is_all = ids is None or archived
    tree = [] if is_one_list else _tree(spot, None if is_all else folder_ids)
    stored = list_stored(
        owner_kind,
        owner_id,
        archived=archived,
        ids=[] if ids is None and not archived else ids,
        also=_chosen(spot, tree, is_all=ids is None),
        limit=MOST_FILES + 1,
    )
    # Whoever may look into this place need not see what else its owner has.
    here = {folder_id, *(row.id for row in tree)}
    seen = [
        one
        for one in stored
        if may_view_beside(person, one.file)
        and one.file.purpose not in closed
        and (is_one_list or one.file.folder_id in here)
    ]
    _check_seen(seen, stored, wanted=ids or ())
    _record_downloads(seen)
    names = _paths(tree, seen)
    return [Entry(names[one.file.id], one.at, one.content, one.is_held) for one in seen]


def _check_seen(
    seen: list[StoredFile], stored: list[StoredFile], *, wanted: Collection[UUID]
) -> None:
    if not set(wanted) <= {one.file.id for one in seen}:
        raise file_gone()
    size_bytes = sum(one.content.size_bytes for one in seen if one.content)
    if len(stored) > MOST_FILES or size_bytes > MOST_BYTES:
        raise _too_large()
    if not seen:
        raise Invalid("Tick at least one file first.", field="ids")


def _record_downloads(seen: list[StoredFile]) -> None:
    for one in seen:
        details = {"version": one.number, "name": one.file.name, "via": "zip"}
        record("file.downloaded", "file", one.file.id, after=details)


def _tree(spot: Spot, wanted: Collection[UUID] | None) -> Sequence[Any]:
    """The folders named and all in them, or all of the place: (id, parent_id, name).

    Raises NotFound for one that does not lie here, TooLarge.
    """
    if wanted is not None and not wanted:
        return []
    top = sa.select(Folder.id).where(*lies_in(Folder, spot), Folder.trashed_at.is_(None))
    if wanted is not None:
        top = top.where(Folder.id.in_(wanted))
    rows = db.session.execute(
        sa.select(Folder.id, Folder.parent_id, Folder.name)
        .where(Folder.id.in_(sa.select(below(top).c.id)))
        .order_by(Folder.sort_name, Folder.id)
        .limit(MOST_FILES + 1)
    ).all()
    if len(rows) > MOST_FILES:
        raise _too_large()
    if not set(wanted or ()) <= {row.id for row in rows}:
        raise file_gone()
    return rows


def _chosen(spot: Spot, tree: Sequence[Any], *, is_all: bool) -> sa.ColumnElement[bool]:
    in_tree = File.folder_id.in_([row.id for row in tree])
    return sa.or_(in_tree, sa.and_(*lies_in(File, spot))) if is_all else in_tree


def _paths(tree: Sequence[Any], seen: Sequence[StoredFile]) -> dict[UUID, str]:
    """What each file is called in the ZIP, its folders before it; safe in each folder."""
    known = {row.id for row in tree}
    beside: dict[UUID | None, list[tuple[UUID, str]]] = {}
    for row in tree:
        inside = row.parent_id if row.parent_id in known else None
        beside.setdefault(inside, []).append((row.id, row.name))
    for one in seen:
        inside = one.file.folder_id if one.file.folder_id in known else None
        beside.setdefault(inside, []).append((one.file.id, one.file.name))
    found: dict[UUID, str] = {}
    places: list[tuple[UUID | None, str]] = [(None, "")]
    while places:
        inside, path = places.pop()
        things = beside.get(inside, [])
        for (thing_id, _), name in zip(
            things, safe_names([name for _, name in things]), strict=True
        ):
            found[thing_id] = path + name
            if thing_id in known:
                places.append((thing_id, f"{path}{name}/"))
    return found


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
            name = numbered(plain, numbers[plain])
        taken.add(_folded(name))
        found.append(name)
    return found


def _folded(name: str) -> str:
    """As systems that take big and small letters for one compare it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


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
