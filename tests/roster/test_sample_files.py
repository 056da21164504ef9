"""Every roster of tests/data/rosters is imported exactly as a careful person would."""

from __future__ import annotations

import csv
from typing import Any

import pytest
import sqlalchemy as sa

from school.academics.models import SchoolClass
from school.audit.models import AuditEvent
from school.db import db
from school.enrollment.models import Enrollment
from school.students.models import Guardian, Student, StudentGuardian
from tests.roster.conftest import EXPECTED, ROSTERS, import_file, stage_file, told

FIRST_RUNS = [name for name, facts in EXPECTED.items() if "second_run" not in facts]


def count(model: Any) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def truth(name: str) -> list[dict[str, str]]:
    with (ROSTERS / "truth" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("name", FIRST_RUNS)
def test_a_first_import_counts_what_a_careful_person_counts(in_school, name):
    facts = EXPECTED[name]
    imported = import_file(ROSTERS / name)
    done = told(imported)
    blocking = facts["blocking_rows"] + too_long(name)
    assert done["rows"] == facts["student_rows"]
    assert done["students"] == {
        "new": facts["student_rows"] - blocking, "changed": 0, "unchanged": 0, "gone": 0,
        "problem": blocking,
    }
    assert count(Student) == facts["student_rows"] - blocking
    assert count(SchoolClass) == done["classes"]["new"]
    assert count(Guardian) == done["guardians"]["new"]
    assert count(StudentGuardian) == done["guardians"]["new"] + done["guardians"]["merged"]


def too_long(name: str) -> int:
    """A name of 300 letters is kept whole or refused, as the school's tables allow."""
    fits = Student.__table__.c.family_name.type.length >= 300
    return int(name == "formula-injection.csv" and not fits)


@pytest.mark.parametrize("name", FIRST_RUNS)
def test_every_problem_is_told_at_its_line_and_column(in_school, name):
    done = told(stage_file(ROSTERS / name))
    found = [(p["row"], p["column"], p["code"], p["value"]) for p in done["problems"]
             if p["code"] != "name_too_long"]
    wanted = [(p["line"], p["column"], p["kind"], p["value"]) for p in EXPECTED[name]["problems"]]
    assert sorted(found) == sorted(wanted)
    assert all(p["message"] for p in done["problems"])


@pytest.mark.parametrize("name", FIRST_RUNS)
def test_every_student_arrives_as_the_truth_has_them(in_school, name):
    import_file(ROSTERS / name)
    rows = db.session.execute(
        sa.select(Student.admission_number, Student.birth_date, Student.gender_code,
                  SchoolClass.name, sa.func.count(StudentGuardian.id))
        .outerjoin(Enrollment, Enrollment.student_id == Student.id)
        .outerjoin(SchoolClass, SchoolClass.id == Enrollment.class_id)
        .outerjoin(StudentGuardian, StudentGuardian.student_id == Student.id)
        .group_by(Student.id, Student.admission_number, Student.birth_date, Student.gender_code,
                  SchoolClass.name)
    ).all()
    here = {row[0]: tuple(row[1:]) for row in rows}
    blocked = {p["line"] for p in EXPECTED[name]["problems"] if p["blocking"]}
    checked = 0
    for line in truth(name):
        number = line["admission_no"]
        if int(line["line"]) in blocked or number not in here or line["problems"]:
            continue
        born, gender, class_name, guardians = here[number]
        assert (born.isoformat() if born else "") == line["date_of_birth"]
        assert (gender or "") == line["gender"]
        assert (class_name or "") == line["class"]
        assert guardians == int(line["guardians"])
        checked += 1
    assert checked >= EXPECTED[name]["clean_rows"] - 1


@pytest.fixture
def second_run(in_school):
    import_file(ROSTERS / "district-6344.csv")
    return EXPECTED["second-run-changes.csv"]


def test_a_week_later_new_changed_and_gone_are_exactly_those(second_run):
    facts = second_run["second_run"]
    imported = stage_file(ROSTERS / "second-run-changes.csv")
    done = told(imported)
    assert done["students"] == {
        "new": facts["new"], "changed": facts["changed"], "gone": facts["gone"],
        "unchanged": facts["unchanged"] - second_run["blocking_rows"],
        "problem": second_run["blocking_rows"],
    }
    assert done["guardians"]["new"] == facts["guardians_new"]
    assert sorted(changed_numbers(imported)) == sorted(c["admission_no"] for c in facts["changes"])


def test_a_week_later_everything_is_written_as_previewed(second_run):
    facts = second_run["second_run"]
    before, events = count(Guardian), count(AuditEvent)
    imported = stage_file(ROSTERS / "second-run-changes.csv")
    previewed = told(imported)
    done = told(import_file(ROSTERS / "second-run-changes.csv"))
    for key in ("students", "guardians", "classes"):
        assert done[key] == previewed[key]
    assert count(Guardian) == before + facts["guardians_new"]
    assert events < count(AuditEvent) < events + 1000
    again = told(stage_file(ROSTERS / "second-run-changes.csv"))
    assert again["students"]["new"] == again["students"]["changed"] == 0


def changed_numbers(imported: Any) -> list[str]:
    from school.roster.models import RosterRow

    rows = db.session.scalars(
        sa.select(RosterRow.values).where(
            RosterRow.import_id == imported.id, RosterRow.outcome == "changed"
        )
    )
    return [values["student"]["admission_number"] for values in rows]
