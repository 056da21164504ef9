"""Run by test_reconciling.py in a process of its own, which is killed (SIGKILL) on the way."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from school.app import create_app
from school.files.service.reconciling import mending, reconcile
from school.storage.local import LocalStorage
from tests.conftest import settings_for


def die(*_args: Any, **_more: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(folder: str, url: str, step: str) -> None:
    """`step`: "delete" dies with the copy made, "forget_strays" with the original gone."""
    app = create_app(settings_for(Path(folder) / "data", url))
    app.extensions["school.storage"] = LocalStorage(
        Path(folder) / "own", signing_keys=["k" * 40], public_base_url="http://c"
    )
    where: Any = LocalStorage if step == "delete" else mending
    setattr(where, step, die)
    with app.app_context():
        reconcile()


if __name__ == "__main__":
    main(*sys.argv[1:])
