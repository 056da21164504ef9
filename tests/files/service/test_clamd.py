"""Whatever clamd says or leaves unsaid: only its plain OK makes a content clean."""

from __future__ import annotations

import io
import os
import socket
import struct
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from school.files.service.clamd import Scan, Scanner, Verdict, Version, scanner_url_problem
from tests.servers.clamd import (
    EICAR,
    EICAR_NAME,
    VIRUS,
    VIRUS_NAME,
    ClamdServer,
    NoClamd,
    clamd_server,  # noqa: F401
    throwaway_clamd,
)

MIB = 1024 * 1024
LIMIT_BYTES = 4 * MIB  # the server's StreamMaxLength
VERSION_ANSWER = b"ClamAV 1.4.6/27712/Wed Nov  5 08:31:02 2025\0"


@pytest.fixture(params=["unix", "tcp"])
def scanner(request: pytest.FixtureRequest, clamd_server: ClamdServer) -> Scanner:  # noqa: F811
    url = clamd_server.unix_url if request.param == "unix" else clamd_server.tcp_url
    return Scanner(url, timeout_s=30)


@pytest.fixture
def own_clamd() -> Iterator[Callable[..., ClamdServer]]:
    """Makes a clamd that the test may teach, stop and kill."""
    with ExitStack() as servers:

        def make(**more: str) -> ClamdServer:
            try:
                return servers.enter_context(throwaway_clamd(**more))
            except NoClamd as reason:
                pytest.skip(str(reason))

        yield make


def zipped(content: bytes, depth: int = 1) -> bytes:
    for _ in range(depth):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inside", content)
        content = packed.getvalue()
    return content


def marked_as_encrypted(archive: bytes) -> bytes:
    """The archive says that a password is needed, in both its places."""
    changed = bytearray(archive)
    changed[6] |= 1
    changed[archive.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


class Stream:
    """`size` times the letter a; `on_read` is called with the number of bytes read before."""

    def __init__(self, size: int, on_read: Callable[[int], object] = lambda _: None) -> None:
        self.size, self.position, self._on_read = size, 0, on_read

    def read(self, size: int, /) -> bytes:
        self._on_read(self.position)
        count = min(size, self.size - self.position)
        self.position += count
        return b"a" * count


def scan(scanner: Scanner, content: bytes) -> Scan:
    return scanner.scan(io.BytesIO(content))


# --- with the real clamd -------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"An essay.", b"a" * 200_000, zipped(b"essay", 2)])
def test_harmless_content_is_clean(scanner: Scanner, content: bytes) -> None:
    said = scan(scanner, content)

    assert (said.verdict, said.reason, said.signature) == (Verdict.CLEAN, "clean", None)
    assert said.engine is not None
    assert said.engine.startswith("ClamAV ")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        pytest.param(VIRUS, VIRUS_NAME, id="plain"),
        pytest.param(EICAR, EICAR_NAME, id="eicar"),
        pytest.param(zipped(VIRUS, 2), VIRUS_NAME, id="in a zip in a zip"),
        pytest.param(zipped(VIRUS, 5), VIRUS_NAME, id="five zips deep"),
        pytest.param(zipped(EICAR, 5), EICAR_NAME, id="eicar five zips deep"),
        # The pieces we send must be put together again without a seam.
        pytest.param(b"a" * (65536 - 30) + EICAR, EICAR_NAME, id="across two pieces"),
        pytest.param(b"a" * 3 * MIB + EICAR, EICAR_NAME, id="at the very end"),
    ],
)
def test_a_virus_is_found_and_named(scanner: Scanner, content: bytes, name: str) -> None:
    said = scan(scanner, content)

    assert (said.verdict, said.reason, said.signature) == (Verdict.INFECTED, name, name)
    assert said.engine is not None


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (zipped(VIRUS, 30), "Heuristics.Limits.Exceeded.MaxRecursion"),
        (marked_as_encrypted(zipped(b"secret")), "Heuristics.Encrypted.Zip"),
    ],
)
def test_what_clamd_did_not_look_into_is_not_clean(scanner, content, name) -> None:
    said = scan(scanner, content)

    assert (said.verdict, said.reason, said.signature) == (Verdict.UNSURE, "limits", name)


