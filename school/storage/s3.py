"""S3 and stores that speak it: SigV4, create-only, one part in memory at a time."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import boto3
from botocore.client import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
)

from school.storage import errors
from school.storage.breaker import Breaker
from school.storage.disposition import content_disposition
from school.storage.hashing import CountingReader, hex_to_base64, md5_base64
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

_CODES: dict[str, type[errors.StorageError]] = {
    "404": errors.NotFound, "NoSuchKey": errors.NotFound, "NotFound": errors.NotFound,
    "NoSuchUpload": errors.Unavailable,
    "412": errors.AlreadyExists, "PreconditionFailed": errors.AlreadyExists,
    "ConditionalRequestConflict": errors.AlreadyExists,
    "403": errors.Denied, "AccessDenied": errors.Denied, "InvalidAccessKeyId": errors.Denied,
    "SignatureDoesNotMatch": errors.Denied, "NoSuchBucket": errors.Denied,
    "BadDigest": errors.IntegrityError, "XAmzContentSHA256Mismatch": errors.IntegrityError,
    "SlowDown": errors.Throttled, "503": errors.Throttled, "429": errors.Throttled,
}  # fmt: skip
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)
_NOT_REACHED = (EndpointConnectionError, ConnectTimeoutError)
# What our own reading of an answer raises when a field is missing or is not what it should be.
_NONSENSE = (KeyError, TypeError, ValueError, AttributeError)
# In the metadata of an object: what we counted, or were told, before the first byte left.
SHA256 = "sha256"
_STORE_FAILED = (errors.Unavailable, errors.Throttled, errors.OutcomeUnknown)
_SERVER_FAILED = 500


class S3Storage:
    """`s3://bucket/prefix?endpoint_url=…&region=…`. Credentials come from the usual AWS places.

    Without `endpoint_url` it is Amazon's: checksums are sent as SHA-256. Others get Content-MD5,
    which they enforce where they may ignore the newer header.
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
        region: str | None = None,
        name: str = "s3",
        connect_timeout_s: float = 2.0,
        read_timeout_s: float = 10.0,
        credentials: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._is_amazon = endpoint_url is None
        self._breaker = Breaker()
        self._place = {
            "endpoint_url": endpoint_url,
            "region_name": region or "us-east-1",
            **(credentials or {}),
        }
        self._origin: str | None = None
        self._probers: dict[float, Any] = {}
        self._client: Any = self._connect(connect_timeout_s, read_timeout_s, attempts=2)
        # What makes an object is tried once: the second try would meet the first one's object
        # and call it somebody else's.
        self._writer: Any = self._connect(connect_timeout_s, read_timeout_s, attempts=1)

    def _connect(self, connect_timeout_s: float, read_timeout_s: float, *, attempts: int) -> Any:
        checksums = "when_supported" if self._is_amazon else "when_required"
        config = Config(
            signature_version="s3v4",
            connect_timeout=connect_timeout_s,
            read_timeout=read_timeout_s,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            request_checksum_calculation=checksums,
            response_checksum_validation=checksums,
            s3={"addressing_style": "auto" if self._is_amazon else "path"},
        )
        return boto3.client("s3", config=config, **self._place)

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
        reader = CountingReader(stream, size=size, sha256=sha256)
        first = reader.read_full(PART_BYTES)
        known = sha256
        if len(first) < PART_BYTES:
            reader.check()
            known = reader.sha256
        proof = {SHA256: known} if known else {}
        about = {"ContentType": content_type, "Metadata": {**(metadata or {}), **proof}}
        if len(first) < PART_BYTES:
            etag = self._put_whole(key, first, reader.sha256, about)
        else:
            etag = self._put_parts(key, first, reader, about)
        return ObjectInfo(
            key,
            reader.size_bytes,
            etag,
            datetime.now(UTC),
            content_type,
            reader.sha256,
            dict(metadata or {}),
        )

    def _put_whole(self, key: str, data: bytes, sha256: str, about: dict[str, Any]) -> str:
        proof = (
            {"ChecksumSHA256": hex_to_base64(sha256)}
            if self._is_amazon
            else {"ContentMD5": md5_base64(data)}
        )
        with self._asking(key, changes=True):
            answer = self._writer.put_object(
                Bucket=self._bucket,
                Key=self._full(key),
                Body=data,
                IfNoneMatch="*",
                **proof,
                **about,
            )
            return str(answer["ETag"]).strip('"')

    def _put_parts(
        self, key: str, first: bytes, reader: CountingReader, about: dict[str, Any]
    ) -> str:
        """Multipart, one part at a time; nothing is visible before the last word."""
        self._refuse_taken(key)
        place = {"Bucket": self._bucket, "Key": self._full(key)}
        with self._asking(key):
            place["UploadId"] = self._client.create_multipart_upload(**place, **about)["UploadId"]
        done = False
        try:
            parts = list(self._send_parts(key, place, first, reader))
            reader.check()
            with self._asking(key, changes=True):
                answer = self._writer.complete_multipart_upload(
                    **place, IfNoneMatch="*", MultipartUpload={"Parts": parts}
                )
                etag = str(answer["ETag"]).strip('"')
            done = True
        finally:
            if not done:
                # Unreachable now: the provider's own rule for unfinished uploads cleans it.
                with suppress(ClientError, BotoCoreError):
                    self._writer.abort_multipart_upload(**place)
        return etag

    def _send_parts(
        self, key: str, place: dict[str, Any], first: bytes, reader: CountingReader
    ) -> Iterator[dict[str, Any]]:
        data, number = first, 1
        while data:
            with self._asking(key):  # a part is not visible, however its sending ends
                answer = self._client.upload_part(
                    **place, PartNumber=number, Body=data, ContentMD5=md5_base64(data)
                )
                sent = {"ETag": answer["ETag"], "PartNumber": number}
            yield sent
            data, number = reader.read_full(PART_BYTES), number + 1

    def _refuse_taken(self, key: str) -> None:
        # Not every store honours If-None-Match at the end of a multipart upload. Keys are random
        # and never reused, so this look before is a second belt.
        with suppress(errors.NotFound):
            self.stat(key)
            raise errors.AlreadyExists("The key is taken.", key=key)

    @contextmanager
    def open(
        self, key: str, *, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> Iterator[Iterator[bytes]]:
        answer = self._ask_for_bytes(key, start, length, if_match)
        if answer is None:
            yield iter(())
            return
        with closing(answer["Body"]) as body:
            yield self._blocks(key, body, answer.get("Metadata", {}).get(SHA256))

    def _ask_for_bytes(
        self, key: str, start: int, length: int | None, if_match: str | None
    ) -> dict[str, Any] | None:
        """The answer with its body still to be read; its sha256 only where all of it comes.
        None when nothing is asked for, or only what lies beyond the end."""
        if length == 0:
            self._check_version(key, if_match)
            return None
        end = "" if length is None else str(start + length - 1)
        ranged = {"Range": f"bytes={start}-{end}"} if start or length is not None else {}
        matching = {} if if_match is None else {"IfMatch": f'"{if_match}"'}
        try:
            with self._asking(key):
                answer: dict[str, Any] = self._client.get_object(
                    Bucket=self._bucket, Key=self._full(key), **ranged, **matching
                )
                _ = answer["ETag"]  # a page of somebody's proxy has none
        except _BeyondEnd:
            return None
        if ranged:
            _refuse_other_range(answer, key, start)
        return answer

    def _blocks(self, key: str, body: Any, sha256: str | None) -> Iterator[bytes]:
        digest = hashlib.sha256()
        with self._asking(key):
            for block in body.iter_chunks(BLOCK_BYTES):
                digest.update(block)
                yield block
        if sha256 is not None and digest.hexdigest() != sha256:
            raise errors.IntegrityError("The object is not what was stored.", key=key)

    def stat(self, key: str) -> ObjectInfo:
        with self._asking(key):
            found = self._client.head_object(Bucket=self._bucket, Key=self._full(key))
            return ObjectInfo(
                key,
                found["ContentLength"],
                found["ETag"].strip('"'),
                found["LastModified"],
                found.get("ContentType"),
                None,
                found.get("Metadata", {}),
            )

    def delete(self, key: str, *, if_match: str | None = None) -> bool:
        # Few stores compare while deleting, so we look before; keys are written once, so nothing
        # else can lie there a moment later.
        try:
            self._check_version(key, if_match)
        except errors.NotFound:
            return False
        with self._asking(key):
            self._client.delete_object(Bucket=self._bucket, Key=self._full(key))
        return True

    def _check_version(self, key: str, etag: str | None) -> None:
        if self.stat(key).etag != etag and etag is not None:
            raise errors.PreconditionFailed("The object is another version.", key=key)

    def copy(self, source: str, target: str, *, if_absent: bool = True) -> ObjectInfo:
        if if_absent:
            self._refuse_taken(target)
        with self._asking(source, changes=True):
            self._writer.copy_object(
                Bucket=self._bucket,
                Key=self._full(target),
                CopySource={"Bucket": self._bucket, "Key": self._full(source)},
            )
        return self.stat(target)

    def list(self, prefix: str, *, after: str | None = None) -> Iterator[ObjectInfo]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=self._prefix + prefix,
            **({"StartAfter": self._prefix + after} if after else {}),
        )
        with self._asking():
            for page in pages:
                _ = page["IsTruncated"]  # without it this is no list, let alone an empty one
                for found in page.get("Contents", []):
                    yield ObjectInfo(
                        found["Key"].removeprefix(self._prefix),
                        found["Size"],
                        found["ETag"].strip('"'),
                        found["LastModified"],
                    )

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
            "get_object",
            key,
            expires,
            ResponseContentDisposition=content_disposition(disposition, filename),
            ResponseContentType=content_type,
            ResponseCacheControl="private, no-store",
        )
        return SignedRequest("GET", url, {}, expiry(expires))

    def presign_put(
        self, key: str, *, expires: timedelta, size: int, content_type: str, sha256: str
    ) -> SignedRequest:
        checksum = hex_to_base64(sha256)
        url = self._sign(
            "put_object",
            key,
            expires,
            ContentType=content_type,
            ContentLength=size,
            ChecksumSHA256=checksum,
            IfNoneMatch="*",
        )
        headers = {
            "Content-Type": content_type,
            "Content-Length": str(size),
            "x-amz-checksum-sha256": checksum,
            "If-None-Match": "*",
        }
        return SignedRequest("PUT", url, headers, expiry(expires))

    def upload_origin(self) -> str | None:
        # Bucket and region decide the host; whoever signs knows it without asking anybody.
        if self._origin is None:
            url = self._sign("put_object", "origin", timedelta(minutes=1))
            self._origin = origin_of(url)
        return self._origin

    def _sign(self, act: str, key: str, expires: timedelta, **bound: Any) -> str:
        params = {"Bucket": self._bucket, "Key": self._full(key), **bound}
        try:
            return str(
                self._client.generate_presigned_url(
                    act, ExpiresIn=int(expires.total_seconds()), Params=params
                )
            )
        except _NO_CREDENTIALS as error:
            raise errors.Denied("Links need credentials that can sign.", key=key) from error

    def local_path(self, key: str) -> Path | None:  # noqa: ARG002 - the bytes are elsewhere
        return None

    def abort_stale_uploads(self, older_than: timedelta) -> int:
        limit, aborted = datetime.now(UTC) - older_than, 0
        with self._asking():
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            for upload in (u for page in pages for u in page.get("Uploads", [])):
                if upload["Initiated"] < limit:
                    self._client.abort_multipart_upload(
                        Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
                    aborted += 1
        return aborted

    def healthcheck(self, timeout_s: float = 2.0) -> Health:
        began = time.monotonic()
        try:
            with self._asking():
                self._prober(timeout_s).head_bucket(Bucket=self._bucket)
        except errors.StorageError as error:
            return Health(ok=False, ms=(time.monotonic() - began) * 1000, detail=str(error))
        return Health(ok=True, ms=(time.monotonic() - began) * 1000)

    def _prober(self, timeout_s: float) -> Any:
        """A client as impatient as asked: half for connecting, half for the answer."""
        if timeout_s not in self._probers:
            self._probers[timeout_s] = self._connect(timeout_s / 2, timeout_s / 2, attempts=1)
        return self._probers[timeout_s]

    def _full(self, key: str) -> str:
        return self._prefix + check_key(key)

    @contextmanager
    def _asking(self, key: str | None = None, *, changes: bool = False) -> Iterator[None]:
        """Botocore's errors in our words; counts failures for the breaker.

        `changes`: the request makes an object, so that a broken line leaves the outcome unknown.
        """
        self._breaker.check()
        try:
            yield
        except ClientError as error:
            refusal = _translate(error, key, changes=changes)
            if isinstance(refusal, _STORE_FAILED):
                self._breaker.failed()
            else:
                self._breaker.succeeded()
            raise refusal from error
        except _NO_CREDENTIALS as error:
            raise errors.Denied("There are no credentials for the storage.", key=key) from error
        except _NOT_REACHED as error:
            self._breaker.failed()
            raise errors.Unavailable("The storage cannot be reached.", key=key) from error
        except (BotoCoreError, *_NONSENSE) as error:
            # It stopped in the middle of an answer, or gave one that cannot be read.
            self._breaker.failed()
            kind = errors.OutcomeUnknown if changes else errors.Unavailable
            raise kind("The storage stopped answering, or makes no sense.", key=key) from error
        self._breaker.succeeded()


class _BeyondEnd(errors.PreconditionFailed):
    """The range begins behind the last byte: nothing to read, as on a disk. Never leaves here."""


def _translate(error: ClientError, key: str | None, *, changes: bool) -> errors.StorageError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in {"416", "InvalidRange"}:
        return _BeyondEnd("Beyond the end of the object.", key=key)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    failed = errors.OutcomeUnknown if changes and status >= _SERVER_FAILED else errors.Unavailable
    kind = _CODES.get(code) or _CODES.get(str(status)) or failed
    if kind is errors.AlreadyExists and not changes:
        kind = errors.PreconditionFailed
    return kind(f"The storage answers {code or status}.", key=key)


def _refuse_other_range(answer: dict[str, Any], key: str, start: int) -> None:
    """A store or proxy that ignores ranges would pass the wrong bytes off as the right ones."""
    if not str(answer.get("ContentRange", "")).startswith(f"bytes {start}-"):
        answer["Body"].close()
        raise errors.Unavailable("The storage sent another range.", key=key)
    answer["Metadata"] = {}
