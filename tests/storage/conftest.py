"""Every provider, in front of every server that can run here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from school.storage.gcs import GcsStorage
from school.storage.hybrid import HybridStorage
from school.storage.local import LocalStorage
from school.storage.protocol import StorageProvider
from school.storage.s3 import S3Storage
from tests.servers import gcs as gcs_place
from tests.servers import s3 as s3_place
from tests.servers.gcs import gcs_key as gcs_key
from tests.servers.gcs import gcs_server as gcs_server
from tests.servers.gcs_gate import gcs_gate as gcs_gate
from tests.servers.radosgw import radosgw_server as radosgw_server
from tests.servers.s3 import s3_server as s3_server

# Somebody's own S3: named by these, it gets the whole contract, under a prefix of this run's own.
ENDPOINT = [os.environ.get(name, "") for name in ("SCHOOL_TEST_S3_URL", "SCHOOL_TEST_S3_BUCKET")]
ENDPOINT_KIND = ["endpoint"] if all(ENDPOINT) else []
# Those that check signatures, expiry and preconditions as the real clouds do.
STRICT = ["radosgw", "gcs", *ENDPOINT_KIND]
KINDS = ["local", "s3", "gcs", "hybrid", "radosgw", *ENDPOINT_KIND]

Make = Callable[..., StorageProvider]


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """A provider of a kind, under a prefix of its own; emptied afterwards where it would stay."""
    made: list[StorageProvider] = []

    def make(kind: str, **more: object) -> StorageProvider:
        provider = _MAKERS[kind](request, tmp_path, **more)
        if kind == "endpoint":
            made.append(provider)
        return provider

    yield make
    for provider in made:
        for info in list(provider.list("")):
            provider.delete(info.key)


@pytest.fixture(params=KINDS)
def provider(request: pytest.FixtureRequest, make: Make) -> StorageProvider:
    return make(request.param)


def _local(request: pytest.FixtureRequest, folder: Path) -> StorageProvider:
    return LocalStorage(
        folder / "files", signing_keys=["k" * 40], public_base_url="http://localhost"
    )


def _mock(request: pytest.FixtureRequest, folder: Path, **more: object) -> StorageProvider:
    url = request.getfixturevalue("s3_server")
    given = {"credentials": s3_place.CREDENTIALS, **more}
    return S3Storage(s3_place.BUCKET, uuid4().hex, endpoint_url=url, **given)  # type: ignore[arg-type]


def _radosgw(request: pytest.FixtureRequest, folder: Path, **more: object) -> StorageProvider:
    server = request.getfixturevalue("radosgw_server")
    given = {"credentials": server.credentials, **more}
    return S3Storage(s3_place.BUCKET, uuid4().hex, endpoint_url=server.url, **given)  # type: ignore[arg-type]


def _endpoint(request: pytest.FixtureRequest, folder: Path, **more: object) -> StorageProvider:
    url, bucket = ENDPOINT
    region = os.environ.get("AWS_DEFAULT_REGION")
    prefix = f"schoolhouse-test-{uuid4().hex}"
    return S3Storage(bucket, prefix, endpoint_url=url, region=region, **more)  # type: ignore[arg-type]


def _gcs(request: pytest.FixtureRequest, folder: Path, **more: object) -> StorageProvider:
    credentials, _ = request.getfixturevalue("gcs_key")
    url = request.getfixturevalue("gcs_gate")
    given = {"credentials": credentials, **more}
    return GcsStorage(gcs_place.BUCKET, uuid4().hex, endpoint_url=url, **given)  # type: ignore[arg-type]


def _hybrid(request: pytest.FixtureRequest, folder: Path) -> StorageProvider:
    return HybridStorage(_local(request, folder), _mock(request, folder))


_MAKERS: dict[str, Callable[..., StorageProvider]] = {
    "local": _local,
    "s3": _mock,
    "gcs": _gcs,
    "hybrid": _hybrid,
    "radosgw": _radosgw,
    "endpoint": _endpoint,
}
