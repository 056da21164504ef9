"""`kill -9` at every named step of writing, replacing, deleting, copying and repairing: once the
house is at work again nothing is lost, nothing dangles, nothing lies about, every byte is counted."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.files.killing.points import POINTS

ROOT = Path(__file__).parents[3]
MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def problems() -> dict[str, list[str]]:
    """{point: what was not in order}, of one run over all of them."""
    # A killed process loses nothing it has written, wherever it lies: no need to wait for a disk.
    quick = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=quick) as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.files.killing", folder],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(line) for line in done.stdout.splitlines())


def test_no_point_is_named_twice() -> None:
    names = [point.name for point in POINTS]
    assert len(names) == len(set(names)) >= 20


@pytest.mark.parametrize("name", [point.name for point in POINTS])
def test_killed_there_the_house_is_in_order_again(
    name: str, problems: dict[str, list[str]]
) -> None:
    assert problems[name] == []
