"""Check V4-signed links ourselves, as the real stores do: the local servers accept forged ones."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl, quote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey


def _canonical(
    method: str, url: str, headers: dict[str, str], prefix: str
) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    given = {"host": parts.netloc, **{name.lower(): value for name, value in headers.items()}}
    signed = query[f"X-{prefix}-SignedHeaders"].split(";")
    lines = [
        method,
        quote(parts.path, safe="/-_.~%"),
        "&".join(
            f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}"
            for k, v in sorted(query.items())
            if k != f"X-{prefix}-Signature"
        ),
        *(f"{name}:{given.get(name, '')}" for name in signed),
        "",
        ";".join(signed),
        "UNSIGNED-PAYLOAD",
    ]
    return "\n".join(lines), query


def s3_accepts(method: str, url: str, headers: dict[str, str], secret: str) -> bool:
    """AWS Signature Version 4, query form."""
    canonical, query = _canonical(method, url, headers, "Amz")
    day, region, service, _ = query["X-Amz-Credential"].split("/")[1:]
    text = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            query["X-Amz-Date"],
            f"{day}/{region}/{service}/aws4_request",
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    wanted = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, query["X-Amz-Signature"])


def gcs_accepts(method: str, url: str, headers: dict[str, str], public_key: RSAPublicKey) -> bool:
    """Google's V4 signing process with an RSA key."""
    canonical, query = _canonical(method, url, headers, "Goog")
    scope = query["X-Goog-Credential"].split("/", 1)[1]
    text = "\n".join(
        [
            "GOOG4-RSA-SHA256",
            query["X-Goog-Date"],
            scope,
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    try:
        public_key.verify(
            bytes.fromhex(query["X-Goog-Signature"]),
            text.encode(),
            padding.PKCS1v15(),
            hashes.SHA256(),
        )
    except InvalidSignature:
        return False
    return True
