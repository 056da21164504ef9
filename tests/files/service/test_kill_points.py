"""`kill -9` at every named step of writing, replacing, deleting, copying and repairing: once the
house is at work again nothing is lost, nothing dangles, nothing lies about, every byte is counted."""

from __future__ import annotations

import pytest

from tests.conftest import POSTGRES_URL
from tests.files.killing import problems_of
from tests.files.killing.points import POINTS

# What a crash leaves in the rows is the same on both databases; PostgreSQL shows that for some.
WORD = "write" if POSTGRES_URL else ""
NAMES = [point.name for point in POINTS if WORD in point.name]


@pytest.fixture(scope="module")
def problems() -> dict[str, list[str]]:
    return problems_of("tests.files.killing", WORD)


def test_no_point_is_named_twice() -> None:
    names = [point.name for point in POINTS]
    assert len(names) == len(set(names)) >= 20


@pytest.mark.parametrize("name", NAMES)
def test_killed_there_the_house_is_in_order_again(
    name: str, problems: dict[str, list[str]]
) -> None:
    assert problems[name] == []
