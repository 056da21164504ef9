"""Whatever is wrong keeps the next step from being taken, and is named; mended, it goes on."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from school import clock
from school.db import db, new_id, transaction
from school.errors import Conflict
from school.files.models import MoveStep, StorageTask, Upload, UploadPart
from school.files.service.moving import carrying, running
from school.files.service.moving.books import Books, take_move
from school.files.service.moving.telling import lines_of
from school.files.service.outbox import delete_later
from school.files.service.reconciling import distrust, reconcile, trust
from school.files.service.sweeping import sweep
from school.storage import errors
from school.storage.keys import new_key
from school.web.storage import storage_in_use
from tests.files.conftest import content_of
from tests.files.service.moving.conftest import (
    PAIRS,
    Installation,
    a_week_goes_by,
    go_on,
    held,
)


def problem_of(house: Installation) -> dict[str, Any]:
    (problem,) = house.counts()["problems"]
    return problem


@pytest.mark.parametrize("house", PAIRS, indirect=True)
def test_a_corrupted_object_at_the_target(house: Installation) -> None:
    house.upload()
    house.upload()
    house.begin()
    bad = min(house.keys())
    tampered: list[str] = []

    def tamper(told: Books) -> None:
        if told.stage == "comparing" and not tampered:
            tampered.append(bad)
            size = house.target.stat(bad).size_bytes
            house.target.delete(bad)
            house.target.put(bad, io.BytesIO(b"x" * size))

    assert running.go_on(say=tamper).step == MoveStep.COMPARING
    assert (problem_of(house)["kind"], problem_of(house)["key"]) == ("damaged", bad)
    move = take_move()
    assert move is not None
    assert f"{bad} (Northfield School) holds other bytes" in "\n".join(lines_of(move))
    house.check_downloads()
    assert go_on(house) == MoveStep.COMPARING
    assert house.counts()["problem_count"] == 1
    reconcile(only=house.target.name)
    assert go_on(house) == MoveStep.SOAKING
    assert held(house.source) == {key for key in held(house.target) if not key.startswith("lost")}


def test_an_object_that_is_gone_from_the_target_keeps_the_source_from_being_emptied(
    house: Installation,
) -> None:
    house.upload()
    house.begin()
    go_on(house)
    before = house.keys()
    house.upload()
    house.at_work(sweep)
    (key,) = house.keys() - before
    a_week_goes_by()
    house.target.delete(key)
    assert running.finish().step == MoveStep.SOAKING
    assert (problem_of(house)["kind"], problem_of(house)["key"]) == ("gone", key)
    assert len(held(house.source)) == 2
    reconcile(only=house.target.name)
    assert running.finish().step == MoveStep.DONE
    house.check_downloads()


def test_a_target_that_is_away(house: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(carrying.MOST_FAILURES + 1):
        house.upload()
    house.begin()
    tried = []

    def away(key: str, *_args: Any, **_more: Any) -> None:
        tried.append(key)
        raise errors.Unavailable("The line is cut.")

    with monkeypatch.context() as patch:
        patch.setattr(house.target, "put", away)
        assert go_on(house) == MoveStep.COPYING
        assert len(tried) == carrying.MOST_FAILURES
        counts = house.counts()
        assert counts["problem_count"] == carrying.MOST_FAILURES + 1
        assert "The line is cut." in counts["problems"][0]["detail"]
        house.work()
    assert go_on(house) == MoveStep.SOAKING
    house.check_downloads()


def test_a_file_that_is_lost_already_blocks_and_is_named(house: Installation) -> None:
    house.upload()
    (key,) = house.keys()
    house.source.delete(key)
    house.begin()
    assert go_on(house) == MoveStep.COPYING
    assert problem_of(house)["key"] == key


def test_a_database_that_is_not_trusted_deletes_nothing(house: Installation) -> None:
    house.upload()
    house.begin()
    go_on(house)
    a_week_goes_by()
    with transaction():
        distrust()
    with pytest.raises(Conflict, match="may be older"):
        running.finish()
    with pytest.raises(Conflict, match="may be older"):
        running.roll_back()
    assert house.step() == MoveStep.ROLLING_BACK
    house.check_downloads()
    assert held(house.target) == held(house.source)
    with transaction():
        trust()
    assert go_on(house) == MoveStep.ROLLED_BACK


def test_pieces_of_uploads_and_late_deletions_are_waited_for(house: Installation) -> None:
    house.upload()
    house.begin()
    go_on(house)
    a_week_goes_by()
    piece = new_key("piece")
    house.source.put(piece, io.BytesIO(b"half"))
    source = house.source.name

    def leave_behind() -> None:
        with transaction() as session:
            session.add(_upload_with(source, piece))
            delete_later(source, new_key(), after=timedelta(hours=24))

    house.at_work(leave_behind)
    move = running.finish()
    assert move.step == MoveStep.DELETING
    assert "waits for its time" in "\n".join(lines_of(move))
    assert content_of(storage_in_use(), piece) == b"half"

    def end() -> None:
        with transaction() as session:
            session.execute(sa.delete(UploadPart))
            session.execute(sa.update(StorageTask).values(next_at=clock.now()))
            delete_later(source, piece)

    house.at_work(end)
    assert go_on(house) == MoveStep.DONE
    assert held(house.source) == set()


def _upload_with(provider: str, key: str) -> UploadPart:
    upload = Upload(
        user_id=new_id(),
        owner_kind="student",
        owner_id=new_id(),
        purpose="document",
        filename="a.pdf",
        length_bytes=8,
        expires_at=clock.now() + timedelta(days=1),
    )
    db.session.add(upload)
    db.session.flush()
    return UploadPart(upload_id=upload.id, start_byte=0, size_bytes=4, provider=provider, key=key)
