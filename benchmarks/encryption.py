"""What encryption costs: a file through the container, beside a plain copy with sha256.

    python -m benchmarks.encryption [--mib 512] [--rounds 7] [--folder /dev/shm]

All ways of a round move the same bytes from file to file, in blocks as providers do, with sha256 of
what is stored (reading: of what comes out), and wait for no disk (no fsync), so that a slow disk
does not hide the cost. "Two sums" also counts the plaintext's sha256, as an upload does. Rounds
take turns, and the ratio is the median of each round's own: a busy machine slows both. The second
ratio is of this process's own processor time, which other programs disturb less.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from uuid import uuid4

from school.storage.container import Sealed, encrypt, new_data_key
from school.storage.hashing import CountingReader
from school.storage.protocol import BLOCK_BYTES

GOAL = 1.25
MIB = 1024 * 1024
OBJECT_ID = uuid4()
DATA_KEY = new_data_key()


def write_summed(stream: object, target: Path) -> None:
    """As `LocalStorage.put` writes."""
    reader = CountingReader(cast("BinaryIO", stream))
    with target.open("wb") as out:
        for block in reader.blocks():
            out.write(block)
    reader.sha256  # noqa: B018


def plain_copy(source: Path, target: Path) -> None:
    with source.open("rb") as stream:
        write_summed(stream, target)


def sealed_write(source: Path, target: Path) -> None:
    with source.open("rb") as stream:
        size = source.stat().st_size
        write_summed(encrypt(stream, object_id=OBJECT_ID, data_key=DATA_KEY, size=size), target)


def sealed_write_two_sums(source: Path, target: Path) -> None:
    with source.open("rb") as stream:
        counted = cast("BinaryIO", CountingReader(stream))
        write_summed(encrypt(counted, object_id=OBJECT_ID, data_key=DATA_KEY, size=None), target)


def plain_copy_two_sums(source: Path, target: Path) -> None:
    """What the plain file would cost if its checksum were counted in two places."""
    with source.open("rb") as stream:
        write_summed(CountingReader(cast("BinaryIO", stream)), target)


def sealed_read(source: Path, target: Path) -> None:
    @contextmanager
    def open_range(start: int, length: int) -> Iterator[Iterator[bytes]]:
        with source.open("rb") as stream:
            stream.seek(start)
            yield blocks(stream, length)

    sealed = Sealed(
        open_range,
        object_id=OBJECT_ID,
        data_key=DATA_KEY,
        stored_size=source.stat().st_size,
        size=None,
    )
    write_blocks(sealed.read(), target)


def plain_read(source: Path, target: Path) -> None:
    """As a download from disk is handed out."""
    with source.open("rb") as stream:
        write_blocks(blocks(stream, source.stat().st_size), target)


def write_blocks(pieces: Iterator[bytes], target: Path) -> None:
    summed = hashlib.sha256()
    with target.open("wb") as out:
        for piece in pieces:
            summed.update(piece)
            out.write(piece)
    summed.digest()


def blocks(stream: BinaryIO, length: int) -> Iterator[bytes]:
    while length and (block := stream.read(min(BLOCK_BYTES, length))):
        length -= len(block)
        yield block


def seconds(act: Callable[[Path, Path], None], source: Path, target: Path) -> tuple[float, float]:
    """(by the clock, of the processor), into a new file: writing over an old one costs otherwise."""
    target.unlink(missing_ok=True)
    began, cpu = time.perf_counter(), time.process_time()
    act(source, target)
    return time.perf_counter() - began, time.process_time() - cpu


def one_round(folder: Path) -> dict[str, tuple[float, float]]:
    plain, sealed, out = folder / "plain", folder / "sealed", folder / "out"
    return {
        "plain write": seconds(plain_copy, plain, out),
        "write": seconds(sealed_write, plain, sealed),
        "plain read": seconds(plain_read, plain, out),
        "read": seconds(sealed_read, sealed, out),
        "plain write, two sums": seconds(plain_copy_two_sums, plain, out),
        "write, two sums": seconds(sealed_write_two_sums, plain, sealed),
    }


def report(rounds: list[dict[str, tuple[float, float]]], mib: int) -> None:
    for name in rounds[0]:
        taken = statistics.median(one[name][0] for one in rounds)
        beside = f"plain {name}"
        verdict = ""
        if beside in rounds[0]:
            clock, cpu = (
                statistics.median(one[name][i] / one[beside][i] for one in rounds) for i in (0, 1)
            )
            verdict = f"  ×{clock:4.2f} of {beside}, processor ×{cpu:4.2f} (goal ×{GOAL})"
        print(f"{name:<22} {mib / taken:>7,.0f} MiB/s{verdict}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as temporary:
        folder = Path(temporary)
        with (folder / "plain").open("wb") as plain:
            for _ in range(chosen.mib):
                plain.write(os.urandom(MIB))
        one_round(folder)  # warms the file cache
        report([one_round(folder) for _ in range(chosen.rounds)], chosen.mib)


if __name__ == "__main__":
    main()
