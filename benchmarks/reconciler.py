"""What comparing a large storage with its rows costs: time and memory.

    python -m benchmarks.reconciler [--locations 1000000] [--schools 1] [--postgres ADDRESS]

The provider is made up: it lists the keys of all rows, in their order, and a few that no row knows;
so that what is measured is ours (a real one adds its listing: a thousand keys a request). A
thirtieth of the objects is read again, as every night. Memory is the peak of this process, with the
program loaded but idle subtracted beside it. Without an address a fresh SQLite file is used.
"""

from __future__ import annotations

import argparse
import heapq
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import sqlalchemy as sa

from benchmarks.settings import settings_for
from school import clock
from school.app import create_app
from school.db import Base, db, new_id, transaction
from school.files.models import Blob, BlobLocation
from school.files.service.reconciling import reconcile
from school.storage.errors import NotFound
from school.storage.protocol import ObjectInfo
from school.tenancy.scope import school_scope

GOAL_MIB = 128
DATA = b"x"
SUM = sha256(DATA).hexdigest()
STRAYS = 15
CHUNK = 20_000


def key_at(number: int) -> str:
    name = f"{number:032x}"
    return f"blob/{name[-6:-4]}/{name[-4:-2]}/{name}"


class MadeUp:
    """Lists what the rows say, and `STRAYS` objects more; every object is one byte."""

    name = "made-up"

    def __init__(self, folder: Path) -> None:
        self._listing = folder / "keys.txt"

    def list(self, _prefix: str, *, after: str | None = None) -> Iterator[ObjectInfo]:  # noqa: ARG002
        at = datetime.now(UTC) - timedelta(days=3)
        strays = (f"blob/ff/ff/z{number:02}" for number in range(STRAYS))
        with self._listing.open() as lines:
            for key in heapq.merge((line.rstrip("\n") for line in lines), strays):
                yield ObjectInfo(key, len(DATA), "e", at)

    @contextmanager
    def open(self, key: str, **_more: object) -> Iterator[Iterator[bytes]]:  # noqa: ARG002
        yield iter([DATA])

    def stat(self, key: str) -> ObjectInfo:
        raise NotFound("no", key=key)

    def copy(self, source: str, target: str) -> ObjectInfo:  # noqa: ARG002
        return ObjectInfo(target, 1, "e", datetime.now(UTC))

    def delete(self, key: str) -> bool:  # noqa: ARG002
        return True

    def abort_stale_uploads(self, older_than: timedelta) -> int:  # noqa: ARG002
        return 0


def fill(school_id: UUID, keys: list[str]) -> None:
    """A blob and its place for each key."""
    then = clock.now() - timedelta(days=40)
    for start in range(0, len(keys), CHUNK):
        some = [(new_id(), key) for key in keys[start : start + CHUNK]]
        with school_scope(school_id), transaction() as session:
            session.execute(
                sa.insert(Blob),
                [
                    {"id": blob_id, "school_id": school_id, "sha256": SUM, "size_bytes": 1,
                     "state": "stored"}
                    for blob_id, _ in some
                ],
            )  # fmt: skip
            session.execute(
                sa.insert(BlobLocation),
                [
                    {"id": uuid4(), "school_id": school_id, "blob_id": blob_id, "key": key,
                     "provider": MadeUp.name, "state": "present", "verified_at": then}
                    for blob_id, key in some
                ],
            )  # fmt: skip


def prepare(folder: Path, url: str, locations: int, schools: int) -> None:
    """Filling takes memory, too."""
    from tests.conftest import make_school  # noqa: PLC0415 - brings much that is not measured

    app = create_app(settings_for(folder, url))
    with app.app_context():
        Base.metadata.create_all(db.engine)
        places = [make_school(f"School {number}") for number in range(schools)]
        for number, place in enumerate(places):
            fill(place.id, [key_at(n) for n in range(number, locations, schools)])
        keys = sorted(key_at(n) for n in range(locations))
        (folder / "keys.txt").write_text("\n".join(keys) + "\n")
        db.session.remove()
        with db.engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE")
            connection.commit()


def memory_mib(name: str) -> float:
    """A line of what Linux says of this process: VmHWM is the most it ever held."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) / 1024


def measure(folder: Path, url: str) -> None:
    """Two nights, and what the second took."""
    app = create_app(settings_for(folder, url))
    app.extensions["school.storage"] = MadeUp(folder)
    with app.app_context():
        idle = memory_mib("VmRSS")
        for night in ("first night", "second night"):
            began, cpu = time.monotonic(), time.process_time()
            (found,) = reconcile()
            seconds, spent = time.monotonic() - began, time.process_time() - cpu
            shown = {name: number for name, number in found.counts.items() if number}
            print(f"{night}: {seconds:.1f} s ({spent:.1f} s CPU), {shown} {found.stopped or ''}")
    print(
        f"memory: {memory_mib('VmHWM'):.0f} MiB at its peak, {idle:.0f} idle; now "
        f"{memory_mib('RssAnon'):.0f} of its own, {memory_mib('RssFile'):.0f} of files it has "
        f"mapped; goal {GOAL_MIB} MiB"
    )


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--locations", type=int, default=1_000_000)
    asked.add_argument("--schools", type=int, default=1)
    asked.add_argument("--postgres", default="")
    asked.add_argument("--folder", default="")
    asked.add_argument("--step", choices=["both", "prepare", "measure"], default="both")
    asked.add_argument("--url", default="", help=argparse.SUPPRESS)
    wanted = asked.parse_args()
    if wanted.step == "prepare":
        prepare(Path(wanted.folder), wanted.url, wanted.locations, wanted.schools)
    elif wanted.step == "measure":
        measure(Path(wanted.folder), wanted.url)
    else:
        run_both(wanted)


def run_both(wanted: argparse.Namespace) -> None:
    """Each step in a process of its own, so that its memory is its own."""
    with tempfile.TemporaryDirectory(dir=wanted.folder or None) as folder:
        url = wanted.postgres or f"sqlite:///{folder}/bench.db"
        for step in ("prepare", "measure"):
            more = ["--locations", str(wanted.locations), "--schools", str(wanted.schools)]
            words = ["--step", step, "--folder", folder, "--url", url, *more]
            subprocess.run([sys.executable, "-m", "benchmarks.reconciler", *words], check=True)


if __name__ == "__main__":
    main()
