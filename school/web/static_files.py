"""Static files may be kept for a year: their address changes with their content."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask

from school.web.access import Access, declare_library_routes


def init_static_files(app: Flask) -> None:
    """Anybody may read them; `?v=<digest>` stands in every address of one."""
    folder = Path(app.static_folder or "")
    declare_library_routes(app, {"static": Access("public")})

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and "filename" in values and "v" not in values:
            version = _digest(folder / values["filename"])
            if version:
                values["v"] = version


@lru_cache(maxsize=512)
def _digest(path: Path) -> str | None:
    return sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else None
