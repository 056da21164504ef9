"""At night the thumbnails are made that pictures lack: once, a bounded number, whatever breaks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa

from school.db import db, transaction
from school.files import queries
from school.files.models import Blob, BlobDerivative, File, FileVersion
from school.files.service import keeping, trashing
from school.files.service.thumbnails import catching_up, making
from school.files.service.thumbnails.catching_up import make_missing, plan_missing
from school.jobs.models import Job
from school.storage import errors
from tests.factories.files import make_file
from tests.files.conftest import Faulty
from tests.files.samples import picture

_sides = count(20)


def old_picture(student: Any, **more: Any) -> File:
    """A picture from before there were thumbnails: nobody planned one."""
    side = next(_sides)  # other dots each time, or they would be one content
    told = {"filename": f"{side}.png", **more}
    file = make_file(student, picture("PNG", (900, side)), **told)
    with transaction() as session:
        session.execute(sa.delete(Job))
    return file


def small_ones(student: Any) -> dict[Any, bool]:
    rows = queries.list_files("student", student.id).rows
    return {row.id: row.has_thumbnail for row in rows}


def test_those_that_are_missing_are_made_once(student: Any, run_jobs: Callable[[], int]) -> None:
    files = [old_picture(student) for _ in range(3)]
    text = make_file(student)
    assert plan_missing()
    assert not plan_missing()  # one at a time
    run_jobs()

    assert small_ones(student) == {**{file.id: True for file in files}, text.id: False}
    assert not plan_missing()
    assert make_missing() == catching_up.CaughtUp()


def test_a_night_does_so_many_the_newest_first(
    student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [old_picture(student) for _ in range(3)]
    monkeypatch.setattr(catching_up, "MOST_A_NIGHT", 2)

    assert make_missing() == catching_up.CaughtUp(made=2, left=True)
    assert small_ones(student) == {files[0].id: False, files[1].id: True, files[2].id: True}
    assert make_missing() == catching_up.CaughtUp(made=1)

    old_picture(student), old_picture(student)
    monkeypatch.setattr(catching_up, "LONGEST_S", -1)
    assert make_missing() == catching_up.CaughtUp(left=True)


def test_only_what_a_list_shows_gets_one(student: Any) -> None:
    old, gone = old_picture(student), old_picture(student)
    with transaction():
        trashing.trash_file(gone)
    with transaction():
        keeping.archive_file(old)  # put away it still has its page
    photo = old_picture(student, purpose="photo")

    assert make_missing() == catching_up.CaughtUp(made=1)
    (made,) = db.session.scalars(sa.select(BlobDerivative))
    of = sa.select(FileVersion.file_id).where(FileVersion.blob_id == made.blob_id)
    assert db.session.scalars(of).all() == [old.id] != [photo.id]


def test_what_cannot_be_drawn_is_tried_once(student: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    old_picture(student)
    with monkeypatch.context() as broken:
        broken.setattr(making, "_draw", lambda _content: None)
        assert make_missing() == catching_up.CaughtUp(without=1)
    assert make_missing() == catching_up.CaughtUp()


def test_a_lost_picture_does_not_stop_the_others(student: Any, storage: Any) -> None:
    first, lost = old_picture(student), old_picture(student)
    storage.delete(queries.get_content(lost).key)

    assert make_missing() == catching_up.CaughtUp(made=1, without=1)
    assert small_ones(student) == {first.id: True, lost.id: False}


@pytest.mark.parametrize("provider", ["local"], indirect=True)
def test_when_the_store_is_away_it_goes_on_the_next_night(student: Any, faulty: Faulty) -> None:
    old_picture(student), old_picture(student)
    faulty.before_put.append(errors.Unavailable("away"))

    assert make_missing() == catching_up.CaughtUp(left=True)
    assert make_missing() == catching_up.CaughtUp(made=2)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Blob)) >= 4
