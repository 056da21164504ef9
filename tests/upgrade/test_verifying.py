"""A target that is not the same is never called complete, and one that is the same always."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from school.upgrade.report import Report

_SCRIPT = """
CREATE TABLE class (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, room TEXT);
CREATE TABLE student (id INTEGER PRIMARY KEY, name TEXT, born DATE, class_id INT REFERENCES class (id));
CREATE TABLE mark (points INTEGER, remark TEXT);
CREATE INDEX ix_student_born ON student (born);
INSERT INTO class (name, room) VALUES ('1A', 'x'), ('1B', 'y'), ('2A', NULL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO student SELECT i, 'name ' || i, date('2010-01-01', i || ' days'), 1 + i % 3 FROM n;
INSERT INTO mark VALUES (1, 'a'), (2, 'b'), (2, 'b'), (3, NULL);
"""
Ask = Callable[[str], object]


@pytest.fixture
def moved(make_source, upgrade) -> Path:
    path = make_source(_SCRIPT)
    assert upgrade(path).is_complete
    return path


_CHANGES = {
    "a value": ("UPDATE student SET name = 'other' WHERE id = 250", "student", ("name",)),
    "an empty value": ("UPDATE student SET born = NULL WHERE id = 250", "student", ("born",)),
    "two values that changed places": (
        "UPDATE student SET name = CASE id WHEN 7 THEN 'name 8' ELSE 'name 7' END WHERE id IN (7, 8)",
        "student", ("name",),
    ),
    "a row less": ("DELETE FROM student WHERE id = 250", "student", ("id", "name", "born", "class_id")),
    "a row more": ("INSERT INTO class VALUES (9, '3A', NULL)", "class", ("id", "name", "room")),
    "one of two equal rows": (
        "DELETE FROM mark WHERE ctid = (SELECT min(ctid) FROM mark WHERE points = 2)", "mark", ("points", "remark"),
    ),
    "values without a key that changed places": (
        "UPDATE mark SET remark = CASE points WHEN 1 THEN 'b' ELSE 'a' END", "mark", ("remark",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", _CHANGES)
def test_a_change_is_named_by_table_and_column(change: str, moved, verify, sql) -> None:
    statement, table, columns = _CHANGES[change]
    sql(statement)
    report = verify(moved)
    assert not report.is_complete
    [differing] = [one for one in report.tables if not one.is_complete]
    assert differing.name == table
    assert set(columns) <= set(differing.unequal)
    if change.startswith(("a value", "an empty", "two values")):
        assert differing.unequal == columns


_LOSSES = {
    "ALTER TABLE student DROP CONSTRAINT fk_student_class_id_class": (
        "student",
        "fk_student_class_id_class",
    ),
    "ALTER TABLE class DROP CONSTRAINT uq_class_name": ("class", "uq_class_name"),
    "ALTER TABLE student DROP CONSTRAINT pk_student": ("student", "pk_student"),
    "DROP INDEX ix_student_born": ("student", "ix_student_born"),
    "ALTER TABLE class ALTER name DROP NOT NULL": ("class", "class.name"),
    "ALTER TABLE student ALTER id DROP IDENTITY": ("student", "student.id"),
    "SELECT setval(pg_get_serial_sequence('class', 'id'), 2)": ("class", "class.id"),
}


@pytest.mark.parametrize("statement", _LOSSES)
def test_a_promise_that_is_gone_is_named(statement: str, moved, verify, sql) -> None:
    table, word = _LOSSES[statement]
    sql(statement)
    report = verify(moved)
    assert not report.is_complete
    assert all(one.is_complete for one in report.tables)
    assert [(problem.table, word in problem.message) for problem in report.problems] == [
        (table, True)
    ]


def test_rows_that_were_moved_are_still_the_same(moved, verify, sql) -> None:
    for statement in (
        "UPDATE student SET name = name WHERE id % 3 = 0",
        "VACUUM FULL student",
        "CLUSTER student USING ix_student_born",
        "DELETE FROM class WHERE id = 99",
        "UPDATE mark SET points = points WHERE points = 1",
    ):
        sql(statement)
    report = verify(moved)
    assert report.is_complete, report.as_json()


def test_a_table_or_a_column_that_is_gone_is_told_plainly(moved, options, sql) -> None:
    from school.upgrade import upgrading
    from school.upgrade.errors import UpgradeStopped
    from school.upgrade.layout import Inferred

    sql("ALTER TABLE mark RENAME remark TO note")
    with pytest.raises(UpgradeStopped) as stopped:
        upgrading.verify(options(moved), Inferred())
    assert "remark" in str(stopped.value)


def _state(sql: Ask) -> object:
    """Every row's transaction, and every table's file."""
    return [
        sql("SELECT relname, relfilenode FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"),
        *(sql(f"SELECT xmin, ctid FROM {table}") for table in ("student", "class", "mark")),
        sql("SELECT xmin, ctid FROM schoolhouse_upgrade.run"),
        sql("SELECT last_value, is_called FROM class_id_seq"),
    ]  # fmt: skip


def test_a_second_run_changes_nothing(moved, upgrade, sql) -> None:
    before = _state(sql)
    again: Report = upgrade(moved)
    assert again.is_complete
    assert [table.loaded for table in again.tables] == [3, 4, 500]
    assert _state(sql) == before
