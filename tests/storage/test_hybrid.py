"""Copies in several places: whatever one of them does, the reader gets the bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from school.storage import errors
from school.storage.hybrid import HybridStorage, keepers_of, members_of
from school.storage.keys import new_key
from school.storage.local import LocalStorage
from school.storage.protocol import BLOCK_BYTES, Health, ObjectInfo, SignedRequest

DATA = bytes(range(256)) * 4096 * 3  # three blocks


class Flaky(LocalStorage):
    """A disk that can be away, or break off after some bytes."""

    away = False
    breaks_after: int | None = None

    @contextmanager
    def open(
        self, key: str, *, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> Iterator[Iterator[bytes]]:
        self._answer()
        with super().open(key, start=start, length=length, if_match=if_match) as blocks:
            yield self._some(blocks)

    def _some(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        sent = 0
        for block in blocks:
            if self.breaks_after is not None and sent + len(block) > self.breaks_after:
                yield block[: self.breaks_after - sent]
                raise errors.Unavailable("The line broke.")
            sent += len(block)
            yield block

    def stat(self, key: str) -> ObjectInfo:
        self._answer()
        return super().stat(key)

    def delete(self, key: str, *, if_match: str | None = None) -> bool:
        self._answer()
        return super().delete(key, if_match=if_match)

    def healthcheck(self, timeout_s: float = 2.0) -> Health:
        return Health(False, 0, "away") if self.away else super().healthcheck(timeout_s)

    def _answer(self) -> None:
        if self.away:
            raise errors.Unavailable("The storage does not answer.")


@pytest.fixture
def first(tmp_path: Path) -> Flaky:
    return Flaky(tmp_path / "first", signing_keys=["k" * 40], public_base_url="http://first")


@pytest.fixture
def second(tmp_path: Path) -> Flaky:
    return Flaky(
        tmp_path / "second",
        signing_keys=["k" * 40],
        public_base_url="http://second",
        name="second",
    )


@pytest.fixture
def key(first: Flaky, second: Flaky) -> str:
    """An object that lies in both places."""
    key = new_key()
    for place in (first, second):
        place.put(key, io.BytesIO(DATA))
    return key


def read(provider: HybridStorage, key: str, **more: int) -> bytes:
    with provider.open(key, **more) as blocks:
        return b"".join(blocks)


def test_only_the_first_is_written(first: Flaky, second: Flaky) -> None:
    key = new_key()
    HybridStorage(first, second).put(key, io.BytesIO(b"x"))
    assert first.stat(key).size_bytes == 1
    with pytest.raises(errors.NotFound):
        second.stat(key)


@pytest.mark.parametrize("what", ["away", "lost"])
def test_the_copy_answers_when_the_first_cannot(
    first: Flaky, second: Flaky, key: str, what: str
) -> None:
    hybrid = HybridStorage(first, second)
    if what == "lost":
        first.delete(key)
    first.away = what == "away"
    assert read(hybrid, key, start=5, length=10) == DATA[5:15]
    assert hybrid.stat(key).size_bytes == len(DATA)
    link: SignedRequest = hybrid.presign_get(key, expires=timedelta(minutes=1), filename="a.pdf")
    assert link.url.startswith("http://second/")


@pytest.mark.parametrize("after", [0, 1, BLOCK_BYTES, BLOCK_BYTES + 7, len(DATA) - 1])
def test_a_reader_does_not_notice_that_the_line_broke(
    first: Flaky, second: Flaky, key: str, after: int
) -> None:
    first.breaks_after = after
    hybrid = HybridStorage(first, second)
    assert read(hybrid, key) == DATA
    assert read(hybrid, key, start=100, length=2 * BLOCK_BYTES) == DATA[100 : 100 + 2 * BLOCK_BYTES]


def test_not_there_is_said_only_when_every_place_said_so(first: Flaky, second: Flaky) -> None:
    hybrid = HybridStorage(first, second)
    with pytest.raises(errors.NotFound):
        hybrid.stat(new_key())
    second.away = True
    with pytest.raises(errors.Unavailable):
        hybrid.stat(new_key())


def test_deleting_goes_on_when_one_is_away_and_says_so(
    first: Flaky, second: Flaky, key: str
) -> None:
    hybrid = HybridStorage(first, second)
    first.away = True
    with pytest.raises(errors.Unavailable):
        hybrid.delete(key)
    first.away = False
    assert hybrid.delete(key) is True  # the first had it still
    assert hybrid.delete(key) is False


def test_a_copy_that_is_away_does_not_stop_the_school(first: Flaky, second: Flaky) -> None:
    hybrid = HybridStorage(first, second)
    second.away = True
    health = hybrid.healthcheck()
    assert (health.ok, "away: second" in health.detail) == (True, True)
    assert [one.name for one in members_of(hybrid)] == ["local", "second"]
    assert list(members_of(first)) == [first]


def test_an_etag_fits_whoever_gave_it(first: Flaky, second: Flaky, key: str) -> None:
    hybrid = HybridStorage(first, second)
    for place in (first, second):
        with hybrid.open(key, if_match=place.stat(key).etag) as blocks:
            assert b"".join(blocks) == DATA
    first.breaks_after = BLOCK_BYTES + 7  # whoever goes on has another etag
    with hybrid.open(key, if_match=first.stat(key).etag) as blocks:
        assert b"".join(blocks) == DATA
    with pytest.raises(errors.PreconditionFailed):
        hybrid.open(key, if_match="nobody's").__enter__()


def test_the_copies_stay_when_another_version_was_meant(
    first: Flaky, second: Flaky, key: str
) -> None:
    hybrid = HybridStorage(first, second)
    with pytest.raises(errors.PreconditionFailed):
        hybrid.delete(key, if_match=second.stat(key).etag)
    assert second.stat(key).size_bytes == len(DATA)
    assert hybrid.delete(key, if_match=first.stat(key).etag) is True
    assert hybrid.delete(key) is False


def test_a_place_that_is_being_emptied_is_read_last_and_gets_nothing(
    first: Flaky, second: Flaky
) -> None:
    hybrid = HybridStorage(first, leaving=second)
    key = new_key()
    second.put(key, io.BytesIO(DATA))
    with hybrid.open(key) as blocks:
        assert b"".join(blocks) == DATA
    newer = new_key()
    hybrid.put(newer, io.BytesIO(DATA))
    assert [info.key for info in second.list("")] == [key]
    assert hybrid.delete(key) is True
    assert list(second.list("")) == []
    assert [list(members_of(hybrid)), list(keepers_of(hybrid))] == [[first, second], [first]]
