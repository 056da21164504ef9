"""A move from its first to its last step, while people work."""

from __future__ import annotations

import pytest

from school.errors import Conflict
from school.files.models import LocationState, MoveStep
from school.files.service.moving import running
from school.files.service.moving.following import MovingStorage
from school.files.service.reconciling import reconcile
from school.files.service.sweeping import sweep
from school.web.storage import storage_in_use
from tests.files.service.moving.conftest import PAIRS, Installation, a_week_goes_by, held


@pytest.mark.parametrize("house", PAIRS, indirect=True)
def test_all_files_move_while_people_work(house: Installation) -> None:
    for purpose in ("document", "medical", "document"):
        house.upload(purpose=purpose)
    avatar = house.set_avatar()
    house.begin()
    house.work()
    assert running.go_on(say=house.work_once).step == MoveStep.SOAKING
    assert storage_in_use().keepers[0].name == house.target.name
    house.work()
    newer = house.set_avatar()
    with pytest.raises(Conflict, match="prove itself"):
        running.finish()
    a_week_goes_by()
    house.work()
    ended = running.finish(say=house.work_once)
    assert ended.step == MoveStep.DONE, ended.counts
    house.check_downloads()
    house.at_work(sweep)
    assert set(house.rows()) == {(house.target.name, LocationState.PRESENT)}
    assert house.tasks() == 0
    assert held(house.source) == set()
    assert held(house.target) == {*house.keys(), avatar, newer}
    assert isinstance(storage_in_use(), MovingStorage)

    follower = house.restart_with(house.target_url)
    assert follower.outdated() is None
    assert not isinstance(storage_in_use(), MovingStorage)
    house.work()
    assert all(one.is_clean and one.counts["unknown"] == 0 for one in reconcile())
    assert {name for name, _ in house.rows()} == {storage_in_use().name}
