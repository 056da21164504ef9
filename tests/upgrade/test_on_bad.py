"""What becomes of values that PostgreSQL cannot hold."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from school.upgrade import rejects
from school.upgrade.conversion import FAULTS
from school.upgrade.report import Report
from school.upgrade.target import Target

# By code: the column, a good value, a bad one, and what a mended one becomes.
_BAD = {
    "other_storage": ("INTEGER", "1", "'ten'", None),
    "out_of_range": ("TEXT", "'a'", None, None),
    "not_boolean": ("BOOLEAN", "1", "7", None),
    "not_date": ("DATE", "'2024-01-01'", "'2024-02-30'", None),
    "not_time": ("TIME", "'10:11'", "'25:00'", None),
    "not_moment": ("DATETIME", "'2024-01-01 10:11:12'", "'2024-01-01 24:61'", None),
    "not_uuid": ("UUID", "'f47ac10b-58cc-4372-a567-0e02b2c3d479'", "'none'", None),
    "not_json": ("JSON", "'[1]'", "'[1'", "[1"),
    "digits": ("NUMERIC(6,2)", "1.25", "1.005", "1.00"),
    "nul": ("TEXT", "'a'", "CAST(x'610062' AS TEXT)", "ab"),
    "not_utf8": ("TEXT", "'a'", "CAST(x'61ff' AS TEXT)", "a\ufffd"),
    "too_long": ("VARCHAR(3)", "'abc'", "'abcdef'", "abcdef"),
}
_TRIED = [code for code, (_type, _good, bad, _mended) in _BAD.items() if bad]


def _source(make_source: Callable[[str], Path], code: str, ending: str = "") -> Path:
    declared, good, bad, _ = _BAD[code]
    return make_source(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, x {declared} {ending});"
        f"INSERT INTO t VALUES (1, {good}), (2, {bad}), (3, {good}), (4, {bad})"
    )


def test_every_code_has_words_and_an_example() -> None:
    assert set(FAULTS) == {*_BAD, "empty"}


@pytest.mark.parametrize("code", _TRIED)
def test_stop_counts_and_shows(code: str, make_source, upgrade, sql) -> None:
    [problem] = upgrade(_source(make_source, code)).problems
    assert (problem.code, problem.table, problem.column, problem.count) == (code, "t", "x", 2)
    assert [example.partition(":")[0] for example in problem.examples] == ["2", "4"]
    assert sql("SELECT to_regclass('t')") == [(None,)]


@pytest.mark.parametrize("code", _TRIED)
def test_reject_keeps_the_row_out_and_lists_it(
    code: str, make_source, upgrade, sql, tmp_path
) -> None:
    report: Report = upgrade(_source(make_source, code), "reject")
    assert report.is_complete
    [table] = report.tables
    assert (table.source, table.loaded, table.rejected) == (4, 2, 2)
    assert sql("SELECT id FROM t ORDER BY id") == [(1,), (3,)]
    listed = [json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text().splitlines()]
    assert [(one["key"], one["column"], one["reason"]) for one in listed] == [
        ("2", "x", code),
        ("4", "x", code),
    ]


@pytest.mark.parametrize("code", _TRIED)
def test_fix_mends_what_has_one_meaning(code: str, make_source, upgrade, sql) -> None:
    report: Report = upgrade(_source(make_source, code), "fix")
    assert report.is_complete
    assert (report.tables[0].loaded, report.tables[0].rejected) == (4, 0)
    assert [problem.count for problem in report.handled] == [2]
    [(value,)] = sql("SELECT x FROM t WHERE id = 2")
    wanted = _BAD[code][3]
    assert (value if value is None else str(value)) == wanted


def test_fix_rejects_what_may_not_be_empty(make_source, upgrade, sql) -> None:
    report: Report = upgrade(_source(make_source, "not_date", "NOT NULL"), "fix")
    assert report.is_complete
    assert (report.tables[0].loaded, report.tables[0].rejected) == (2, 2)


def test_fix_widens_the_column_instead_of_cutting(make_source, upgrade, sql) -> None:
    report: Report = upgrade(_source(make_source, "too_long"), "fix")
    assert any("any length" in note for note in report.notes)
    assert sql(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass"
        " AND attname = 'x'"
    ) == [("text",)]


_FAMILY = """
CREATE TABLE school (id INTEGER PRIMARY KEY, opened DATE);
CREATE TABLE class (id INTEGER PRIMARY KEY, school_id INT REFERENCES school (id), head INT REFERENCES class (id));
CREATE TABLE seat (class_id INT NOT NULL REFERENCES class (id), n INT, PRIMARY KEY (class_id, n)) WITHOUT ROWID;
INSERT INTO school VALUES (1, '2000-01-01'), (2, '0000-00-00');
INSERT INTO class VALUES (1, 1, NULL), (2, 2, 1), (3, 1, 2), (4, 1, 99);
INSERT INTO seat VALUES (1, 1), (2, 1), (3, 1), (4, 1);
"""


def test_rows_that_hang_on_a_rejected_one_go_with_it(make_source, upgrade, sql) -> None:
    report: Report = upgrade(make_source(_FAMILY), "reject")
    assert report.is_complete, report.as_json()
    counts = {table.name: (table.source, table.loaded, table.rejected) for table in report.tables}
    assert counts == {"school": (2, 1, 1), "class": (4, 1, 3), "seat": (4, 1, 3)}
    reasons = sql(
        "SELECT table_name, code, count(*) FROM schoolhouse_upgrade.reject GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert reasons == [
        ("class", "orphan", 1),
        ("class", "parent_rejected", 2),
        ("school", "not_date", 1),
        ("seat", "parent_rejected", 3),
    ]


def test_fix_empties_a_name_of_a_row_that_is_not_there(make_source, upgrade, sql) -> None:
    report: Report = upgrade(make_source(_FAMILY), "fix")
    assert report.is_complete
    assert {table.name: table.rejected for table in report.tables} == {
        "school": 0,
        "class": 0,
        "seat": 0,
    }
    assert sql("SELECT head FROM class WHERE id = 4") == [(None,)]


@pytest.fixture
def repaired(tmp_path: Path) -> Callable[[], Path]:
    """The list of rejects with what is wrong in it mended, children before their parents."""

    def repair() -> Path:
        path = tmp_path / "rejected.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for one in lines:
            if one["reason"] == "not_date":
                one["row"]["opened"] = "2001-02-03"
            if one["reason"] == "orphan":
                one["row"]["head"] = None
        path.write_text("\n".join(json.dumps(one) for one in reversed(lines)))
        return path

    return repair


def test_repaired_rows_are_replayed_and_proven(
    make_source, upgrade, verify, url, repaired, sql
) -> None:
    source = make_source(_FAMILY)
    upgrade(source, "reject")
    assert rejects.replay(Target(url), repaired()) == (7, [])
    report: Report = verify(source)
    assert report.is_complete, report.as_json()
    counts = {table.name: (table.source, table.loaded, table.rejected) for table in report.tables}
    assert counts == {"school": (2, 2, 0), "class": (4, 4, 0), "seat": (4, 4, 0)}
    sql("UPDATE school SET opened = '2009-09-09' WHERE id = 2")
    assert [t.unequal for t in verify(source).tables if not t.is_complete] == [("opened",)]


def test_a_row_goes_in_once_and_a_bad_line_is_named(make_source, upgrade, url, repaired) -> None:
    source = make_source(_FAMILY)
    upgrade(source, "reject")
    path = repaired()
    assert rejects.replay(Target(url), path)[0] == 7
    went_in, problems = rejects.replay(Target(url), path)
    assert (went_in, len(problems)) == (0, 7)
    path.write_text("no json\n[]\n")
    went_in, problems = rejects.replay(Target(url), path)
    assert went_in == 0
    assert [f"line {n}" in p.message for n, p in enumerate(problems, start=1)] == [True, True]


def test_blobs_and_reals_survive_the_list_of_rejects(
    make_source, upgrade, verify, url, tmp_path
) -> None:
    source = make_source(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB, r REAL, j JSON, d DATE);"
        "INSERT INTO t VALUES (1, x'00ff', 0.1, '{\"a\": 1.5}', 'never'), (2, x'', 1e300, '[]', NULL)"
    )
    upgrade(source, "reject")
    path = tmp_path / "rejected.jsonl"
    path.write_text(path.read_text().replace('"never"', "null"))
    assert rejects.replay(Target(url), path) == (1, [])
    assert verify(source).is_complete


def test_a_value_far_down_is_found_before_anything_is_written(make_source, upgrade, sql) -> None:
    source = make_source("CREATE TABLE t (id INTEGER PRIMARY KEY, x DATE)")
    with closing(sqlite3.connect(source)) as connection, connection:
        rows = ((n, "2024-01-01" if n != 400_000 else "0000-00-00") for n in range(1, 400_001))
        connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
    [problem] = upgrade(source).problems
    assert (problem.code, problem.examples) == ("not_date", ("400000: '0000-00-00'",))
    assert sql("SELECT to_regclass('t')") == [(None,)]


def test_a_key_that_two_builds_of_sqlite_write_in_two_ways(make_source, upgrade) -> None:
    source = make_source(
        "CREATE TABLE t (k REAL, x DATE, PRIMARY KEY (k)) WITHOUT ROWID;"
        "INSERT INTO t VALUES (9e999, 'never'), (0.1 + 0.2, 'never'), (1.5, '2024-01-01')"
    )
    report: Report = upgrade(source, "reject")
    assert report.is_complete
    assert (report.tables[0].loaded, report.tables[0].rejected) == (1, 2)
