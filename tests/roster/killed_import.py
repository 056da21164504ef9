"""One piece of import work in a process of its own, killed at a chosen moment.

python -m tests.roster.killed_import FOLDER DATABASE_URL JOB_ID MOMENT

MOMENT n > 0 kills before the n-th bulk statement, "sn" before the n-th statement that writes
anything but the job's own row; 0 lets it run to the end.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from school.app import create_app
from school.jobs import queue
from school.roster.service import bulk
from tests.conftest import settings_for


class Killer:
    """Ends this process at the n-th `step`."""

    def __init__(self, moment: int) -> None:
        self.left = moment

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, send):
        def sent(*args):
            self.step()
            return send(*args)

        return sent


def kill_before(moment: str) -> None:
    killer = Killer(int(moment.removeprefix("s")))
    if not moment.startswith("s"):
        bulk._send_tuples = killer.before(bulk._send_tuples)
        bulk.send_arrays = killer.before(bulk.send_arrays)
        return

    @sa.event.listens_for(sa.Engine, "before_cursor_execute")
    def count(_connection, _cursor, statement, *_rest):
        words = statement.split(None, 3)
        if words[0] in {"INSERT", "UPDATE", "DELETE"} and "job" not in words[1:3]:
            killer.step()


if __name__ == "__main__":
    folder, url, job_id, moment = sys.argv[1:]
    kill_before(moment)
    app = create_app(settings_for(Path(folder), url))
    queue.run(app.app_context, UUID(job_id))
    print("done")
