"""The encrypted container: sensitive objects at rest, and the keys that open them.

An object is sealed once, under a random data key of its own:

    magic, version | u16 length, JSON header | chunk 0 + tag | chunk 1 + tag | … | last chunk + tag

Chunks hold 64 KiB of plaintext (the last one less; an empty file has one empty chunk) and are
AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015: "Online
Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance"). The nonce is 7 random bytes, the
chunk's number (u32) and 1 for the last chunk: no chunk can be moved, left out or added. Every chunk
authenticates SHA-256 of the header, and the header names the object: two objects cannot be
exchanged.

The data key never stands in the object. It is wrapped by a key-encryption key and kept in the
database as an `Envelope`, so that changing keys rewrites rows and no object.

Memory bound: sealing holds two chunks and their sealed form, reading one chunk and one block of
the provider, whatever the object's size.
"""

from school.storage.container.keys import Envelope as Envelope
from school.storage.container.keys import KeyRing as KeyRing
from school.storage.container.keys import new_data_key as new_data_key
from school.storage.container.layout import CHUNK_BYTES as CHUNK_BYTES
from school.storage.container.layout import HEADER_BYTES as HEADER_BYTES
from school.storage.container.layout import plain_size_of as plain_size_of
from school.storage.container.layout import sealed_size as sealed_size
from school.storage.container.reading import OpenRange as OpenRange
from school.storage.container.reading import Sealed as Sealed
from school.storage.container.sealing import encrypt as encrypt
