"""The encrypted container: what was sealed comes out, and what was touched does not."""

from __future__ import annotations

import io
import json
import tracemalloc
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, cast
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from school.storage.container import (
    CHUNK_BYTES,
    HEADER_BYTES,
    Envelope,
    KeyRing,
    Sealed,
    encrypt,
    new_data_key,
    plain_size_of,
    sealed_size,
)
from school.storage.container import layout as container_layout
from school.storage.errors import Denied, IntegrityError
from school.storage.hashing import BlockStream
from school.storage.keys import new_key
from school.storage.local import LocalStorage

OBJECT = UUID("0f3c2a51-7b1e-4c6d-9a80-5e2f1d4c3b2a")
DATA_KEY = bytes(range(32))
KEY_1 = b64encode(bytes(range(32, 64))).decode()
KEY_2 = b64encode(bytes(range(64, 96))).decode()
TAG = 16
SEALED_CHUNK = CHUNK_BYTES + TAG


def made_of(size: int) -> bytes:
    """Bytes in which no chunk is like another."""
    return b"".join(sha256(i.to_bytes(8, "big")).digest() for i in range(size // 32 + 1))[:size]


LONGEST = made_of(4 * CHUNK_BYTES + 100)
AROUND_BORDERS = st.builds(
    lambda chunks, more: max(0, chunks * CHUNK_BYTES + more), st.integers(0, 4), st.integers(-2, 2)
)
SIZES = AROUND_BORDERS | st.integers(0, len(LONGEST))


def seal(plain: bytes, *, object_id: UUID = OBJECT, data_key: bytes = DATA_KEY) -> bytes:
    stream = encrypt(io.BytesIO(plain), object_id=object_id, data_key=data_key, size=len(plain))
    return stream.read()


class Stored:
    """Bytes as a provider gives them, noting what was asked for and whether it was closed."""

    def __init__(self, data: bytes, *, block_bytes: int = 50_000) -> None:
        self.data = data
        self.block_bytes = block_bytes
        self.asked: list[tuple[int, int]] = []
        self.open_now = 0

    @contextmanager
    def open_range(self, start: int, length: int) -> Iterator[Iterator[bytes]]:
        self.asked.append((start, length))
        wanted = self.data[start : start + length]
        self.open_now += 1
        try:
            yield (
                wanted[at : at + self.block_bytes] for at in range(0, len(wanted), self.block_bytes)
            )
        finally:
            self.open_now -= 1


def sealed(
    stored: Stored | bytes,
    *,
    object_id: UUID = OBJECT,
    data_key: bytes = DATA_KEY,
    stored_size: int | None = None,
    size: int | None = None,
) -> Sealed:
    stored = stored if isinstance(stored, Stored) else Stored(stored)
    return Sealed(
        stored.open_range,
        object_id=object_id,
        data_key=data_key,
        stored_size=len(stored.data) if stored_size is None else stored_size,
        size=size,
    )


def released_before_refusal(read: Callable[[], Iterator[bytes]]) -> bytes:
    """What came out until IntegrityError, which must come."""
    released = b""
    with pytest.raises(IntegrityError):
        for piece in read():
            released += piece
    return released


PLAIN = LONGEST[: 3 * CHUNK_BYTES + 1000]
BOX = seal(PLAIN)


def refused(box: bytes, *, genuine_chunks: int, plain: bytes = PLAIN) -> None:
    """Refused in a whole read, asked of the provider or not, with at most so many chunks out."""
    for stored_size in (len(box), sealed_size(len(plain))):
        released = released_before_refusal(
            lambda size=stored_size: sealed(box, stored_size=size).read()  # type: ignore[misc]
        )
        assert released == plain[: len(released)]
        assert len(released) <= genuine_chunks * CHUNK_BYTES


# --- What goes in comes out -------------------------------------------------------------------


@given(size=SIZES, block_bytes=st.sampled_from([1000, SEALED_CHUNK, 1 << 20]))
@settings(deadline=None)
def test_what_was_sealed_comes_out(size: int, block_bytes: int) -> None:
    plain = LONGEST[:size]
    box = seal(plain)
    assert len(box) == sealed_size(size)
    reader = sealed(Stored(box, block_bytes=block_bytes), size=size)
    assert reader.plain_size == size
    assert b"".join(reader.read()) == plain


@given(size=SIZES, start=SIZES, length=SIZES | st.none())
@settings(deadline=None, max_examples=300)
def test_any_range_is_the_slice(size: int, start: int, length: int | None) -> None:
    plain = LONGEST[:size]
    stop = None if length is None else start + length
    assert b"".join(sealed(seal(plain)).read(start, length)) == plain[start:stop]


@given(
    asked=st.lists(st.integers(500, 2 * CHUNK_BYTES), min_size=1), gives=st.integers(500, 100_000)
)
@settings(deadline=None)
def test_streams_may_give_and_readers_may_ask_in_any_pieces(asked: list[int], gives: int) -> None:
    class Dribbling(io.BytesIO):
        def read(self, count: int | None = -1, /) -> bytes:
            return super().read(min(count or 0, gives))

    stream = encrypt(Dribbling(PLAIN), object_id=OBJECT, data_key=DATA_KEY, size=None)
    pieces: list[bytes] = []
    while piece := stream.read(asked[len(pieces) % len(asked)]):
        assert len(piece) <= asked[len(pieces) % len(asked)]
        pieces.append(piece)
    assert b"".join(sealed(b"".join(pieces)).read()) == PLAIN


def test_what_comes_after_the_end_of_a_stream_is_not_sealed() -> None:
    class Resuming(io.BytesIO):
        def __init__(self) -> None:
            self.answers = [b"first", b"", b"second", b""]

        def read(self, count: int | None = -1, /) -> bytes:
            return self.answers.pop(0)

    box = encrypt(Resuming(), object_id=OBJECT, data_key=DATA_KEY, size=None).read()
    assert b"".join(sealed(box).read()) == b"first"


def test_a_header_cut_short_is_refused_whatever_the_size_says() -> None:
    short = container_layout.header_of(OBJECT, bytes(2))
    with pytest.raises(IntegrityError, match="not an encrypted object"):
        sealed(short, stored_size=len(BOX))


@given(stored_size=st.integers(0, 10 * SEALED_CHUNK) | st.integers(0, 1 << 47))
def test_sizes_inside_and_outside_belong_together(stored_size: int) -> None:
    try:
        plain_size = plain_size_of(stored_size)
    except IntegrityError:
        body = stored_size - HEADER_BYTES
        # Whole chunks and a rest that holds at least a byte beside its tag; or one empty chunk.
        assert body < TAG or (body != TAG and 0 < body % SEALED_CHUNK <= TAG)
    else:
        assert sealed_size(plain_size) == stored_size


@pytest.mark.parametrize("size", [-1, (1 << 32) * CHUNK_BYTES + 1])
def test_a_size_that_cannot_be_sealed_is_refused_at_once(size: int) -> None:
    with pytest.raises(ValueError, match="cannot be encrypted"):
        sealed_size(size)
    with pytest.raises(ValueError, match="cannot be encrypted"):
        encrypt(io.BytesIO(), object_id=OBJECT, data_key=DATA_KEY, size=size)


def test_an_object_larger_than_any_of_ours_is_refused() -> None:
    largest = sealed_size((1 << 32) * CHUNK_BYTES)
    assert plain_size_of(largest) == (1 << 32) * CHUNK_BYTES
    with pytest.raises(IntegrityError):
        plain_size_of(largest + TAG + 1)


def test_the_number_of_chunks_never_runs_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_layout, "MOST_CHUNKS", 2)
    assert seal(LONGEST[: 2 * CHUNK_BYTES])
    stream = encrypt(io.BytesIO(PLAIN), object_id=OBJECT, data_key=DATA_KEY, size=None)
    with pytest.raises(IntegrityError, match="at most 2 chunks"):
        stream.read()


@pytest.mark.parametrize("announced", [0, 5, CHUNK_BYTES, len(PLAIN) - 1, len(PLAIN) + 1])
def test_a_file_of_another_size_than_announced_is_never_whole(announced: int) -> None:
    stream = encrypt(io.BytesIO(PLAIN), object_id=OBJECT, data_key=DATA_KEY, size=announced)
    written = b""
    with pytest.raises(IntegrityError, match=f"{announced} bytes"):
        while piece := stream.read(1 << 20):
            written += piece
    assert len(written) < sealed_size(announced)


def test_the_same_file_is_never_sealed_alike() -> None:
    first, second = seal(PLAIN), seal(PLAIN)
    assert first[HEADER_BYTES : HEADER_BYTES + 50] != second[HEADER_BYTES : HEADER_BYTES + 50]
    assert PLAIN[:16] not in first


@pytest.mark.parametrize("key", [b"", bytes(16), bytes(24), bytes(33)])
def test_no_weaker_key_is_taken(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        encrypt(io.BytesIO(), object_id=OBJECT, data_key=key, size=0)
    with pytest.raises(ValueError, match="32 bytes"):
        sealed(BOX, data_key=key)
    with pytest.raises(ValueError, match="32 bytes"):
        KeyRing(f"1:{KEY_1}").wrap(key, OBJECT)


@pytest.mark.parametrize(("start", "length"), [(-1, 5), (0, -1)])
def test_a_range_before_the_beginning_is_a_mistake(start: int, length: int) -> None:
    with pytest.raises(ValueError, match="range"):
        sealed(BOX).read(start, length)


def test_a_provider_stores_it_and_gives_ranges(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path, signing_keys=["k" * 40])
    key, data_key = new_key(), new_data_key()
    stream = encrypt(io.BytesIO(PLAIN), object_id=OBJECT, data_key=data_key, size=len(PLAIN))
    storage.put(key, stream, size=sealed_size(len(PLAIN)))
    reader = Sealed(
        lambda start, length: storage.open(key, start=start, length=length),
        object_id=OBJECT,
        data_key=data_key,
        stored_size=storage.stat(key).size_bytes,
        size=len(PLAIN),
    )
    assert b"".join(reader.read()) == PLAIN
    assert b"".join(reader.read(CHUNK_BYTES - 5, 10)) == PLAIN[CHUNK_BYTES - 5 : CHUNK_BYTES + 5]


# --- The form stays readable ------------------------------------------------------------------


def test_the_form_is_as_documented() -> None:
    """Opened with the description alone, not with the program."""
    header, body = BOX[:HEADER_BYTES], BOX[HEADER_BYTES:]
    assert header[:5] == b"SHEC\x01"
    assert int.from_bytes(header[5:7], "big") == len(header[7:])
    facts = json.loads(header[7:])
    assert facts.keys() == {"alg", "chunk_log2", "nonce", "object_id"}
    assert (facts["alg"], facts["object_id"]) == ("AES-256-GCM-STREAM", str(OBJECT))
    assert 1 << facts["chunk_log2"] == CHUNK_BYTES == 65536
    prefix, aad = bytes.fromhex(facts["nonce"]), sha256(header).digest()
    opened = b""
    for number in range(4):
        nonce = prefix + number.to_bytes(4, "big") + bytes([number == 3])
        chunk = body[number * SEALED_CHUNK : (number + 1) * SEALED_CHUNK]
        opened += AESGCM(DATA_KEY).decrypt(nonce, chunk, aad)
    assert opened == PLAIN


def test_an_object_of_the_first_day_still_opens() -> None:
    box = bytes.fromhex(
        "534845430100787b22616c67223a224145532d3235362d47434d2d53545245414d222c226368756e6b5f"
        "6c6f6732223a31362c226e6f6e6365223a226231383537633238376236633261222c226f626a6563745f"
        "6964223a2230663363326135312d376231652d346336642d396138302d35653266316434633362326122"
        "7d657d7b578d6b5c647058855ee6e255a3d7ddaca9317408056ffdd05aa27eb4c975"
    )
    envelope = Envelope.from_text(
        "k1:DOZX08Do/McRqobmrAoNaF+TvmX/KcDit5wXeuxqYE2oFPjV9lmaxRxWWvFRk0Kep4Km9TMZPotASQeu"
    )
    data_key = KeyRing(f"k1:{KEY_1}").unwrap(envelope, OBJECT)
    assert b"".join(sealed(box, data_key=data_key, size=17).read()) == b"Northfield School"


# --- What was touched does not come out -------------------------------------------------------


def chunk_at(position: int) -> int:
    return max(0, position - HEADER_BYTES) // SEALED_CHUNK


def flipped(box: bytes, position: int, bit: int) -> bytes:
    return box[:position] + bytes([box[position] ^ 1 << bit]) + box[position + 1 :]


NEAR_BORDERS = st.builds(
    lambda chunk, more: min(len(BOX) - 1, HEADER_BYTES + chunk * SEALED_CHUNK + more),
    st.integers(0, 4),
    st.integers(-TAG - 2, 2),
)


@given(position=NEAR_BORDERS | st.integers(0, len(BOX) - 1), bit=st.integers(0, 7))
@settings(deadline=None, max_examples=300)
def test_any_flipped_bit_is_refused_before_its_chunk(position: int, bit: int) -> None:
    refused(flipped(BOX, position, bit), genuine_chunks=chunk_at(position))


@pytest.mark.parametrize("position", range(HEADER_BYTES))
def test_every_bit_of_the_header_counts(position: int) -> None:
    for bit in range(8):
        refused(flipped(BOX, position, bit), genuine_chunks=0)


@given(position=st.integers(HEADER_BYTES, len(BOX) - 1), start=st.integers(0, len(PLAIN) - 1))
@settings(deadline=None)
def test_a_range_reads_the_chunks_it_touches_and_no_other(position: int, start: int) -> None:
    length = min(CHUNK_BYTES, len(PLAIN) - start)
    touched = range(start // CHUNK_BYTES, (start + length - 1) // CHUNK_BYTES + 1)
    stored = Stored(flipped(BOX, position, 0))
    reader = sealed(stored, size=len(PLAIN))
    if chunk_at(position) in touched:
        released = released_before_refusal(lambda: reader.read(start, length))
        assert len(released) <= max(0, chunk_at(position) * CHUNK_BYTES - start)
    else:
        assert b"".join(reader.read(start, length)) == PLAIN[start : start + length]
    (header, (offset, asked)) = stored.asked
    assert header == (0, HEADER_BYTES)
    assert offset == HEADER_BYTES + touched[0] * SEALED_CHUNK
    assert asked <= len(touched) * SEALED_CHUNK


CUTS = [
    place
    for chunk in range(4)
    for border in [HEADER_BYTES + chunk * SEALED_CHUNK]
    for place in (border - 1, border, border + 1, border + TAG, border + TAG + 1, border + 30_000)
    if place < len(BOX)
] + [0, 1, len(BOX) - TAG, len(BOX) - 1]


@pytest.mark.parametrize("length", CUTS)
def test_a_cut_off_object_is_refused(length: int) -> None:
    cut = BOX[:length]
    refused(cut, genuine_chunks=min(3, chunk_at(length)))
    with pytest.raises(IntegrityError):
        sealed(cut, size=len(PLAIN))


@given(cut=SIZES, start=SIZES, length=SIZES)
@settings(deadline=None, max_examples=300)
def test_a_range_of_a_cut_off_object_never_lies(cut: int, start: int, length: int) -> None:
    """Without the database's size: refused, or exactly what was asked for and was there."""
    box = BOX[: min(cut, len(BOX) - 1)]
    for stored_size in (len(box), len(BOX)):
        try:
            answer = b"".join(sealed(box, stored_size=stored_size).read(start, length))
        except IntegrityError:
            continue
        assert answer == PLAIN[start : start + length]
        assert len(answer) == length, "a short answer claims to know the end"


def test_a_range_before_the_cut_is_the_one_thing_not_seen_without_a_size() -> None:
    cut = BOX[: HEADER_BYTES + 2 * SEALED_CHUNK]
    assert b"".join(sealed(cut).read(0, 100)) == PLAIN[:100]
    assert released_before_refusal(lambda: sealed(cut).read(CHUNK_BYTES, 1)) == b""


@pytest.mark.parametrize("start", [len(PLAIN), len(PLAIN) + 5, 10 * len(PLAIN)])
def test_nothing_behind_the_end_is_a_proven_answer(start: int) -> None:
    assert list(sealed(BOX).read(start)) == []
    assert (
        released_before_refusal(lambda: sealed(flipped(BOX, -1 % len(BOX), 0)).read(start)) == b""
    )


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, len(PLAIN)])
@pytest.mark.parametrize("more", [1, TAG, TAG + 1, SEALED_CHUNK, SEALED_CHUNK + 5])
def test_an_object_with_something_appended_is_refused(size: int, more: int) -> None:
    plain = PLAIN[:size]
    longer = seal(plain) + bytes(more)
    refused(longer, genuine_chunks=max(0, (size - 1) // CHUNK_BYTES), plain=plain)
    with pytest.raises(IntegrityError):
        sealed(longer, size=size)


def test_a_last_chunk_repeated_is_refused() -> None:
    whole = seal(PLAIN[: 2 * CHUNK_BYTES])
    twice = whole + whole[-SEALED_CHUNK:]
    refused(twice, genuine_chunks=1, plain=PLAIN[: 2 * CHUNK_BYTES])


@given(order=st.permutations(range(3)).filter(lambda order: list(order) != [0, 1, 2]))
@settings(deadline=None)
def test_chunks_in_another_order_are_refused(order: list[int]) -> None:
    body = BOX[HEADER_BYTES:]
    chunks = [body[n * SEALED_CHUNK : (n + 1) * SEALED_CHUNK] for n in range(4)]
    moved = BOX[:HEADER_BYTES] + b"".join(chunks[n] for n in order) + chunks[3]
    refused(moved, genuine_chunks=next(i for i, n in enumerate(order) if i != n))


def test_a_chunk_left_out_is_refused() -> None:
    start = HEADER_BYTES + SEALED_CHUNK
    refused(BOX[:start] + BOX[start + SEALED_CHUNK :], genuine_chunks=1)


@pytest.mark.parametrize("same_key", [True, False])
def test_two_objects_cannot_be_exchanged(same_key: bool) -> None:
    other_key = DATA_KEY if same_key else new_data_key()
    other = seal(PLAIN[::-1], object_id=uuid4(), data_key=other_key)
    assert len(other) == len(BOX)
    with pytest.raises(IntegrityError, match="another one's"):
        sealed(other)
    # The right header before the other's chunks does not help, nor do chunks of a second sealing.
    refused(BOX[:HEADER_BYTES] + other[HEADER_BYTES:], genuine_chunks=0)
    refused(BOX[:HEADER_BYTES] + seal(PLAIN)[HEADER_BYTES:], genuine_chunks=0)


def test_a_wrong_id_opens_nothing() -> None:
    with pytest.raises(IntegrityError, match="another one's"):
        sealed(BOX, object_id=uuid4())


@given(key=st.binary(min_size=32, max_size=32).filter(lambda key: key != DATA_KEY))
@settings(deadline=None, max_examples=20)
def test_a_wrong_key_opens_nothing(key: bytes) -> None:
    assert released_before_refusal(lambda: sealed(BOX, data_key=key).read()) == b""


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        (b"SHEC\x02" + BOX[5:], "another version"),
        (PLAIN, "not an encrypted object"),
        (BOX[:7] + b"[" + BOX[8:], "header .* is damaged"),
        (BOX[:7] + b"[" * (HEADER_BYTES - 7) + BOX[HEADER_BYTES:], "header .* is damaged"),
        (BOX[:7] + b"\xff" * (HEADER_BYTES - 7) + BOX[HEADER_BYTES:], "header .* is damaged"),
        (BOX.replace(b'"nonce":"', b'"nonce": ', 1), "header .* is damaged"),
        (BOX.replace(b'"nonce"', b'"Nonce"', 1), "header .* is damaged"),
        (BOX[:7] + b"[]".ljust(HEADER_BYTES - 7) + BOX[HEADER_BYTES:], "header .* is damaged"),
        (BOX[:7] + b'{"nonce":7}'.ljust(HEADER_BYTES - 7), "cut off"),
        (BOX[:7] + b'{"nonce":7}'.ljust(HEADER_BYTES - 7) + bytes(TAG), "header .* is damaged"),
        (b"", "cut off"),
    ],
)
def test_the_sentence_says_what_is_wrong(box: bytes, sentence: str) -> None:
    with pytest.raises(IntegrityError, match=sentence):
        sealed(box)


@pytest.mark.parametrize("size", [0, len(PLAIN) - 1, len(PLAIN) + 1])
def test_the_databases_size_must_fit_before_anything_is_read(size: int) -> None:
    stored = Stored(BOX)
    with pytest.raises(IntegrityError, match=f"instead of {size}"):
        sealed(stored, size=size)
    assert stored.asked == []


def test_the_provider_is_let_go_whatever_happens() -> None:
    stored = Stored(BOX)
    pieces = sealed(stored).read()
    next(pieces)
    assert stored.open_now == 1
    del pieces
    assert stored.open_now == 0
    damaged = Stored(flipped(BOX, HEADER_BYTES, 0))
    released_before_refusal(lambda: sealed(damaged).read())
    assert damaged.open_now == 0


# --- Keys -------------------------------------------------------------------------------------


def test_keys_rotate_without_touching_the_object() -> None:
    old, both, new = (KeyRing(t) for t in (f"1:{KEY_1}", f"2:{KEY_2},1:{KEY_1}", f"2:{KEY_2}"))
    data_key = new_data_key()
    box = seal(PLAIN, data_key=data_key)
    first = old.wrap(data_key, OBJECT)
    assert (first.key_id, both.newest_id, both.has("1"), new.has("1")) == ("1", "2", True, False)
    assert both.unwrap(first, OBJECT) == data_key
    second = both.rewrap(first, OBJECT)
    assert second.key_id == "2"
    assert second.wrapped != first.wrapped
    assert b"".join(sealed(box, data_key=new.unwrap(second, OBJECT)).read()) == PLAIN
    with pytest.raises(Denied, match="key 1 is not among"):
        new.unwrap(first, OBJECT)
    with pytest.raises(Denied, match="key 2 is not among"):
        old.unwrap(second, OBJECT)
    with pytest.raises(Denied):
        new.rewrap(first, OBJECT)


def test_rewrapping_again_changes_nothing_but_looks() -> None:
    ring = KeyRing(f"2:{KEY_2},1:{KEY_1}")
    envelope = ring.wrap(DATA_KEY, OBJECT)
    assert ring.rewrap(envelope, OBJECT) is envelope
    with pytest.raises(IntegrityError):
        ring.rewrap(envelope, uuid4())


def test_a_wrapped_key_opens_for_its_object_and_its_key_only() -> None:
    envelope = KeyRing(f"1:{KEY_1}").wrap(DATA_KEY, OBJECT)
    with pytest.raises(IntegrityError, match="another object's"):
        KeyRing(f"1:{KEY_1}").unwrap(envelope, uuid4())
    with pytest.raises(IntegrityError, match="not wrapped by the key 1"):
        KeyRing(f"1:{KEY_2}").unwrap(envelope, OBJECT)
    with pytest.raises(IntegrityError):
        KeyRing(f"1:{KEY_1},2:{KEY_2}").unwrap(Envelope("2", envelope.wrapped), OBJECT)


@pytest.mark.parametrize("position", range(60))
def test_every_bit_of_a_wrapped_key_counts(position: int) -> None:
    ring = KeyRing(f"1:{KEY_1}")
    wrapped = ring.wrap(DATA_KEY, OBJECT).wrapped
    assert len(wrapped) == 60
    for bit in range(8):
        with pytest.raises(IntegrityError):
            ring.unwrap(Envelope("1", flipped(wrapped, position, bit)), OBJECT)
    with pytest.raises(IntegrityError):
        ring.unwrap(Envelope("1", wrapped[:position]), OBJECT)


@given(
    key_id=st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True),
    wrapped=st.binary(min_size=60, max_size=60),
)
def test_an_envelope_is_short_text(key_id: str, wrapped: bytes) -> None:
    text = Envelope(key_id, wrapped).to_text()
    assert text.isascii()
    assert len(text) <= 101
    assert Envelope.from_text(text) == Envelope(key_id, wrapped)


