"""Third-party files are those we locked, the sprite has what pages draw, pages stay light."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from tools import vendor_assets
from tools.vendor_assets import (
    LOCK,
    ROOT,
    VENDOR,
    digest,
    icons_in_python,
    icons_in_sprite,
    icons_used,
)

STATIC = ROOT / "school" / "static"
ENTRIES = json.loads(LOCK.read_text())


@pytest.mark.parametrize("entry", ENTRIES, ids=[e["file"] for e in ENTRIES])
def test_vendored_file_is_the_one_that_was_locked(entry):
    assert digest(ROOT / entry["file"]) == entry["sha256"]
    assert entry["version"]
    assert entry["licence"]


def test_every_vendored_file_is_in_the_lock():
    present = {str(path.relative_to(ROOT)) for path in VENDOR.rglob("*") if path.is_file()}
    assert present - {"school/static/vendor/vendor.lock"} <= {entry["file"] for entry in ENTRIES}


def test_every_package_brings_its_licence():
    licences = {entry["name"] for entry in ENTRIES if "licen" in entry["file"].lower()}
    assert licences == {entry["name"] for entry in ENTRIES}


def test_sprite_has_every_icon_that_pages_use():
    assert icons_used() - icons_in_sprite() == set()


def test_sprite_holds_no_icon_that_nobody_uses():
    assert icons_in_sprite() - icons_used() == set()


def test_icons_named_in_python_are_found():
    source = 'Place("Students", "students.list", "users", None)\nKIND_ICONS = {"pdf": "file-type-pdf"}\nf(icon="x")'
    assert icons_in_python(source) == {"users", "file-type-pdf", "x"}


def test_nothing_is_loaded_from_another_host():
    ours = [*STATIC.glob("*.css"), *STATIC.glob("*.js"), *(ROOT / "school" / "templates").rglob("*.html")]
    outside = re.compile(r"""(?:src|href|@import|url)\s*[=(]?\s*["']?(?:https?:)?//""")
    assert [path.name for path in ours if outside.search(path.read_text())] == []


def test_vendored_styles_name_only_files_that_are_there():
    for sheet in (VENDOR / "inter" / "inter.css", VENDOR / "tabler-layer.css", VENDOR / "tabler-layer.rtl.css"):
        names = re.findall(r"""url\(["']?([^"')?]+)""", sheet.read_text())
        assert names
        assert [name for name in names if not (sheet.parent / name).exists()] == []


def test_addresses_of_vendored_styles_carry_their_version():
    version = next(e["version"] for e in ENTRIES if e["name"] == "@tabler/core")
    assert f"?v={version}" in (VENDOR / "tabler-layer.css").read_text()
    assert f"v='{version}'" in vendor_assets.STYLES.read_text()


def compressed_kib(*names: str) -> float:
    return sum(len(gzip.compress((STATIC / name).read_bytes())) for name in names) / 1024


def test_styles_stay_within_their_budget():
    assert compressed_kib("vendor/tabler.min.css", "vendor/inter/inter.css", "app.css") <= 100


def test_scripts_of_a_page_stay_within_their_budget():
    assert compressed_kib("theme.js", "app.js", "uploads.js", "vendor/htmx.min.js") <= 60


def test_latin_font_stays_small():
    assert (VENDOR / "inter" / "inter-latin-wght-normal.woff2").stat().st_size <= 50 * 1024
