"""`students import` at a terminal: one object, exit codes, nothing written by a look."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import click
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from school import clock
from school.db import db
from school.roster.cli import COMMANDS
from school.roster.models import RosterImport, RosterRow
from school.students.models import Student
from school.tenancy.scope import school_scope
from tests.roster.conftest import EXPECTED, ROSTERS, stage_file
from tests.roster.test_merge import ANN


@pytest.fixture
def students(app, school):
    group = click.Group("students", commands={c.name: c for c in COMMANDS})

    def run(*args: str):
        db.session.remove()
        return CliRunner().invoke(group, list(args))

    return run


def count(school, model) -> int:
    with school_scope(school.id):
        return db.session.scalar(sa.select(sa.func.count()).select_from(model))


def test_a_dry_run_prints_the_object_and_writes_nothing(students, school):
    done = students("import", str(ROSTERS / "uk-semicolon-cp1252.csv"), "--dry-run", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert list(said) == [
        "file", "encoding", "rows", "students", "guardians", "classes", "problems", "seconds"
    ]
    assert list(said["students"]) == ["new", "changed", "unchanged", "gone", "problem"]
    assert said["encoding"] == "cp1252"
    assert said["students"]["new"] == 410
    assert len(said["problems"]) == EXPECTED["uk-semicolon-cp1252.csv"]["problem_rows"]
    assert all(list(p) == ["row", "column", "value", "code", "message"] for p in said["problems"])
    assert count(school, Student) == count(school, RosterImport) == count(school, RosterRow) == 0


def test_yes_imports_and_says_what_was_written(students, school):
    done = students("import", str(ROSTERS / "in-utf16-tab.csv"), "--yes", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["students"]["new"] == count(school, Student) == 229


def test_without_json_it_is_said_in_words(students, roster):
    done = students("import", str(roster(ANN)), "--dry-run")
    assert "1 new" in done.output
    assert "nothing saved yet" in done.output


def test_neither_look_nor_yes_is_wrong_usage(students, roster):
    assert students("import", str(roster(ANN))).exit_code == 2


def test_a_map_says_what_columns_mean(students, roster, tmp_path):
    path = roster("1,Smith,Ann,Blue", headings="Admission No,Surname,Forename,House")
    mapping = tmp_path / "map.json"
    mapping.write_text('{"House": "class_name"}')
    done = students("import", str(path), "--dry-run", "--json", "--map", str(mapping))
    assert json.loads(done.stdout)["classes"] == {"new": 1, "existing": 0}
    mapping.write_text("not json")
    assert students("import", str(path), "--dry-run", "--map", str(mapping)).exit_code == 2


def test_a_map_may_begin_with_a_byte_order_mark(students, roster, tmp_path):
    path = roster("1,Smith,Ann,Blue", headings="Admission No,Surname,Forename,House")
    mapping = tmp_path / "map.json"
    mapping.write_text('{"House": "class_name"}', "utf-8-sig")
    done = students("import", str(path), "--dry-run", "--json", "--map", str(mapping))
    assert json.loads(done.stdout)["classes"] == {"new": 1, "existing": 0}


@pytest.mark.parametrize("mode", ["--dry-run", "--yes"])
def test_a_map_of_a_column_the_file_does_not_have_is_said(students, school, roster, tmp_path, mode):
    mapping = tmp_path / "map.json"
    mapping.write_text('{"Hause": "class_name"}')
    path = roster("1,Smith,Ann,Blue", headings="Admission No,Surname,Forename,House")
    done = students("import", str(path), mode, "--map", str(mapping))
    assert done.exit_code == 1
    assert str(done.exception) == (
        "--map names “Hause”, and the file has “Admission No”, “Surname”, “Forename”, “House”."
    )
    assert count(school, RosterImport) == count(school, Student) == 0


def test_a_pipe_is_refused_at_once(students, tmp_path):
    os.mkfifo(tmp_path / "list.csv")
    done = students("import", str(tmp_path / "list.csv"), "--yes")
    assert done.exit_code == 2
    assert "It is a pipe" in done.output


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%PDF-1.7 hello", "PDF"),
        (b"", "empty"),
        (b"PK\x03\x04 broken", ""),
        (b"hello world\nno headings here\n", "heading"),
    ],
)
def test_a_broken_file_is_one_sentence_and_changes_nothing(students, school, tmp_path, content, said):
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    done = students("import", str(path), "--yes", "--json")
    assert done.exit_code == 1
    assert said in str(done.exception)
    assert count(school, RosterImport) == count(school, Student) == 0


def test_an_import_can_be_undone_here_too(students, school, roster):
    students("import", str(roster(ANN)), "--yes")
    import_id = students("imports").output.split()[0]
    done = students("import-undo", import_id, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["kept"] == []
    assert count(school, Student) == 0


def test_with_several_schools_one_must_be_named(students, school, other_school, roster):
    assert students("import", str(roster(ANN)), "--yes").exit_code == 2
    done = students("import", str(roster(ANN)), "--yes", "--school", other_school.slug)
    assert done.exit_code == 0
    assert count(other_school, Student) == 1
    assert count(school, Student) == 0


def test_an_import_cut_off_at_a_terminal_is_told_and_removed(students, school, roster, frozen_clock):
    """Its process is gone: nobody goes on with it."""
    long_ago = clock.now() - timedelta(hours=2)
    with school_scope(school.id):
        with clock.set_to(long_ago):
            stage_file(roster(ANN))
        db.session.remove()
    done = students("import", str(roster(ANN)), "--yes")
    assert "was cut off before anything was saved" in done.output
    assert count(school, RosterImport) == 1
    assert count(school, RosterRow) == 1
