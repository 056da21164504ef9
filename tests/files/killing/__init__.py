"""Real processes, killed with SIGKILL at named steps, and the house found in order afterwards.

`points` lists the steps, one line each; `house` is the installation they happen in, `order` says
what must be true once the house is at work again. A new path is a function in `points` with one
`yield` (before it: what was there; behind it: what is killed) and a line for each of its steps.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
MEMORY = Path("/dev/shm")


def problems_of(program: str, *words: str) -> dict[str, list[str]]:
    """{point: what was not in order}, of one run of `program` over its points."""
    # A killed process loses nothing it has written, wherever it lies: no need to wait for a disk.
    quick = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=quick) as folder:
        done = subprocess.run(
            [sys.executable, "-m", program, folder, *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(line) for line in done.stdout.splitlines())
