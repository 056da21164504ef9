"""What a bucket has to allow (CORS) so that a page of ours may send files to it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from xml.sax.saxutils import escape

from school.errors import Conflict, Unavailable
from school.files.service.shelf import shelf
from school.files.service.uploading.direct import is_cloud
from school.files.service.uploading.ending import DIRECT_PIECES
from school.storage.errors import StorageError
from school.storage.keys import new_key
from school.storage.protocol import StorageProvider
from school.storage.signing import origin_of

REMEMBERED_S = 3600


def cors_rules(public_url: str, *, as_xml: bool = False) -> str:
    """The rules for the cloud in use, for pages at `public_url`: JSON as its own tool takes it, or
    S3's XML.

    Raises Conflict where files lie with us, and for XML elsewhere than on S3; Unavailable without
    credentials that can sign.
    """
    provider = shelf().provider
    if not is_cloud(provider):
        raise Conflict("Files lie in a folder of this server: there is no bucket to allow it.")
    headers = _headers_sent(provider)
    is_google = any(name.startswith("x-goog-") for name in headers)
    origin = origin_of(public_url)
    if as_xml:
        if is_google:
            raise Conflict("Google Cloud Storage takes its rules as JSON.")
        return _xml(origin, headers)
    rules = _google(origin, headers) if is_google else _s3(origin, headers)
    return json.dumps(rules, indent=2)


def _headers_sent(provider: StorageProvider) -> list[str]:
    """Taken from the very request that pages send, so that the two never differ."""
    try:
        sent = provider.presign_put(
            new_key(DIRECT_PIECES),
            expires=timedelta(minutes=1),
            size=1,
            content_type="application/pdf",
            sha256="0" * 64,
        ).headers
    except StorageError as error:
        raise Unavailable("The file store cannot give a link just now.") from error
    # A browser writes the length itself and asks nobody for it.
    return sorted(name.lower() for name in sent if name.lower() != "content-length")


def _s3(origin: str, headers: list[str]) -> Any:
    rule = {
        "AllowedOrigins": [origin],
        "AllowedMethods": ["PUT"],
        "AllowedHeaders": headers,
        "MaxAgeSeconds": REMEMBERED_S,
    }
    return {"CORSRules": [rule]}


def _google(origin: str, headers: list[str]) -> Any:
    rule = {
        "origin": [origin],
        "method": ["PUT"],
        "responseHeader": headers,
        "maxAgeSeconds": REMEMBERED_S,
    }
    return [rule]


def _xml(origin: str, headers: list[str]) -> str:
    lines = [
        "<CORSConfiguration>",
        "  <CORSRule>",
        f"    <AllowedOrigin>{escape(origin)}</AllowedOrigin>",
        "    <AllowedMethod>PUT</AllowedMethod>",
        *(f"    <AllowedHeader>{escape(name)}</AllowedHeader>" for name in headers),
        f"    <MaxAgeSeconds>{REMEMBERED_S}</MaxAgeSeconds>",
        "  </CORSRule>",
        "</CORSConfiguration>",
    ]
    return "\n".join(lines)
