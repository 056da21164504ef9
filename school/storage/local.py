"""Files on this machine's disk: durable, written once, never outside the root."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast
from uuid import uuid4

from school.storage.errors import (
    AlreadyExists,
    Denied,
    NotFound,
    PreconditionFailed,
    StorageError,
    Unavailable,
)
from school.storage.hashing import BlockStream, CountingReader
from school.storage.keys import check_key, is_key
from school.storage.protocol import BLOCK_BYTES, Capabilities, Health, ObjectInfo, SignedRequest
from school.storage.signing import Claim, LinkSigner, expiry

PARTS = ".parts"
DOWNLOAD_PATH = "/f/"
UPLOAD_PATH = "/u/"
_READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_WHAT = {errno.ENOSPC: "The disk is full.", errno.EDQUOT: "The disk quota is used up.",
         errno.EROFS: "The disk is read-only."}  # fmt: skip
# A folder where an object is asked for, or an object where a folder would be: neither is one.
_NOT_THERE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


@contextmanager
def _translated(key: str | None = None, reader: CountingReader | None = None) -> Iterator[None]:
    """The system's errors in our words; what `reader`'s own stream raised stays as it is."""
    try:
        yield
    except OSError as error:
        if reader is not None and error is reader.failure:
            raise
        raise _translate(error, key) from error


def _translate(error: OSError, key: str | None) -> StorageError:
    if isinstance(error, _NOT_THERE) or error.errno == errno.ELOOP:
        return NotFound("There is no such object.", key=key)
    if isinstance(error, FileExistsError):
        return AlreadyExists("The key is taken.", key=key)
    if isinstance(error, PermissionError):
        return Denied(f"The folder cannot be used: {error.strerror}.", key=key)
    says = _WHAT.get(error.errno or 0, f"The disk says: {error.strerror}.")
    return Unavailable(says, key=key)


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
        reader = CountingReader(stream, size=size, sha256=sha256)
        final = self._path(key)
        with self._asking(key, reader):
            if final.exists():
                raise FileExistsError(key)
            self._store(reader, final, replaces=False)
            return self._info(key, final, content_type=content_type, sha256=reader.sha256)

    def _store(self, reader: CountingReader, final: Path, *, replaces: bool) -> None:
        """Write aside, check, and only then let it be seen; no trace when anything fails."""
        part = self._root / PARTS / f"{uuid4().hex}.part"
        try:
            _write_part(part, reader)
            reader.check()
            _make_folder(final.parent)
            if replaces:
                part.replace(final)
            else:
                _link_or_reserve(part, final)
            _sync_folder(final.parent)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def open(
        self, key: str, *, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> Iterator[Iterator[bytes]]:
        with self._asking(key):
            source = _open_file(self._path(key), key)
        with source:
            _refuse_other_version(os.fstat(source.fileno()), if_match, key)
            yield _blocks(source, key, start, length)

    def stat(self, key: str) -> ObjectInfo:
        with self._asking(key):
            return self._info(key, self._path(key))

    def delete(self, key: str, *, if_match: str | None = None) -> bool:
        try:
            with self._asking(key):
                path = self._path(key)
                if if_match is not None:
                    _refuse_other_version(path.lstat(), if_match, key)
                path.unlink()
                _sync_folder(path.parent)
        except NotFound:
            return False
        return True

    def copy(self, source: str, target: str, *, if_absent: bool = True) -> ObjectInfo:
        final = self._path(target)
        with self.open(source) as blocks, self._asking(target):
            if if_absent and final.exists():
                raise FileExistsError(target)
            reader = CountingReader(cast("BinaryIO", BlockStream(blocks)))
            self._store(reader, final, replaces=not if_absent)
            return self._info(target, final, sha256=reader.sha256)

    def list(self, prefix: str, *, after: str | None = None) -> Iterator[ObjectInfo]:
        with self._asking():
            for path in _walk(self._root):
                key = path.relative_to(self._root).as_posix()
                if not is_key(key):
                    continue  # a disk's own folders, what a desktop leaves behind
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

    def upload_origin(self) -> str | None:
        return None

    def local_path(self, key: str) -> Path | None:
        path = self._path(key)
        return path if path.is_file() else None

    def abort_stale_uploads(self, older_than: timedelta) -> int:
        limit = time.time() - older_than.total_seconds()
        with self._asking():
            parts = list((self._root / PARTS).glob("*.part"))
            return sum(_remove_if_older(part, limit) for part in parts)

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
            with suppress(OSError):
                probe.unlink()
        return Health(ok, (time.monotonic() - began) * 1000, detail)

    @contextmanager
    def _asking(
        self, key: str | None = None, reader: CountingReader | None = None
    ) -> Iterator[None]:
        """Our words for the system's; a disk that is not mounted has not lost its objects."""
        try:
            with _translated(key, reader):
                yield
        except NotFound:
            if (self._root / PARTS).is_dir():
                raise
            raise Unavailable("The storage folder is not there.", key=key) from None

    def _path(self, key: str) -> Path:
        """Where the object lies. Raises Denied for a key, or a folder, that leads elsewhere."""
        path = self._root / check_key(key)
        # A symbolic link in place of a folder would lead reading and writing out of the root.
        for folder in list(path.relative_to(self._root).parents)[:-1]:
            if (self._root / folder).is_symlink():
                raise Denied("The folder leads elsewhere.", key=key)
        return path

    def _info(
        self, key: str, path: Path, *, content_type: str | None = None, sha256: str | None = None
    ) -> ObjectInfo:
        status = path.lstat()
        _refuse_other_than_file(status, key)
        return ObjectInfo(
            key,
            status.st_size,
            _etag(status),
            datetime.fromtimestamp(status.st_mtime, UTC),
            content_type,
            sha256,
        )


