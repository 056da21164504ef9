"""Processes that are at work follow by themselves; what one writes before it knows is not lost."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from school import clock
from school.db import db, transaction
from school.files.models import BlobLocation, LocationState, MoveStep, StorageMove
from school.files.service import writing
from school.files.service.families import PURPOSES
from school.files.service.moving import books, following, running
from school.files.service.moving.books import Books, change_step, take_move, wait_for_all
from school.files.service.moving.following import Follower, MovingStorage
from school.files.service.moving.places import Move, is_same, new_name, overlap
from school.files.service.staging import staged
from school.files.service.sweeping import sweep
from school.storage.hybrid import keepers_of, members_of
from school.web.storage import storage_in_use
from tests.files.samples import PDF
from tests.files.service.moving.conftest import Installation, a_week_goes_by, go_on, held

MEMORY_S = following.MEMORY_S


def names(house: Installation) -> tuple[list[str], list[str]]:
    """(those where files belong, all that are asked), in their order."""
    provider = storage_in_use()
    return [one.name for one in keepers_of(provider)], [one.name for one in members_of(provider)]


def test_the_order_of_each_step(house: Installation) -> None:
    assert names(house) == (["local"], ["local"])
    house.begin()
    move = take_move()
    assert move is not None
    both, back = ["local", "local-2"], ["local-2", "local"]
    orders = {
        MoveStep.COPYING: (both, both),
        MoveStep.COMPARING: (both, both),
        MoveStep.SOAKING: (back, back),
        MoveStep.ROLLING_BACK: (["local"], both),
        MoveStep.DELETING: (["local-2"], back),
    }
    for step, order in orders.items():
        if move.step != step:
            change_step(move, step)
        assert names(house) == order, step


@pytest.mark.usefixtures("house")
def test_a_step_is_changed_once_only(house: Installation) -> None:
    house.begin()
    one, other = take_move(), take_move()
    assert one is not None
    assert other is not None
    change_step(one, MoveStep.COMPARING)
    with pytest.raises(Exception, match="went on elsewhere"):
        change_step(other, MoveStep.ROLLING_BACK)
    assert house.step() == MoveStep.COMPARING


def test_a_process_notices_when_its_memory_ends(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(following, "MEMORY_S", 3.0)
    monkeypatch.setattr(following.time, "monotonic", lambda: now[0])
    process = Follower(house.source_url, lambda _url: house.target)
    assert process.move() is None
    house.begin()
    now[0] += 2.9
    assert process.move() is None
    now[0] += 0.2
    known = process.move()
    assert known is not None
    assert known.step == MoveStep.COPYING


def test_the_command_waits_longer_than_a_process_remembers(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(following, "BARRIER_S", 12.0)
    monkeypatch.setattr(books.time, "sleep", slept.append)
    house.begin()
    move = take_move()
    assert move is not None
    wait_for_all(move)
    later = clock.now() + timedelta(seconds=30)
    with clock.set_to(later):
        wait_for_all(move)
    assert 11 < slept[0] <= 12
    assert slept[1] == 0
    lock_wait_s = house.app.config["SETTINGS"].db_lock_timeout_ms / 1000
    assert 3.0 + lock_wait_s < following.BARRIER_S


@contextmanager
def as_a_late_process(house: Installation, known: Move | None) -> Iterator[None]:
    """One that looked last when things stood like this."""
    own: Follower = house.app.extensions["school.follower"]
    late = Follower(own.url, own.open_place)
    late._opened = own._opened
    late._known, late._good_until = known, float("inf")
    house.app.extensions["school.follower"] = late
    try:
        yield
    finally:
        house.app.extensions["school.follower"] = own


@pytest.mark.parametrize("stage", ["copying", "comparing"])
def test_a_process_that_knows_of_no_move_writes_to_the_source_alone(
    house: Installation, stage: str
) -> None:
    house.upload()
    house.begin()
    late: list[Any] = []

    def write_late(told: Books) -> None:
        if told.stage == stage and not late:
            with as_a_late_process(house, None):
                late.append(house.upload())

    assert running.go_on(say=write_late).step == MoveStep.SOAKING
    assert late
    house.at_work(sweep)
    states = house.rows()
    assert states[(house.target.name, "present")] == states[(house.source.name, "present")] == 2
    house.check_downloads()


def test_a_process_that_does_not_know_of_the_switch_is_caught_up_with(
    house: Installation,
) -> None:
    house.upload()
    house.begin()
    before = house.app.extensions["school.follower"].move()
    go_on(house)
    with as_a_late_process(house, before):
        house.upload()
    with as_a_late_process(house, None):
        house.upload()
    a_week_goes_by()
    assert running.finish().step == MoveStep.DONE
    house.check_downloads()
    assert held(house.source) == set()
    assert len(held(house.target)) == 3


def test_a_process_that_does_not_know_the_source_is_emptied(house: Installation) -> None:
    house.upload()
    house.begin()
    go_on(house)
    before = house.app.extensions["school.follower"].move()
    a_week_goes_by()
    late: list[Any] = []

    def write_late(told: Books) -> None:
        if told.stage == "deleting" and not late:
            with as_a_late_process(house, before):
                late.append(house.upload())

    assert running.finish(say=write_late).step == MoveStep.DONE
    assert late
    house.check_downloads()
    assert held(house.source) == set()
    assert house.tasks() == 0


@pytest.mark.parametrize("step", [MoveStep.SOAKING, MoveStep.DELETING])
def test_what_was_begun_before_the_switch_and_counts_after_it(
    house: Installation, step: MoveStep
) -> None:
    house.begin()

    def write() -> writing.Written:
        with staged(
            io.BytesIO(PDF), filename="a.pdf", purpose=PURPOSES["document"], most_bytes=10**6
        ) as content:
            return writing.write(content, purpose="document")

    written = house.at_work(write)
    assert written.provider == "local"
    move = take_move()
    assert move is not None
    change_step(move, step)

    def settle() -> dict[str, str]:
        with transaction():
            writing.settle(written)
        rows = db.session.execute(sa.select(BlobLocation.provider, BlobLocation.state))
        return {row[0]: row[1] for row in rows}

    assert house.at_work(settle) == {
        "local": LocationState.PRESENT,
        "local-2": LocationState.WRITING,
    }
    assert house.at_work(sweep).copied == 1


def test_until_the_setting_is_changed_the_row_leads_on(house: Installation) -> None:
    house.upload()
    house.begin()
    go_on(house)
    a_week_goes_by()
    running.finish()
    for _ in range(2):  # it may even be started again with the old one
        follower = house.app.extensions["school.follower"]
        ended = follower.outdated()
        assert ended is not None
        assert ended.home == house.target_url
        house.check_downloads()
        house.upload()
        house.restart_with(house.source_url)
    house.restart_with(house.target_url)
    house.check_downloads()
    house.upload()
    assert {name for name, _ in house.rows()} == {"local-2"}


def test_there_and_back_again(house: Installation) -> None:
    """Rows and addresses keep fitting, however often files move between places of one kind."""
    first, second = house.source_url, house.target_url
    house.upload()
    for there in (second, first):
        house.target_url = there
        house.begin()
        go_on(house)
        house.work()
        a_week_goes_by()
        assert running.finish().step == MoveStep.DONE
        house.restart_with(there)
        house.at_work(sweep)
        house.check_downloads()
        assert {name for name, _ in house.rows()} == {storage_in_use().name}
    moved = db.session.execute(sa.select(StorageMove.source, StorageMove.target)).all()
    assert [tuple(one) for one in sorted(moved)] == [
        ("local", "local-2"),
        ("local-2", "local-3"),
    ]


def test_a_place_moved_by_hand_keeps_its_name(house: Installation) -> None:
    house.upload()
    house.begin()
    go_on(house)
    a_week_goes_by()
    running.finish()
    house.restart_with(house.target_url + uuid4().hex)
    assert not isinstance(storage_in_use(), MovingStorage)
    assert storage_in_use().name == "local-2"


def test_addresses() -> None:
    assert is_same("file:///srv/files", "file:///srv/files/")
    assert is_same(
        "s3://b/p?region=x&endpoint_url=http://e", "s3://b/p?endpoint_url=http://e&region=x"
    )
    assert not is_same("s3://b/p", "s3://b/q")
    assert overlap("file:///srv", "file:///srv/files")
    assert overlap("s3://b/p/q", "s3://b")
    assert not overlap("s3://b/p", "s3://b/pq")
    assert not overlap("s3://b/p", "s3://b/p?endpoint_url=http://elsewhere")
    assert new_name("s3://b", {"local"}) == "s3"
    assert new_name("s3://b", {"s3", "s3-2"}) == "s3-3"