def test_a_scan_that_clamd_gives_up_is_not_clean(own_clamd) -> None:
    server = own_clamd(MaxScanTime="1", StreamMaxLength="50M")
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(3000):
            archive.writestr(f"{number}", os.urandom(3000))

    said = scan(Scanner(server.unix_url), many.getvalue())

    assert (said.verdict, said.reason) == (Verdict.UNSURE, "limits")
    assert said.signature == "Heuristics.Limits.Exceeded.MaxScanTime"


def test_as_long_as_clamd_takes_is_clean(scanner: Scanner) -> None:
    assert scan(scanner, b"a" * LIMIT_BYTES).verdict is Verdict.CLEAN


@pytest.mark.parametrize("size", [LIMIT_BYTES + 1, LIMIT_BYTES + 65536, 500 * MIB])
def test_longer_than_clamd_takes_is_too_large(scanner: Scanner, size: int) -> None:
    stream = Stream(size)

    said = scanner.scan(stream)

    assert (said.verdict, said.reason, said.signature) == (Verdict.UNSURE, "too_large", None)
    # It stops when clamd has had enough, give or take what the kernel holds for it.
    assert stream.position < LIMIT_BYTES + 16 * MIB


def test_without_clamd_nothing_is_clean(own_clamd) -> None:
    server = own_clamd()
    server.kill()
    urls = [
        server.unix_url,
        server.tcp_url,
        "unix:///nowhere/at/all",
        "tcp://a..b:3310",
        "tcp://a\0b:3310",
    ]

    for scanner in map(Scanner, urls):
        assert scan(scanner, b"An essay.") == Scan(Verdict.UNSURE, "unreachable")
        assert not scanner.ping()
        assert scanner.version() is None


@pytest.mark.parametrize("kind", ["unix_url", "tcp_url"])
def test_a_clamd_that_hangs_costs_only_the_time_it_may(own_clamd, kind: str) -> None:
    server = own_clamd()
    scanner = Scanner(getattr(server, kind), timeout_s=20, step_s=0.3)
    server.pause()

    began = time.monotonic()
    said = scan(scanner, b"An essay.")
    took_s = time.monotonic() - began

    assert said == Scan(Verdict.UNSURE, "timeout")
    assert 0.2 < took_s < 2
    assert not scanner.ping()
    server.resume()
    assert scan(scanner, b"An essay.").verdict is Verdict.CLEAN


@pytest.mark.parametrize("size", [1000, 3 * MIB], ids=["it was all sent", "it stays half sent"])
def test_a_clamd_that_hangs_while_it_is_told_is_unsure(own_clamd, size: int) -> None:
    server = own_clamd()
    scanner = Scanner(server.unix_url, timeout_s=1)

    began = time.monotonic()
    said = scanner.scan(Stream(size, on_read=lambda _: server.pause()))
    took_s = time.monotonic() - began

    assert (said.verdict, said.reason) == (Verdict.UNSURE, "timeout")
    assert said.engine is not None
    assert took_s < 2


def test_a_stream_that_comes_too_slowly_is_unsure_in_time(clamd_server) -> None:  # noqa: F811
    hasty = Scanner(clamd_server.unix_url, timeout_s=0.3)
    slow = Stream(3 * MIB, on_read=lambda _: time.sleep(0.1))

    said = hasty.scan(slow)

    assert (said.verdict, said.reason) == (Verdict.UNSURE, "timeout")
    assert slow.position < MIB


@pytest.mark.parametrize("size", [MIB, 3 * MIB], ids=["at the end", "half way"])
def test_a_clamd_that_dies_while_it_is_told_is_unsure(own_clamd, size: int) -> None:
    server = own_clamd()

    def die(position: int) -> None:
        if position == MIB:
            server.kill()

    said = Scanner(server.unix_url).scan(Stream(size, on_read=die))

    assert (said.verdict, said.reason) == (Verdict.UNSURE, "unreachable")


def test_the_path_of_the_socket_may_hold_a_space(clamd_server: ClamdServer) -> None:  # noqa: F811
    (clamd_server.folder / "the scanner").symlink_to(clamd_server.socket_path)

    assert Scanner(f"unix://{clamd_server.folder}/the%20scanner").ping()


def test_new_signatures_find_what_was_clean_before(own_clamd) -> None:
    server = own_clamd()
    scanner = Scanner(server.unix_url)
    essay = b"An essay that turns out to be something else."
    assert scan(scanner, essay).verdict is Verdict.CLEAN

    server.learn("Schoolhouse.Test.New", essay)

    until = time.monotonic() + 10
    while (said := scan(scanner, essay)).verdict is Verdict.CLEAN and time.monotonic() < until:
        pass
    assert (said.verdict, said.signature) == (
        Verdict.INFECTED,
        "Schoolhouse.Test.New.UNOFFICIAL",
    )


