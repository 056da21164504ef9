"""What a cloud does on a bad day, and what we then say about it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from school.storage import errors
from school.storage.breaker import Breaker
from school.storage.gcs import GcsStorage
from school.storage.hybrid import HybridStorage
from school.storage.keys import new_key
from school.storage.local import LocalStorage
from school.storage.protocol import PART_BYTES, StorageProvider
from school.storage.s3 import S3Storage
from tests.servers import gcs as gcs_place
from tests.servers import s3 as s3_place
from tests.servers.broken_line import BrokenLine, Fault, broken_line

BODY = b"0123456789" * 200_000
CONNECT_S, READ_S = 0.5, 0.6
# Two attempts of connecting and reading, and slack for a busy machine.
PATIENCE_S = 2 * (CONNECT_S + READ_S) + 2.5
BODY_REQUEST = b"PUT "  # how the request begins that carries the body, in both languages
ACTS = ["put", "stat", "delete", "open", "list"]


@pytest.fixture(params=["s3", "gcs"])
def line(request: pytest.FixtureRequest) -> Iterator[BrokenLine]:
    server = {"s3": "s3_server", "gcs": "gcs_server"}[request.param]
    with broken_line(request.getfixturevalue(server)) as line:
        line.kind = request.param
        yield line


def _provider(kind: str, url: str, prefix: str, read_s: float = READ_S) -> StorageProvider:
    if kind == "s3":
        return S3Storage(
            s3_place.BUCKET, prefix, endpoint_url=url, credentials=s3_place.CREDENTIALS,
            connect_timeout_s=CONNECT_S, read_timeout_s=read_s,
        )  # fmt: skip
    return GcsStorage(gcs_place.BUCKET, prefix, endpoint_url=url, timeout_s=(CONNECT_S, read_s))


@pytest.fixture
def prefix() -> str:
    return uuid4().hex


@pytest.fixture
def provider(line: BrokenLine, prefix: str) -> StorageProvider:
    return _provider(line.kind, line.url, prefix)


@pytest.fixture
def copies(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "copies", signing_keys=["k" * 40], name="copies")


@pytest.fixture
def hybrid(provider: StorageProvider, copies: LocalStorage) -> HybridStorage:
    """A cloud behind a line that breaks, and copies on a disk."""
    return HybridStorage(provider, copies)


def _within(seconds: float, action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    took = time.monotonic() - began
    assert took < seconds, f"took {took:.1f} s, the time-outs allow {seconds:.1f} s"
    return took


def _read(provider: StorageProvider, key: str) -> bytes:
    with provider.open(key) as blocks:
        return b"".join(blocks)


def _do(provider: StorageProvider, act: str, key: str) -> None:
    acts: dict[str, Callable[[], object]] = {
        "put": lambda: provider.put(key, io.BytesIO(BODY)),
        "stat": lambda: provider.stat(key),
        "delete": lambda: provider.delete(key),
        "open": lambda: _read(provider, key),
        "list": lambda: list(provider.list("")),
    }
    acts[act]()


def _break(line: BrokenLine, fault: Fault | None) -> None:
    """None: nobody opens the door at all."""
    if fault is None:
        line.close()
    else:
        line.fault = fault


# What is said when every request meets the fault: of a put by S3 (its first request carries the
# body), and of everything else. Cut short means the body began, so nobody knows.
EVERY_REQUEST = {
    None: (errors.Unavailable, errors.Unavailable),
    Fault.HANG: (errors.OutcomeUnknown, errors.Unavailable),
    Fault.CUT_REQUEST: (errors.OutcomeUnknown, errors.Unavailable),
    Fault.LOSE_ANSWER: (errors.OutcomeUnknown, errors.Unavailable),
    Fault.NONSENSE: (errors.OutcomeUnknown, errors.Unavailable),
    Fault.BUSY: (errors.Throttled, errors.Throttled),
    Fault.TOO_MANY: (errors.Throttled, errors.Throttled),
}
# The same when only the request with the body meets it: by S3, and by GCS.
BODY_ONLY = {
    Fault.HANG: (errors.OutcomeUnknown, errors.OutcomeUnknown),
    Fault.CUT_REQUEST: (errors.OutcomeUnknown, errors.OutcomeUnknown),
    Fault.LOSE_ANSWER: (errors.OutcomeUnknown, errors.OutcomeUnknown),
    Fault.LATE: (errors.OutcomeUnknown, errors.OutcomeUnknown),
    Fault.NONSENSE: (errors.OutcomeUnknown, errors.OutcomeUnknown),
    Fault.BUSY: (errors.Throttled, errors.OutcomeUnknown),
    Fault.TOO_MANY: (errors.Throttled, errors.Throttled),
}


def _name(value: object) -> str:
    return value.name if isinstance(value, Fault) else "REFUSED" if value is None else str(value)


def test_the_line_itself_is_faithful(provider: StorageProvider) -> None:
    key = new_key()
    provider.put(key, io.BytesIO(BODY))
    assert _read(provider, key) == BODY


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("fault", EVERY_REQUEST, ids=_name)
def test_every_fault_is_said_in_our_words_within_the_time_outs(
    line: BrokenLine, provider: StorageProvider, fault: Fault | None, act: str
) -> None:
    key = new_key()
    if act != "put":  # the very first request could not tell a fault from "not there"
        provider.put(key, io.BytesIO(BODY))
    _break(line, fault)
    by_s3_put, other = EVERY_REQUEST[fault]

    def act_and_fail() -> None:
        with pytest.raises(errors.StorageError) as caught:
            _do(provider, act, key)
        assert caught.type is (by_s3_put if (act, line.kind) == ("put", "s3") else other)

    _within(PATIENCE_S, act_and_fail)


@pytest.mark.parametrize("fault", EVERY_REQUEST, ids=_name)
def test_a_health_check_says_so_and_raises_nothing(
    line: BrokenLine, provider: StorageProvider, fault: Fault | None
) -> None:
    if fault is Fault.NONSENSE and line.kind == "s3":
        pytest.skip("a bucket's HEAD has nothing in it to misread")
    _break(line, fault)
    _within(PATIENCE_S, lambda: provider.healthcheck(READ_S))
    assert not provider.healthcheck(READ_S).ok


def test_a_health_check_keeps_to_its_own_time_out(line: BrokenLine) -> None:
    slow = (
        S3Storage(s3_place.BUCKET, endpoint_url=line.url, credentials=s3_place.CREDENTIALS)
        if line.kind == "s3"
        else GcsStorage(gcs_place.BUCKET, endpoint_url=line.url)
    )
    line.fault = Fault.HANG
    _within(2.5, lambda: slow.healthcheck(0.8))
    assert not slow.healthcheck(0.3).ok


@pytest.mark.parametrize("fault", BODY_ONLY, ids=_name)
def test_a_fault_after_the_body_began_never_claims_to_know(
    line: BrokenLine, provider: StorageProvider, fault: Fault
) -> None:
    by_s3, by_gcs = BODY_ONLY[fault]
    line.only, line.fault = BODY_REQUEST, fault
    with pytest.raises(errors.StorageError) as caught:
        provider.put(new_key(), io.BytesIO(BODY))
    assert caught.type is (by_s3 if line.kind == "s3" else by_gcs)


def test_a_body_is_sent_once_even_when_its_answer_is_lost(
    line: BrokenLine, provider: StorageProvider
) -> None:
    """A second try would meet the first one's object and call it somebody else's."""
    line.only, line.fault, line.times = BODY_REQUEST, Fault.LOSE_ANSWER, 1
    key = new_key()
    with pytest.raises(errors.OutcomeUnknown):
        provider.put(key, io.BytesIO(BODY))
    assert _read(provider, key) == BODY, "the server had done it: that is why it is unknown"


def test_a_put_that_timed_out_may_land_afterwards(
    line: BrokenLine, provider: StorageProvider, prefix: str
) -> None:
    line.only, line.fault, line.times = BODY_REQUEST, Fault.LATE, 1
    key = new_key()
    with pytest.raises(errors.OutcomeUnknown):
        provider.put(key, io.BytesIO(BODY))
    # The line is sound again: a busy machine may take its time.
    patient = _provider(line.kind, line.url, prefix, read_s=10)
    _wait_until(lambda: _is_there(patient, key))
    assert _read(patient, key) == BODY
    with pytest.raises(errors.AlreadyExists):
        patient.put(key, io.BytesIO(b"a second try under the same key"))


def _is_there(provider: StorageProvider, key: str) -> bool:
    try:
        provider.stat(key)
    except errors.NotFound:
        return False
    return True


def _wait_until(is_so: Callable[[], bool]) -> None:
    limit = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < limit, "it never came to be"
        time.sleep(0.05)


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


@pytest.mark.parametrize("fault", [Fault.CUT_ANSWER, Fault.STALL], ids=_name)
def test_an_answer_broken_off_while_reading_is_mended_or_said_never_a_short_file(
    line: BrokenLine, provider: StorageProvider, fault: Fault
) -> None:
    key = new_key()
    provider.put(key, io.BytesIO(BODY))
    line.fault, line.cut_after_bytes = fault, 300_000
    began = time.monotonic()
    try:
        data = _read(provider, key)
    except errors.Unavailable:
        assert time.monotonic() - began < PATIENCE_S
        return
    assert data == BODY, "whoever mends a broken read gives all of it"


def test_a_slow_line_is_waited_for(line: BrokenLine, provider: StorageProvider) -> None:
    line.fault = Fault.SLOW
    key = new_key()
    began = time.monotonic()
    provider.put(key, io.BytesIO(BODY))
    assert _read(provider, key) == BODY
    assert time.monotonic() - began > 2 * READ_S, "slower in all than one wait may be"


def test_wrong_bytes_on_the_way_out_are_noticed(
    line: BrokenLine, provider: StorageProvider
) -> None:
    key = new_key()
    provider.put(key, io.BytesIO(BODY))
    line.fault, line.cut_after_bytes = Fault.CHANGE_ANSWER, 300_000
    with pytest.raises(errors.IntegrityError):
        _read(provider, key)


def test_wrong_bytes_on_the_way_in_are_never_kept(
    request: pytest.FixtureRequest, line: BrokenLine, provider: StorageProvider
) -> None:
    if line.kind == "s3":
        pytest.skip("the mock ignores checksums; radosgw is asked below")
    _change_on_the_way_in(line, provider)


def test_wrong_bytes_on_the_way_in_are_refused_by_a_real_s3(
    request: pytest.FixtureRequest,
) -> None:
    server = request.getfixturevalue("radosgw_server")
    with broken_line(server.url) as line:
        provider = S3Storage(
            s3_place.BUCKET, uuid4().hex, endpoint_url=line.url, credentials=server.credentials
        )
        _change_on_the_way_in(line, provider)


def _change_on_the_way_in(line: BrokenLine, provider: StorageProvider) -> None:
    key = new_key()
    line.only, line.fault, line.cut_after_bytes = BODY_REQUEST, Fault.CHANGE_REQUEST, 300_000
    with pytest.raises(errors.IntegrityError):
        provider.put(key, io.BytesIO(BODY))
    line.fault = Fault.NONE
    with pytest.raises(errors.NotFound):
        provider.stat(key)


def test_a_store_that_ignores_ranges_is_not_believed(make: Callable[..., S3Storage]) -> None:
    provider = make("s3")
    key = new_key()
    provider.put(key, io.BytesIO(BODY))
    without = provider._client.get_object
    provider._client.get_object = lambda **asked: without(
        **{name: value for name, value in asked.items() if name != "Range"}
    )
    with pytest.raises(errors.Unavailable), provider.open(key, start=5) as blocks:
        list(blocks)


def test_the_breaker_opens_and_closes(line: BrokenLine, provider: StorageProvider) -> None:
    provider._breaker = Breaker(failures=3, rest_s=0.5)  # type: ignore[attr-defined]
    key = new_key()
    provider.put(key, io.BytesIO(b"calm"))
    line.fault = Fault.BUSY
    for _ in range(3):
        with pytest.raises(errors.Throttled):
            provider.stat(key)
    asked = line.connections
    line.fault = Fault.NONE
    with pytest.raises(errors.Unavailable, match="trying again shortly"):
        provider.stat(key)
    assert line.connections == asked, "while it rests nothing is sent"
    time.sleep(0.6)
    assert _read(provider, key) == b"calm"
    assert _read(provider, key) == b"calm"


def test_one_try_after_the_rest_decides_for_all(
    line: BrokenLine, provider: StorageProvider
) -> None:
    provider._breaker = Breaker(failures=1, rest_s=0.3)  # type: ignore[attr-defined]
    line.fault = Fault.BUSY
    with pytest.raises(errors.Throttled):
        provider.stat(new_key())
    time.sleep(0.4)
    with pytest.raises(errors.Throttled):  # the one that went to see
        provider.stat(new_key())
    with pytest.raises(errors.Unavailable, match="trying again shortly"):
        provider.stat(new_key())


def test_not_found_does_not_open_the_breaker(provider: StorageProvider) -> None:
    for _ in range(8):
        with pytest.raises(errors.NotFound):
            provider.stat(new_key())


@dataclass
class Storm:
    """What the cloud does while somebody reads a file that has a copy."""

    fault: Fault | None
    after_bytes: int = 20_000


STORMS = [
    Storm(fault)
    for fault in (None, Fault.HANG, Fault.CUT_REQUEST, Fault.LOSE_ANSWER, Fault.NONSENSE,
                  Fault.BUSY, Fault.TOO_MANY, Fault.SLOW)
] + [Storm(fault, 300_000) for fault in (Fault.CUT_ANSWER, Fault.STALL)]  # fmt: skip


@pytest.mark.parametrize("storm", STORMS, ids=lambda storm: _name(storm.fault))
def test_with_copies_no_reader_notices(
    line: BrokenLine, hybrid: HybridStorage, copies: LocalStorage, storm: Storm
) -> None:
    key = new_key()
    hybrid.put(key, io.BytesIO(BODY))
    copies.put(key, io.BytesIO(BODY))
    line.cut_after_bytes = storm.after_bytes
    _break(line, storm.fault)
    assert _read(hybrid, key) == BODY
    assert hybrid.stat(key).size_bytes == len(BODY)


@pytest.mark.parametrize("fault", EVERY_REQUEST, ids=_name)
def test_with_copies_writing_says_what_the_first_says(
    line: BrokenLine, hybrid: HybridStorage, copies: LocalStorage, fault: Fault | None
) -> None:
    key = new_key()
    _break(line, fault)
    by_s3, other = EVERY_REQUEST[fault]
    with pytest.raises(errors.StorageError) as caught:
        hybrid.put(key, io.BytesIO(BODY))
    assert caught.type is (by_s3 if line.kind == "s3" else other)
    assert not _is_there(copies, key)


def test_wrong_bytes_are_said_even_with_copies(
    line: BrokenLine, hybrid: HybridStorage, copies: LocalStorage
) -> None:
    """They are out already: the reader must hear of it, not get the end from elsewhere."""
    key = new_key()
    hybrid.put(key, io.BytesIO(BODY))
    copies.put(key, io.BytesIO(BODY))
    line.fault, line.cut_after_bytes = Fault.CHANGE_ANSWER, 300_000
    with pytest.raises(errors.IntegrityError):
        _read(hybrid, key)


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
