"""The keys: one per object, wrapped by the keys of this installation."""

from __future__ import annotations

import re
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from school.storage.errors import Denied, IntegrityError

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,20}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A wrapped data key, as the object's row keeps it: at most 101 ASCII characters as text."""

    key_id: str
    wrapped: bytes

    def to_text(self) -> str:
        return f"{self.key_id}:{b64encode(self.wrapped).decode()}"

    @classmethod
    def from_text(cls, text: str) -> Envelope:
        """Raises IntegrityError for what `to_text` never wrote."""
        key_id, _, wrapped = text.partition(":")
        envelope = _envelope(key_id, wrapped)
        if envelope is None or envelope.to_text() != text:
            raise IntegrityError("The wrapped key in the database is damaged.")
        return envelope


def _envelope(key_id: str, wrapped: str) -> Envelope | None:
    try:
        data = b64decode(wrapped, validate=True)
    except ValueError:  # not base64, or not even ASCII
        return None
    fits = len(data) == NONCE_BYTES + KEY_BYTES + TAG_BYTES
    return Envelope(key_id, data) if fits and _KEY_ID.fullmatch(key_id) else None


def new_data_key() -> bytes:
    """32 random bytes, for one object and never another."""
    return secrets.token_bytes(KEY_BYTES)


class KeyRing:
    """Key-encryption keys: wraps with the newest, unwraps with all."""

    def __init__(self, text: str) -> None:
        """From "2:base64,1:base64", newest first, 32 bytes each (`openssl rand -base64 32`).

        Raises ValueError with a sentence that never repeats what may be a key.
        """
        self._ciphers: dict[str, AESGCM] = {}
        known: set[bytes] = set()
        for number, entry in enumerate(text.split(",") if text.strip() else [], start=1):
            key_id, key = _parse_entry(entry.strip(), f"Encryption key number {number}")
            if key_id in self._ciphers:
                raise ValueError(f"Two encryption keys have the id {key_id}.")
            if key in known:
                raise ValueError(f"The encryption key {key_id} stands there twice.")
            known.add(key)
            self._ciphers[key_id] = AESGCM(key)
        if not self._ciphers:
            raise ValueError("At least one encryption key is needed.")

    def __repr__(self) -> str:
        return f"<KeyRing {', '.join(self._ciphers)}>"

    @property
    def newest_id(self) -> str:
        return next(iter(self._ciphers))

    def has(self, key_id: str) -> bool:
        return key_id in self._ciphers

    def wrap(self, data_key: bytes, object_id: UUID) -> Envelope:
        """The data key for this object's row, under the newest key."""
        check_data_key(data_key)
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._ciphers[self.newest_id].encrypt(nonce, data_key, object_id.bytes)
        return Envelope(self.newest_id, nonce + sealed)

    def unwrap(self, envelope: Envelope, object_id: UUID) -> bytes:
        """The data key. Raises Denied without its key, IntegrityError when it is not this one's."""
        cipher = self._ciphers.get(envelope.key_id)
        if cipher is None:
            raise Denied(f"The encryption key {envelope.key_id} is not among the configured keys.")
        nonce, sealed = envelope.wrapped[:NONCE_BYTES], envelope.wrapped[NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, sealed, object_id.bytes)
        except (InvalidTag, ValueError):  # ValueError: a nonce cut short
            raise IntegrityError(
                f"The wrapped key is damaged, another object's, or not wrapped by the key "
                f"{envelope.key_id}."
            ) from None

    def rewrap(self, envelope: Envelope, object_id: UUID) -> Envelope:
        """The same data key under the newest key; itself, proved readable, if it is there already.

        Raises as `unwrap` does.
        """
        data_key = self.unwrap(envelope, object_id)
        return envelope if envelope.key_id == self.newest_id else self.wrap(data_key, object_id)


def _parse_entry(entry: str, name: str) -> tuple[str, bytes]:
    """(id, key). Does not repeat an id it refuses: whoever mixed up the order wrote a key there."""
    key_id, colon, encoded = entry.partition(":")
    if not colon:
        raise ValueError(f"{name} is not written as id:key.")
    if not _KEY_ID.fullmatch(key_id):
        raise ValueError(f"{name} needs an id of 1 to 20 letters, digits, - or _ before the colon.")
    try:
        key = b64decode(encoded, validate=True)
    except ValueError:
        raise ValueError(f"{name} (id {key_id}) is not base64.") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"{name} (id {key_id}) has {len(key)} bytes instead of {KEY_BYTES}.")
    return key_id, key


def check_data_key(data_key: bytes) -> bytes:
    # AESGCM would quietly take 16 bytes and encrypt with less.
    if len(data_key) != KEY_BYTES:
        raise ValueError(f"A data key has {KEY_BYTES} bytes, not {len(data_key)}.")
    return data_key
