"""The one answer for what is not there, and how much is read at most."""

from __future__ import annotations

from school.errors import NotFound

MOST_LISTED = 500

DEEPEST = 20
"""So many folders lie in one another at most."""

MOST_VERSIONS = 1_000_000
"""No file has more; a longer number does not fit into every database's column."""

PHOTO = "photo"


def file_gone() -> NotFound:
    """The one answer for a file that is not there, hidden, or another school's."""
    return NotFound("This file is not here.")
