"""What every provider can do, and the small things it speaks in.

Memory bound: no provider holds more than two parts of `PART_BYTES` of one object at a time,
whatever the object's size, and 1 GiB in and out stays under 64 MiB above idle; measured by
tests/storage/test_memory.py.

Time bound: connecting takes 2 s at most, each wait for bytes 10 s; reads are tried twice, writes
once. After five failures in a row a provider is left alone for 10 s (breaker.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

BLOCK_BYTES = 1024 * 1024
PART_BYTES = 8 * 1024 * 1024
MOST_PUT_BYTES = 5 * 1024**3
"""So much one request may bring to any of the clouds; S3 takes no more."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What differs between providers; ask before relying on it."""

    presign_get: bool
    presign_put: bool
    range: bool
    create_only: bool
    native_checksum: bool
    local_path: bool
    server_copy: bool


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object as the provider knows it. `sha256` (hex) is set by `put`, counted by us."""

    key: str
    size_bytes: int
    etag: str
    modified_at: datetime
    content_type: str | None = None
    sha256: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that whoever holds it may send until it expires, with exactly these headers."""

    method: str
    url: str
    headers: Mapping[str, str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the provider answers, and how fast."""

    ok: bool
    ms: float
    detail: str = ""


class StorageProvider(Protocol):
    """Objects are written once and never changed.

    Every method raises only what errors.py draws: any may raise Denied, Throttled, Unavailable;
    the others are named below. An etag is what `put` or `stat` of the same provider gave.
    """

    name: str
    caps: Capabilities

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
        """Store a stream under a new key; the answer has size and sha256 as counted.

        `size` (bytes) and `sha256` (hex), where given, are checked before the object can be
        seen. What the stream raises passes through as it is; nothing is left behind. Raises
        AlreadyExists, IntegrityError, OutcomeUnknown.
        """

    def open(
        self, key: str, *, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Blocks of at most BLOCK_BYTES, from byte `start`, `length` bytes at most; nothing
        beyond the end. `if_match`: only the version with this etag.

        Raises NotFound, PreconditionFailed. While reading: Unavailable, never a silent short
        read; IntegrityError after the last byte of a whole object that is not what was stored,
        where the provider keeps a checksum (`caps.native_checksum`).
        """

    def stat(self, key: str) -> ObjectInfo:
        """Raises NotFound."""

    def delete(self, key: str, *, if_match: str | None = None) -> bool:
        """True if it was there, False if not; both are fine. `if_match`: only the version with
        this etag. Raises PreconditionFailed."""

    def copy(self, source: str, target: str, *, if_absent: bool = True) -> ObjectInfo:
        """The same bytes under another key. `if_absent=False` replaces what lies there: only for
        keys that nobody reads from. Raises NotFound, AlreadyExists, OutcomeUnknown."""

    def list(self, prefix: str, *, after: str | None = None) -> Iterator[ObjectInfo]:
        """In the order of their keys, beginning behind `after`; read in pages."""

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
        """A link to download. `claims` travel in links that we redeem ourselves."""

    def presign_put(
        self, key: str, *, expires: timedelta, size: int, content_type: str, sha256: str
    ) -> SignedRequest:
        """A link to upload exactly this object, once. All of `headers` must be sent.

        S3 signs type, length, sha256 and If-None-Match; GCS signs type, length and
        if-generation-match (it knows no sha256: read again afterwards).
        """

    def upload_origin(self) -> str | None:
        """Where links of `presign_put` lead, as browsers name it (https://host:port); None: to us.
        Raises Denied."""

    def local_path(self, key: str) -> Path | None:
        """Where the bytes lie on this machine, for a web server to send; None elsewhere."""

    def abort_stale_uploads(self, older_than: timedelta) -> int:
        """Remove what broken uploads left behind. Returns how many."""

    def healthcheck(self, timeout_s: float = 2.0) -> Health:
        """Ask for something small."""
