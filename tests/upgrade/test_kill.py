"""kill -9 at any moment: --resume ends as an uninterrupted run does."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.servers.postgres import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
# Real moments of a real process; more of them by hand: SCHOOLHOUSE_KILLS=20.
KILLS = int(os.environ.get("SCHOOLHOUSE_KILLS", "2"))
_SCRIPT = """
CREATE TABLE class (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
CREATE TABLE student (id INTEGER PRIMARY KEY, name TEXT, born DATE, class_id INT REFERENCES class (id));
CREATE TABLE attendance (student_id INT REFERENCES student (id), day DATE, present BOOLEAN, note TEXT,
  PRIMARY KEY (student_id, day)) WITHOUT ROWID;
CREATE INDEX ix_born ON student (born);
CREATE INDEX ix_note ON attendance (note);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30) INSERT INTO class SELECT i, 'c' || i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
INSERT INTO student SELECT i, 'name ' || i, CASE WHEN i % 2000 THEN date('2010-01-01', i || ' days') ELSE 'never' END, 1 + i % 30 FROM n;
INSERT INTO attendance SELECT id, date('2024-01-01', d || ' days'), id % 2, 'note ' || d
FROM student JOIN (SELECT 1 AS d UNION SELECT 2 UNION SELECT 3);
"""


def _command(source: Path, url: str, *more: str) -> list[str]:
    return [
        sys.executable, str(ROOT / "database_upgrade.py"), "--sqlite-path", str(source),
        "--postgresql-url", url, "--on-bad", "reject", "--json",
        "--rejects", str(source.with_suffix(".jsonl")), *more,
    ]  # fmt: skip


def _contents(url: str) -> list[str]:
    """Sums that PostgreSQL itself makes of rows, and what is promised of them."""
    with psycopg.connect(url) as connection:
        every = "SELECT md5(string_agg(one::text, ',' ORDER BY one::text)) FROM {} one"
        asked = [
            *(every.format(name) for name in ("class", "student", "attendance")),
            every.format(
                "(SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint)"
            ),
            every.format("(SELECT indexdef FROM pg_indexes WHERE schemaname = 'public')"),
            "SELECT last_value || is_called::text FROM class_id_seq",
            every.format("(SELECT table_name, row_key, code FROM schoolhouse_upgrade.reject)"),
            "SELECT status FROM schoolhouse_upgrade.run",
        ]
        return [str(connection.execute(one).fetchone()[0]) for one in asked]


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_the_same(
    make_source: Callable[[str], Path], postgres_server: PostgresServer
) -> None:
    source = make_source(_SCRIPT)
    sha = hashlib.sha256(source.read_bytes()).hexdigest()
    written = source.stat().st_mtime_ns
    whole = postgres_server.create_database("upgrade_whole")
    began = time.monotonic()
    done = subprocess.run(_command(source, whole), capture_output=True, check=False)
    takes_s = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    wanted = _contents(whole)
    assert wanted[-1] == "complete"
    chance = random.Random(4)
    for number in range(KILLS):
        url = postgres_server.create_database("upgrade_killed")
        # The first part of every run only imports.
        _kill_after(_command(source, url, "--resume"), takes_s * chance.uniform(0.25, 1))
        if number % 3 == 2:
            _kill_after(_command(source, url, "--resume"), takes_s * chance.uniform(0.25, 1))
        done = subprocess.run(_command(source, url, "--resume"), capture_output=True, check=False)
        assert done.returncode == 0, done.stdout
        report = json.loads(done.stdout)
        assert report["status"] == "complete"
        assert _contents(url) == wanted
        assert hashlib.sha256(source.read_bytes()).hexdigest() == sha
        assert source.stat().st_mtime_ns == written
        assert not list(source.parent.glob("school.db-*"))


def _kill_after(command: list[str], seconds: float) -> None:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
