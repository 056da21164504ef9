"""Sensitive content lies encrypted: one data key per blob, wrapped by the installation's keys.

The wrapped key stands in the blob's row, so changing the installation's key rewrites rows and
never an object.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast
from uuid import UUID

import sqlalchemy as sa

from school.db import db, transaction
from school.files.models import Blob, UploadPart
from school.files.queries import Content
from school.files.service.shelf import Shelf, shelf
from school.files.service.staging import Staged
from school.storage.container import Envelope, Sealed, encrypt, new_data_key, sealed_size

AT_ONCE = 500
_Keyed = type[Blob] | type[UploadPart]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Content as it leaves for the provider; `stream` may be asked for again."""

    content: Staged
    blob_id: UUID
    data_key: bytes | None = None

    @property
    def size_bytes(self) -> int:
        size = self.content.size_bytes
        return size if self.data_key is None else sealed_size(size)

    @property
    def sha256(self) -> str | None:
        """Known beforehand only of what leaves as it came."""
        return self.content.sha256 if self.data_key is None else None

    @property
    def envelope(self) -> str | None:
        if self.data_key is None:
            return None
        return shelf().keys.wrap(self.data_key, self.blob_id).to_text()

    def stream(self) -> BinaryIO:
        """From the beginning."""
        self.content.stream.seek(0)
        plain = cast("BinaryIO", self.content.stream)
        if self.data_key is None:
            return plain
        size = self.content.size_bytes
        return encrypt(plain, object_id=self.blob_id, data_key=self.data_key, size=size)


def outgoing(content: Staged, blob_id: UUID, *, is_sensitive: bool) -> Outgoing:
    return Outgoing(content, blob_id, new_data_key() if is_sensitive else None)


@contextmanager
def opened(
    content: Content, *, start: int = 0, length: int | None = None, at: Shelf | None = None
) -> Iterator[Iterator[bytes]]:
    """The content's bytes from `start`, `length` at most, in plain. Raises StorageError.

    `at`: the shelf, where the application is at work no more.
    """
    here = at or shelf()
    provider = here.provider
    if content.envelope is None:
        with provider.open(content.key, start=start, length=length) as blocks:
            yield blocks
        return
    sealed = Sealed(
        lambda begin, count: provider.open(content.key, start=begin, length=count),
        object_id=content.blob_id,
        data_key=here.keys.unwrap(Envelope.from_text(content.envelope), content.blob_id),
        stored_size=provider.stat(content.key).size_bytes,
        size=content.size_bytes,
    )
    yield sealed.read(start, length)


def rewrap() -> int:
    """Wrap every data key of the school in scope by the newest key. Returns how many changed.

    Opens its own transactions; may be stopped and run again. Raises StorageError for a row whose
    key cannot be unwrapped.
    """
    return sum(_rewrap_all(table) for table in (Blob, UploadPart))


def _rewrap_all(table: _Keyed) -> int:
    changed = 0
    last: UUID | None = None
    while rows := _sealed_after(table, last):
        last = rows[-1][0]
        with transaction():
            changed += sum(_rewrap(table, object_id, text) for object_id, text in rows)
    return changed


def _sealed_after(table: _Keyed, last: UUID | None) -> list[tuple[UUID, str]]:
    query = sa.select(table.id, table.envelope).where(table.envelope.is_not(None))
    if last is not None:
        query = query.where(table.id > last)
    rows = db.session.execute(query.order_by(table.id).limit(AT_ONCE))
    return [(row[0], row[1] or "") for row in rows]


def _rewrap(table: _Keyed, object_id: UUID, text: str) -> bool:
    old = Envelope.from_text(text)
    new = shelf().keys.rewrap(old, object_id)
    if new == old:
        return False
    db.session.execute(
        sa.update(table)
        .where(table.id == object_id, table.envelope == text)
        .values(envelope=new.to_text())
        .execution_options(synchronize_session=False)
    )
    return True
