"""Kill a process at each point, start the house again, and say what is not in order.

    python -m tests.files.killing FOLDER [WORDS OF A POINT'S NAME]

The application is loaded and warmed up once; then each point is two processes by fork: the one
that is killed, and the one that comes after it. Prints one JSON line for each point.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from school.db import db
from school.jobs import queue
from tests.conftest import _empty, make_app
from tests.files.killing.house import House, Point
from tests.files.killing.order import disorder
from tests.files.killing.points import POINTS

H = TypeVar("H", bound=House)
LONGEST_S = 60


def main(folder: Path, words: str = "") -> None:
    cloud = (folder / "cloud").as_uri()
    with make_app(folder, storage_copy_url=cloud, storage_both_for="medical") as app:
        house = House(app, folder)
        _warm_up(house)
        for point in POINTS:
            if words in point.name:
                _empty(app)
                house.empty()
                print(json.dumps([point.name, problems_at(point, house, _start_again)]), flush=True)


def _warm_up(house: House) -> None:
    """What is loaded and compiled on first use is so for all processes; none shares a connection."""
    queue.connect(lambda _job_id: None)  # the jobs' table is enough
    with house.at_work():
        house.file()
        house.file(purpose="medical")
    house.restart()
    if found := disorder(house):
        raise AssertionError(found)
    with house.app.app_context():
        db.session.remove()
        db.engine.dispose()
    gc.freeze()  # looking for garbage would copy every page of memory into every child


def problems_at(point: Point, house: H, go_on: Callable[[H], list[str]]) -> list[str]:
    """What is not in order when a process was killed there: `go_on`, in another, says so."""
    told = house.folder / "told.json"
    told.write_text("[]")
    ended = _in_a_process(lambda: _be_killed(house, point), told)
    if ended != -signal.SIGKILL:
        return [f"It was not killed there ({ended}).", *json.loads(told.read_text())]
    ended = _in_a_process(lambda: told.write_text(json.dumps(go_on(house))), told)
    return json.loads(told.read_text()) or ([] if ended == 0 else [f"It ended with {ended}."])


def _be_killed(house: House, point: Point) -> None:
    with house.at_work():
        steps = point.path(house)
        next(steps)
        house.arm(point)
        next(steps, None)


def _start_again(house: House) -> list[str]:
    house.restart()
    return disorder(house)


def _in_a_process(act: Callable[[], object], told: Path) -> int:
    """How it ended: its exit code, or minus the signal."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.alarm(LONGEST_S)
    try:
        act()
    except BaseException:
        told.write_text(json.dumps([traceback.format_exc()]))
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
