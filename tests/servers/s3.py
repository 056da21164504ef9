"""An S3-speaking server (moto), started by the tests. It does not check signatures: tests that
must fail on a forged link ask radosgw, which does (tests/servers/radosgw.py)."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

BUCKET = "school-files"
CREDENTIALS = {
    "aws_access_key_id": "testing",
    "aws_secret_access_key": "testing",
}  # pragma: allowlist secret


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Its address; the bucket BUCKET is there."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=url, region_name="us-east-1", **CREDENTIALS).create_bucket(
        Bucket=BUCKET
    )
    yield url
    server.stop()
