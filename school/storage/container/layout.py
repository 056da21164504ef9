"""The form of the object: header, chunks, and the sizes that follow from them."""

from __future__ import annotations

import json
from hashlib import sha256
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from school.storage.container.keys import TAG_BYTES, check_data_key
from school.storage.errors import IntegrityError

MAGIC = b"SHEC"
VERSION = 1
CHUNK_LOG2 = 16
CHUNK_BYTES = 1 << CHUNK_LOG2
SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES
MOST_CHUNKS = 1 << 32
PREFIX_BYTES = 7

_ALGORITHM = "AES-256-GCM-STREAM"


def header_of(object_id: UUID, prefix: bytes) -> bytes:
    """Everything before the first chunk; always HEADER_BYTES long."""
    body = json.dumps(
        {
            "alg": _ALGORITHM,
            "chunk_log2": CHUNK_LOG2,
            "nonce": prefix.hex(),
            "object_id": str(object_id),
        },
        separators=(",", ":"),
    ).encode()
    return MAGIC + bytes([VERSION]) + len(body).to_bytes(2, "big") + body


HEADER_BYTES = len(header_of(UUID(int=0), bytes(PREFIX_BYTES)))


def nonce_prefix(header: bytes, object_id: UUID) -> bytes:
    """The random part of the nonces. Raises IntegrityError unless every byte is as we write it."""
    if len(header) != HEADER_BYTES or not header.startswith(MAGIC):
        raise IntegrityError("This is not an encrypted object.")
    if header[len(MAGIC) : len(MAGIC) + 1] != bytes([VERSION]):
        raise IntegrityError("The object was encrypted by another version of this program.")
    try:
        prefix = bytes.fromhex(json.loads(header[len(MAGIC) + 3 :])["nonce"])
    except (ValueError, KeyError, TypeError):
        raise IntegrityError("The header of the encrypted object is damaged.") from None
    # Written again and compared: there is one way to write a header, so nothing can hide in it.
    if header != header_of(object_id, prefix):
        raise IntegrityError("The encrypted object is another one's, or its header is damaged.")
    return prefix


class Chunks:
    """The cipher of one object: chunks by their number."""

    def __init__(self, data_key: bytes, object_id: UUID, prefix: bytes) -> None:
        self._cipher = AESGCM(check_data_key(data_key))
        self._prefix = prefix
        self._aad = sha256(header_of(object_id, prefix)).digest()

    def _nonce(self, number: int, *, is_last: bool) -> bytes:
        return self._prefix + number.to_bytes(4, "big") + bytes([is_last])

    def seal(self, number: int, chunk: bytes, *, is_last: bool) -> bytes:
        if number >= MOST_CHUNKS:
            raise IntegrityError(f"An object has at most {MOST_CHUNKS} chunks.")
        return self._cipher.encrypt(self._nonce(number, is_last=is_last), chunk, self._aad)

    def unseal(self, number: int, sealed: bytes | memoryview, *, is_last: bool) -> bytes:
        try:
            return self._cipher.decrypt(self._nonce(number, is_last=is_last), sealed, self._aad)
        except InvalidTag:
            raise IntegrityError(
                f"Chunk {number} of the encrypted object is damaged, or the key is another one's."
            ) from None


def sealed_size(plain_size: int) -> int:
    """Bytes of the container around `plain_size` bytes. Raises ValueError for an impossible one."""
    if not 0 <= plain_size <= MOST_CHUNKS * CHUNK_BYTES:
        raise ValueError(f"A file of {plain_size} bytes cannot be encrypted.")
    return HEADER_BYTES + plain_size + count_chunks(plain_size) * TAG_BYTES


def count_chunks(plain_size: int) -> int:
    return max(1, -(-plain_size // CHUNK_BYTES))


def plain_size_of(stored_size: int) -> int:
    """Bytes inside a container of `stored_size`. Raises IntegrityError when none is so long."""
    chunks = max(1, -(-(stored_size - HEADER_BYTES) // SEALED_CHUNK_BYTES))
    plain = stored_size - HEADER_BYTES - chunks * TAG_BYTES
    if plain < 0 or chunks > MOST_CHUNKS or sealed_size(plain) != stored_size:
        raise IntegrityError("The encrypted object is cut off.")
    return plain
