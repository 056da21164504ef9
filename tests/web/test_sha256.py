"""A checksum worked out piece by piece in the browser is the one everybody knows."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

STATIC = Path(__file__).parents[2] / "school" / "static"
BLOCK = 1024 * 1024
# Around the edges of what is mixed at once, and of what is read at once.
SIZES = [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, BLOCK - 1, BLOCK, BLOCK + 57]


def content(size: int) -> bytes:
    return bytes((i * i + i // 7) % 251 for i in range(size))


def test_every_length_gives_the_right_checksum(chromium: Any) -> None:
    page = chromium.new_page()
    page.evaluate("window.schoolhouse = {}")
    for script in ("vendor/sha256.min.js", "sha256.js"):
        page.add_script_tag(path=str(STATIC / script))
    found = page.evaluate(
        """(sizes) => Promise.all(sizes.map((size) => {
            const bytes = new Uint8Array(size);
            for (let i = 0; i < size; i += 1) bytes[i] = (i * i + Math.floor(i / 7)) % 251;
            return window.schoolhouse.sha256(new Blob([bytes]));
        }))""",
        SIZES,
    )
    page.close()
    assert found == [sha256(content(size)).hexdigest() for size in SIZES]


def test_a_signal_stops_it(chromium: Any) -> None:
    page = chromium.new_page()
    page.evaluate("window.schoolhouse = {}")
    for script in ("vendor/sha256.min.js", "sha256.js"):
        page.add_script_tag(path=str(STATIC / script))
    said = page.evaluate(
        """() => window.schoolhouse.sha256(new Blob(["a"]), AbortSignal.abort())
            .then(() => "done", (error) => error.name)"""
    )
    page.close()
    assert said == "AbortError"
