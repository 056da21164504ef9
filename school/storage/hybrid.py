"""One provider that commits, and others that hold copies: none of them may fail a reader.

Writing goes to the first alone; who uses this layer copies the objects to the others afterwards
(the same keys, written once like everywhere). Reading asks one after the other, and goes on with
the next in the middle of an object when a provider breaks off. A place that is being emptied is
still read from, last, and gets nothing new.

Every place has etags of its own: one that `stat` gave fits the place that answered.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeVar

from school.storage.errors import IntegrityError, NotFound, StorageError, Unavailable
from school.storage.protocol import Capabilities, Health, ObjectInfo, SignedRequest, StorageProvider

T = TypeVar("T")


class HybridStorage:
    """`members` in the order they are asked: the one that commits, those with copies (both are
    `keepers`), and the one that is `leaving`."""

    def __init__(
        self,
        primary: StorageProvider,
        *copies: StorageProvider,
        leaving: StorageProvider | None = None,
    ) -> None:
        self.keepers = (primary, *copies)
        self.members = self.keepers if leaving is None else (*self.keepers, leaving)
        self.name = primary.name
        self.caps: Capabilities = primary.caps
        self._primary = primary

    def put(
        self,
        key: str,
        stream: BinaryIO,
        *,
        size: int | None = None,
        content_type: str = "application/octet-stream",
        sha256: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        return self._primary.put(
            key, stream, size=size, content_type=content_type, sha256=sha256, metadata=metadata
        )

    @contextmanager
    def open(
        self, key: str, *, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> Iterator[Iterator[bytes]]:
        with closing(_blocks(self.members, key, start, length, if_match)) as blocks:
            first = next(blocks, b"")  # whoever has nothing is to say so now
            yield chain([first] if first else [], blocks)

    def stat(self, key: str) -> ObjectInfo:
        return self._first(lambda member: member.stat(key))

    def delete(self, key: str, *, if_match: str | None = None) -> bool:
        """Everywhere, as far as they answer; raises what the first said that did not. With
        `if_match` the one that commits must agree before the copies are touched."""
        gone, faults, copies = False, [], self.members
        if if_match is not None:
            gone, copies = self._primary.delete(key, if_match=if_match), self.members[1:]
        for member in copies:
            try:
                gone = member.delete(key) or gone
            except StorageError as error:
                faults.append(error)
        if faults:
            raise faults[0]
        return gone

    def copy(self, source: str, target: str, *, if_absent: bool = True) -> ObjectInfo:
        return self._primary.copy(source, target, if_absent=if_absent)

    def list(self, prefix: str, *, after: str | None = None) -> Iterator[ObjectInfo]:
        """What lies at the one that commits."""
        return self._primary.list(prefix, after=after)

    def presign_get(
        self,
        key: str,
        *,
        expires: timedelta,
        filename: str,
        disposition: str = "attachment",
        content_type: str = "application/octet-stream",
        claims: Mapping[str, str] | None = None,
    ) -> SignedRequest:
        """A link to the first that has the object and answers now."""

        def sign(member: StorageProvider) -> SignedRequest:
            member.stat(key)
            return member.presign_get(
                key,
                expires=expires,
                filename=filename,
                disposition=disposition,
                content_type=content_type,
                claims=claims,
            )

        return self._first(sign)

    def presign_put(
        self, key: str, *, expires: timedelta, size: int, content_type: str, sha256: str
    ) -> SignedRequest:
        return self._primary.presign_put(
            key, expires=expires, size=size, content_type=content_type, sha256=sha256
        )

    def upload_origin(self) -> str | None:
        return self._primary.upload_origin()

    def local_path(self, key: str) -> Path | None:
        return self._primary.local_path(key)

    def abort_stale_uploads(self, older_than: timedelta) -> int:
        return sum(member.abort_stale_uploads(older_than) for member in self.members)

    def healthcheck(self, timeout_s: float = 2.0) -> Health:
        """Whether files can be written; a copy that is away only shows in `detail`."""
        health = self._primary.healthcheck(timeout_s)
        away = [m.name for m in self.members[1:] if not m.healthcheck(timeout_s).ok]
        detail = f"{health.detail}; away: {', '.join(away)}" if away else health.detail
        return Health(health.ok, health.ms, detail)

    def _first(self, ask: Callable[[StorageProvider], T]) -> T:
        """The first answer. Raises the worst that was said: "not here" only if all say so."""
        faults: list[StorageError] = []
        for member in self.members:
            try:
                return ask(member)
            except StorageError as error:
                faults.append(error)
        raise _worst(faults)


def members_of(provider: StorageProvider) -> Sequence[StorageProvider]:
    """The providers behind this one, the one that commits first."""
    return provider.members if isinstance(provider, HybridStorage) else (provider,)


def member_named(provider: StorageProvider, name: str) -> StorageProvider:
    """The one behind this provider that rows call so. Raises Unavailable when it is none of them
    any more."""
    for member in members_of(provider):
        if member.name == name:
            return member
    raise Unavailable(f"No storage called {name} is connected.")


def keepers_of(provider: StorageProvider) -> Sequence[StorageProvider]:
    """Those where every object belongs, the one that commits first."""
    return provider.keepers if isinstance(provider, HybridStorage) else (provider,)


def _worst(faults: Sequence[StorageError]) -> StorageError:
    return next((fault for fault in faults if not isinstance(fault, NotFound)), faults[0])


def _blocks(
    members: Sequence[StorageProvider],
    key: str,
    start: int,
    length: int | None,
    if_match: str | None,
) -> Generator[bytes, None, None]:
    """The blocks of an object; objects never change, so another place goes on where one stopped."""
    sent = 0
    faults: list[StorageError] = []
    for member in members:
        left = None if length is None else length - sent
        # Whoever goes on has another etag; that the version is the right one was seen before.
        version = None if sent else if_match
        try:
            with member.open(key, start=start + sent, length=left, if_match=version) as blocks:
                for block in blocks:
                    sent += len(block)
                    yield block
        except IntegrityError:
            raise  # wrong bytes are out already; no other place can take them back
        except StorageError as error:
            faults.append(error)
        else:
            return
    raise _worst(faults)