GOOD_TEXT = Envelope("1", bytes(60)).to_text()


@pytest.mark.parametrize(
    "text",
    ["", ":", "1:", GOOD_TEXT[1:], GOOD_TEXT[:-4], GOOD_TEXT + "AAAA", GOOD_TEXT[:-1] + "=",
     GOOD_TEXT + "\n", " " + GOOD_TEXT, "é" + GOOD_TEXT, GOOD_TEXT[:-1] + "é", "x" * 20 + GOOD_TEXT],
)  # fmt: skip
def test_a_damaged_envelope_is_refused(text: str) -> None:
    with pytest.raises(IntegrityError, match="damaged"):
        Envelope.from_text(text)


SHORT_KEY = b64encode(bytes(range(31))).decode()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "At least one"),
        ("  ", "At least one"),
        (KEY_1, "number 1 is not written as id:key"),
        (f"2:{KEY_2},{KEY_1}", "number 2 is not written as id:key"),
        (f"1:{KEY_1},", "number 2 is not written as id:key"),
        (f":{KEY_1}", "number 1 needs an id"),
        (f"{KEY_1}:1", "number 1 needs an id"),
        (f"{'x' * 21}:{KEY_1}", "number 1 needs an id"),
        ("1:", "id 1. has 0 bytes"),
        (f"1:{SHORT_KEY}", "id 1. has 31 bytes instead of 32"),
        (f"1:{KEY_1[:-1]}", "id 1. is not base64"),
        (f"1:{KEY_1[:-2]}!=", "id 1. is not base64"),
        (f"1:{KEY_1[:-2]}é=", "id 1. is not base64"),
        (f"1:{KEY_1},1:{KEY_2}", "the id 1"),
        (f"2:{KEY_1},1:{KEY_1}", "key 1 stands there twice"),
    ],
)
def test_a_fault_in_the_setting_is_told_without_the_key(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        KeyRing(text)
    for key in (KEY_1, KEY_2, SHORT_KEY):
        assert key[:8] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_ring_tells_its_ids_and_nothing_else() -> None:
    ring = KeyRing(f" 2:{KEY_2} , 1:{KEY_1} ")
    assert repr(ring) == str(ring) == "<KeyRing 2, 1>"
    assert ring.newest_id == "2"


# --- Bounded memory ---------------------------------------------------------------------------

LARGE = 32 * 1024 * 1024


def many_blocks(size: int) -> Iterator[bytes]:
    for number in range(size // CHUNK_BYTES):
        yield number.to_bytes(4, "big") * (CHUNK_BYTES // 4)


def peak_bytes(pieces: Callable[[], Iterator[bytes]]) -> tuple[int, int]:
    """(bytes that came out, most memory in use on the way)."""
    tracemalloc.start()
    try:
        count = sum(len(piece) for piece in pieces())
        return count, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def sealing(size: int) -> Iterator[bytes]:
    source = cast("BinaryIO", BlockStream(many_blocks(size)))
    stream = encrypt(source, object_id=OBJECT, data_key=DATA_KEY, size=size)
    while piece := stream.read(1 << 20):
        yield piece


def test_sealing_a_large_file_holds_a_few_chunks() -> None:
    count, peak = peak_bytes(lambda: sealing(LARGE))
    assert count == sealed_size(LARGE)
    assert peak < 8 * CHUNK_BYTES


def test_reading_a_large_object_holds_a_chunk_and_a_block(tmp_path: Path) -> None:
    path, block_bytes = tmp_path / "large", 1 << 20
    with path.open("wb") as target:
        target.writelines(sealing(LARGE))

    @contextmanager
    def open_range(start: int, length: int) -> Iterator[Iterator[bytes]]:
        with path.open("rb") as stream:
            stream.seek(start)
            yield iter(lambda: stream.read(block_bytes), b"")

    reader = Sealed(
        open_range,
        object_id=OBJECT,
        data_key=DATA_KEY,
        stored_size=path.stat().st_size,
        size=LARGE,
    )
    count, peak = peak_bytes(reader.read)
    assert count == LARGE
    assert peak < 2 * block_bytes + 8 * CHUNK_BYTES
