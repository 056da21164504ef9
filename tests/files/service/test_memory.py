"""A huge file costs time, not memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MOST_MIB = 24


def test_64_mib_in_and_out_take_a_small_bounded_part_of_that() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.files.service.huge_upload", "64"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["same"]
    assert told["in_mib"] < MOST_MIB, told
    assert told["out_mib"] < MOST_MIB, told
