"""Files on this machine's disk: durable, written once, never outside the root."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from school.storage.errors import AlreadyExists, Denied, NotFound, StorageError, Unavailable
from school.storage.hashing import CountingReader
from school.storage.keys import check_key
from school.storage.protocol import BLOCK_BYTES, Capabilities, Health, ObjectInfo, SignedRequest
from school.storage.signing import Claim, LinkSigner, expiry

PARTS = ".parts"
DOWNLOAD_PATH = "/f/"
UPLOAD_PATH = "/u/"
_WHAT = {errno.ENOSPC: "The disk is full.", errno.EDQUOT: "The disk quota is used up.",
         errno.EROFS: "The disk is read-only."}  # fmt: skip


@contextmanager
def _translated(key: str | None = None) -> Iterator[None]:
    """The system's errors in our words."""
    try:
        yield
    except FileNotFoundError:
        raise NotFound("There is no such object.", key=key) from None
    except FileExistsError:
        raise AlreadyExists("The key is taken.", key=key) from None
    except PermissionError as error:
        raise Denied(f"The folder cannot be used: {error.strerror}.", key=key) from error
    except OSError as error:
        raise Unavailable(
            _WHAT.get(error.errno or 0, f"The disk says: {error.strerror}."), key=key
        ) from error


class LocalStorage:
    """`file:///folder`. Downloads and uploads go through signed links of our own."""

    caps = Capabilities(
        presign_get=True,
        presign_put=True,
        range=True,
        create_only=True,
        native_checksum=False,
        local_path=True,
        server_copy=True,
    )

    def __init__(
        self,
        root: Path,
        *,
        signing_keys: Sequence[str],
        public_base_url: str = "",
        name: str = "local",
    ) -> None:
        self.name = name
        self.signer = LinkSigner(signing_keys)
        self._root = root
        self._base_url = public_base_url.rstrip("/")
        with _translated():
            (root / PARTS).mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(
        self,
        key: str,
        stream: BinaryIO,
        *,
        size: int | None = None,
        content_type: str = "application/octet-stream",
        sha256: str | None = None,
        metadata: Mapping[str, str] | None = None,  # noqa: ARG002 - the database keeps it
    ) -> ObjectInfo:
        final = self._path(key)
        reader = CountingReader(stream, size=size, sha256=sha256)
        part = self._root / PARTS / f"{uuid4().hex}.part"
        with _translated(key):
            if final.exists():
                raise FileExistsError(key)
            try:
                self._write_part(part, reader)
                reader.check()
                self._publish(part, final)
            finally:
                part.unlink(missing_ok=True)
            return self._info(key, final, content_type=content_type, sha256=reader.sha256)

    def _write_part(self, part: Path, reader: CountingReader) -> None:
        descriptor = os.open(
            part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600
        )
        with os.fdopen(descriptor, "wb") as target:
            for block in reader.blocks():
                target.write(block)
            target.flush()
            os.fsync(target.fileno())

    def _publish(self, part: Path, final: Path) -> None:
        """Make the object visible, whole, under a name nobody has: link, never rename over."""
        final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            os.link(part, final)
        except FileExistsError:
            raise
        except OSError:
            # A file system without hard links: reserve the name first, then move onto it.
            os.close(os.open(final, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            part.replace(final)
        _sync_folder(final.parent)

    @contextmanager
    def open(
        self, key: str, *, start: int = 0, length: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        path = self._path(key)
        with _translated(key):
            descriptor = os.open(
                path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            )
        with os.fdopen(descriptor, "rb") as source:
            source.seek(start)
            yield _blocks(source, length)

    def stat(self, key: str) -> ObjectInfo:
        with _translated(key):
            return self._info(key, self._path(key))

    def delete(self, key: str) -> bool:
        path = self._path(key)
        with _translated(key):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            _sync_folder(path.parent)
        return True

    def copy(self, source: str, target: str) -> ObjectInfo:
        with _translated(source), self._path(source).open("rb") as stream:
            return self.put(target, stream)

    def list(self, prefix: str, *, after: str | None = None) -> Iterator[ObjectInfo]:
        with _translated():
            for path in _walk(self._root):
                key = path.relative_to(self._root).as_posix()
                if key.startswith(prefix) and (after is None or key > after):
                    with suppress(NotFound):
                        yield self.stat(key)

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
        claim = Claim(
            "GET",
            check_key(key),
            expiry(expires),
            filename,
            disposition,
            content_type,
            more=claims or {},
        )
        url = f"{self._base_url}{DOWNLOAD_PATH}{self.signer.sign(claim)}"
        return SignedRequest("GET", url, {}, claim.expires_at)

    def presign_put(
        self, key: str, *, expires: timedelta, size: int, content_type: str, sha256: str
    ) -> SignedRequest:
        claim = Claim(
            "PUT",
            check_key(key),
            expiry(expires),
            content_type=content_type,
            size_bytes=size,
            sha256=sha256,
        )
        headers = {"Content-Type": content_type, "Content-Length": str(size)}
        return SignedRequest(
            "PUT",
            f"{self._base_url}{UPLOAD_PATH}{self.signer.sign(claim)}",
            headers,
            claim.expires_at,
        )

    def local_path(self, key: str) -> Path | None:
        path = self._path(key)
        return path if path.is_file() else None

    def abort_stale_uploads(self, older_than: timedelta) -> int:
        limit = time.time() - older_than.total_seconds()
        stale = [
            part for part in (self._root / PARTS).glob("*.part") if part.stat().st_mtime < limit
        ]
        for part in stale:
            part.unlink(missing_ok=True)
        return len(stale)

    def healthcheck(self, timeout_s: float = 2.0) -> Health:  # noqa: ARG002 - a disk has no time-out
        began = time.monotonic()
        probe = self._root / PARTS / f"{uuid4().hex}.probe"
        try:
            probe.write_bytes(b"ok")
            ok, detail = (
                probe.read_bytes() == b"ok",
                f"{shutil.disk_usage(self._root).free} bytes free",
            )
        except OSError as error:
            ok, detail = False, str(error.strerror)
        finally:
            probe.unlink(missing_ok=True)
        return Health(ok, (time.monotonic() - began) * 1000, detail)

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _info(
        self, key: str, path: Path, *, content_type: str | None = None, sha256: str | None = None
    ) -> ObjectInfo:
        status = path.stat(follow_symlinks=False)
        if not path.is_file() or path.is_symlink():
            raise StorageError("This is not an object.", key=key)
        return ObjectInfo(
            key,
            status.st_size,
            f"{status.st_ino:x}-{status.st_mtime_ns:x}",
            datetime.fromtimestamp(status.st_mtime, UTC),
            content_type,
            sha256,
        )


def _blocks(source: BinaryIO, length: int | None) -> Iterator[bytes]:
    left = length
    while left is None or left > 0:
        block = source.read(BLOCK_BYTES if left is None else min(BLOCK_BYTES, left))
        if not block:
            return
        if left is not None:
            left -= len(block)
        yield block


def _walk(folder: Path) -> Iterator[Path]:
    """Files below, in the order of their keys ('a/…' before 'a-b': '/' sorts as a character)."""
    entries = [entry for entry in folder.iterdir() if entry.name != PARTS]
    for entry in sorted(entries, key=lambda e: e.name + ("/" if e.is_dir() else "")):
        if entry.is_dir():
            yield from _walk(entry)
        elif not entry.is_symlink():
            yield entry


def _sync_folder(folder: Path) -> None:
    """Make the name itself durable; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
