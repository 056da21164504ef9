"""One contract, every provider: what is true of local disk is true of S3 and GCS."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from school.storage import errors
from school.storage.gcs import GcsStorage
from school.storage.keys import new_key
from school.storage.protocol import PART_BYTES, StorageProvider
from school.storage.s3 import S3Storage
from tests.servers import s3 as s3_place

FIVE_MINUTES = timedelta(minutes=5)


def put(provider: StorageProvider, data: bytes, key: str | None = None, **more: Any) -> str:
    key = key or new_key()
    provider.put(key, io.BytesIO(data), **more)
    return key


def read(provider: StorageProvider, key: str, **more: Any) -> bytes:
    with provider.open(key, **more) as blocks:
        return b"".join(blocks)


@pytest.mark.parametrize(
    "size", [0, 1, 100_000, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 5]
)
def test_what_goes_in_comes_out(provider: StorageProvider, size: int) -> None:
    data = bytes(i * 31 % 251 for i in range(min(size, 1000))) * (size // 1000 + 1)
    data = data[:size]
    key = new_key()
    info = provider.put(key, io.BytesIO(data), content_type="application/pdf")
    assert (info.size_bytes, info.sha256) == (size, hashlib.sha256(data).hexdigest())
    assert read(provider, key) == data
    assert provider.stat(key).size_bytes == size


def test_a_key_is_written_once(provider: StorageProvider) -> None:
    key = put(provider, b"first")
    with pytest.raises(errors.AlreadyExists):
        provider.put(key, io.BytesIO(b"second"))
    assert read(provider, key) == b"first"


@pytest.mark.parametrize("size", [10, PART_BYTES + 10])
@pytest.mark.parametrize(
    "announced",
    [{"size": 9}, {"size": 99_999_999}, {"sha256": "0" * 64}],
    ids=["shorter", "longer", "other-bytes"],
)
def test_what_is_not_as_announced_is_never_visible(
    provider: StorageProvider, size: int, announced: dict[str, Any]
) -> None:
    key = new_key()
    with pytest.raises(errors.IntegrityError):
        provider.put(key, io.BytesIO(b"x" * size), **announced)
    with pytest.raises(errors.NotFound):
        provider.stat(key)
    assert key not in [info.key for info in provider.list("")]


class Breaking(io.RawIOBase):
    """Gives `good` bytes, then raises what it was made with."""

    def __init__(self, good: int, error: Exception) -> None:
        self.left = good
        self.error = error

    def read(self, count: int = -1) -> bytes:  # type: ignore[override]
        if not self.left:
            raise self.error
        count = min(count, self.left)
        self.left -= count
        return bytes(count)


@pytest.mark.parametrize("good", [0, 1000, PART_BYTES + 1000])
@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("the browser went away"),
        FileNotFoundError("the upload was swept"),
        ValueError("no number"),
        requests.ConnectionError("another store broke off"),
        errors.Unavailable("another provider broke off"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_callers_stream_raises_comes_out_as_it_is_and_leaves_nothing(
    provider: StorageProvider, good: int, error: Exception
) -> None:
    key = new_key()
    with pytest.raises(type(error)) as caught:
        provider.put(key, Breaking(good, error))  # type: ignore[arg-type]
    assert caught.value is error
    with pytest.raises(errors.NotFound):
        provider.stat(key)
    provider.put(key, io.BytesIO(b"the key is free still"))
    assert provider.abort_stale_uploads(timedelta(seconds=-60)) == 0


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(start=st.integers(0, 12), length=st.one_of(st.none(), st.integers(0, 12)))
def test_a_range_is_a_slice(provider: StorageProvider, start: int, length: int | None) -> None:
    key = put(provider, b"0123456789")
    end = None if length is None else start + length
    assert read(provider, key, start=start, length=length) == b"0123456789"[start:end]


def test_a_missing_object_is_said_to_be_missing(provider: StorageProvider) -> None:
    key = new_key()
    with pytest.raises(errors.NotFound):
        provider.stat(key)
    with pytest.raises(errors.NotFound):
        read(provider, key)
    assert provider.delete(key) is False


def test_deleting_twice_is_fine(provider: StorageProvider) -> None:
    key = put(provider, b"x")
    assert (provider.delete(key), provider.delete(key)) == (True, False)


def test_the_list_is_in_order_and_goes_on_behind_a_key(provider: StorageProvider) -> None:
    keys = sorted(
        put(provider, b"x", f"list/{name}") for name in ("a/1", "a-b/2", "a/10", "b", "a_c")
    )
    assert [info.key for info in provider.list("list/")] == keys
    assert [info.key for info in provider.list("list/", after=keys[1])] == keys[2:]
    assert [info.key for info in provider.list("list/a/")] == [
        k for k in keys if k.startswith("list/a/")
    ]


def test_a_copy_has_the_same_bytes_and_keeps_the_rule(provider: StorageProvider) -> None:
    source, target = put(provider, b"the same"), new_key()
    provider.copy(source, target)
    assert read(provider, target) == b"the same"
    with pytest.raises(errors.AlreadyExists):
        provider.copy(source, target)


def test_a_copy_may_replace_where_that_is_said(provider: StorageProvider) -> None:
    source, target = put(provider, b"new"), put(provider, b"old")
    info = provider.copy(source, target, if_absent=False)
    assert read(provider, target) == b"new"
    assert provider.stat(target).etag == info.etag
    free = new_key()
    provider.copy(source, free, if_absent=False)
    assert read(provider, free) == b"new"


def test_a_copy_of_nothing_is_said_to_be_missing(provider: StorageProvider) -> None:
    target = new_key()
    with pytest.raises(errors.NotFound):
        provider.copy(new_key(), target)
    with pytest.raises(errors.NotFound):
        provider.stat(target)


def test_only_the_version_that_was_meant_is_read(provider: StorageProvider) -> None:
    first, other = put(provider, b"0123456789"), put(provider, b"another")
    etag, another = provider.stat(first).etag, provider.stat(other).etag
    assert read(provider, first, if_match=etag) == b"0123456789"
    assert read(provider, first, if_match=etag, start=2, length=3) == b"234"
    for more in ({}, {"start": 2}, {"length": 0}):
        with pytest.raises(errors.PreconditionFailed):
            read(provider, first, if_match=another, **more)
    with pytest.raises(errors.NotFound):
        read(provider, new_key(), if_match=etag)


def test_only_the_version_that_was_meant_is_deleted(provider: StorageProvider) -> None:
    key, other = put(provider, b"keep me"), put(provider, b"another")
    with pytest.raises(errors.PreconditionFailed):
        provider.delete(key, if_match=provider.stat(other).etag)
    with pytest.raises(errors.PreconditionFailed):
        provider.delete(key, if_match="no-etag-of-anybody")
    assert read(provider, key) == b"keep me"
    etag = provider.stat(key).etag
    assert provider.delete(key, if_match=etag) is True
    assert provider.delete(key, if_match=etag) is False


def test_what_was_said_of_an_object_is_kept_with_it(provider: StorageProvider) -> None:
    if provider.caps.local_path:
        return  # a disk has no place for it: the database knows
    key = put(provider, b"x", content_type="image/png", metadata={"purpose": "photo"})
    info = provider.stat(key)
    assert (info.content_type, info.metadata["purpose"]) == ("image/png", "photo")


@pytest.mark.parametrize(
    "key",
    ["../etc/passwd", "a/../b", "/abs", "A/b", "a//b", "", "a b", "a\\b", "ä", "a/", "x" * 201],
)
def test_a_key_that_we_would_not_make_is_refused(provider: StorageProvider, key: str) -> None:
    with pytest.raises(errors.Denied):
        provider.put(key, io.BytesIO(b"x"))
    with pytest.raises(errors.Denied):
        provider.stat(key)
    with pytest.raises(errors.Denied):
        provider.delete(key)
    with pytest.raises(errors.Denied):
        read(provider, key)
    with pytest.raises(errors.Denied):
        provider.copy(key, new_key())
    with pytest.raises(errors.Denied):
        provider.presign_get(key, expires=FIVE_MINUTES, filename="a")
    with pytest.raises(errors.Denied):
        provider.presign_put(key, expires=FIVE_MINUTES, size=1, content_type="a/b", sha256="0" * 64)


def test_it_says_that_it_is_well(provider: StorageProvider) -> None:
    health = provider.healthcheck(2.0)
    assert health.ok, health.detail


def test_a_link_to_download_gives_the_file_under_its_name(provider: StorageProvider) -> None:
    if provider.caps.local_path:
        return  # our own route redeems local links: tests/files/views/test_downloads.py
    key = put(provider, b"hello", content_type="text/plain")
    link = provider.presign_get(
        key, expires=FIVE_MINUTES, filename='成績表 "7B".pdf', content_type="application/pdf"
    )
    answer = requests.get(link.url, timeout=10)
    assert (answer.status_code, answer.content) == (200, b"hello")
    assert "filename*=UTF-8''%E6%88%90%E7%B8%BE%E8%A1%A8" in answer.headers["Content-Disposition"]


@pytest.fixture
def unreachable() -> list[StorageProvider]:
    return [
        S3Storage(
            "b",
            endpoint_url="http://127.0.0.1:9",
            credentials=s3_place.CREDENTIALS,
            connect_timeout_s=0.2,
        ),
        GcsStorage("b", endpoint_url="http://127.0.0.1:9", timeout_s=(0.2, 0.2)),
    ]


def test_a_provider_that_is_down_is_said_to_be_down(unreachable: list[StorageProvider]) -> None:
    assert [provider.healthcheck(0.2).ok for provider in unreachable] == [False, False]


def test_after_a_few_failures_it_is_not_asked_again_for_a_while() -> None:
    provider = S3Storage(
        "b",
        endpoint_url="http://127.0.0.1:9",
        credentials=s3_place.CREDENTIALS,
        connect_timeout_s=0.2,
    )
    for _ in range(5):
        with pytest.raises(errors.Unavailable, match="cannot be reached"):
            provider.stat("blob/x")
    with pytest.raises(errors.Unavailable, match="trying again shortly"):
        provider.stat("blob/x")