def test_a_large_content_takes_no_memory_to_speak_of(own_clamd) -> None:
    server = own_clamd(StreamMaxLength="100M")
    scanner = Scanner(server.unix_url)
    scan(scanner, b"whatever is loaded on first use is loaded now")

    tracemalloc.start()
    try:
        said = scanner.scan(Stream(64 * MIB))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert said.verdict is Verdict.CLEAN
    assert peak_bytes < MIB / 2


def test_many_may_ask_at_once_and_each_gets_its_own_answer(scanner: Scanner) -> None:
    contents = [VIRUS, b"An essay.", EICAR, zipped(VIRUS, 30)] * 10

    with ThreadPoolExecutor(12) as threads:
        said = list(threads.map(lambda content: scan(scanner, content).verdict, contents))

    assert said == [Verdict.INFECTED, Verdict.CLEAN, Verdict.INFECTED, Verdict.UNSURE] * 10


def test_it_says_that_it_is_there_and_what_it_is(scanner: Scanner) -> None:
    assert scanner.ping()
    version = scanner.version()
    assert version is not None
    # Signatures made by hand have no number and no date.
    assert version.engine.count("/") == 0
    assert (version.signature_number, version.signatures_at) == (None, None)


# --- with a server that is not what it should be -------------------------------------------------


class FakeClamd:
    """Says its version as it should, and to everything else what it likes."""

    def __init__(self, talk: Callable[[socket.socket], object], version: bytes) -> None:
        self.talk, self._version = talk, version
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._door.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            if _read_until(client, b"\0") == b"zVERSION\0":
                client.sendall(self._version)
            else:
                self.talk(client)

    def close(self) -> None:
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()


@contextmanager
def fake_clamd(
    talk: Callable[[socket.socket], object], *, version: bytes = VERSION_ANSWER
) -> Iterator[FakeClamd]:
    fake = FakeClamd(talk, version)
    threading.Thread(target=fake.serve, daemon=True).start()
    try:
        yield fake
    finally:
        fake.close()


def _read_until(client: socket.socket, end: bytes) -> bytes:
    """One byte at a time, so that what follows stays on the line."""
    said = b""
    while not said.endswith(end) and (byte := client.recv(1)):
        said += byte
    return said


