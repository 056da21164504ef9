"""Files in and out of every kind of storage, and many small ones through the whole service.

    python -m benchmarks.storage [--mib 256] [--rounds 5] [--files 10000] [--folder DIR] [--only NAME]

Throughput: one stream, whole objects. Going in, each round writes the same file by every provider
and, beside it, by a plain copy with sha256 and fsync, because the local provider promises both.
Coming out, the same into a new file with sha256, beside a plain copy that does so. S3 is a real
gateway over a store in memory (radosgw; the mock where it is missing), GCS an emulator: what they
take is mostly theirs and the loopback's. Ratios are the median of each round's own.

Small files: 4 KiB each by `keeping.store_upload` (name, type, rows, history, search, two commits),
beside creating as many files with fsync.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import uuid4

import boto3
import requests
from gcp_storage_emulator.server import create_server
from moto.server import ThreadedMotoServer

import tests.conftest as testing
from benchmarks.settings import KEY
from school.files.service import keeping
from school.storage.container import Sealed, encrypt, new_data_key, sealed_size
from school.storage.gcs import GcsStorage
from school.storage.hashing import BlockStream
from school.storage.hybrid import HybridStorage
from school.storage.keys import new_key
from school.storage.local import LocalStorage
from school.storage.protocol import BLOCK_BYTES, StorageProvider
from school.storage.s3 import S3Storage
from school.tenancy.scope import school_scope
from tests.factories.files import make_owner
from tests.servers.gcs import BUCKET as GCS_BUCKET
from tests.servers.gcs import make_gcs_key
from tests.servers.radosgw import NoRadosgw, throwaway_radosgw
from tests.servers.s3 import BUCKET, CREDENTIALS
from tests.servers.schoolhouse import free_port

MIB = 1024 * 1024
GOAL_LOCAL, GOAL_SEALED = 0.7, 1.25
SMALL_BYTES = 4096
OBJECT_ID, DATA_KEY = uuid4(), new_data_key()


class Plain:
    """What there is without any of it."""

    name = "plain copy"

    def __init__(self, folder: Path, source: Path) -> None:
        self._folder, self._source = folder, source

    def write(self) -> None:
        target = self._folder / uuid4().hex
        with self._source.open("rb") as stream, target.open("wb") as out:
            _pour(_blocks(stream), out)
            out.flush()
            os.fsync(out.fileno())
        target.unlink()

    def read(self, out: Path) -> None:
        with self._source.open("rb") as stream, out.open("wb") as target:
            _pour(_blocks(stream), target)


class Stored:
    """One provider; `sealed` encrypts on the way in and out."""

    def __init__(
        self, name: str, provider: StorageProvider, source: Path, *, sealed: bool = False
    ) -> None:
        self.name, self._provider, self._source = name, provider, source
        self._sealed, self._size = sealed, source.stat().st_size
        self._key = ""

    def write(self) -> None:
        if self._key:
            self._provider.delete(self._key)
        self._key = new_key()
        with self._source.open("rb") as stream:
            if self._sealed:
                size = sealed_size(self._size)
                going = encrypt(stream, object_id=OBJECT_ID, data_key=DATA_KEY, size=self._size)
            else:
                size, going = self._size, stream
            self._provider.put(self._key, going, size=size)
            self._copy(size)

    def _copy(self, size: int) -> None:
        """The copies of a hybrid, as its jobs make them."""
        if isinstance(self._provider, HybridStorage):
            first, *others = self._provider.members
            for other in others:
                with first.open(self._key) as blocks:
                    other.put(self._key, cast("BinaryIO", BlockStream(blocks)), size=size)

    def read(self, out: Path) -> None:
        with out.open("wb") as target:
            if self._sealed:
                _pour(self._opened().read(), target)
            else:
                with self._provider.open(self._key) as blocks:
                    _pour(blocks, target)

    def _opened(self) -> Sealed:
        return Sealed(
            lambda start, length: self._provider.open(self._key, start=start, length=length),
            object_id=OBJECT_ID,
            data_key=DATA_KEY,
            stored_size=sealed_size(self._size),
            size=self._size,
        )


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    while block := stream.read(BLOCK_BYTES):
        yield block


def _pour(blocks: Iterator[bytes], target: BinaryIO) -> None:
    summed = hashlib.sha256()
    for block in blocks:
        summed.update(block)
        target.write(block)
    summed.digest()


@contextmanager
def s3_place() -> Iterator[tuple[str, StorageProvider]]:
    try:
        with throwaway_radosgw() as server:
            yield "S3 (radosgw)", _s3(server.url, server.credentials)
    except NoRadosgw:
        mock = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        mock.start()
        url = "http://{}:{}".format(*mock.get_host_and_port())
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **CREDENTIALS)
        client.create_bucket(Bucket=BUCKET)
        yield "S3 (moto)", _s3(url, CREDENTIALS)
        mock.stop()


def _s3(url: str, credentials: Any) -> S3Storage:
    return S3Storage(BUCKET, "bench", endpoint_url=url, credentials=credentials)


@contextmanager
def gcs_place() -> Iterator[tuple[str, StorageProvider]]:
    port = free_port()
    server = create_server("127.0.0.1", port, in_memory=True)
    server.start()
    url = f"http://127.0.0.1:{port}"
    body = {"name": GCS_BUCKET}
    requests.post(f"{url}/storage/v1/b", json=body, timeout=10).raise_for_status()
    credentials, _ = make_gcs_key()
    yield "GCS (emulator)", GcsStorage(GCS_BUCKET, "b", endpoint_url=url, credentials=credentials)
    server.stop()


PLACES = {"s3": s3_place, "gcs": gcs_place}


def throughput(folder: Path, *, mib: int, rounds: int, only: str) -> bool:
    """Print the table; whether the goals are kept."""
    source = folder / "source"
    with source.open("wb") as out:
        for _ in range(mib):
            out.write(os.urandom(MIB))
    with ExitStack() as stack:
        one = _local(folder, "one")
        ways: list[Any] = [Plain(folder, source), Stored("local", one, source)]
        ways.append(Stored("local, encrypted", one, source, sealed=True))
        hybrid = HybridStorage(_local(folder, "two"), _local(folder, "three"))
        ways.append(Stored("hybrid, with its copy", hybrid, source))
        wanted = [place for name, place in PLACES.items() if only in {"", name}]
        ways += [Stored(*stack.enter_context(place()), source) for place in wanted]
        taken = [_round(ways, folder / "out") for _ in range(rounds + 1)][1:]
        return _report([way.name for way in ways], taken, mib)


def _local(folder: Path, name: str) -> LocalStorage:
    return LocalStorage(folder / name, signing_keys=[KEY], name=name)


def _round(ways: list[Any], out: Path) -> dict[tuple[str, str], float]:
    """Seconds by (way, direction), by the clock and as "cpu in" and "cpu out" of the processor."""
    taken = {}
    for way in ways:
        for direction, act in (("in", way.write), ("out", lambda way=way: way.read(out))):
            out.unlink(missing_ok=True)
            used = time.process_time()
            taken[way.name, direction] = _seconds(act)
            taken[way.name, f"cpu {direction}"] = time.process_time() - used
    return taken


def _seconds(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _report(names: list[str], rounds: list[dict[tuple[str, str], float]], mib: int) -> bool:
    print(f"{'':24}{'in MiB/s':>10}{'of plain':>10}{'out MiB/s':>11}{'of plain':>10}")
    for name in names:
        cells = []
        for way in ("in", "out"):
            speed = mib / statistics.median(one[name, way] for one in rounds)
            cells.append(f"{speed:10,.0f}{_ratio(rounds, 'plain copy', name, way):10.2f}")
        print(f"{name:24}{cells[0]} {cells[1]}")
    local = [_ratio(rounds, "plain copy", "local", way) for way in ("in", "out")]
    sealed, cpu = (
        [_ratio(rounds, "local, encrypted", "local", way) for way in ways]
        for ways in (("in", "out"), ("cpu in", "cpu out"))
    )
    print(f"local beside plain: ×{min(local):.2f} at least (goal ×{GOAL_LOCAL})")
    print(f"encryption: ×{sealed[0]:.2f} in, ×{sealed[1]:.2f} out (goal ×{GOAL_SEALED}); ", end="")
    print(f"of the processor's time ×{cpu[0]:.2f} and ×{cpu[1]:.2f}")
    return min(local) >= GOAL_LOCAL and max(sealed) <= GOAL_SEALED


def _ratio(rounds: list[dict[tuple[str, str], float]], first: str, second: str, way: str) -> float:
    """How much longer the first takes than the second."""
    return statistics.median(one[first, way] / one[second, way] for one in rounds)


def small_files(folder: Path, files: int) -> None:
    """Files per second through the whole service, beside create and fsync of the same."""
    texts = [f"{n:08}\n".encode() * (SMALL_BYTES // 9) for n in range(files)]
    plain = folder / "plain"
    plain.mkdir()
    with testing.make_app(folder) as app, app.app_context():
        school = testing.make_school()
        with school_scope(school.id):
            owners = [make_owner() for _ in range(max(1, files // 50))]
            _keep(owners[0].id, "first.txt", texts[0])  # whatever is loaded on first use
            slices = [(start, texts[start : start + 500]) for start in range(0, files, 500)]
            ours, theirs = 0.0, 0.0
            for start, some in slices:  # in turns, so that a busy machine slows both
                theirs += _seconds(lambda start=start, some=some: _create(plain, start, some))
                ours += _seconds(lambda start=start, some=some: _keep_all(owners, start, some))
    print(f"{files:,} files of 4 KiB: {files / ours:,.0f} files/s through the service, ", end="")
    print(f"{files / theirs:,.0f}/s plain create and fsync; ×{ours / theirs:.1f}")


def _create(folder: Path, start: int, some: list[bytes]) -> None:
    for number, text in enumerate(some, start):
        with (folder / f"{number}.txt").open("wb") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())


def _keep_all(owners: list[Any], start: int, some: list[bytes]) -> None:
    for number, text in enumerate(some, start):
        _keep(owners[number % len(owners)].id, f"{number}.txt", text)


def _keep(owner_id: Any, name: str, text: bytes) -> None:
    keeping.store_upload(io.BytesIO(text), owner_kind="student", owner_id=owner_id, filename=name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--only", default="", help="s3, gcs, or local for neither")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as temporary:
        folder = Path(temporary)
        if chosen.mib:
            throughput(folder, mib=chosen.mib, rounds=chosen.rounds, only=chosen.only)
        if chosen.files:
            small_files(folder, chosen.files)


if __name__ == "__main__":
    main()
