"""`python -m school files migrate`."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from school import clock
from school.cli import _tell_of_moved_files
from school.db import transaction
from school.errors import Conflict, NotFound
from school.files.cli import files
from school.files.models import StorageMove
from school.files.service.moving import alive, running
from school.files.service.moving.books import Books, take_move
from school.files.service.moving.carrying import MIB, Pace
from tests.files.service.moving.conftest import (  # noqa: F401 - the fixtures
    Installation,
    a_week_goes_by,
    at_once,
    held,
    house,
)

Move = Installation


def run(*words: str) -> Any:
    return CliRunner().invoke(files, ["migrate", *words], catch_exceptions=False)


def test_from_the_first_step_to_the_last(house: Move) -> None:  # noqa: F811 - a fixture
    house.upload()
    told = run("--to", house.target_url, "--dry-run").output
    assert "1 objects" in told
    assert "Nothing was changed" in told
    told = run("--to", house.target_url, "--rate", "500").output
    assert f"Files are read from {house.target_url} now" in told
    assert "--finish" in told
    assert run().output == told
    with pytest.raises(Conflict, match="prove itself"):
        run("--finish")
    a_week_goes_by()
    told = run("--finish").output
    assert f"STORAGE_URL={house.target_url}" in told
    assert held(house.source) == set()


def test_for_machines(house: Move) -> None:  # noqa: F811 - a fixture
    house.upload()
    plan = json.loads(run("--to", house.target_url, "--dry-run", "--json").output)
    assert (plan["objects"], plan["target"]) == (1, "local-2")
    facts = json.loads(run("--to", house.target_url, "--soak-days", "9", "--json").output)
    assert (facts["step"], facts["counts"]["soak_days"]) == ("soaking", 9)
    assert json.loads(run("--rollback", "--json").output)["step"] == "rolled_back"


def test_what_is_in_the_way_ends_with_one(house: Move) -> None:  # noqa: F811 - a fixture
    house.upload()
    (key,) = house.keys()
    house.source.delete(key)
    told = run("--to", house.target_url)
    assert told.exit_code == 1
    assert key in told.output
    assert "Northfield School" in told.output
    assert "--resume" in told.output
    assert run("--resume").exit_code == 1


def test_while_it_runs_elsewhere_it_says_so(
    house: Move,  # noqa: F811 - a fixture
    frozen_clock: Any,
) -> None:
    """And nobody else goes on with it, until the command ended or no sign of life has come."""
    house.upload()
    told: list[str] = []

    def from_elsewhere(books: Books) -> None:
        if books.stage == "comparing" and not told:
            told.append(house.apart(lambda: run().output))
            for words in (["--resume"], ["--to", house.target_url]):
                with pytest.raises(Conflict, match="A command is"):
                    house.apart(lambda words=words: run(*words))
            assert json.loads(house.apart(lambda: run("--json")).output)["at_work"]

    house.begin()
    running.go_on(say=from_elsewhere)
    assert told[0].startswith("It is under way: comparing, ")
    assert "--finish" in run().output

    with transaction() as session:  # one that was killed
        session.execute(sa.update(StorageMove).values(counts={"runner": "x"} | house.counts()))
    with pytest.raises(Conflict, match="in two minutes"):
        run("--resume")
    frozen_clock(clock.now() + alive.FRESH)
    assert "--finish" in run().output
    assert run("--resume").exit_code == 0
    assert "runner" not in house.counts()


def test_a_sign_of_life_comes_while_nothing_ends(
    house: Move,  # noqa: F811 - a fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alive, "BEAT_S", 0.01)
    house.begin()
    move = take_move()
    assert move is not None
    with alive.at_work(move):
        with transaction() as session:
            session.execute(sa.update(StorageMove).values(updated_at=clock.now() - alive.FRESH))
        until = time.monotonic() + 5
        while not alive.is_at_work(take_move() or move) and time.monotonic() < until:
            time.sleep(0.01)
        shown = take_move()
        assert shown is not None
        assert alive.is_at_work(shown)


def test_one_thing_at_a_time(house: Move) -> None:  # noqa: F811 - a fixture
    assert run("--finish", "--rollback").exit_code == 2
    assert run("--dry-run").exit_code == 2
    with pytest.raises(NotFound):
        run()
    with pytest.raises(Conflict):
        run("--resume")


def test_the_program_says_when_it_starts_that_the_setting_is_old(
    house: Move,  # noqa: F811 - a fixture
    capsys: pytest.CaptureFixture[str],
) -> None:
    house.begin(soak_days=0)
    run("--resume")
    _tell_of_moved_files()
    assert capsys.readouterr().err == ""
    run("--finish")
    _tell_of_moved_files()
    assert f"Write STORAGE_URL={house.target_url}" in capsys.readouterr().err
    house.restart_with(house.target_url)
    _tell_of_moved_files()
    assert capsys.readouterr().err == ""


def test_the_rate_holds() -> None:
    pace, began = Pace(1.0), time.monotonic()
    for _ in range(4):
        pace.wait(MIB // 16)
    assert 0.24 <= time.monotonic() - began < 2
