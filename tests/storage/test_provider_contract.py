"""One contract, every provider: what is true of local disk is true of S3 and GCS."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from school.storage import errors
from school.storage.gcs import GcsStorage
from school.storage.hybrid import HybridStorage
from school.storage.keys import new_key
from school.storage.local import LocalStorage
from school.storage.protocol import PART_BYTES, StorageProvider
from school.storage.s3 import S3Storage
from tests.servers import gcs as gcs_place
from tests.servers import s3 as s3_place
from tests.servers.gcs import gcs_key, gcs_server  # noqa: F401
from tests.servers.s3 import s3_server  # noqa: F401
from tests.storage.verify import gcs_accepts, s3_accepts

FIVE_MINUTES = timedelta(minutes=5)


@pytest.fixture(params=["local", "s3", "gcs", "hybrid"])
def provider(request: pytest.FixtureRequest, tmp_path: Path) -> StorageProvider:
    if request.param == "hybrid":
        return HybridStorage(
            make_provider("local", request, tmp_path), make_provider("s3", request, tmp_path)
        )
    return make_provider(request.param, request, tmp_path)


def make_provider(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> StorageProvider:
    if kind == "local":
        return LocalStorage(
            tmp_path / "files", signing_keys=["k" * 40], public_base_url="http://localhost"
        )
    prefix = uuid4().hex
    if kind == "s3":
        return S3Storage(
            s3_place.BUCKET,
            prefix,
            endpoint_url=request.getfixturevalue("s3_server"),
            credentials=s3_place.CREDENTIALS,
        )
    credentials, _ = request.getfixturevalue("gcs_key")
    return GcsStorage(
        gcs_place.BUCKET,
        prefix,
        endpoint_url=request.getfixturevalue("gcs_server"),
        credentials=credentials,
    )


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


def test_a_stream_that_breaks_leaves_nothing(provider: StorageProvider) -> None:
    class Broken(io.RawIOBase):
        def read(self, count: int = -1) -> bytes:  # type: ignore[override]
            raise ConnectionResetError("the browser went away")

    key = new_key()
    with pytest.raises((ConnectionResetError, errors.StorageError)):
        provider.put(key, Broken())  # type: ignore[arg-type]
    with pytest.raises(errors.NotFound):
        provider.stat(key)


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


@pytest.mark.parametrize(
    "key",
    ["../etc/passwd", "a/../b", "/abs", "A/b", "a//b", "", "a b", "a\\b", "ä", "a/", "x" * 201],
)
def test_a_key_that_we_would_not_make_is_refused(provider: StorageProvider, key: str) -> None:
    with pytest.raises(errors.StorageError):
        provider.put(key, io.BytesIO(b"x"))
    with pytest.raises(errors.StorageError):
        provider.stat(key)
    with pytest.raises(errors.StorageError):
        provider.delete(key)


def test_it_says_that_it_is_well(provider: StorageProvider) -> None:
    health = provider.healthcheck(2.0)
    assert health.ok, health.detail


def test_a_link_to_download_gives_the_file_under_its_name(provider: StorageProvider) -> None:
    if provider.name == "local":
        pytest.skip("our own route redeems local links: tests/files")
    key = put(provider, b"hello", content_type="text/plain")
    link = provider.presign_get(
        key, expires=FIVE_MINUTES, filename='成績表 "7B".pdf', content_type="application/pdf"
    )
    answer = requests.get(link.url, timeout=10)
    assert (answer.status_code, answer.content) == (200, b"hello")
    assert "filename*=UTF-8''%E6%88%90%E7%B8%BE%E8%A1%A8" in answer.headers["Content-Disposition"]


def _accepts(
    request: pytest.FixtureRequest,
    provider: StorageProvider,
    method: str,
    url: str,
    headers: dict[str, str],
) -> bool:
    if provider.name == "s3":
        return s3_accepts(method, url, headers, s3_place.CREDENTIALS["aws_secret_access_key"])
    return gcs_accepts(method, url, headers, request.getfixturevalue("gcs_key")[1])


def test_a_changed_link_is_worthless(
    provider: StorageProvider, request: pytest.FixtureRequest
) -> None:
    if provider.name == "local":
        pytest.skip("tests/storage/test_signing.py")
    key = new_key()
    link = provider.presign_get(key, expires=FIVE_MINUTES, filename="a.pdf")
    assert _accepts(request, provider, "GET", link.url, {})
    assert not _accepts(request, provider, "PUT", link.url, {})
    assert not _accepts(request, provider, "GET", link.url.replace(key, new_key()), {})
    assert not _accepts(
        request, provider, "GET", link.url.replace("Expires=300", "Expires=30000"), {}
    )
    assert not _accepts(request, provider, "GET", link.url.replace("attachment", "inline"), {})


def test_a_link_to_upload_binds_type_size_and_checksum(
    provider: StorageProvider, request: pytest.FixtureRequest
) -> None:
    if provider.name == "local":
        pytest.skip("tests/storage/test_signing.py")
    digest = hashlib.sha256(b"hello").hexdigest()
    link = provider.presign_put(
        new_key(), expires=FIVE_MINUTES, size=5, content_type="text/plain", sha256=digest
    )
    headers = dict(link.headers)
    assert _accepts(request, provider, "PUT", link.url, headers)
    bound = [name for name in headers if name != "Content-Length" or provider.name == "s3"]
    for name in bound:
        assert not _accepts(request, provider, "PUT", link.url, {**headers, name: "other"}), name


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