def _exactly(client: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        block = client.recv(size - len(data))
        if not block:
            raise ConnectionError("hung up")
        data += block
    return bytes(data)


def _take_all(client: socket.socket) -> bytes:
    """Everything up to the end, as clamd would."""
    content = bytearray()
    while size := struct.unpack(">I", _exactly(client, 4))[0]:
        content += _exactly(client, size)
    return bytes(content)


def after_all(answer: bytes) -> Callable[[socket.socket], object]:
    def talk(client: socket.socket) -> None:
        _take_all(client)
        client.sendall(answer)

    return talk


def _early(answer: bytes) -> Callable[[socket.socket], object]:
    """Answers after the first piece, takes no more, and stays on the line for a while."""

    def talk(client: socket.socket) -> None:
        _exactly(client, 4 + 65536)
        client.sendall(answer)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(1)
        client.recv(1)

    return talk


def _drip(client: socket.socket) -> None:
    """Always another byte, never an answer."""
    _take_all(client)
    while True:
        client.sendall(b"s")
        time.sleep(0.02)


def _flood(client: socket.socket) -> None:
    while True:
        client.sendall(b"stream: " * 8192)


def _reset(client: socket.socket) -> None:
    client.recv(1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


OTHER_ANSWERS = [
    b"stream: OK",
    b"stream: OK\n",
    b"stream: OK\n\0",
    b"stream: OK\0\0",
    b"stream: OK\0stream: Bad.Thing FOUND\0",
    b"stream: Bad.Thing FOUND\0stream: OK\0",
    b" stream: OK\0",
    b"stream: ok\0",
    b"stream:OK\0",
    b"1: stream: OK\0",
    b"OK\0",
    b"\0",
    b"stream: Bad.Thing FOUND",
    b"stream:  FOUND\0",
    b"stream: Bad\x1b[31mThing FOUND\0",
    b"stream: " + b"x" * 300 + b" FOUND\0",
    b"stream: Can't allocate memory ERROR\0",
    b"UNKNOWN COMMAND\0",
    b"HTTP/1.1 200 OK\r\n\r\nstream: OK\0",
    b"stream: OK\0" * 1000,
    b"\xff" * 5000,
]


@pytest.mark.parametrize("answer", OTHER_ANSWERS)
def test_an_answer_that_is_not_exact_is_unsure(answer: bytes) -> None:
    with fake_clamd(after_all(answer)) as fake:
        said = scan(Scanner(fake.url, timeout_s=5), b"a" * 100)

    assert said == Scan(Verdict.UNSURE, "protocol", engine="ClamAV 1.4.6/27712")


def test_the_stand_in_is_believed_when_it_speaks_as_clamd_does() -> None:
    """Or the tests around this one could not fail."""
    got = []
    with fake_clamd(
        lambda client: (got.append(_take_all(client)), client.sendall(b"stream: OK\0"))
    ) as fake:
        said = scan(Scanner(fake.url), b"abc" * 50_000)

    assert said == Scan(Verdict.CLEAN, "clean", engine="ClamAV 1.4.6/27712")
    assert got == [b"abc" * 50_000]


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        pytest.param(lambda _: None, "unreachable", id="hangs up at once"),
        pytest.param(_take_all, "unreachable", id="hangs up instead of answering"),
        pytest.param(lambda c: _exactly(c, 100_000), "unreachable", id="hangs up half way"),
        pytest.param(_reset, "unreachable", id="resets"),
        pytest.param(_early(b"stream: OK\0"), "protocol", id="OK before everything was sent"),
        pytest.param(_early(b"stream: X FOUND\0"), "protocol", id="found before everything"),
        pytest.param(_early(b"INSTREAM size limit exceeded. ERROR\0"), "too_large", id="too large"),
        pytest.param(lambda c: c.sendall(b"stream: OK\0"), "protocol", id="OK to the command"),
        pytest.param(_drip, "timeout", id="drips"),
        pytest.param(_flood, "protocol", id="never ends"),
        pytest.param(lambda c: time.sleep(1.5), "timeout", id="takes nothing"),
    ],
)
def test_a_server_that_breaks_the_rules_is_unsure_in_time(talk, reason: str) -> None:
    with fake_clamd(talk) as fake:
        began = time.monotonic()
        said = Scanner(fake.url, timeout_s=1).scan(Stream(20 * MIB))

    assert time.monotonic() - began < 2
    assert said == Scan(Verdict.UNSURE, reason, engine="ClamAV 1.4.6/27712")


def test_what_was_said_before_hanging_up_is_heard_even_when_sending_fails(monkeypatch) -> None:
    """clamd hangs up between our look at the line and our next piece."""
    sent = []

    def send(connection: socket.socket, data: memoryview) -> int:
        sent.append(bytes(data))
        if len(data) > 60_000:
            raise BrokenPipeError
        connection.sendall(data)
        return len(data)

    monkeypatch.setattr(socket.socket, "send", send)
    for answer, reason in [
        (b"INSTREAM size limit exceeded. ERROR\0", "too_large"),
        (b"stream: OK\0", "protocol"),
        (b"", "unreachable"),
    ]:
        with fake_clamd(lambda client, said=answer: client.sendall(said)) as fake:
            pieces = io.BytesIO(b"a" * 65536)
            assert Scanner(fake.url).scan(pieces).reason == reason
    assert b"zVERSION\0" in sent


@pytest.fixture(scope="module")
def fake_that_says() -> Iterator[Callable[[bytes], str]]:
    """Set what it answers, get where it is."""
    answers: list[bytes] = []
    with fake_clamd(lambda client: after_all(answers[-1])(client)) as fake:
        yield lambda answer: (answers.append(answer), fake.url)[1]


NEARLY = st.sampled_from([b"stream: OK\0", b"stream: ", b"OK", b"\0", b" FOUND\0", b"ERROR", b" "])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(NEARLY, st.binary(max_size=20)), max_size=6).map(b"".join))
@example(b"stream: OK\0")
def test_no_answer_but_one_is_clean(fake_that_says, answer: bytes) -> None:
    said = scan(Scanner(fake_that_says(answer), timeout_s=5), b"An essay.")

    assert (said.verdict is Verdict.CLEAN) == (answer == b"stream: OK\0")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted in /proc")
