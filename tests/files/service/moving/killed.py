"""Kill a process at each point of a move, go on in another, and say what is not in order.

    python -m tests.files.service.moving.killed FOLDER [NAME OF A POINT …]

As tests.files.killing does it: the application is loaded once; then each point is two processes by
fork. Prints one JSON line for each point.
"""

from __future__ import annotations

import gc
import io
import json
import shutil
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Flask

from school import clock
from school.accounts.service.profile import set_avatar
from school.db import db, transaction
from school.files import queries
from school.files.models import BlobLocation, MoveStep, StorageMove, StorageTask
from school.files.service.moving import alive, beginning, following, running
from school.files.service.moving.books import take_move
from school.jobs import queue
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from school.web.storage import storage_in_use
from tests.conftest import _empty, make_app, make_member
from tests.files.killing.__main__ import problems_at
from tests.files.killing.house import House, Point, digest_of
from tests.files.samples import picture

MOVING = "files.service.moving"
CARRYING = f"{MOVING}.carrying"
RUNNING = f"{MOVING}.running"


class Moving(House):
    """From `local` to `cloud`, which are both folders."""

    def __init__(self, app: Flask, folder: Path) -> None:
        self.app = app
        self.folder = folder
        self.local: Any = app.extensions["school.storage"]
        self.cloud: Any = app.extensions["school.follower"].place(
            self.local, self.target_url, "local-2"
        )
        self.owner = None

    @property
    def target_url(self) -> str:
        return (self.folder / "new").as_uri()

    def begin(self) -> None:
        beginning.begin(self.target_url)

    def avatar(self) -> None:
        with transaction():
            set_avatar(make_member(None, None), io.BytesIO(picture()), storage=storage_in_use())

    def empty(self) -> None:
        super().empty()
        self.app.extensions["school.follower"].forget()


def a_week_goes_by() -> None:
    with transaction() as session:
        session.execute(sa.update(StorageMove).values(switched_at=clock.now() - timedelta(days=8)))
    db.session.remove()


def to_the_target(house: Moving) -> Iterator[None]:
    """Copy, compare, switch."""
    house.file()
    house.file(purpose="medical")
    house.avatar()
    yield
    house.begin()
    running.go_on()


def empty_the_source(house: Moving) -> Iterator[None]:
    """After the soak."""
    house.file()
    house.avatar()
    house.begin()
    running.go_on()
    house.file(purpose="medical")
    a_week_goes_by()
    yield
    running.finish()


def way_back(house: Moving) -> Iterator[None]:
    """Rolled back, with files that came in meanwhile."""
    house.file()
    house.avatar()
    house.begin()
    running.go_on()
    house.file(purpose="medical")
    yield
    running.roll_back()


POINTS = [
    Point("begin 1: the row is not committed", to_the_target, "commit"),
    Point("begin 2: it is", to_the_target, f"{RUNNING}:go_on"),
    Point("copy 1: planned, not committed", to_the_target, f"{CARRYING}:plan_copies_from", after=True),
    Point("copy 2: planned", to_the_target, f"{CARRYING}:_copies_behind"),
    Point("copy 3: before the first byte", to_the_target, "cloud.put", turn=2),
    Point("copy 4: it lies there, not noted", to_the_target, "cloud.put", after=True, turn=2),
    Point("copy 5: noted, not committed", to_the_target, f"{CARRYING}:note_copies", after=True),
    Point("copy 6: one of two made", to_the_target, f"{CARRYING}:put_copy", after=True),
    Point("copy 6b: both made and noted", to_the_target, f"{CARRYING}:_carry", after=True),
    Point("copy 7: the pictures of accounts", to_the_target, f"{MOVING}.loose:_bring", after=True),
    Point("compare 1: all copied, the step not changed", to_the_target, f"{RUNNING}:change_step"),
    Point("compare 2: changed, not committed", to_the_target, f"{MOVING}.books:record_platform"),
    Point("compare 3: the step is changed", to_the_target, f"{RUNNING}:change_step", after=True),
    Point("compare 4: one of two read again", to_the_target, f"{CARRYING}:read_through", after=True),
    Point("compare 5: read, not noted", to_the_target, f"{CARRYING}:_note"),
    Point("switch 1: before", to_the_target, f"{RUNNING}:change_step", turn=2),
    Point("switch 2: after", to_the_target, f"{RUNNING}:change_step", after=True, turn=2),
    Point("delete 1: the step not changed", empty_the_source, f"{RUNNING}:change_step"),
    Point("delete 2: the step is changed", empty_the_source, f"{RUNNING}:change_step", after=True),
    Point("delete 3: decided, not committed", empty_the_source, f"{CARRYING}:tasks_later", after=True),
    Point("delete 4: decided", empty_the_source, f"{CARRYING}:_decide", after=True),
    Point("delete 5: before the first object goes", empty_the_source, "local.delete"),
    Point("delete 6: gone, not noted", empty_the_source, "local.delete", after=True),
    Point("delete 7: the pictures of accounts", empty_the_source, f"{MOVING}.loose:_check_same", after=True),
    Point("delete 8: all gone, the step not changed", empty_the_source, f"{RUNNING}:change_step", turn=2),
    Point("delete 9: done", empty_the_source, f"{RUNNING}:change_step", after=True, turn=2),
    Point("back 1: the step is changed", way_back, f"{RUNNING}:change_step", after=True),
    Point("back 2: the copy at the source is made", way_back, "local.put", after=True),
    Point("back 3: decided", way_back, f"{CARRYING}:_decide", after=True),
    Point("back 4: gone at the target, not noted", way_back, "cloud.delete", after=True),
    Point("back 5: all gone, the step not changed", way_back, f"{RUNNING}:change_step", turn=2),
]  # fmt: skip


