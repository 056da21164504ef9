"""A move begins only where it can end."""

from __future__ import annotations

import io
from typing import Any

import pytest
import sqlalchemy as sa

from school.audit.models import PlatformEvent
from school.db import db
from school.errors import Conflict, Invalid
from school.files.models import StorageMove
from school.files.service.moving import running
from school.files.service.moving.beginning import begin, plan_move
from school.storage import errors
from school.storage.hybrid import HybridStorage
from school.storage.keys import new_key
from school.storage.local import LocalStorage
from tests.files.service.moving.conftest import (
    PAIRS,
    Installation,
    a_week_goes_by,
    go_on,
    held,
)


@pytest.mark.parametrize("house", PAIRS, indirect=True)
def test_a_dry_run_says_what_would_move_and_leaves_nothing(house: Installation) -> None:
    house.upload()
    house.upload(purpose="medical")
    plan = plan_move(house.target_url)
    assert plan.objects == 2
    assert plan.bytes == sum(info.size_bytes for info in house.source.list("blob/"))
    assert held(house.place(house.target_url)) == set()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(StorageMove)) == 0


def test_every_step_is_in_the_history(house: Installation) -> None:
    house.begin()
    go_on(house)
    a_week_goes_by()
    running.finish()
    events = db.session.execute(
        sa.select(PlatformEvent.action, PlatformEvent.details)
        .where(PlatformEvent.entity == "storage_move")
        .order_by(PlatformEvent.id)
    ).all()
    assert [event.action for event in events] == ["storage.move_began"] + 4 * ["storage.move_step"]
    assert [event.details["to"] for event in events[1:]] == [
        "comparing", "soaking", "deleting", "done",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "url", ["ftp://x", "file:///", "s3://", "s3://b?colour=red", "gs://b?region=x"]
)
def test_what_is_no_address(house: Installation, url: str) -> None:
    with pytest.raises(Invalid):
        begin(url)


def test_not_into_itself(house: Installation) -> None:
    for url in (house.source_url, house.source_url + "/inside", "file:///"):
        with pytest.raises(Invalid):
            begin(url)


def test_not_twice_at_once(house: Installation) -> None:
    house.begin()
    with pytest.raises(Conflict, match="under way"):
        house.begin()


def test_not_where_files_of_ours_lie_already(house: Installation) -> None:
    house.place(house.target_url).put(new_key(), io.BytesIO(b"another installation's"))
    with pytest.raises(Conflict, match="holds files of Schoolhouse already"):
        house.begin()


def test_others_objects_at_the_target_are_let_be(house: Installation) -> None:
    house.place(house.target_url).put("notes/readme", io.BytesIO(b"mine"))
    house.upload()
    house.begin()
    go_on(house)
    running.roll_back()
    assert held(house.target) == {"notes/readme"}


def test_not_with_copies_in_a_second_place(house: Installation, tmp_path: Any) -> None:
    (tmp_path / "copies").mkdir()
    copies = LocalStorage(tmp_path / "copies", signing_keys=["k" * 40], name="local-copies")
    own = house.app.extensions["school.storage"]
    house.app.extensions["school.storage"] = HybridStorage(own, copies)
    with pytest.raises(Conflict, match="STORAGE_COPY_URL"):
        house.begin()


def test_a_name_that_rows_of_former_copies_use_is_not_taken(
    house: Installation, tmp_path: Any
) -> None:
    """Copies went to a bucket once; the setting was taken out, their rows are still there."""
    (tmp_path / "copies").mkdir()
    own = house.app.extensions["school.storage"]
    copies = LocalStorage(tmp_path / "copies", signing_keys=["k" * 40], name="s3")
    house.app.extensions["school.storage"] = HybridStorage(own, copies)
    house.upload()
    house.app.extensions["school.storage"] = own
    place = LocalStorage(tmp_path / "copies", signing_keys=["k" * 40])
    house.app.extensions["school.follower"].open_place = lambda _url: place
    assert plan_move("s3://bucket").target == "s3-2"


def test_not_to_a_place_that_takes_nothing(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise errors.Denied("Our credentials are refused.")

    monkeypatch.setattr(house.place(house.target_url), "put", refuse)
    with pytest.raises(Conflict, match="credentials are refused"):
        house.begin()


def test_not_before_the_last_one_is_written_into_the_settings(
    house: Installation, tmp_path: Any
) -> None:
    house.begin()
    go_on(house)
    a_week_goes_by()
    running.finish()
    (tmp_path / "third").mkdir()
    with pytest.raises(Conflict, match=house.target_url):
        begin((tmp_path / "third").as_uri())


def test_finishing_waits_for_the_soak_and_nothing_goes_on_without_a_move(
    house: Installation,
) -> None:
    for act in (running.go_on, running.finish, running.roll_back):
        with pytest.raises(Conflict, match="No move is under way"):
            act()
    house.begin()
    with pytest.raises(Conflict, match="not all at the new storage"):
        running.finish()
    go_on(house)
    with pytest.raises(Conflict, match="prove itself"):
        running.finish()


def test_a_shorter_soak_may_be_asked_for(house: Installation) -> None:
    house.begin(soak_days=0)
    go_on(house)
    assert running.finish().step == "done"
