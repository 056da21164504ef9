"""Where files are put in this installation, and how large they may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from school.storage.container import KeyRing
from school.storage.protocol import StorageProvider


@dataclass(frozen=True, slots=True)
class Shelf:
    """The storage provider in use, and the installation's limits and keys."""

    provider: StorageProvider
    most_bytes: int
    signing_keys: tuple[str, ...]
    # Wrap the keys of sensitive content.
    keys: KeyRing
    # Purposes whose files count only once every place has them.
    both_for: frozenset[str] = frozenset()
    # Where the virus scanner listens; empty: there is none.
    scanner_url: str = ""


_find: list[Callable[[], Shelf]] = []


def connect(find: Callable[[], Shelf]) -> None:
    """Name what finds the shelf of the application at work."""
    _find[:] = [find]


def shelf() -> Shelf:
    """The shelf of the application at work. Raises RuntimeError before `connect`."""
    if not _find:
        raise RuntimeError("No storage is connected.")
    return _find[0]()
