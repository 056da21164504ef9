"""Run by test_uploading.py in a process of its own, which is killed (SIGKILL) on the way."""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from school.app import create_app
from school.files.queries import find_person
from school.files.service import keeping
from school.files.service.uploading import arriving, finishing
from school.storage.local import LocalStorage
from school.tenancy.scope import school_scope
from tests.conftest import settings_for


def die(*_args: Any, **_more: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(folder: str, url: str, school: str, user: str, upload: str, step: str) -> None:
    """`step`: where it dies. "_count" and "_store" bring the piece in `folder`/piece."""
    app = create_app(settings_for(Path(folder) / "data", url))
    app.extensions["school.storage"] = LocalStorage(
        Path(folder) / "own", signing_keys=["k" * 40], public_base_url="http://c"
    )
    with app.app_context(), school_scope(UUID(school)):
        person = find_person(UUID(user), UUID(school))
        assert person is not None
        if step in {"_store", "_count"}:
            setattr(arriving, step, die)
            piece = (Path(folder) / "piece").read_bytes()
            with arriving.spooled(io.BytesIO(piece)) as spooled:
                arriving.append(person, UUID(upload), spooled, offset=0)
        else:
            where: Any = finishing if step == "_settle" else keeping
            setattr(where, step, die)
            finishing.finish(UUID(upload))


if __name__ == "__main__":
    main(*sys.argv[1:])
