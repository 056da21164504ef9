"""Google Cloud Storage: create-only by generation, one chunk in memory at a time, V4 links."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import google.auth
import google_crc32c
import requests
from google.api_core import exceptions as google_errors
from google.auth.credentials import AnonymousCredentials, Signing
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY

from school.storage import errors
from school.storage.breaker import Breaker
from school.storage.disposition import content_disposition
from school.storage.hashing import CountingReader
from school.storage.keys import check_key
from school.storage.protocol import (
    BLOCK_BYTES,
    PART_BYTES,
    Capabilities,
    Health,
    ObjectInfo,
    SignedRequest,
)
from school.storage.signing import expiry, origin_of

_KINDS: dict[int, type[errors.StorageError]] = {
    401: errors.Denied, 403: errors.Denied, 404: errors.NotFound, 412: errors.AlreadyExists,
    416: errors.PreconditionFailed, 429: errors.Throttled, 503: errors.Throttled,
}  # fmt: skip
_SERVER_FAILED = 500
_DONE = range(200, 400)  # said to be done, but the answer cannot be read
_ANSWERED = (google_errors.GoogleAPICallError, google_errors.RetryError, InvalidResponse)
# What reading an answer raises when a field is missing or is not what it should be.
_NONSENSE = (KeyError, TypeError, ValueError, AttributeError)
_TRANSLATED = (
    *_ANSWERED, DataCorruption, requests.RequestException, GoogleAuthError, *_NONSENSE,
)  # fmt: skip

# Google's own default tries for two minutes, which no page can wait. Quick failures are tried
# again within a second; one time-out is the end of it. Writes are never tried again: the second
# try would meet the first one's object.
_RETRY = DEFAULT_RETRY.with_delay(initial=0.1, maximum=0.4).with_timeout(1.0)


GOOGLE = "https://storage.googleapis.com"


class GcsStorage:
    """`gs://bucket/prefix`. Credentials come from the environment (key file or the machine's own).

    With a machine's own credentials links are signed by IAM `signBlob`. `endpoint_url` is for
    emulators and private endpoints; it goes without credentials unless some are given.
    """

    caps = Capabilities(
        presign_get=True,
        presign_put=True,
        range=True,
        create_only=True,
        native_checksum=True,
        local_path=False,
        server_copy=True,
    )

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str | None = None,
        name: str = "gcs",
        credentials: Any = None,
        timeout_s: tuple[float, float] = (2.0, 10.0),
    ) -> None:
        self.name = name
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._endpoint_url = endpoint_url
        self._timeout = timeout_s
        self._breaker = Breaker()
        self._signer = credentials
        project: str | None = "schoolhouse"
        if endpoint_url:
            options = {"api_endpoint": endpoint_url}
            self._client: Any = storage.Client(
                project=project,
                credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
                client_options=options,
            )
        else:
            if credentials is None:
                self._signer, project = google.auth.default()
            self._client = storage.Client(project=project, credentials=self._signer)
        self._bucket = self._client.bucket(bucket)

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
        # The emulator and some proxies ignore if-generation-match; keys are random and never
        # reused, so this look before is a second belt.
        if self._blob(key) is not None:
            raise errors.AlreadyExists("The key is taken.", key=key)
        reader = CountingReader(stream, size=size, sha256=sha256)
        checked = _Checked(reader)
        blob = self._bucket.blob(self._full(key), chunk_size=PART_BYTES)
        blob.metadata = dict(metadata or {})
        with self._asking(key, changes=True, reader=reader):
            blob.upload_from_file(
                checked,
                content_type=content_type,
                if_generation_match=0,
                checksum="auto",
                timeout=self._timeout,
                size=None,
                retry=None,
            )
        return ObjectInfo(
            key,
            reader.size_bytes,
            str(blob.generation),
            datetime.now(UTC),
            content_type,
            reader.sha256,
            dict(metadata or {}),
        )

    @contextmanager
    def open(
        self, key: str, *, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> Iterator[Iterator[bytes]]:
        blob = self._found(key)
        info = self._info(blob, key)
        if if_match is not None and info.etag != if_match:
            raise errors.PreconditionFailed("The object is another version.", key=key)
        end = info.size_bytes if length is None else min(start + length, info.size_bytes)
        crc32c = blob.crc32c if start == 0 and end == info.size_bytes else None
        yield self._blocks(key, blob.generation, range(start, end), crc32c)

    def _blocks(
        self, key: str, generation: int, wanted: range, crc32c: str | None
    ) -> Iterator[bytes]:
        """`crc32c`: base64 as Google keeps it, compared once everything was read."""
        blob = self._bucket.blob(self._full(key), generation=generation)
        checksum: Any = google_crc32c.Checksum()  # type: ignore[no-untyped-call]
        for begin in wanted[::BLOCK_BYTES]:
            last = min(begin + BLOCK_BYTES, wanted.stop) - 1
            with self._asking(key):
                block = blob.download_as_bytes(
                    start=begin, end=last, timeout=self._timeout, checksum=None, retry=_RETRY
                )
            if len(block) != last + 1 - begin:
                raise errors.Unavailable("The storage sent only part of the object.", key=key)
            checksum.update(block)
            yield block
        if crc32c and b64encode(checksum.digest()).decode() != crc32c:
            raise errors.IntegrityError("The object is not what was stored.", key=key)

    def stat(self, key: str) -> ObjectInfo:
        return self._info(self._found(key), key)

    def delete(self, key: str, *, if_match: str | None = None) -> bool:
        try:
            generation = None if if_match is None else int(if_match)
        except ValueError:
            raise errors.PreconditionFailed("No version has this etag.", key=key) from None
        try:
            with self._asking(key):
                self._bucket.blob(self._full(key)).delete(
                    if_generation_match=generation, timeout=self._timeout, retry=_RETRY
                )
        except errors.NotFound:
            return False
        except errors.PreconditionFailed:
            if self._blob(key) is None:  # what is gone matches nothing, and is gone
                return False
            raise
        return True

    def copy(self, source: str, target: str, *, if_absent: bool = True) -> ObjectInfo:
        if if_absent and self._blob(target) is not None:
            raise errors.AlreadyExists("The key is taken.", key=target)
        with self._asking(source, changes=True):
            self._bucket.copy_blob(
                self._bucket.blob(self._full(source)),
                self._bucket,
                self._full(target),
                if_generation_match=0 if if_absent else None,
                timeout=self._timeout,
                retry=None,
            )
        return self.stat(target)

    def list(self, prefix: str, *, after: str | None = None) -> Iterator[ObjectInfo]:
        # start_offset is inclusive: the last one seen is left out again.
        offset = {"start_offset": self._prefix + after} if after else {}
        with self._asking():
            for blob in self._client.list_blobs(
                self._bucket,
                prefix=self._prefix + prefix,
                timeout=self._timeout,
                retry=_RETRY,
                **offset,
            ):
                key = blob.name.removeprefix(self._prefix)
                if after is None or key > after:
                    yield _info_of(blob, key)

    def presign_get(
        self,
        key: str,
        *,
        expires: timedelta,
        filename: str,
        disposition: str = "attachment",
        content_type: str = "application/octet-stream",
        claims: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> SignedRequest:
        url = self._sign(
            key,
            "GET",
            expires,
            response_type=content_type,
            response_disposition=content_disposition(disposition, filename),
        )
        return SignedRequest("GET", url, {}, expiry(expires))

    def presign_put(
        self, key: str, *, expires: timedelta, size: int, content_type: str, sha256: str
    ) -> SignedRequest:
        # GCS knows no SHA-256 header: the length is bound, the checksum is read again afterwards.
        headers = {
            "x-goog-if-generation-match": "0",
            "x-goog-content-length-range": f"{size},{size}",
            "x-goog-meta-sha256": sha256,
        }
        # A copy: signing writes the Host into it, which no browser lets a page send.
        url = self._sign(key, "PUT", expires, content_type=content_type, headers={**headers})
        return SignedRequest(
            "PUT",
            url,
            {**headers, "Content-Type": content_type, "Content-Length": str(size)},
            expiry(expires),
        )

    def upload_origin(self) -> str | None:
        return origin_of(self._endpoint_url or GOOGLE)

    def _sign(self, key: str, method: str, expires: timedelta, **more: Any) -> str:
        endpoint = {"api_access_endpoint": self._endpoint_url} if self._endpoint_url else {}
        blob = self._bucket.blob(self._full(key))
        # Not the store's doing, so that its breaker learns nothing from it.
        try:
            return str(
                blob.generate_signed_url(
                    version="v4",
                    expiration=expires,
                    method=method,
                    **self._signing(),
                    **endpoint,
                    **more,
                )
            )
        except GoogleAuthError as error:
            raise errors.Denied("The credentials cannot sign links.", key=key) from error
        except requests.RequestException as error:
            raise errors.Unavailable("Whoever signs cannot be reached.", key=key) from error

    def _signing(self) -> dict[str, Any]:
        """A private key signs here; a machine's own credentials let IAM sign."""
        if isinstance(self._signer, Signing):
            return {"credentials": self._signer}
        if self._signer is None:
            raise errors.Denied("Links to files need credentials that can sign.")
        if not self._signer.valid:
            # Google's own default waits for two minutes.
            self._signer.refresh(partial(Request(), timeout=self._timeout[1]))
        return {
            "service_account_email": self._signer.service_account_email,
            "access_token": self._signer.token,
        }

    def local_path(self, key: str) -> Path | None:  # noqa: ARG002 - the bytes are elsewhere
        return None

    def abort_stale_uploads(self, older_than: timedelta) -> int:  # noqa: ARG002
        """Nothing: an unfinished resumable upload is invisible and ends by itself in a week."""
        return 0

    def healthcheck(self, timeout_s: float = 2.0) -> Health:
        began = time.monotonic()
        try:
            with self._asking():
                half_s = timeout_s / 2  # for connecting, and for the answer
                ok = bool(self._bucket.exists(timeout=(half_s, half_s), retry=None))
        except errors.StorageError as error:
            return Health(ok=False, ms=(time.monotonic() - began) * 1000, detail=str(error))
        return Health(
            ok, (time.monotonic() - began) * 1000, "" if ok else "The bucket is not there."
        )

    def _full(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _blob(self, key: str) -> Any:
        with self._asking(key):
            return self._bucket.get_blob(self._full(key), timeout=self._timeout, retry=_RETRY)

    def _found(self, key: str) -> Any:
        blob = self._blob(key)
        if blob is None:
            raise errors.NotFound("There is no such object.", key=key)
        return blob

    def _info(self, blob: Any, key: str) -> ObjectInfo:
        with self._asking(key):
            return _info_of(blob, key)

    @contextmanager
    def _asking(
        self,
        key: str | None = None,
        *,
        changes: bool = False,
        reader: CountingReader | None = None,
    ) -> Iterator[None]:
        """Google's errors in our words; counts failures for the breaker.

        `changes`: the request makes an object, so that a broken line leaves the outcome unknown.
        What the stream behind `reader` raised stays as it is.
        """
        self._breaker.check()
        try:
            yield
        except _TRANSLATED as error:
            if reader is not None and error is reader.failure:
                raise
            raise self._translate(error, key, changes=changes) from error
        self._breaker.succeeded()

    def _translate(
        self, error: Exception, key: str | None, *, changes: bool
    ) -> errors.StorageError:
        if isinstance(error, _ANSWERED):
            return self._refusal(error, key, changes=changes)
        if isinstance(error, DataCorruption):
            return errors.IntegrityError("The checksum differs after the upload.", key=key)
        if isinstance(error, GoogleAuthError):
            return errors.Denied("The storage credentials do not work.", key=key)
        self._breaker.failed()
        kind = errors.OutcomeUnknown if changes and not _unreached(error) else errors.Unavailable
        return kind("The storage cannot be reached, or makes no sense.", key=key)

    def _refusal(self, error: Any, key: str | None, *, changes: bool) -> errors.StorageError:
        # A RetryError holds what the last try met, or nothing that has a status.
        met = error.cause if isinstance(error, google_errors.RetryError) else error
        status = int(getattr(met, "code", 0) or getattr(_answer(met), "status_code", 0))
        kind = _KINDS.get(status, errors.Unavailable)
        if kind is errors.AlreadyExists and not changes:
            kind = errors.PreconditionFailed
        if changes and (status >= _SERVER_FAILED or status in _DONE):
            kind = errors.OutcomeUnknown
        if kind in {errors.Unavailable, errors.Throttled, errors.OutcomeUnknown}:
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        return kind(f"The storage answers {status or 'nothing'}.", key=key)


class _Checked:
    """A counting reader that speaks up at the end, before the upload is closed."""

    def __init__(self, reader: CountingReader) -> None:
        self._reader = reader

    def read(self, count: int = BLOCK_BYTES) -> bytes:
        data = self._reader.read_full(count)
        if len(data) < count:
            self._reader.check()
        return data

    def tell(self) -> int:
        return self._reader.size_bytes


def _answer(error: Any) -> Any:
    return getattr(error, "response", None)


def _unreached(error: Exception) -> bool:
    """The connection itself was never made, so nothing was sent."""
    return isinstance(error, requests.ConnectTimeout) or "NewConnectionError" in repr(error)


def _info_of(blob: Any, key: str) -> ObjectInfo:
    return ObjectInfo(
        key,
        int(blob.size),
        str(blob.generation),
        blob.updated or datetime.now(UTC),
        blob.content_type,
        None,
        blob.metadata or {},
    )
