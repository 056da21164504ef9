"""SQLite to PostgreSQL: ours with full proof, beside pgloader and pg_restore in the same run.

    python -m benchmarks.upgrade [--source FILE] [--rounds 3] [--jobs 2]

Needs pgloader (Debian: apt install pgloader) and PostgreSQL's programs. The source is an old school's
database of about 1.9 million rows, made anew unless named. Every round loads it into a fresh database
by each, one after another: pgloader with tables, indexes, keys and foreign keys; ours with the same and
everything read back and compared; `pg_restore -j2` of our result, which converts nothing and is the
limit. fsync is on. Ratios are the median of each round's own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.factories.old_school import make_old_school
from tests.servers.postgres import PostgresServer, throwaway_postgres

GOAL_LOAD, GOAL_PROVEN, GOAL_MIB = 2.2, 1.4, 200
TUNED = {
    "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "2GB",
    "maintenance_work_mem": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min",
}  # fmt: skip
PGLOADER = """load database from sqlite://{source} into {target}
with include drop, create tables, create indexes, reset sequences, foreign keys
set work_mem to '256MB', maintenance_work_mem to '256MB';
"""


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def pgloader(server: PostgresServer, source: Path, folder: Path) -> float:
    server.create_database("by_pgloader")
    script = folder / "pgloader.load"
    target = f"postgresql://school@unix:{server.folder}:5432/by_pgloader"
    script.write_text(PGLOADER.format(source=source, target=target))
    return timed(lambda: subprocess.run(["pgloader", script], check=True, capture_output=True))


def ours(server: PostgresServer, source: Path, jobs: int) -> dict[str, float]:
    """Seconds by phase, and the peak of memory in MiB."""
    url = server.create_database("by_us")
    command = [sys.executable, "database_upgrade.py", "--sqlite-path", source, "--json"]
    ran = subprocess.run(
        [*command, "--postgresql-url", url, "--jobs", str(jobs)], check=True, capture_output=True
    )
    told = json.loads(ran.stdout)
    return {**told["seconds"], "mib": told["peak_rss_bytes"] / 2**20}


def restore(server: PostgresServer, folder: Path) -> float:
    dump = folder / "ours.dump"
    target = server.create_database("by_restore")
    programs = server.binaries
    subprocess.run(
        [programs / "pg_dump", "-Fc", "-Z0", "-n", "public", "-f", dump, server.url("by_us")],
        check=True,
    )
    command = [programs / "pg_restore", "-j2", "--no-owner", "-d", target, dump]
    return timed(lambda: subprocess.run(command, check=False, capture_output=True))


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--source", type=Path)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--jobs", type=int, default=2)
    options = asked.parse_args()
    with ExitStack() as open_ones:
        folder = Path(open_ones.enter_context(tempfile.TemporaryDirectory()))
        source = (options.source or make_old_school(folder / "old.db", "million")).resolve()
        server = open_ones.enter_context(throwaway_postgres(TUNED))
        rounds = [measure(server, source, folder, options.jobs) for _ in range(options.rounds)]
    return tell(rounds)


def measure(server: PostgresServer, source: Path, folder: Path, jobs: int) -> dict[str, float]:
    theirs = pgloader(server, source, folder)
    mine = ours(server, source, jobs)
    limit = restore(server, folder)
    row = {"pgloader": theirs, "restore": limit, **mine}
    print("  ".join(f"{name} {value:.2f}" for name, value in row.items()), flush=True)
    return row


def tell(rounds: list[dict[str, float]]) -> int:
    """Whether every goal is kept."""
    built = statistics.median(one["pgloader"] / (one["load"] + one["index"]) for one in rounds)
    proven = statistics.median(one["pgloader"] / one["total"] for one in rounds)
    limit = statistics.median(one["total"] / one["restore"] for one in rounds)
    most = max(one["mib"] for one in rounds)
    print(f"load, keys, indexes: ×{built:.2f} as fast as pgloader (goal ×{GOAL_LOAD})")
    print(f"the same, looked at before and read back after: ×{proven:.2f} (goal ×{GOAL_PROVEN})")
    print(f"of pg_restore -j2, which converts and proves nothing: ×{limit:.2f} of its time")
    print(f"peak memory: {most:.0f} MiB (goal {GOAL_MIB})")
    return 0 if built >= GOAL_LOAD and proven >= GOAL_PROVEN and most <= GOAL_MIB else 1


if __name__ == "__main__":
    sys.exit(main())
