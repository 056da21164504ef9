"""What the operators' page says of files on their way."""

from __future__ import annotations

import pytest

from school import clock
from school.db import db, transaction
from school.files.models import MoveStep, StorageMove
from school.files.service.moving.books import Problem

PAGE = "/platform/storage"
COUNTS = {
    "soak_days": 7, "stage": "comparing", "total": 4000, "done": 1000, "problem_count": 0,
    "problems": [],
}  # fmt: skip


@pytest.fixture
def move_at(app, page, platform):
    """The page with a move at this step."""
    follower = app.extensions["school.follower"]

    def show(step: MoveStep, **counts):
        is_over = step in {MoveStep.DONE, MoveStep.ROLLED_BACK}
        with transaction() as session:
            session.add(
                StorageMove(
                    source="local",
                    target="s3",
                    source_url="file:///srv/files",
                    target_url="s3://school-files?region=eu-central-1",
                    step=MoveStep.ROLLED_BACK,
                    switched_at=clock.now(),
                    finished_at=clock.now() if is_over else None,
                    counts=COUNTS | counts,
                )
            )
            session.flush()
            # Not seen by the running application, which would open that bucket.
            move = session.query(StorageMove).one()
            move.step = step
        db.session.remove()
        follower.rest()
        return page(platform, PAGE)

    return show


@pytest.mark.parametrize(
    ("step", "told", "command"),
    [
        (MoveStep.COPYING, "New files go to both places", "--resume"),
        (MoveStep.COMPARING, "New files go to both places", "--resume"),
        (MoveStep.SOAKING, "Files are read from the new storage", "--finish"),
        (MoveStep.DELETING, "is being emptied", "--resume"),
        (MoveStep.ROLLING_BACK, "read from the old storage again", "--resume"),
    ],
)
def test_every_step_says_what_to_do(move_at, step, told, command):
    shown = move_at(step)
    assert told in shown.text
    assert f"python -m school files migrate {command}" in shown.text
    assert "1,000 of 4,000 files, 25 %" in shown.text
    assert "s3://school-files" in shown.text


def test_what_is_in_the_way_is_named(move_at, school):
    problems = [
        {"kind": kind, "school": str(school.id), "key": f"blob/aa/{kind}", "detail": "why"}
        for kind in Problem
    ]
    problems.append(
        {"kind": "not_copied", "school": None, "key": "", "detail": "The disk is full."}
    )
    shown = move_at(MoveStep.COMPARING, problem_count=len(problems), problems=problems)
    assert "6 problems are in the way" in shown.text
    assert "Other bytes lie at the new place" in shown.text
    assert "The disk is full." in shown.text
    assert school.name in shown.text
    assert "--resume" in shown.text


@pytest.mark.parametrize("step", [MoveStep.DONE, MoveStep.ROLLED_BACK])
def test_what_is_over_is_not_told(move_at, step):
    assert "Soak" not in move_at(step).text


def test_until_the_setting_is_changed_the_page_says_which_line(app, move_at, monkeypatch):
    follower = app.extensions["school.follower"]
    monkeypatch.setattr(
        "school.admin.views.storage_move.reminder", lambda: "STORAGE_URL=s3://school-files"
    )
    shown = move_at(MoveStep.DONE)
    assert "STORAGE_URL=s3://school-files" in shown.text
    assert "Files have moved" in shown.text
    assert follower.outdated() is None
