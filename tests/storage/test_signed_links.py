"""Links that a cloud redeems: asked of servers that check them, as whoever found one would."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from school.storage import errors
from school.storage.gcs import GcsStorage
from school.storage.keys import new_key
from school.storage.protocol import SignedRequest, StorageProvider
from school.storage.s3 import S3Storage
from tests.servers import s3 as s3_place
from tests.servers.gcs import make_gcs_key
from tests.storage.conftest import STRICT, Make
from tests.storage.test_provider_contract import put, read
from tests.storage.verify import s3_accepts

FIVE_MINUTES = timedelta(minutes=5)
DATA = b"hello"
REFUSED = 403

Change = Callable[[str], str]


@pytest.fixture(params=STRICT)
def strict(request: pytest.FixtureRequest, make: Make) -> StorageProvider:
    return make(request.param)


def download(provider: StorageProvider, key: str, expires: timedelta = FIVE_MINUTES) -> str:
    return provider.presign_get(key, expires=expires, filename="a.pdf").url


def upload(provider: StorageProvider, key: str, expires: timedelta = FIVE_MINUTES) -> SignedRequest:
    return provider.presign_put(
        key,
        expires=expires,
        size=len(DATA),
        content_type="text/plain",
        sha256=hashlib.sha256(DATA).hexdigest(),
    )


def status(method: str, url: str, headers: Mapping[str, str] | None = None, data: Any = b"") -> int:
    return requests.request(method, url, headers=headers, data=data, timeout=10).status_code


def other_expiry(url: str) -> str:
    changed = url.replace("Expires=300", "Expires=301")
    assert changed != url
    return changed


def other_date(url: str) -> str:
    """Made a minute later: it would open a minute longer."""
    date = next(value[0] for name, value in _query(url).items() if name.endswith("-Date"))
    later = f"{int(date[9:15]) ^ 1:06}"
    return url.replace(f"{date[:9]}{date[9:15]}", f"{date[:9]}{later}")


def other_signature(url: str) -> str:
    last = url[-1]
    return url[:-1] + ("0" if last != "0" else "1")


def _query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def without_signature(url: str) -> str:
    return url.partition("?")[0]


CHANGES = [other_expiry, other_date, other_signature, without_signature]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_link_to_download_is_refused(strict: StorageProvider, change: Change) -> None:
    url = download(strict, put(strict, DATA))
    assert requests.get(url, timeout=10).content == DATA
    assert status("GET", change(url)) == REFUSED


def test_a_link_to_download_opens_nothing_else(strict: StorageProvider) -> None:
    key, other = put(strict, DATA), put(strict, b"a secret")
    url = download(strict, key)
    assert status("GET", url.replace(key, other)) == REFUSED
    assert status("GET", url.replace("attachment", "inline")) == REFUSED
    assert status("PUT", url, data=b"mine now") == REFUSED
    assert status("DELETE", url) == REFUSED
    assert read(strict, key) == DATA


def test_links_end(strict: StorageProvider) -> None:
    key, free = put(strict, DATA), new_key()
    soon = timedelta(seconds=1)
    get, send = download(strict, key, soon), upload(strict, free, soon)
    time.sleep(2.1)
    assert status("GET", get) == REFUSED
    assert status("PUT", send.url, send.headers, DATA) == REFUSED
    assert_absent(strict, free)


def test_a_link_signed_with_another_secret_is_refused(strict: StorageProvider, make: Make) -> None:
    key, free = put(strict, DATA), new_key()
    forger = _forger(strict)
    send = upload(forger, free)
    assert status("GET", download(forger, key)) == REFUSED
    assert status("PUT", send.url, send.headers, DATA) == REFUSED
    assert_absent(strict, free)


def _forger(real: Any) -> StorageProvider:
    """Knows everything but the secret."""
    if isinstance(real, GcsStorage):
        credentials, _ = make_gcs_key()
        return GcsStorage(
            real._bucket.name, real._prefix, endpoint_url=real._endpoint_url,
            credentials=credentials,
        )  # fmt: skip
    known = real._client._request_signer._credentials.access_key
    return S3Storage(
        real._bucket, real._prefix, endpoint_url=real._place["endpoint_url"],
        credentials={"aws_access_key_id": known, "aws_secret_access_key": "guess" * 8},
    )  # fmt: skip


def assert_absent(provider: StorageProvider, key: str) -> None:
    with pytest.raises(errors.NotFound):
        provider.stat(key)


def test_a_link_to_upload_stores_its_object_once(strict: StorageProvider) -> None:
    key = new_key()
    link = upload(strict, key)
    assert status("PUT", link.url, link.headers, DATA) == 200
    assert read(strict, key) == DATA
    assert status("PUT", link.url, link.headers, b"HELLO") == 412
    assert read(strict, key) == DATA


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_link_to_upload_is_refused(strict: StorageProvider, change: Change) -> None:
    key = new_key()
    link = upload(strict, key)
    assert status("PUT", change(link.url), link.headers, DATA) == REFUSED
    other = new_key()
    assert status("PUT", link.url.replace(key, other), link.headers, DATA) == REFUSED
    assert status("GET", link.url, link.headers, DATA) == REFUSED
    assert_absent(strict, key)
    assert_absent(strict, other)


def test_a_link_to_upload_binds_every_header_but_googles_length(strict: StorageProvider) -> None:
    key = new_key()
    link = upload(strict, key)
    for name in link.headers:
        if name == "Content-Length":
            continue
        left_out = {n: v for n, v in link.headers.items() if n != name}
        assert status("PUT", link.url, {**left_out, name: "other"}, DATA) == REFUSED, name
        assert status("PUT", link.url, left_out, DATA) == REFUSED, f"without {name}"
    assert_absent(strict, key)


@pytest.mark.parametrize("data", [b"", b"hell", b"hello!", b"x" * 100_000], ids=len)
def test_a_link_to_upload_takes_no_other_length(strict: StorageProvider, data: bytes) -> None:
    key = new_key()
    link = upload(strict, key)
    headers = {**link.headers, "Content-Length": str(len(data))}
    # Google signs a range of lengths and says 400 to others; S3 signs the length itself.
    assert status("PUT", link.url, headers, data) in {REFUSED, 400}
    assert_absent(strict, key)


def test_what_amazon_is_told_to_check_is_signed() -> None:
    """No server here enforces the sha256 of a link; Amazon does when it is among the signed."""
    amazon = S3Storage("bucket", credentials=s3_place.CREDENTIALS)
    link = upload(amazon, new_key())
    query = _query(link.url)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    signed = set(query["X-Amz-SignedHeaders"][0].split(";"))
    assert signed == {
        "content-length", "content-type", "host", "if-none-match", "x-amz-checksum-sha256",
    }  # fmt: skip
    assert {name.lower() for name in link.headers} | {"host"} == signed
    assert link.headers["If-None-Match"] == "*"


def test_what_google_is_told_to_check_is_signed() -> None:
    credentials, _ = make_gcs_key()
    google = GcsStorage("bucket", endpoint_url="http://127.0.0.1:9", credentials=credentials)
    link = upload(google, new_key())
    signed = set(_query(link.url)["X-Goog-SignedHeaders"][0].split(";"))
    assert signed == {
        "content-type", "host", "x-goog-content-length-range", "x-goog-if-generation-match",
        "x-goog-meta-sha256",
    }  # fmt: skip
    assert {name.lower() for name in link.headers} == signed - {"host"} | {"content-length"}
    assert link.headers["x-goog-if-generation-match"] == "0"
    assert link.headers["x-goog-content-length-range"] == "5,5"


def test_links_to_the_mock_are_genuine_too(make: Make) -> None:
    """The mock accepts anything: an independent verifier looks at what we send it."""
    provider, secret = make("s3"), s3_place.CREDENTIALS["aws_secret_access_key"]
    key = new_key()
    url, link = download(provider, key), upload(provider, key)
    assert s3_accepts("GET", url, {}, secret)
    assert s3_accepts("PUT", link.url, dict(link.headers), secret)
    assert not s3_accepts("PUT", url, {}, secret)
    assert not s3_accepts("GET", url.replace(key, new_key()), {}, secret)
    for name in link.headers:
        assert not s3_accepts("PUT", link.url, {**link.headers, name: "other"}, secret), name


def test_without_credentials_there_are_no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    for provider in (
        S3Storage("b", endpoint_url="http://127.0.0.1:9"),
        GcsStorage("b", endpoint_url="http://127.0.0.1:9"),
    ):
        with pytest.raises(errors.Denied):
            download(provider, new_key())
        with pytest.raises(errors.Denied):
            upload(provider, new_key())
    with pytest.raises(errors.Denied):
        S3Storage("b", endpoint_url="http://127.0.0.1:9").stat(new_key())
