"""Addresses of storages as places: which are the same, and what each is called in the rows.

A location's row names its provider by a short name (local, s3 …). Two places of one kind need two
names, and whatever STORAGE_URL says later, a place keeps the name that its rows use: the row of the
last move says which address has which.
"""

from __future__ import annotations

from collections.abc import Collection
from posixpath import normpath
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from school.files.models import MoveStep

_KINDS = {"file": "local", "s3": "s3", "gs": "gcs"}


class Move(NamedTuple):
    """A move as its row says, without the row."""

    step: str
    source: str
    target: str
    source_url: str
    target_url: str

    @property
    def is_open(self) -> bool:
        return self.step not in {MoveStep.DONE, MoveStep.ROLLED_BACK}

    @property
    def home(self) -> str:
        """The address where files lie once the move has ended this way."""
        return self.target_url if self.step == MoveStep.DONE else self.source_url

    def name_of(self, url: str) -> str | None:
        """What this address is called; None where it cannot be one of the two places.

        A third address of the kind of where files lie is that place moved by hand: its rows came
        along.
        """
        if is_same(url, self.source_url):
            return self.source
        if is_same(url, self.target_url):
            return self.target
        home = self.target if self.step == MoveStep.DONE else self.source
        return home if kind_of(url) == kind_of(self.home) else None


class _Where(NamedTuple):
    scheme: str
    bucket: str
    folder: str
    options: tuple[tuple[str, str], ...]


def kind_of(url: str) -> str:
    """What a place with this address is called when there is no other of its kind."""
    return _KINDS[urlsplit(url).scheme]


def is_same(one: str, other: str) -> bool:
    """Both addresses name one place."""
    return _where(one) == _where(other)


def overlap(one: str, other: str) -> bool:
    """One of the places lies inside the other, or they are the same."""
    here, there = _where(one), _where(other)
    if here[:2] != there[:2] or here.options != there.options:
        return False
    first, second = sorted((f"{here.folder}/", f"{there.folder}/"), key=len)
    return second.startswith(first) or first == "/"


def new_name(url: str, taken: Collection[str]) -> str:
    """A name for a new place, such as s3, or s3-2 where that is taken."""
    kind = kind_of(url)
    number = 1
    while (name := kind if number == 1 else f"{kind}-{number}") in taken:
        number += 1
    return name


def _where(url: str) -> _Where:
    parts = urlsplit(url)
    folder = normpath("/" + unquote(parts.path).strip("/")).strip("/")
    return _Where(parts.scheme, parts.netloc, folder, tuple(sorted(parse_qsl(parts.query))))