def main(folder: Path, *names: str) -> None:
    following.MEMORY_S = following.BARRIER_S = 0.0
    alive.FRESH = timedelta(0)  # nobody waits until the killed one counts as gone
    old = folder / "old"
    for place in (old, folder / "new"):
        place.mkdir()
    with make_app(folder, storage_url=old.as_uri()) as app:
        queue.connect(lambda _job_id: None)  # the jobs' table is enough
        house = Moving(app, folder)
        _warm_up(house)
        for point in POINTS:
            if point.name in names or not names:
                _empty(app)
                house.empty()
                print(json.dumps([point.name, problems_at(point, house, _go_on)]), flush=True)
    shutil.rmtree(folder / "new")


def _warm_up(house: Moving) -> None:
    """What is loaded and compiled on first use is so for all processes; none shares a connection."""
    for path in (empty_the_source, way_back):
        _empty(house.app)
        house.empty()
        with house.at_work():
            list(path(house))
    with house.app.app_context():
        db.session.remove()
        db.engine.dispose()
    gc.freeze()  # looking for garbage would copy every page of memory into every child


def _go_on(house: Moving) -> list[str]:
    """As an operator would, by what the command says."""
    with house.app.app_context():
        move = take_move()
        if move is None:
            house.begin()
        if move is None or move.finished_at is None:
            running.go_on()
        move = take_move()
        assert move is not None
        if move.step == MoveStep.SOAKING:
            a_week_goes_by()
            running.finish()
        return list(_disorder(house))


def _disorder(house: Moving) -> Iterator[str]:
    move = take_move()
    if move is None or move.finished_at is None:
        yield f"The move did not end: {move and (move.step, move.counts)}"
        return
    home, left = house.local, house.cloud
    if move.step == MoveStep.DONE:
        home, left = left, home
    school_id = db.session.scalars(sa.select(School.id)).one()
    db.session.remove()
    with school_scope(school_id):
        yield from _disorder_of_rows(house, home.name)
        keys = set(db.session.scalars(sa.select(BlobLocation.key)))
    lie = {info.key for info in home.list("blob/")}
    if lie != keys:
        yield f"Objects {sorted(lie - keys)} too many, {sorted(keys - lie)} too few."
    if rest := sorted(info.key for info in left.list("")):
        yield f"Left behind: {rest}"
    if len(list(home.list("avatars/"))) != 1:
        yield "The picture of the account is gone."


def _disorder_of_rows(house: Moving, home: str) -> Iterator[str]:
    for file_id, versions in house.promises().items():
        for number, wanted in versions.items():
            content = queries.get_content(queries.get_file(UUID(file_id)), int(number))
            if digest_of(content) != wanted:
                yield f"{file_id} has other bytes."
    rows = set(db.session.execute(sa.select(BlobLocation.provider, BlobLocation.state)))
    if {tuple(row) for row in rows} != {(home, "present")}:
        yield f"Rows: {rows}"
    if db.session.scalar(sa.select(sa.func.count()).select_from(StorageTask)):
        yield "Tasks are left."


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
