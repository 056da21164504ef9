"""A large Schoolhouse database moved into PostgreSQL, then every page of both compared.

    python -m benchmarks.own_upgrade [--students 100000] [--files 200000] [--events 1000000]

Prints the seconds by phase, the rows and the peak of memory, and the pages that differ: none may.
The move runs as administrators run it, in a process of its own, without switching.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks import folders, students_list
from school.db import new_id
from tests.servers.postgres import throwaway_postgres
from tests.upgrade.own.conftest import OldSchool, close, make_old_school, open_app
from tests.upgrade.own.test_moving import compare_pages


def enlarge(school: OldSchool, students: int, files: int, events: int) -> None:
    """Straight into the tables."""
    seeded = folders.Seeded(school.school_id, school.objects["student_id"], new_id())
    folders.fill(f"sqlite:///{school.file}", seeded, files)
    app = open_app(school.folder, f"sqlite:///{school.file}")
    students_list.seed(app, school.school_id, students)
    close(app)
    with closing(sqlite3.connect(school.file)) as file:
        names = [row[1] for row in file.execute("PRAGMA table_info(audit_event)")]
        others = ", ".join(name for name in names if name != "id")
        file.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            f" INSERT INTO audit_event (id, {others}) SELECT lower(hex(randomblob(16))), {others}"
            " FROM n, (SELECT * FROM audit_event LIMIT 1)",
            (events,),
        )
        file.commit()


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--students", type=int, default=100_000)
    asked.add_argument("--files", type=int, default=200_000)
    asked.add_argument("--events", type=int, default=1_000_000)
    options = asked.parse_args()
    with ExitStack() as open_ones:
        folder = Path(open_ones.enter_context(tempfile.TemporaryDirectory()))
        school = make_old_school(folder)
        enlarge(school, options.students, options.files, options.events)
        server = open_ones.enter_context(
            throwaway_postgres({"fsync": "on", "shared_buffers": "1GB"})
        )
        url = server.create_database("moved")
        report = move(school.file, url)
        different, shown = compare_pages(school, url)
    for place, lines in different.items():
        print(f"{place} differs: {lines[:4]}")
    print(f"{shown} pages are there on both, {len(different)} differ")
    return 0 if report["status"] == "complete" and not different else 1


def move(file: Path, url: str) -> dict[str, object]:
    command = [
        sys.executable,
        "database_upgrade.py",
        "--json",
        "--no-switch",
        "--sqlite-path",
        file,
    ]
    ran = subprocess.run([*command, "--postgresql-url", url], check=False, capture_output=True)
    report: dict[str, object] = json.loads(ran.stdout)
    rows = sum(table["loaded"] for table in report["tables"])  # type: ignore[attr-defined]
    mib = int(report["peak_rss_bytes"]) >> 20  # type: ignore[call-overload]
    print(
        f"{report['status']}: {rows:,} rows, {file.stat().st_size >> 20} MiB, {mib} MiB at the peak"
    )
    print(report["seconds"], report["problems"])
    return report


if __name__ == "__main__":
    sys.exit(main())
