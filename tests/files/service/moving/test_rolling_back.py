"""The way back, from each step: nothing that came in meanwhile is lost, nothing stays at the target."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from school.errors import Conflict
from school.files.models import MoveStep
from school.files.service.moving import running
from school.files.service.reconciling import reconcile
from school.files.service.sweeping import sweep
from school.storage.hybrid import members_of
from school.web.storage import storage_in_use
from tests.files.service.moving.conftest import PAIRS, Installation, a_week_goes_by, go_on, held

Stop = Callable[[pytest.MonkeyPatch], None]


class Stopped(Exception):
    """The command was interrupted (Ctrl+C)."""


def stop_before(step: MoveStep) -> Stop:
    """The command is interrupted when it is about to take this step."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        real = running.change_step

        def change(move: object, after: MoveStep, **values: object) -> None:
            if after == step:
                raise Stopped
            real(move, after, **values)  # type: ignore[arg-type]

        monkeypatch.setattr(running, "change_step", change)

    return patch


@pytest.mark.parametrize("house", PAIRS, indirect=True)
@pytest.mark.parametrize("at", [MoveStep.COPYING, MoveStep.COMPARING, MoveStep.SOAKING])
def test_from_every_step(
    house: Installation, at: MoveStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    for purpose in ("document", "medical"):
        house.upload(purpose=purpose)
    avatars = {house.set_avatar()}
    house.begin()
    order = [MoveStep.COPYING, MoveStep.COMPARING, MoveStep.SOAKING, MoveStep.DELETING]
    with monkeypatch.context() as patch:
        stop_before(order[order.index(at) + 1])(patch)
        if at == MoveStep.SOAKING:
            go_on(house)
        else:
            with pytest.raises(Stopped):
                go_on(house)
    assert house.step() == at
    house.work()
    avatars.add(house.set_avatar())
    target = house.target
    ended = running.roll_back(say=house.work_once)
    assert ended.step == MoveStep.ROLLED_BACK, ended.counts
    house.check_downloads()
    assert held(target) == set()
    house.at_work(sweep)
    (own,) = members_of(storage_in_use())
    assert set(house.rows()) == {(own.name, "present")}
    assert held(own) == {*house.keys(), *avatars}
    assert house.tasks() == 0
    assert all(one.is_clean for one in reconcile())


def test_not_once_the_source_is_being_emptied(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.upload()
    house.begin()
    go_on(house)
    a_week_goes_by()
    with monkeypatch.context() as patch:
        stop_before(MoveStep.DONE)(patch)
        with pytest.raises(Stopped):
            running.finish()
    assert house.step() == MoveStep.DELETING
    with pytest.raises(Conflict, match="no way back"):
        running.roll_back()
    assert go_on(house) == MoveStep.DONE
    house.check_downloads()


def test_afterwards_it_may_begin_again(house: Installation) -> None:
    house.upload()
    house.begin()
    go_on(house)
    running.roll_back()
    house.begin()
    assert go_on(house) == MoveStep.SOAKING
    house.check_downloads()


def test_what_the_source_lost_during_the_soak_is_mended_before_the_target_is_emptied(
    house: Installation,
) -> None:
    house.upload()
    house.begin()
    go_on(house)
    for key in held(house.source):
        house.source.delete(key)
    stuck = running.roll_back()
    assert stuck.step == MoveStep.ROLLING_BACK
    assert [one["kind"] for one in stuck.counts["problems"]] == ["gone"]
    house.check_downloads()
    reconcile(only=house.source.name)
    assert go_on(house) == MoveStep.ROLLED_BACK
    house.check_downloads()
