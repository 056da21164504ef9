"""A Google Cloud Storage emulator, started by the tests. It ignores generation preconditions and
signatures: tests that must fail on a forged link ask through the gate (tests/servers/gcs_gate.py)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from gcp_storage_emulator.server import create_server
from google.oauth2 import service_account

from tests.servers.schoolhouse import free_port

BUCKET = "school-files"


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[str]:
    """Its address; the bucket BUCKET is there."""
    port = free_port()
    os.environ.pop("STORAGE_EMULATOR_HOST", None)
    server = create_server("127.0.0.1", port, in_memory=True)
    server.start()
    url = f"http://127.0.0.1:{port}"
    requests.post(f"{url}/storage/v1/b", json={"name": BUCKET}, timeout=10).raise_for_status()
    yield url
    server.stop()


@pytest.fixture(scope="session")
def gcs_key() -> tuple[service_account.Credentials, rsa.RSAPublicKey]:
    """The same for a whole test run."""
    return make_gcs_key()


def make_gcs_key() -> tuple[service_account.Credentials, rsa.RSAPublicKey]:
    """Credentials that can sign, made here, and the public half to verify with."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    credentials = service_account.Credentials.from_service_account_info(
        {
            "type": "service_account",
            "client_email": "files@school.example",
            "private_key": pem,
            "token_uri": "https://example.invalid/token",
            "private_key_id": "1",
            "project_id": "school",
        }
    )
    return credentials, private.public_key()
