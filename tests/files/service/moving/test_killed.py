"""`kill -9` at every named step of a move: another process goes on, and everything lies in one place."""

from __future__ import annotations

import pytest

from tests.conftest import POSTGRES_URL
from tests.files.killing import problems_of
from tests.files.service.moving.killed import POINTS

# What a crash leaves in the rows is the same on both databases; PostgreSQL shows that for some.
NAMES = [point.name for point in (POINTS[::6] if POSTGRES_URL else POINTS)]


@pytest.fixture(scope="module")
def problems() -> dict[str, list[str]]:
    return problems_of("tests.files.service.moving.killed", *NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_killed_there_the_move_goes_on(name: str, problems: dict[str, list[str]]) -> None:
    assert problems[name] == []