def test_no_connection_stays_open() -> None:
    with fake_clamd(after_all(b"nonsense")) as fake:
        scanners = [Scanner(fake.url, timeout_s=5), Scanner("unix:///nowhere/at/all")]
        before = len(os.listdir("/proc/self/fd"))
        for scanner in scanners * 20:
            scan(scanner, b"a")
            scanner.version()
        # The fake's own ends may close a moment later than ours.
        assert len(os.listdir("/proc/self/fd")) < before + 10


def test_trouble_with_the_content_itself_is_the_callers(scanner: Scanner) -> None:
    def lost(_position: int) -> None:
        raise OSError("the shelf fell down")

    with pytest.raises(OSError, match="shelf"):
        scanner.scan(Stream(10, on_read=lost))


def test_a_stream_that_has_nothing_yet_is_not_at_its_end(scanner: Scanner) -> None:
    inside, outside = os.pipe()
    os.set_blocking(inside, False)
    with open(inside, "rb", buffering=0) as nothing_yet, pytest.raises(BlockingIOError):
        scanner.scan(nothing_yet)
    os.close(outside)


# --- version and address -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        (
            b"ClamAV 1.4.6/27712/Wed Nov 19 08:31:02 2025\0",
            Version("ClamAV 1.4.6/27712", 27712, datetime(2025, 11, 19, 8, 31, 2, tzinfo=UTC)),
        ),
        (
            b"ClamAV 0.103.12/26000/Wed Nov  5 00:00:00 2025\0",
            Version("ClamAV 0.103.12/26000", 26000, datetime(2025, 11, 5, tzinfo=UTC)),
        ),
        (b"ClamAV 1.5.0-rc\0", Version("ClamAV 1.5.0-rc")),
        (b"ClamAV 1.4.6/27712/last week\0", Version("ClamAV 1.4.6/27712", 27712)),
        (b"ClamAV 1.4.6/27712/Sun Feb 31 08:31:02 2025\0", Version("ClamAV 1.4.6/27712", 27712)),
        (b"ClamAV 1.4.6/27712/Sun Foo 31 08:31:02 2025\0", Version("ClamAV 1.4.6/27712", 27712)),
        (b"ClamAV 1.4.6", None),
        (b"ClamAV \x1b[31m\0", None),
        (b"UNKNOWN COMMAND\0", None),
        (b"", None),
    ],
)
def test_the_version_is_read_as_clamd_writes_it(answer: bytes, version: Version | None) -> None:
    with fake_clamd(after_all(b"stream: OK\0"), version=answer) as fake:
        scanner = Scanner(fake.url, timeout_s=5)
        assert scanner.version() == version
        # Who does not say what it is isn't asked about contents.
        said = scan(scanner, b"An essay.")
        assert said.verdict is (Verdict.CLEAN if version else Verdict.UNSURE)
        assert said.engine == (version.engine if version else None)


@pytest.mark.parametrize(
    "url",
    ["tcp://127.0.0.1:3310", "tcp://[::1]:3310", "tcp://scanner:3310/", "unix:///run/clamav/c%20d"],
)
def test_a_good_address_has_no_problem(url: str) -> None:
    assert scanner_url_problem(url) is None
    Scanner(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "begins with"),
        ("http://127.0.0.1:3310", "begins with"),
        ("127.0.0.1:3310", "begins with"),
        ("tcp://127.0.0.1", "a host and a port"),
        ("tcp://:3310", "a host and a port"),
        ("tcp://127.0.0.1:0", "a host and a port"),
        ("tcp://127.0.0.1:3310/socket", "a host and a port"),
        ("tcp://127.0.0.1:99999", "not an address"),
        ("tcp://127.0.0.1:port", "not an address"),
        ("tcp://[::1:3310", "not an address"),
        ("tcp://user:word@127.0.0.1:3310", "no password"),
        ("tcp://127.0.0.1:3310?tls=1", "no options"),
        ("unix://run/clamd.ctl", "full path"),
        ("unix:///", "full path"),
        ("unix:///run/%00clamd", "full path"),
        ("unix:///" + "a" * 107, "longer than 107"),
    ],
)
def test_a_wrong_address_is_told_in_words(url: str, words: str) -> None:
    problem = scanner_url_problem(url)

    assert problem is not None
    assert words in problem
    with pytest.raises(ValueError, match=r"^The scanner's address .*\.$"):
        Scanner(url)
