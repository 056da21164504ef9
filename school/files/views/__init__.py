"""The file pages, uploads and downloads."""

from __future__ import annotations

from school.files.views import (
    downloads,
    folders,
    held,
    history,
    holds,
    open_links,
    owners,
    pages,
    photos,
    places,
    retention,
    sharing,
    thumbnails,
    trash,
    tus,
    uploads,
    usage,
)
from school.files.views.blueprint import bp as bp

__all__ = [
    "bp",
    "downloads",
    "folders",
    "held",
    "history",
    "holds",
    "open_links",
    "owners",
    "pages",
    "photos",
    "places",
    "retention",
    "sharing",
    "thumbnails",
    "trash",
    "tus",
    "uploads",
    "usage",
]
