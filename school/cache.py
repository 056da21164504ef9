"""Numbers worth remembering for a moment, per school, never older than a person's own write.

A school's entries carry its generation; `forget` raises the generation after commit, so that
everything remembered under the old one is simply not found again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import IO, Any, TypeVar, cast
from uuid import UUID, uuid4

from flask import Flask
from flask_caching import Cache

from school.db import after_commit

cache = Cache()
T = TypeVar("T")
_GENERATION_S = 7 * 24 * 3600


class JsonSerializer:
    """How remembered values are kept: JSON, so that whoever can write to the cache's files or
    to Redis can at most change a number, never run code (the default is pickle)."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value, separators=(",", ":")).encode()

    def loads(self, data: bytes | None) -> Any:
        try:
            return json.loads(data) if data else None
        except ValueError:
            return None

    def dump(self, value: Any, file: IO[bytes], **_options: Any) -> None:
        file.write(self.dumps(value))

    def load(self, file: IO[bytes]) -> Any:
        return self.loads(file.read())


def init_cache(app: Flask, *, redis_url: str, folder: str) -> None:
    """Redis where there is one, files otherwise."""
    config = (
        {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": redis_url, "CACHE_KEY_PREFIX": "school:"}
        if redis_url
        else {
            "CACHE_TYPE": "FileSystemCache",
            "CACHE_DIR": folder,
            "CACHE_THRESHOLD": 20_000,
            "CACHE_OPTIONS": {"mode": 0o600},
        }
    )
    cache.init_app(app, config={**config, "CACHE_DEFAULT_TIMEOUT": 60})
    app.extensions["cache"][cache].serializer = JsonSerializer()


def remember(
    owner: UUID | str, topic: str, key: str, make: Callable[[], T], *, seconds: int = 60
) -> T:
    """The remembered value, or `make()` remembered for `seconds`.

    `owner` is the school (or the person) it belongs to; `topic` (such as "students") is what
    `forget` clears; values are JSON.
    """
    place = f"{owner}:{topic}:{_generation(owner, topic)}:{key}"
    found = cache.get(place)
    if found is None:
        found = [make()]
        cache.set(place, found, timeout=seconds)
    return cast("list[T]", found)[0]


def forget(owner: UUID | str, topic: str) -> None:
    """Once the open transaction commits, nothing of this topic is remembered any more."""
    after_commit(partial(_renew, owner, topic))


def _generation(owner: UUID | str, topic: str) -> str:
    found = cache.get(f"generation:{owner}:{topic}")
    return str(found) if found else _renew(owner, topic)


def _renew(owner: UUID | str, topic: str) -> str:
    generation = uuid4().hex
    cache.set(f"generation:{owner}:{topic}", generation, timeout=_GENERATION_S)
    return generation
