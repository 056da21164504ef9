"""A file goes from the browser to the bucket, past our server; where it may not, it comes in pieces."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
import pytest
from playwright.sync_api import Page, Request

from tests.e2e.test_uploads import assert_it_is_here, large, open_files  # noqa: F401
from tests.servers.radosgw import Radosgw, radosgw_server  # noqa: F401
from tests.servers.s3 import BUCKET
from tests.servers.schoolhouse import Running, serving


@pytest.fixture(scope="module")
def cloud(radosgw_server: Radosgw) -> Any:  # noqa: F811
    return boto3.client(
        "s3",
        endpoint_url=radosgw_server.url,
        region_name="us-east-1",
        **radosgw_server.credentials,
    )


@pytest.fixture(scope="module")
def school(
    radosgw_server: Radosgw,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    """The demo school, with its files in a bucket."""
    with serving(
        tmp_path_factory.mktemp("straight"),
        STORAGE_URL=f"s3://{BUCKET}/straight?endpoint_url={radosgw_server.url}",
        UPLOAD_DIRECT="true",
        AWS_ACCESS_KEY_ID=radosgw_server.credentials["aws_access_key_id"],
        AWS_SECRET_ACCESS_KEY=radosgw_server.credentials["aws_secret_access_key"],
    ) as running:
        yield running


class Sent:
    """What a page sent."""

    def __init__(self, page: Page) -> None:
        self._requests: list[Request] = []
        page.on("requestfinished", lambda one: self._requests.append(one))

    def bytes_to(self, place: str) -> int:
        """Of the bodies, as the browser announced them."""
        found = [one for one in self._requests if one.url.startswith(place)]
        return sum(int(one.all_headers().get("content-length", 0)) for one in found)


def kept(school: Running, content: bytes) -> list[tuple[str, str]]:
    """(state of the content, state of the upload) of all uploads that brought it."""
    with sqlite3.connect(school.folder / "schoolhouse.db") as database:
        return database.execute(
            "SELECT blob.state, upload.state FROM upload"
            " JOIN file_version ON file_version.file_id = upload.file_id"
            " JOIN blob ON blob.id = file_version.blob_id"
            " WHERE blob.sha256 = ? AND blob.size_bytes = ?",
            (sha256(content).hexdigest(), len(content)),
        ).fetchall()


def test_it_goes_past_our_server(
    open_page: Callable[..., Page],
    school: Running,
    cloud: Any,
    radosgw_server: Radosgw,  # noqa: F811
    large: Path,  # noqa: F811
) -> None:
    rules = json.loads(school.command("files", "cors").stdout)
    cloud.put_bucket_cors(Bucket=BUCKET, CORSConfiguration=rules)
    page = open_page()
    sent = Sent(page)
    open_files(page, school, "20043")

    page.set_input_files("#pick", str(large))

    assert_it_is_here(page, large)
    assert sent.bytes_to(radosgw_server.url) == large.stat().st_size
    assert sent.bytes_to(school.url) < 20_000
    assert kept(school, large.read_bytes()) == [("stored", "kept")]


def test_what_the_bucket_does_not_allow_comes_in_pieces(
    open_page: Callable[..., Page],
    school: Running,
    cloud: Any,
    radosgw_server: Radosgw,  # noqa: F811
    large: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Without a word: the page looks as if it had never tried."""
    cloud.delete_bucket_cors(Bucket=BUCKET)
    other = tmp_path / large.name
    other.write_bytes(large.read_bytes()[::-1])
    page = open_page()
    sent = Sent(page)
    open_files(page, school, "20044")

    page.set_input_files("#pick", str(other))

    assert_it_is_here(page, other)
    assert sent.bytes_to(radosgw_server.url) == 0
    assert sent.bytes_to(school.url) > other.stat().st_size
    assert kept(school, other.read_bytes()) == [("stored", "kept")]
