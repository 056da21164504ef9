"""What a cloud does on a bad day, and what we then say about it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from school.storage import errors
from school.storage.gcs import GcsStorage
from school.storage.keys import new_key
from school.storage.protocol import PART_BYTES, StorageProvider
from school.storage.s3 import S3Storage
from tests.servers import gcs as gcs_place
from tests.servers import s3 as s3_place
from tests.servers.broken_line import BrokenLine, Fault, broken_line
from tests.servers.gcs import gcs_key, gcs_server  # noqa: F401
from tests.servers.s3 import s3_server  # noqa: F401

BODY = b"0123456789" * 200_000
CONNECT_S, READ_S = 0.5, 0.6
# Two attempts of connecting and reading, and slack for a busy machine.
PATIENCE_S = 2 * (CONNECT_S + READ_S) + 2.5


@pytest.fixture(params=["s3", "gcs"])
def line(request: pytest.FixtureRequest) -> Iterator[BrokenLine]:
    with broken_line(request.getfixturevalue(f"{request.param}_server")) as line:
        line.kind = request.param
        yield line


def _provider(kind: str, url: str, prefix: str) -> StorageProvider:
    if kind == "s3":
        return S3Storage(
            s3_place.BUCKET, prefix, endpoint_url=url, credentials=s3_place.CREDENTIALS,
            connect_timeout_s=CONNECT_S, read_timeout_s=READ_S,
        )  # fmt: skip
    return GcsStorage(gcs_place.BUCKET, prefix, endpoint_url=url, timeout_s=(CONNECT_S, READ_S))


@pytest.fixture
def provider(line: BrokenLine) -> StorageProvider:
    return _provider(line.kind, line.url, uuid4().hex)


BODY_REQUEST = b"PUT "  # how the request begins that carries the body, in both languages


def _within(seconds: float, action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    took = time.monotonic() - began
    assert took < seconds, f"took {took:.1f} s, the time-outs allow {seconds:.1f} s"
    return took


def test_the_line_itself_is_faithful(provider: StorageProvider) -> None:
    key = new_key()
    provider.put(key, io.BytesIO(BODY))
    with provider.open(key) as blocks:
        assert b"".join(blocks) == BODY


@pytest.mark.parametrize("act", ["put", "stat", "delete", "open", "list", "health"])
def test_a_store_that_refuses_connections_is_unavailable_at_once(
    line: BrokenLine, provider: StorageProvider, act: str
) -> None:
    line.close()
    _within(PATIENCE_S, lambda: _expect_unavailable(provider, act))


@pytest.mark.parametrize("act", ["put", "stat", "delete", "open", "list", "health"])
def test_a_store_that_hangs_gives_control_back_within_the_time_outs(
    line: BrokenLine, provider: StorageProvider, act: str
) -> None:
    line.fault = Fault.HANG
    _within(PATIENCE_S, lambda: _expect_unavailable(provider, act))


def _expect_unavailable(provider: StorageProvider, act: str) -> None:
    key = new_key()
    if act == "health":
        assert not provider.healthcheck(READ_S).ok
        return
    acts: dict[str, Callable[[], object]] = {
        "put": lambda: provider.put(key, io.BytesIO(BODY)),
        "stat": lambda: provider.stat(key),
        "delete": lambda: provider.delete(key),
        "open": lambda: _read(provider, key),
        "list": lambda: list(provider.list("")),
    }
    with pytest.raises((errors.Unavailable, errors.OutcomeUnknown)) as caught:
        acts[act]()
    if act != "put":
        assert caught.type is errors.Unavailable


def _read(provider: StorageProvider, key: str) -> bytes:
    with provider.open(key) as blocks:
        return b"".join(blocks)


def test_a_health_check_keeps_to_its_own_time_out(line: BrokenLine) -> None:
    slow = (
        S3Storage(s3_place.BUCKET, endpoint_url=line.url, credentials=s3_place.CREDENTIALS)
        if line.kind == "s3"
        else GcsStorage(gcs_place.BUCKET, endpoint_url=line.url)
    )
    line.fault = Fault.HANG
    _within(2.5, lambda: slow.healthcheck(0.8))
    assert not slow.healthcheck(0.3).ok


@pytest.mark.parametrize(
    "fault", [Fault.CUT_REQUEST, Fault.LOSE_ANSWER, Fault.HANG], ids=lambda fault: fault.name
)
def test_a_line_that_breaks_after_the_body_began_leaves_the_outcome_unknown(
    line: BrokenLine, provider: StorageProvider, fault: Fault
) -> None:
    line.only, line.fault = BODY_REQUEST, fault
    key = new_key()
    with pytest.raises(errors.OutcomeUnknown):
        provider.put(key, io.BytesIO(BODY))


def test_a_body_is_sent_once_even_when_its_answer_is_lost(
    line: BrokenLine, provider: StorageProvider
) -> None:
    """A second try would meet the first one's object and call it somebody else's."""
    line.only, line.fault, line.times = BODY_REQUEST, Fault.LOSE_ANSWER, 1
    key = new_key()
    with pytest.raises(errors.OutcomeUnknown):
        provider.put(key, io.BytesIO(BODY))
    assert _read(provider, key) == BODY, "the server had done it: that is why it is unknown"


def test_a_long_body_cut_in_the_middle_is_never_visible(
    line: BrokenLine, provider: StorageProvider
) -> None:
    line.only, line.fault = BODY_REQUEST, Fault.CUT_REQUEST
    key = new_key()
    with pytest.raises((errors.OutcomeUnknown, errors.Unavailable)):
        provider.put(key, io.BytesIO(b"x" * (2 * PART_BYTES + 7)))
    line.fault = Fault.NONE
    with pytest.raises(errors.NotFound):
        provider.stat(key)


def test_an_answer_cut_while_reading_is_mended_or_said_never_a_short_file(
    line: BrokenLine, provider: StorageProvider
) -> None:
    key = new_key()
    provider.put(key, io.BytesIO(BODY))
    line.fault, line.cut_after_bytes = Fault.CUT_ANSWER, 300_000
    fresh = _provider(line.kind, line.url, provider._prefix.strip("/"))  # type: ignore[attr-defined]
    try:
        data = _read(fresh, key)
    except errors.Unavailable:
        return
    assert data == BODY, "whoever mends a broken read gives all of it"


def test_after_the_storm_the_same_provider_works_again(
    line: BrokenLine, provider: StorageProvider
) -> None:
    line.fault = Fault.HANG
    with pytest.raises(errors.StorageError):
        provider.stat("blob/x")
    line.fault = Fault.NONE
    key = new_key()
    provider.put(key, io.BytesIO(b"calm"))
    assert _read(provider, key) == b"calm"
