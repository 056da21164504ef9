"""One piece of import work in a process of its own, killed at a chosen moment.

python -m tests.roster.killed_import FOLDER DATABASE_URL JOB_ID MOMENT

MOMENT n > 0 kills before the n-th bulk statement; 0 lets it run to the end.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from uuid import UUID

from school.app import create_app
from school.jobs import queue
from school.roster.service import bulk
from tests.conftest import settings_for


def kill_before(moment: int) -> None:
    counted = 0

    def counting(send):
        def sent(*args):
            nonlocal counted
            counted += 1
            if counted == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return send(*args)

        return sent

    bulk._send_tuples = counting(bulk._send_tuples)
    bulk._send_arrays = counting(bulk._send_arrays)


if __name__ == "__main__":
    folder, url, job_id, moment = sys.argv[1:]
    kill_before(int(moment))
    app = create_app(settings_for(Path(folder), url))
    queue.run(app.app_context, UUID(job_id))
    print("done")
