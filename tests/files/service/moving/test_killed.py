"""`kill -9` at every named step of a move: another process goes on, and everything lies in one place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import POSTGRES_URL
from tests.files.service.moving.killed import POINTS

ROOT = Path(__file__).parents[4]
# What a crash leaves in the rows is the same on both databases; PostgreSQL shows that for some.
NAMES = [point.name for point in (POINTS[::6] if POSTGRES_URL else POINTS)]


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """{point: what was not in order}, of one run over all of them."""
    folder = tmp_path_factory.mktemp("killed_moves")
    done = subprocess.run(
        [sys.executable, "-m", "tests.files.service.moving.killed", str(folder), *NAMES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.parametrize("name", NAMES)
def test_killed_there_the_move_goes_on(name: str, problems: dict[str, list[str]]) -> None:
    assert problems[name] == []
