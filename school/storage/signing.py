"""Links that we redeem ourselves: signed, short-lived, bound to one act on one object.

The payload can be read by whoever holds the link (it is signed, not encrypted), so it carries
ids, never names of people beyond the file's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from itsdangerous import BadData, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode

VERSION = "file-link-v1"


class LinkError(Exception):
    """The signer's own; no provider raises it, so it is no StorageError."""


class LinkExpired(LinkError):
    """The link was good once."""


class LinkRefused(LinkError):
    """The link was changed, made for another act, or signed with a key we no longer trust."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a link allows."""

    method: str
    key: str
    expires_at: datetime
    filename: str = ""
    disposition: str = "attachment"
    content_type: str = "application/octet-stream"
    size_bytes: int | None = None
    sha256: str | None = None
    more: Mapping[str, str] = field(default_factory=dict)


class LinkSigner:
    """Signs with the newest key, verifies with all."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key for key in keys if key]
        if not self._keys:
            raise ValueError("At least one signing key is needed.")

    def _serializer(self, method: str) -> URLSafeSerializer:
        # itsdangerous signs with the last key of a list.
        return URLSafeSerializer(
            list(reversed(self._keys)),
            salt=f"{VERSION}-{method}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": sha256},
        )

    def sign(self, claim: Claim) -> str:
        """A token for this claim."""
        body: dict[str, Any] = {
            "k": claim.key,
            "x": int(claim.expires_at.timestamp()),
            "f": claim.filename,
            "d": claim.disposition,
            "t": claim.content_type,
            "m": dict(claim.more),
        }
        if claim.size_bytes is not None:
            body |= {"s": claim.size_bytes, "h": claim.sha256}
        token = self._serializer(claim.method).dumps(body)
        return str(token)

    def verify(self, token: str, *, method: str, now: datetime | None = None) -> Claim:
        """The claim of a token. Raises LinkExpired or LinkRefused."""
        try:
            body = self._serializer(method).loads(token)
            is_ours = _is_canonical(token)
        except BadData:
            is_ours = False
        if not is_ours:
            raise LinkRefused("This link was changed on its way.")
        expires_at = datetime.fromtimestamp(body["x"], UTC)
        if (now or datetime.now(UTC)) >= expires_at:
            raise LinkExpired("This link is too old.")
        return Claim(
            method,
            body["k"],
            expires_at,
            body["f"],
            body["d"],
            body["t"],
            body.get("s"),
            body.get("h"),
            body["m"],
        )


def _is_canonical(token: str) -> bool:
    """Decoding a signature skips foreign letters and its last letter's spare bits: one token
    would have many spellings, and a changed link would still open."""
    signature = token.rpartition(".")[2]
    return base64_encode(base64_decode(signature)).decode() == signature


def origin_of(url: str) -> str:
    """'https://host:port' of an address, as browsers name where it leads."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def expiry(lifetime: timedelta) -> datetime:
    return datetime.now(UTC) + lifetime
