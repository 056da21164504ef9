"""The storage that this process uses now: while files move to another, that changes by itself."""

from __future__ import annotations

from flask import current_app

from school.storage.protocol import StorageProvider


def storage_in_use() -> StorageProvider:
    """Ask again each time: what it gives is right for one piece of work."""
    extensions = current_app.extensions
    provider: StorageProvider = extensions["school.follower"].in_use(extensions["school.storage"])
    return provider
