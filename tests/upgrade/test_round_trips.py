"""Generated schemas and values: each comes over as it is, or is reported."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
from hypothesis import HealthCheck, given, seed, settings

from school.upgrade import upgrading
from school.upgrade.layout import Inferred
from school.upgrade.report import Report
from school.upgrade.rules import OnBad
from school.upgrade.target import Target
from tests.servers.postgres import PostgresServer
from tests.upgrade.reading import differences, source_rows, target_rows
from tests.upgrade.schools import databases, make


def _empty(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    connection.execute("DROP SCHEMA IF EXISTS public, schoolhouse_upgrade CASCADE")
    connection.execute("CREATE SCHEMA public AUTHORIZATION school")


def _tables(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
            " AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
        )
        return [row[0] for row in rows]


def test_every_value_comes_over_or_is_reported(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """Never a traceback and never a wrong "complete"."""
    url = postgres_server.create_database("upgrade_generated")
    path = tmp_path / "generated.db"
    admin = postgres_server.url("upgrade_generated", role=postgres_server.superuser)

    def run(connection: psycopg.Connection[tuple[object, ...]], rule: str) -> Report:
        _empty(connection)
        options = upgrading.Options(path, Target(url), OnBad(rule), jobs=1)
        return upgrading.upgrade(options, Inferred())

    with psycopg.connect(admin, autocommit=True) as connection:

        @seed(20260101)
        @settings(
            max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(databases())
        def check(drawn: object) -> None:
            make(drawn, path)
            before = hashlib.sha256(path.read_bytes()).hexdigest()
            report = run(connection, "stop")
            assert report.is_complete or report.problems
            if report.is_complete:
                assert not [one for table in _tables(path) for one in differences(path, url, table)]
            else:
                for rule in ("reject", "fix"):
                    _check_counts(run(connection, rule), url)
            assert hashlib.sha256(path.read_bytes()).hexdigest() == before

        check()


def _check_counts(report: Report, url: str) -> None:
    assert report.is_complete or report.problems
    for table in report.tables:
        assert table.checksums_equal
        assert table.source == table.loaded + table.rejected
        assert len(target_rows(url, table.name)[1]) == table.loaded


# -- what the long runs found ----------------------------------------------------------------------


def _brought(upgrade: Callable[..., Report], url: str, path: Path, table: str = "t") -> Report:
    report = upgrade(path)
    assert report.is_complete, report.as_json()
    assert differences(path, url, table) == []
    return report


def test_times_of_day(make_source, upgrade, url) -> None:
    path = make_source(
        "CREATE TABLE t (x TIME); INSERT INTO t VALUES ('10:11'), ('23:59:59.5'), (NULL)"
    )
    _brought(upgrade, url, path)
    assert target_rows(url, "t")[0] == {"x": 1083}


def test_large_integers_among_reals_are_reported_not_rounded(make_source, upgrade) -> None:
    path = make_source(
        "CREATE TABLE t (x NUMERIC); INSERT INTO t VALUES (0.5), (9007199254740993), (-9223372036854775808)"
    )
    [problem] = upgrade(path).problems
    assert (problem.code, problem.table, problem.column, problem.count) == (
        "other_storage",
        "t",
        "x",
        2,
    )


def test_reals_kept_as_text_are_read_back_the_same(make_source, upgrade, url) -> None:
    path = make_source(
        "CREATE TABLE t (x); INSERT INTO t VALUES ('a'), (0.1 + 0.2), (5), (1e308), (9e999)"
    )
    _brought(upgrade, url, path)


def test_json_that_a_jsonb_would_change_is_reported(make_source, upgrade) -> None:
    path = make_source(
        """CREATE TABLE t (id INTEGER PRIMARY KEY, x JSON); INSERT INTO t (x) VALUES
        ('{"a":1,"a":2}'), ('[-0.0]'), ('"\\u0000"'), ('"\\ud800"'), ('[NaN]'), ('{'), ('[1e999999999]')"""
    )
    [problem] = upgrade(path).problems
    assert (problem.code, problem.count) == ("not_json", 7)


def test_json_is_compared_by_its_numbers(make_source, upgrade, url) -> None:
    path = make_source(
        """CREATE TABLE t (x JSON); INSERT INTO t VALUES ('[1E5]'), ('[1e400]'), ('5'), ('[1.50]'), ('"\\\\u0000"'),
        ('[9007199254740993, 0.1234567890123456789]'), ('[123456789012345678901234567890]')"""
    )
    _brought(upgrade, url, path)


def test_a_table_called_like_a_shadow_of_the_search_comes_along(make_source, upgrade, url) -> None:
    path = make_source(
        "CREATE VIRTUAL TABLE notes USING fts5(body); CREATE TABLE notes_archive (x TEXT);"
        "INSERT INTO notes_archive VALUES ('kept')"
    )
    report = _brought(upgrade, url, path, "notes_archive")
    assert [table.name for table in report.tables] == ["notes_archive"]
    assert "notes_content" in report.notes[0] and "notes_archive" not in report.notes[0]


def test_uuids_with_spaces_or_misplaced_hyphens_are_none(make_source, upgrade) -> None:
    path = make_source(
        "CREATE TABLE t (x UUID); INSERT INTO t VALUES ('f47ac10b-58cc-4372-a567-0e02b2c3d479'),"
        "('f47ac10b 58cc4372a5670e02b2c3d4 '), ('----ffffffffffffffffffffffffffffffff')"
    )
    [problem] = upgrade(path).problems
    assert (problem.code, problem.count) == ("not_uuid", 2)


def test_uuids_that_differ_in_form_only_are_duplicates(make_source, upgrade) -> None:
    path = make_source(
        "CREATE TABLE t (x UUID PRIMARY KEY NOT NULL);"
        "INSERT INTO t VALUES ('f47ac10b-58cc-4372-a567-0e02b2c3d479'), ('F47AC10B58CC4372A5670E02B2C3D479')"
    )
    [problem] = upgrade(path).problems
    assert (problem.code, problem.count) == ("duplicate", 1)


def test_moments_with_and_without_a_zone_in_a_column_of_instants(make_source, upgrade, url) -> None:
    path = make_source(
        "CREATE TABLE t (x TIMESTAMP WITH TIME ZONE); INSERT INTO t VALUES"
        "('2024-01-01 10:11:12+02:00'), ('2024-01-01 10:11:12'), ('2024-01-01'), (NULL)"
    )
    report = upgrade(path)
    assert report.is_complete or report.problems
    if report.is_complete:
        assert differences(path, url, "t") == []


def test_columns_that_postgresql_works_out_otherwise_become_ordinary(
    make_source, upgrade, url
) -> None:
    path = make_source(
        "CREATE TABLE t (a TEXT, b TEXT AS (upper(a)) STORED, c INTEGER AS (length(a)) VIRTUAL);"
        "INSERT INTO t (a) VALUES ('straße'), ('é'), (NULL)"
    )
    report = _brought(upgrade, url, path)
    assert any("works out" in note for note in report.notes)


def test_columns_that_postgresql_works_out_alike_stay_so(make_source, upgrade, url, sql) -> None:
    path = make_source(
        "CREATE TABLE t (a INTEGER, b INTEGER AS (a + 1) STORED); INSERT INTO t (a) VALUES (1), (NULL)"
    )
    _brought(upgrade, url, path)
    assert sql("SELECT attname FROM pg_attribute WHERE attgenerated = 's'") == [("b",)]


def test_numbering_at_its_end_and_below_zero(make_source, upgrade, url, sql) -> None:
    path = make_source(
        "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (9223372036854775807);"
        "CREATE TABLE u (id INTEGER PRIMARY KEY); INSERT INTO u VALUES (-5);"
        "CREATE TABLE w (id INTEGER PRIMARY KEY) WITHOUT ROWID; INSERT INTO w VALUES (3)"
    )
    assert upgrade(path).is_complete
    assert sql("INSERT INTO u DEFAULT VALUES RETURNING id") == [(1,)]


def test_numbers_that_were_given_and_deleted_are_not_given_again(make_source, upgrade, sql) -> None:
    path = make_source(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES (7); DELETE FROM t"
    )
    assert upgrade(path).is_complete
    assert sql("INSERT INTO t DEFAULT VALUES RETURNING id") == [(8,)]


def test_names_that_are_one_when_cut_off_are_a_problem(make_source, upgrade, sql) -> None:
    one, two = "n" * 63 + "1", "n" * 63 + "2"
    path = make_source(f"CREATE TABLE {one} (x); CREATE TABLE {two} (x)")
    [problem] = upgrade(path).problems
    assert problem.code == "names_collide"
    assert one in problem.message
    assert sql("SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []


def test_long_names_and_percent_signs(make_source, upgrade, url) -> None:
    long = "l" * 70
    path = make_source(
        f'CREATE TABLE "{long}" ("{long}" INTEGER PRIMARY KEY, "100%" TEXT); INSERT INTO "{long}" VALUES (1, \'a\')'
    )
    _brought(upgrade, url, path, long)


def test_keys_that_would_get_the_same_name_are_both_made(make_source, upgrade, sql) -> None:
    path = make_source("CREATE TABLE a (b_c INT, b INT, c INT, UNIQUE (b_c), UNIQUE (b, c))")
    assert upgrade(path).is_complete
    assert sql(
        "SELECT count(*) FROM pg_constraint WHERE contype = 'u' AND conrelid = 'a'::regclass"
    ) == [(2,)]


def test_foreign_keys_named_in_other_letters_and_those_that_name_nothing(
    make_source, upgrade, sql
) -> None:
    path = make_source(
        "CREATE TABLE Parent (Id INTEGER PRIMARY KEY); CREATE TABLE c (p INT REFERENCES PARENT (ID),"
        " q INT REFERENCES parent (missing), r INT REFERENCES gone)"
    )
    report = upgrade(path)
    assert report.is_complete
    assert sql("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") == [(1,)]
    assert sum("stays behind" in note for note in report.notes) == 2


def test_a_value_too_long_for_an_index_costs_the_index_not_the_row(
    make_source, upgrade, url, sql
) -> None:
    path = make_source("CREATE TABLE t (x TEXT); CREATE INDEX ix ON t (x); CREATE TABLE w (v TEXT)")
    with closing(sqlite3.connect(path)) as connection, connection:
        text = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(200))
        connection.execute("INSERT INTO t VALUES (?)", [text])
    report = _brought(upgrade, url, path)
    assert any("ix" in note and "stays behind" in note for note in report.notes)


def test_without_any_name_for_a_row(make_source, upgrade, url) -> None:
    path = make_source(
        "CREATE TABLE t (rowid TEXT, _rowid_ TEXT, oid TEXT); INSERT INTO t VALUES ('a', 'b', 'c')"
    )
    _brought(upgrade, url, path)
    assert len(source_rows(path, "t", ["oid"])) == 1


def test_a_table_that_postgresql_cannot_have_is_reported(make_source, upgrade) -> None:
    [problem] = upgrade(make_source("CREATE TABLE t (ctid TEXT)")).problems
    assert (problem.code, problem.table) == ("table_refused", "t")


def test_utf_16(make_source, upgrade, url) -> None:
    path = make_source(
        "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('é😀')"
    )
    _brought(upgrade, url, path)


def test_a_source_that_is_stopped_at_leaves_no_mark(make_source, upgrade, sql) -> None:
    assert upgrade(
        make_source("CREATE TABLE t (x DATE); INSERT INTO t VALUES ('0000-00-00')")
    ).problems
    assert sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'schoolhouse%'") == []
