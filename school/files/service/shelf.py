"""Where files are put in this installation, and how large they may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from school.files.service.moving.following import Follower
from school.storage.container import KeyRing
from school.storage.protocol import StorageProvider


@dataclass(frozen=True, slots=True)
class Shelf:
    """The storage provider in use, and the installation's limits and keys."""

    provider: StorageProvider
    # Knows of a move to another storage.
    follower: Follower
    most_bytes: int
    signing_keys: tuple[str, ...]
    # Wrap the keys of sensitive content.
    keys: KeyRing
    # Purposes whose files count only once every place has them.
    both_for: frozenset[str] = frozenset()
    # Where the virus scanner listens; empty: there is none.
    scanner_url: str = ""
    # The space of each school, and of each person in it, that has no limit of its own; 0: none.
    school_bytes: int = 0
    person_bytes: int = 0
    # Days after which what lies in the trash is deleted for good.
    trash_days: int = 30
    # Pages send files straight to the cloud, where it is one.
    sends_direct: bool = False


_find: list[Callable[[], Shelf]] = []


def connect(find: Callable[[], Shelf]) -> None:
    """Name what finds the shelf of the application at work."""
    _find[:] = [find]


def shelf() -> Shelf:
    """The shelf of the application at work. Raises RuntimeError before `connect`."""
    if not _find:
        raise RuntimeError("No storage is connected.")
    return _find[0]()
