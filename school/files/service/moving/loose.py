"""Objects without rows of ours on their way: pictures of accounts, spreadsheets of imports.

Their domains name each by one key and say which they want (reconciling.known); here they are few
and small. Brought over, compared byte by byte, let go. Nothing is written down: what lies where is
seen by asking.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, cast
from uuid import UUID

from school.db import db
from school.files.service.moving.books import Books, Problem
from school.files.service.moving.carrying import Failures, Way
from school.files.service.reconciling.known import (
    AT_ONCE,
    other_prefixes,
    wanted_here,
    wanted_outside,
)
from school.files.service.reconciling.schools import all_schools
from school.storage.errors import AlreadyExists, IntegrityError, NotFound, StorageError, describe
from school.storage.hashing import BlockStream, CountingReader
from school.storage.protocol import StorageProvider
from school.tenancy.scope import school_scope

_TYPE = "application/octet-stream"


def bring_loose(way: Way, books: Books) -> None:
    """Copy what is wanted and not there yet; compare what is. Raises Away."""
    failures = Failures()
    for key in _wanted(way.leave):
        try:
            _bring(key, way)
        except NotFound:
            continue  # replaced or removed since it was listed
        except StorageError as error:
            kind = Problem.DAMAGED if isinstance(error, IntegrityError) else Problem.NOT_COPIED
            books.trouble(kind, key, school_id=None, detail=describe(error))
            failures.one(error)
        else:
            failures.none()


def empty_loose(way: Way, books: Books) -> None:
    """Delete at the place that is left what lies at the keeper byte for byte. Raises Away."""
    failures = Failures()
    for key in _wanted(way.leave):
        try:
            _check_same(key, way)
            way.leave.delete(key)
        except NotFound:
            continue
        except StorageError as error:
            books.trouble(Problem.NOT_DELETED, key, school_id=None, detail=describe(error))
            failures.one(error)
        else:
            failures.none()


def count_loose(way: Way) -> int:
    """Objects that are wanted and still lie at the place that is left. Raises StorageError."""
    return sum(1 for _ in _wanted(way.leave))


def _bring(key: str, way: Way) -> None:
    info = way.leave.stat(key)
    try:
        with way.leave.open(key) as blocks:
            way.keep.put(
                key,
                cast("BinaryIO", BlockStream(blocks)),
                size=info.size_bytes,
                content_type=info.content_type or _TYPE,
            )
    except AlreadyExists:
        _check_same(key, way)


def _check_same(key: str, way: Way) -> None:
    """Raises IntegrityError where the two places hold other bytes, NotFound where one has none."""
    if _digest(way.leave, key) != _digest(way.keep, key):
        raise IntegrityError("The two places hold other bytes under this key.", key=key)


def _digest(provider: StorageProvider, key: str) -> str:
    with provider.open(key) as blocks:
        reader = CountingReader(cast("BinaryIO", BlockStream(blocks)))
        for _ in reader.blocks():
            pass
    return reader.sha256


def _wanted(provider: StorageProvider) -> Iterator[str]:
    """Keys of other domains that lie here and that somebody names. Raises StorageError."""
    schools = all_schools()
    for prefix in other_prefixes():
        objects = provider.list(prefix)
        while keys := {info.key for info in islice(objects, AT_ONCE)}:
            yield from sorted(_named(provider.name, keys, schools))


def _named(provider: str, keys: set[str], schools: list[UUID]) -> set[str]:
    wanted = wanted_outside(keys)
    for school_id in schools:
        with school_scope(school_id):
            wanted |= wanted_here(provider, keys)
    db.session.remove()
    return wanted
