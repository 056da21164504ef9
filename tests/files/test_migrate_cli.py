"""`python -m school files migrate`."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from click.testing import CliRunner

from school.cli import _tell_of_moved_files
from school.errors import Conflict, NotFound
from school.files.cli import files
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
