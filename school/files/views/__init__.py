"""The file pages, uploads and downloads."""

from __future__ import annotations

from school.files.views import downloads, held, pages, photos
from school.files.views.blueprint import bp as bp

__all__ = ["bp", "downloads", "held", "pages", "photos"]
