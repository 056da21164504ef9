"""Checksums of columns over canonical values: the same for both databases, whatever the size of
the batches they come in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from school.upgrade import jsons
from school.upgrade.conversion import text_bytes
from school.upgrade.kinds import Kind, Type

_SIZE = 16


class Checksum:
    """Of one column: where its NULLs are, how long its values are, and the values."""

    def __init__(self, type_: Type) -> None:
        self._type = type_
        self._rows = 0
        self._parts = [hashlib.blake2b(digest_size=_SIZE) for _ in range(3)]

    def add(self, values: pa.Array) -> None:
        """The next values, as the target takes them or gives them."""
        values = canonical(values, self._type)
        nulls, lengths, contents = self._parts
        if values.null_count:
            places = pc.indices_nonzero(pc.is_null(values)).cast(pa.int64())
            nulls.update(_fixed_bytes(pc.add(places, self._rows), 8))
            values = pc.fill_null(values, _nothing(values.type))
        self._rows += len(values)
        if pa.types.is_binary(values.type):
            lengths.update(_fixed_bytes(pc.binary_length(values), 4))
            for part in text_bytes(values):
                contents.update(part)
        else:
            contents.update(_fixed_bytes(values, values.type.bit_width // 8))

    def hexdigest(self) -> str:
        whole = hashlib.blake2b(f"{self._type.kind}:{self._rows}".encode(), digest_size=_SIZE)
        for part in self._parts:
            whole.update(part.digest())
        return whole.hexdigest()


class RowSums:
    """Sums over rows, the same whatever order they come in. Each of `sets` names the places of the
    columns that go into one sum."""

    def __init__(self, types: Sequence[Type], sets: Sequence[Sequence[int]]) -> None:
        self._types = types
        self._sets = sets
        self.totals = [0] * len(sets)

    def add(self, columns: Sequence[pa.Array]) -> None:
        self._count(columns, 1)

    def take_away(self, columns: Sequence[pa.Array]) -> None:
        self._count(columns, -1)

    def _count(self, columns: Sequence[pa.Array], sign: int) -> None:
        pairs = zip(columns, self._types, strict=True)
        values = [canonical(column, type_).to_pylist() for column, type_ in pairs]
        for at, places in enumerate(self._sets):
            rows = zip(*(values[place] for place in places), strict=True)
            self.totals[at] += sign * sum(map(_row_number, rows))


def _row_number(row: tuple[Any, ...]) -> int:
    digest = hashlib.blake2b(repr(row).encode(), digest_size=_SIZE).digest()
    return int.from_bytes(digest, "big")


def canonical(values: pa.Array, type_: Type) -> pa.Array:
    """As both databases would have to give them."""
    return _CANONICAL.get(type_.kind, _same)(values, type_)


def _nothing(type_: pa.DataType) -> pa.Scalar:
    if pa.types.is_binary(type_):
        return pa.scalar(b"", type_)
    if pa.types.is_fixed_size_binary(type_):
        return pa.scalar(bytes(type_.byte_width), type_)
    return pa.scalar(0, type_)


def _fixed_bytes(values: pa.Array, width: int) -> memoryview:
    data = values.buffers()[1]
    if data is None:
        return memoryview(b"")
    return memoryview(data)[values.offset * width : (values.offset + len(values)) * width]


def _same(values: pa.Array, _type: Type) -> pa.Array:
    return values if pa.types.is_binary(values.type) else values.cast(pa.binary())


def _as(whole: pa.DataType) -> Callable[[pa.Array, Type], pa.Array]:
    return lambda values, _type: values.cast(whole)


def _numeric(values: pa.Array, type_: Type) -> pa.Array:
    """The target tells them as text."""
    exact: pa.Array = values.cast(pa.decimal128(type_.precision, type_.scale))
    return exact


def _uuid(values: pa.Array, _type: Type) -> pa.Array:
    return values.cast(pa.binary(16))


def _json(values: pa.Array, type_: Type) -> pa.Array:
    if not type_.is_binary:
        return _same(values, type_)
    encoded = values.cast(pa.binary()).dictionary_encode()
    known = [jsons.canonical(one.removeprefix(_VERSION)) for one in encoded.dictionary.to_pylist()]
    return pa.array(known, pa.binary()).take(encoded.indices)


_VERSION = b"\x01"
"""What a jsonb begins with on the wire."""

_CANONICAL: dict[Kind, Callable[[pa.Array, Type], pa.Array]] = {
    Kind.INTEGER: _as(pa.int64()), Kind.REAL: _as(pa.float64()), Kind.NUMERIC: _numeric,
    Kind.BOOLEAN: _as(pa.uint8()), Kind.DATE: _as(pa.int32()), Kind.TIME: _as(pa.int64()),
    Kind.TIMESTAMP: _as(pa.int64()), Kind.INSTANT: _as(pa.int64()), Kind.UUID: _uuid,
    Kind.JSON: _json,
}  # fmt: skip
