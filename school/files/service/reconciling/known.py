"""Who knows which keys: files by their rows, other domains by a function they name here.

Objects whose beginning nobody has named are nobody's here: they are counted and left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from school.accounts.models import User
from school.db import db
from school.files.models import BlobLocation, StorageTask, UploadPart
from school.files.service.uploading.ending import PIECES

Ask = Callable[[Collection[str]], set[str]]
"""Which of these keys are still wanted."""
FILES = "blob/"
ON_THE_WAY = f"{PIECES}/"
"""Pieces of uploads that are not files yet."""
AT_ONCE = 500


class _Domain(NamedTuple):
    ask: Ask
    in_each_school: bool


_domains: dict[str, _Domain] = {}


def know_keys(prefix: str, ask: Ask, *, in_each_school: bool) -> None:
    """A domain answers for all keys that begin so: asked once in the scope of each school, or
    once outside all of them."""
    _domains[prefix] = _Domain(ask, in_each_school)


def is_ours(key: str) -> bool:
    """Somebody answers for keys like this one."""
    return key.startswith((FILES, ON_THE_WAY, *_domains))


def other_prefixes() -> tuple[str, ...]:
    """How the keys begin of what other domains keep without rows of ours."""
    return tuple(_domains)


def wanted_here(provider: str, keys: Collection[str]) -> set[str]:
    """Keys that the school in scope knows: rows, open tasks, domains of schools."""
    wanted: set[str] = set()
    for some in _some(keys):
        wanted |= _of_files(provider, some) | _of_domains(some, in_each_school=True)
    return wanted


def wanted_outside(keys: Collection[str]) -> set[str]:
    """Keys that belong to no school; asked outside all of them."""
    wanted: set[str] = set()
    for some in _some(keys):
        wanted |= _of_domains(some, in_each_school=False)
    return wanted


def _of_files(provider: str, keys: list[str]) -> set[str]:
    found: set[str] = set()
    for table in (BlobLocation, StorageTask, UploadPart):
        query = sa.select(table.key).where(table.provider == provider, table.key.in_(keys))
        found.update(db.session.scalars(query))
    return found


def _of_domains(keys: list[str], *, in_each_school: bool) -> set[str]:
    wanted: set[str] = set()
    for prefix, domain in _domains.items():
        theirs = [key for key in keys if key.startswith(prefix)]
        if theirs and domain.in_each_school == in_each_school:
            wanted |= domain.ask(theirs)
    return wanted


def _some(keys: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(keys)
    while some := list(islice(rest, AT_ONCE)):
        yield some


def _avatars(keys: Collection[str]) -> set[str]:
    found = db.session.scalars(sa.select(User.avatar_key).where(User.avatar_key.in_(keys)))
    return {key for key in found if key}


know_keys("avatars/", _avatars, in_each_school=False)