def _write_part(part: Path, reader: CountingReader) -> None:
    descriptor = os.open(
        part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600
    )
    with os.fdopen(descriptor, "wb") as target:
        for block in reader.blocks():
            target.write(block)
        target.flush()
        os.fsync(target.fileno())


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except NotADirectoryError as error:  # an object lies where the folder would be
        raise FileExistsError(error.errno, error.strerror) from None


def _link_or_reserve(part: Path, final: Path) -> None:
    """Make the object visible, whole, under a name nobody has: link, never rename over."""
    try:
        os.link(part, final)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links: reserve the name first, then move onto it.
        os.close(os.open(final, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _move_or_free(part, final)


def _move_or_free(part: Path, final: Path) -> None:
    try:
        part.replace(final)
    except OSError:
        final.unlink(missing_ok=True)
        raise


def _open_file(path: Path, key: str) -> BinaryIO:
    descriptor = os.open(path, _READING)
    try:
        _refuse_other_than_file(os.fstat(descriptor), key)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _etag(status: os.stat_result) -> str:
    return f"{status.st_ino:x}-{status.st_mtime_ns:x}"


def _refuse_other_than_file(status: os.stat_result, key: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotFound("This is not an object.", key=key)


def _refuse_other_version(status: os.stat_result, if_match: str | None, key: str) -> None:
    if if_match is not None and _etag(status) != if_match:
        raise PreconditionFailed("The object is another version.", key=key)


def _blocks(source: BinaryIO, key: str, start: int, length: int | None) -> Iterator[bytes]:
    left = length
    with _translated(key):
        source.seek(start)
    while left is None or left > 0:
        with _translated(key):
            block = source.read(BLOCK_BYTES if left is None else min(BLOCK_BYTES, left))
        if not block:
            return
        if left is not None:
            left -= len(block)
        yield block


def _walk(folder: Path) -> Iterator[Path]:
    """Files below, in the order of their keys ('a/…' before 'a-b': '/' sorts as a character)."""
    entries = [entry for entry in folder.iterdir() if entry.name != PARTS]
    entries = [entry for entry in entries if not entry.is_symlink()]
    for entry in sorted(entries, key=lambda e: e.name + ("/" if e.is_dir() else "")):
        if entry.is_dir():
            yield from _walk(entry)
        else:
            yield entry


def _remove_if_older(part: Path, limit: float) -> bool:
    # A part may be published or swept by another process between listing and looking.
    with suppress(FileNotFoundError):
        if part.stat().st_mtime < limit:
            part.unlink()
            return True
    return False


def _sync_folder(folder: Path) -> None:
    """Make the name itself durable; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
