"""JSON that a jsonb keeps, and one way to write it.

A jsonb keeps numbers exactly, but without their exponent and the sign of zero; of names that are
twice in one object only the last; and no NUL.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson

_MOST_DIGITS = 1_000
"""PostgreSQL keeps more, but writes every one of them out."""
_EXACT_DIGITS = 15
"""So many a double holds, whatever they are."""
# May find one inside of a text, too: then the slow way is taken and leads to the same end.
_UNUSUAL_NUMBER = re.compile(r"[0-9][eE]|-0|[0-9.]{16}")


# The same few short ones come again and again.
_SHORT, _REMEMBERED = 250, 4096


class _Lossy(ValueError):
    """A jsonb would change it."""


def is_kept(text: str) -> bool:
    """Whether a jsonb holds it with nothing lost."""
    return _is_kept_short(text) if len(text) <= _SHORT else _is_kept(text)


@lru_cache(_REMEMBERED)
def _is_kept_short(text: str) -> bool:
    return _is_kept(text)


def _is_kept(text: str) -> bool:
    try:
        value = orjson.loads(text)
        written = orjson.dumps(value).decode()
        if written in {text, _without_spaces(text)} and not _is_unusual(text):
            return True
        _STRICT.decode(text)
    except (ValueError, RecursionError):
        # Large numbers are no fault: only orjson cannot hold them.
        return _is_kept_slowly(text)
    return "\\u0000" not in text or not _holds_nul(value)


def _without_spaces(text: str) -> str:
    """As most programs write it, but for the spaces between its parts. Where such stand inside of a
    text, it is another one then, and takes the slow way."""
    return text.replace('": ', '":').replace(", ", ",")


def _is_unusual(text: str) -> bool:
    return "\\u0000" in text or _UNUSUAL_NUMBER.search(text) is not None


def _is_kept_slowly(text: str) -> bool:
    try:
        value = json.loads(
            text, object_pairs_hook=_named_once, parse_float=_number, parse_int=_number,
            parse_constant=_refuse,
        )  # fmt: skip
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError):
        return False
    return not _holds_nul(value)


def _refuse(word: str) -> None:
    raise _Lossy(word)


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _Lossy
    return made


def _number(text: str) -> Decimal:
    """Raises ValueError for one that is too long, or a zero below zero."""
    number = Decimal(text)
    if abs(number.adjusted()) + len(number.as_tuple().digits) > _MOST_DIGITS:
        raise _Lossy
    if number == 0 and text.startswith("-"):
        raise _Lossy
    return number


_STRICT = json.JSONDecoder(object_pairs_hook=_named_once, parse_float=_number, parse_int=_number)


def _holds_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_nul(name) or _holds_nul(one) for name, one in value.items())
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\0" in value


def canonical(text: bytes) -> bytes:
    """With names in order and without spaces, as no two databases write the same value alike."""
    return _canonical_short(text) if len(text) <= _SHORT else _canonical(text)


@lru_cache(_REMEMBERED)
def _canonical_short(text: bytes) -> bytes:
    return _canonical(text)


def _canonical(text: bytes) -> bytes:
    if _UNUSUAL_NUMBER.search(text.decode()):
        return _written(json.loads(text, parse_float=Decimal, parse_int=Decimal)).encode()
    return orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)


def _written(value: Any) -> str:
    if isinstance(value, dict):
        inner = ",".join(f"{_plain(name)}:{_written(value[name])}" for name in sorted(value))
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, Decimal):
        digits = f"{value:f}"
        is_short = len(digits.lstrip("-")) <= _EXACT_DIGITS
        return _plain(orjson.loads(digits)) if is_short else digits
    return _plain(value)


def _plain(value: Any) -> str:
    return orjson.dumps(value).decode()
