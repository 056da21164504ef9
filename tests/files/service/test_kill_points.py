"""`kill -9` at every named step of writing, replacing, deleting, copying and repairing: once the
house is at work again nothing is lost, nothing dangles, nothing lies about, every byte is counted."""

from __future__ import annotations

import pytest

from tests.files.killing import problems_of
from tests.files.killing.points import POINTS


@pytest.fixture(scope="module")
def problems() -> dict[str, list[str]]:
    return problems_of("tests.files.killing")


def test_no_point_is_named_twice() -> None:
    names = [point.name for point in POINTS]
    assert len(names) == len(set(names)) >= 20


@pytest.mark.parametrize("name", [point.name for point in POINTS])
def test_killed_there_the_house_is_in_order_again(
    name: str, problems: dict[str, list[str]]
) -> None:
    assert problems[name] == []
