"""File names in Content-Disposition, in every script (RFC 6266, RFC 8187)."""

from __future__ import annotations

from urllib.parse import quote

from werkzeug.http import dump_options_header


def content_disposition(disposition: str, filename: str) -> str:
    """RFC 6266: a plain name for old programs, the real one in UTF-8."""
    plain = filename.encode("ascii", "ignore").decode().replace('"', "").strip() or "file"
    header = dump_options_header(disposition, {"filename": plain})
    if plain == filename:
        return header
    return f"{header}; filename*=UTF-8''{quote(filename, safe='')}"
