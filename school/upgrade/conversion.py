"""Values as SQLite stores them, as PostgreSQL takes them: a column of a batch at a time.

No value passes through Python unless its batch holds one that cannot be taken; then the different
values of that column are looked at one by one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from school.upgrade import jsons
from school.upgrade.kinds import Kind, Type

STORAGE: dict[Kind, pa.DataType] = {
    Kind.INTEGER: pa.int64(), Kind.BOOLEAN: pa.int64(), Kind.REAL: pa.float64(),
    Kind.NUMERIC: pa.float64(), Kind.BLOB: pa.binary(),
}  # fmt: skip
"""What a stream of the source brings; all other kinds come as text."""

FAULTS: dict[str, str] = {
    "other_storage": "is no {kind}",
    "empty": "is empty where the column may not be",
    "out_of_range": "does not fit into the column",
    "not_boolean": "is neither true nor false",
    "not_date": "is no date of the calendar",
    "not_time": "is no time of day",
    "not_moment": "is no moment of the calendar",
    "not_uuid": "is no UUID",
    "not_json": "is no JSON that PostgreSQL can hold",
    "digits": "has more digits than the column",
    "nul": "holds the character NUL, which PostgreSQL cannot store",
    "not_utf8": "is no valid text (UTF-8)",
    "too_long": "is longer than the column",
}
"""What is wrong with a value, by code, as the rest of a sentence."""

_JSONB = b"\x01"
"""What a jsonb begins with on the wire: the version of its format."""


@dataclass(frozen=True, slots=True)
class Converted:
    """`values`: as the target takes them, NULL where `bad` is true. `codes`: what is wrong with
    each value, NULL where nothing is; None where all are good."""

    values: pa.Array
    codes: pa.Array | None = None


class _Bad(Exception):
    """At least one value of the column cannot be taken as it is."""


def convert(raw: pa.Array, type_: Type, *, fixes: bool = False) -> Converted:
    """All values of a column of a batch; `fixes` mends what is bad instead of leaving it out."""
    try:
        return Converted(_whole(raw, type_))
    except (_Bad, pa.ArrowInvalid, ValueError, OverflowError):
        codes = _codes(raw, type_)
    if fixes:
        return Converted(_whole(_mended_column(raw, codes, type_), type_))
    kept = pc.if_else(pc.is_null(codes), raw, pa.scalar(None, raw.type))
    return Converted(_whole(kept, type_), codes if codes.null_count < len(codes) else None)


def _whole(raw: pa.Array, type_: Type) -> pa.Array:
    return _WHOLE[type_.kind](raw, type_)


# -- whole columns -----------------------------------------------------------------------------


def _integers(raw: pa.Array, type_: Type) -> pa.Array:
    return raw.cast(getattr(pa, f"int{type_.bits}")())


def _booleans(raw: pa.Array, _type: Type) -> pa.Array:
    ends = pc.min_max(raw)
    if (ends["min"].as_py() or 0) < 0 or (ends["max"].as_py() or 0) > 1:
        raise _Bad
    return raw.cast(pa.bool_())


def _reals(raw: pa.Array, type_: Type) -> pa.Array:
    if type_.bits == 64:
        return raw
    short = raw.cast(pa.float32())
    if not short.cast(pa.float64()).equals(raw):
        raise _Bad
    return short


def _numerics(raw: pa.Array, type_: Type) -> pa.Array:
    """By their shortest decimal form, which is what people typed."""
    text = raw.cast(pa.string())
    exact = pa.decimal128(38, min(38, type_.scale + 18))
    return text.cast(exact).cast(pa.decimal128(type_.precision, type_.scale))


def _dates(raw: pa.Array, _type: Type) -> pa.Array:
    return _of_this_era(raw.cast(pa.date32()), pa.int32(), _FIRST_DAY)


def _times(raw: pa.Array, _type: Type) -> pa.Array:
    """Arrow reads no times of day, only moments: so those of one day."""
    if (pc.min(pc.binary_length(raw)).as_py() or _SHORTEST_TIME) < _SHORTEST_TIME:
        raise _Bad
    moments = pc.binary_join_element_wise("1970-01-01T", raw, "")
    return moments.cast(pa.timestamp("us")).cast(pa.time64("us"))


_SHORTEST_TIME = len("00:00")


def _timestamps(raw: pa.Array, _type: Type) -> pa.Array:
    return _of_this_era(raw.cast(pa.timestamp("us")), pa.int64(), _FIRST_DAY * _DAY_US)


def _instants(raw: pa.Array, type_: Type) -> pa.Array:
    with contextlib.suppress(pa.ArrowInvalid):
        return _timestamps(raw, type_).cast(pa.timestamp("us", "UTC"))
    has_zone = pc.match_substring_regex(raw, _ENDS_IN_ZONE)
    nothing = pa.scalar(None, raw.type)
    zoned = pc.if_else(has_zone, raw, nothing).cast(pa.timestamp("us", "UTC"))
    _of_this_era(zoned, pa.int64(), _FIRST_DAY * _DAY_US)
    others = _timestamps(pc.if_else(has_zone, nothing, raw), type_).cast(pa.timestamp("us", "UTC"))
    return pc.coalesce(zoned, others)


_ENDS_IN_ZONE = "[ Tt].*([Zz]|[+-][0-9:]+)$"
_FIRST_DAY = date(1, 1, 1).toordinal() - date(1970, 1, 1).toordinal()
_DAY_US = 86_400_000_000


def _of_this_era(values: pa.Array, whole: pa.DataType, first: int) -> pa.Array:
    """There is no year 0, and Python, like most programs, knows none before 1."""
    least = pc.min(values.cast(whole)).as_py()
    if least is not None and least < first:
        raise _Bad
    return values


def _uuids(raw: pa.Array, _type: Type) -> pa.Array:
    """With hyphens where they belong, or with none at all."""
    if pc.max(pc.binary_length(raw)).as_py() == 36:
        if pc.any(
            pc.and_(_is_long(raw), pc.invert(pc.match_substring_regex(raw, _HYPHENED)))
        ).as_py():
            raise _Bad
        bare = pc.replace_substring(raw, "-", "")
    else:
        bare = raw
    filled = pc.fill_null(bare, "0" * 32)
    data = bytes.fromhex(b"".join(text_bytes(filled)).decode("ascii"))
    if len(data) != 16 * len(filled) or pc.any(pc.not_equal(pc.binary_length(filled), 32)).as_py():
        raise _Bad
    made = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(raw), [None, pa.py_buffer(data)])
    return made if not raw.null_count else pc.if_else(raw.is_valid(), made, None)


def _is_long(raw: pa.Array) -> pa.Array:
    return pc.not_equal(pc.binary_length(raw), 32)


_HYPHENED = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


def _jsons(raw: pa.Array, type_: Type) -> pa.Array:
    text = _texts(raw, Type(Kind.TEXT))
    for value in pc.unique(text).to_pylist():
        if value is not None and not jsons.is_kept(value):
            raise _Bad
    if not type_.is_binary:
        return text
    return pc.binary_join_element_wise(_JSONB, text.cast(pa.binary()), b"")


def _texts(raw: pa.Array, type_: Type) -> pa.Array:
    raw.validate(full=True)
    # What a NULL hides is no value, though its letters may still lie there.
    seen = raw.drop_null() if raw.null_count else raw
    if any(b"\0" in bytes(part) for part in text_bytes(seen)):
        raise _Bad
    # Letters are counted only where the bytes are too many.
    is_long = type_.length and (pc.max(pc.binary_length(raw)).as_py() or 0) > type_.length
    if is_long and pc.max(pc.utf8_length(raw)).as_py() > type_.length:
        raise _Bad
    return raw


def text_bytes(values: pa.Array) -> list[memoryview]:
    """The bytes of all values of a text or binary column, one after another."""
    _valid, offsets, data = values.buffers()
    if data is None:
        return []
    ends = memoryview(offsets).cast("i")
    return [memoryview(data)[ends[values.offset] : ends[values.offset + len(values)]]]


def _blobs(raw: pa.Array, _type: Type) -> pa.Array:
    return raw


_WHOLE: dict[Kind, Callable[[pa.Array, Type], pa.Array]] = {
    Kind.INTEGER: _integers, Kind.BOOLEAN: _booleans, Kind.REAL: _reals, Kind.NUMERIC: _numerics,
    Kind.DATE: _dates, Kind.TIME: _times, Kind.TIMESTAMP: _timestamps, Kind.INSTANT: _instants,
    Kind.UUID: _uuids, Kind.JSON: _jsons, Kind.TEXT: _texts, Kind.BLOB: _blobs,
}  # fmt: skip


# -- one value at a time -----------------------------------------------------------------------


def _codes(raw: pa.Array, type_: Type) -> pa.Array:
    """What is wrong with each value; every different value is looked at once."""
    if pa.types.is_string(raw.type):
        raw = raw.cast(pa.binary())
    known: dict[Any, str | None] = {None: None}
    found = []
    for value in raw.to_pylist():
        if value not in known:
            known[value] = _code(value, raw.type, type_)
        found.append(known[value])
    return pa.array(found, pa.string())


def _code(value: Any, stored: pa.DataType, type_: Type) -> str | None:
    if isinstance(value, bytes) and type_.kind is not Kind.BLOB:
        code = _text_code(value, type_)
        if code:
            return code
        one = pa.array([value.decode()], pa.string())
    else:
        one = pa.array([value], stored)
    try:
        _whole(one, type_)
    except (_Bad, pa.ArrowInvalid, ValueError, OverflowError):
        return _CODES.get(type_.kind, "out_of_range")
    return None


def _text_code(value: bytes, type_: Type) -> str | None:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "not_utf8"
    if "\0" in text:
        return "nul"
    if type_.kind is Kind.TEXT and type_.length and len(text) > type_.length:
        return "too_long"
    return None


_CODES = {
    Kind.BOOLEAN: "not_boolean", Kind.DATE: "not_date", Kind.TIME: "not_time",
    Kind.TIMESTAMP: "not_moment", Kind.INSTANT: "not_moment", Kind.UUID: "not_uuid",
    Kind.JSON: "not_json", Kind.NUMERIC: "digits",
}  # fmt: skip


# -- mending -----------------------------------------------------------------------------------


def _mended_column(raw: pa.Array, codes: pa.Array, type_: Type) -> pa.Array:
    values = (raw.cast(pa.binary()) if pa.types.is_string(raw.type) else raw).to_pylist()
    pairs = zip(values, codes.to_pylist(), strict=True)
    made = [value if code is None else mended(value, code, type_) for value, code in pairs]
    return pa.array(made, pa.binary() if pa.types.is_string(raw.type) else raw.type).cast(raw.type)


def mended(value: Any, code: str, type_: Type) -> Any:
    """The value without its fault: NULs are taken out, broken letters become U+FFFD, a broken JSON
    becomes a JSON text of the same letters, digits too many are rounded; None for the rest."""
    if code in {"nul", "not_utf8"}:
        text = value.decode(errors="replace").replace("\0", "").encode()
        return text if _code(text, pa.binary(), type_) is None else None
    if code == "not_json":
        return orjson.dumps(value.decode(errors="replace").replace("\0", ""))
    if code == "digits":
        rounded = round(value, type_.scale)
        return rounded if _code(rounded, pa.float64(), type_) is None else None
    return None
