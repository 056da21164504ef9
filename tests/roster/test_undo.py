"""Undoing an import: everything goes back but what people worked on since."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from school import clock
from school.academics.models import SchoolClass
from school.db import Base, db, new_id, transaction
from school.enrollment.models import Enrollment
from school.errors import Conflict
from school.files.models import HoldTarget, LegalHold, Upload
from school.files.service import holding
from school.roster.models import RosterRecord
from school.roster.service.committing import commit
from school.roster.service.undoing import undo
from school.search.index import having_word
from school.search.models import Kind, SearchEntry, SearchWord
from school.students import service as students_service
from school.students.models import CustomField, Guardian, Student, StudentGuardian
from tests.roster.conftest import ROSTERS, import_file, stage_file, told
from tests.roster.test_merge import ANN, class_of, edit, student

MADE = (Student, Guardian, StudentGuardian, Enrollment, SchoolClass, SearchEntry, SearchWord, RosterRecord, CustomField)


def counts() -> dict[str, int]:
    return {
        model.__tablename__: db.session.scalar(sa.select(sa.func.count()).select_from(model))
        for model in MADE
    }


def take_back(imported):
    with transaction():
        done = undo(imported.id)
    db.session.expire_all()
    return done


def state() -> dict[str, list[tuple]]:
    """Every value a person could see, of the tables an import writes."""
    hidden = {"updated_at", "version", "before"}
    found = {}
    for model in MADE:
        table: sa.Table = model.__table__
        names = [c.name for c in table.columns if c.name not in hidden]
        rows = db.session.execute(sa.select(*[getattr(model, name) for name in names]))
        found[table.name] = sorted(repr(tuple(row)) for row in rows)
    return found


def test_a_first_import_undone_leaves_nothing(in_school):
    imported = import_file(ROSTERS / "uk-semicolon-cp1252.csv")
    assert counts()["student"] == 410
    done = take_back(imported)
    assert done.kept == []
    assert counts() == dict.fromkeys(counts(), 0)


@pytest.mark.parametrize("kind", [HoldTarget.STUDENT, HoldTarget.SCHOOL])
def test_a_student_under_a_legal_hold_stays(in_school, roster, kind):
    imported = import_file(roster(ANN))
    target = student().id if kind is HoldTarget.STUDENT else in_school.id
    with transaction():
        # As holds were kept before they were told on the student's page.
        db.session.add(LegalHold(target_kind=kind, target_id=target, reason="A claim", placed_by_name="Grace"))
    done = take_back(imported)
    assert {one.theirs for one in done.kept if one.entity == "student"} == {"legal_hold"}
    assert class_of() == "7A"
    assert counts()["student"] == counts()["student_guardian"] == 1


def test_a_hold_that_was_lifted_keeps_no_bare_student(in_school, roster):
    imported = import_file(roster("1,Smith,Ann,2015-03-01,,,,"))
    with transaction():
        holding.lift_hold(holding.place_hold(HoldTarget.STUDENT, student().id, "A claim").id)
    assert take_back(imported).kept == []
    assert counts()["student"] == 0


@pytest.mark.parametrize(("state", "stays"), [("open", True), ("finishing", True), ("refused", False)])
def test_a_student_to_whom_a_file_is_on_its_way_stays(in_school, roster, state, stays):
    imported = import_file(roster(ANN))
    with transaction():
        db.session.add(
            Upload(
                user_id=new_id(), owner_kind="student", owner_id=student().id, purpose="document",
                filename="a.pdf", length_bytes=9, state=state, expires_at=clock.now(),
            )
        )  # fmt: skip
    done = take_back(imported)
    assert [one.theirs for one in done.kept if one.entity == "student"] == ["upload"] * stays
    assert counts()["student"] == counts()["enrollment"] == int(stays)


def test_undo_asks_who_was_worked_on_once_for_many_students(in_school, count_queries):
    imported = import_file(ROSTERS / "uk-semicolon-cp1252.csv")
    with count_queries() as asked:
        take_back(imported)
    looks = [one for one in asked.statements if one.startswith("SELECT file.owner_id")]
    assert len(looks) == 2  # once to untie the chunk, once as the guard of the removal


def test_a_second_import_undone_leaves_the_first(in_school):
    import_file(ROSTERS / "district-6344.csv")
    before = state()
    imported = import_file(ROSTERS / "second-run-changes.csv")
    assert state() != before
    take_back(imported)
    after = state()
    for table in before:
        assert after[table] == before[table], table
    again = told(stage_file(ROSTERS / "second-run-changes.csv"))["students"]
    assert (again["new"], again["changed"]) == (212, 31)


def test_a_student_edited_since_stays_with_class_and_guardian(in_school, roster):
    imported = import_file(roster(ANN, "2,Lee,Bo,2014-01-01,7B,,,"))
    edit(student(), town="Leeds")
    done = take_back(imported)
    assert [one.entity for one in done.kept if one.entity == "student"] == ["student"]
    assert student().town == "Leeds"
    assert class_of() == "7A"
    assert counts()["student"] == counts()["student_guardian"] == counts()["school_class"] == 1


def test_a_field_edited_since_stays_and_is_listed(in_school, roster):
    import_file(roster(ANN))
    imported = import_file(roster(ANN.replace("Smith,Ann", "Brown,Anna")))
    edit(student(), family_name="Green")
    done = take_back(imported)
    assert (student().family_name, student().given_name) == ("Green", "Ann")
    assert [(one.field, one.theirs, one.ours) for one in done.kept] == [("family_name", "Green", "Brown")]


def test_a_move_by_hand_since_then_does_not_stop_the_undoing(in_school, roster):
    import_file(roster(ANN, "2,Lee,Bo,2014-01-01,7B,,,"))
    imported = import_file(roster(ANN.replace("7A", "8A"), "2,Lee,Bo,2014-01-01,8B,,,"))
    with transaction():
        room = db.session.scalars(sa.select(SchoolClass).where(SchoolClass.name == "7B")).one()
        students_service.move_to_class([student().id], room, clock.today())
    done = take_back(imported)
    assert (class_of("1"), class_of("2")) == ("7B", "7B")
    assert {one.entity for one in done.kept} == {"enrollment"}


def test_a_guardian_tied_again_by_hand_does_not_stop_the_undoing(in_school, roster):
    two = "Admission No,Surname,Forename,Guardian 1 Name,Guardian 2 Name"
    import_file(roster("1,Smith,Ann,Jo Smith,Kim Quark", "2,Lee,Bo,,", headings=two))
    imported = import_file(roster("1,Smith,Ann,Jo Smith,", "2,Lee,Bob,,", headings=two))
    with transaction():
        kim = db.session.scalars(sa.select(Guardian).where(Guardian.name == "Kim Quark")).one()
        students_service.link_guardian(student(), kim)
    done = take_back(imported)
    assert student("2").given_name == "Bo"
    assert {one.entity for one in done.kept} == {"student_guardian"}
    assert counts()["student_guardian"] == 2


def test_a_number_taken_since_then_is_kept_and_the_rest_goes_back(in_school, roster):
    headings = "Admission No,Surname,Forename,Date of Birth,Town"
    import_file(roster("W2,Smith,Ann,2015-03-01,Leeds", headings=headings))
    imported = import_file(roster("W9,Smith,Ann,2015-03-01,York", headings=headings))
    with transaction():
        students_service.admit_student(family_name="New", admission_number="W2")
    done = take_back(imported)
    assert [(one.field, one.theirs) for one in done.kept] == [("admission_number", "W9")]
    assert student("W9").town == "Leeds"


def test_two_imports_undone_one_after_the_other_leave_nothing(in_school, roster):
    first = import_file(roster(ANN))
    second = import_file(roster(ANN.replace("0113 496 0000", "0113 496 0999")))
    assert take_back(second).kept == []
    assert take_back(first).kept == []
    assert counts() == dict.fromkeys(counts(), 0)


def test_the_base_survives_undoing_two_imports(in_school, roster):
    headings = "Admission No,Surname,Forename,Phone"
    files = [f"1,Smith,Ann,0113 496 000{n}" for n in (1, 2, 3)]
    _first, second, third = [import_file(roster(line, headings=headings)) for line in files]
    take_back(third)
    take_back(second)
    edit(student(), phone="0113 496 0009")
    again = told(stage_file(roster(files[0], headings=headings)))["students"]
    assert (again["unchanged"], again["changed"]) == (1, 0)


def test_who_was_tied_by_the_import_finds_the_student_no_more(in_school, roster):
    two = "Admission No,Surname,Forename,Guardian 1 Name,Guardian 2 Name"
    import_file(roster("1,Smith,Ann,Jo Smith,", headings=two))
    imported = import_file(roster("1,Smith,Ann,Jo Smith,Kim Quark", headings=two))
    assert db.session.scalars(having_word(Kind.STUDENT, "quark")).all() == [student().id]
    take_back(imported)
    assert db.session.scalars(having_word(Kind.STUDENT, "quark")).all() == []


def test_who_was_untied_by_the_import_finds_the_student_again(in_school, roster):
    two = "Admission No,Surname,Forename,Guardian 1 Name,Guardian 2 Name"
    import_file(roster("1,Smith,Ann,Jo Smith,Kim Quark", headings=two))
    imported = import_file(roster("1,Smith,Ann,Jo Smith,", headings=two))
    assert db.session.scalars(having_word(Kind.STUDENT, "quark")).all() == []
    take_back(imported)
    assert db.session.scalars(having_word(Kind.STUDENT, "quark")).all() == [student().id]


def test_a_class_without_a_word_leaves_nothing_behind(in_school, roster):
    take_back(import_file(roster("1,Smith,Ann,2015-03-01,***,,,")))
    assert counts() == dict.fromkeys(counts(), 0)


def test_a_move_is_taken_back(in_school, roster):
    import_file(roster(ANN))
    imported = import_file(roster(ANN.replace("7A", "7B")))
    take_back(imported)
    assert class_of() == "7A"
    assert counts()["enrollment"] == 1


def test_an_untied_guardian_is_tied_again(in_school, roster):
    import_file(roster(ANN))
    imported = import_file(roster("1,Smith,Ann,2015-03-01,7A,,,"))
    take_back(imported)
    assert counts()["student_guardian"] == 1


def test_an_import_is_undone_only_once(in_school, roster):
    imported = import_file(roster(ANN))
    take_back(imported)
    with pytest.raises(Conflict):
        take_back(imported)


def test_after_thirty_days_it_is_too_late(in_school, roster, frozen_clock):
    imported = import_file(roster(ANN))
    frozen_clock(clock.now() + timedelta(days=31))
    with pytest.raises(Conflict):
        take_back(imported)
    assert counts()["student"] == 1


def test_every_table_an_import_writes_is_looked_at():
    assert {model.__tablename__ for model in MADE} <= set(Base.metadata.tables)


def test_undoing_the_older_import_keeps_whom_a_newer_one_has(in_school, roster):
    first = import_file(roster(ANN, "2,Lee,Bea,2015-04-01,7A,Jo Lee,0113 496 0001,"))
    import_file(roster(ANN, "2,Lee,Bea,2015-04-01,7A,Jo Lee,0113 496 0001,"))
    with transaction():
        undo(first.id)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Student)) == 2


def test_what_was_undone_meanwhile_is_not_passed_over_as_unchanged(in_school, roster):
    first = import_file(roster(ANN))
    second = stage_file(roster(ANN))
    with transaction():
        undo(first.id)
    with pytest.raises(Conflict, match="Check the file again"), transaction():
        commit(second.id)


def test_undoing_the_older_and_then_the_newer_leaves_neithers_value(in_school, roster):
    import_file(roster(ANN))
    older = import_file(roster(ANN.replace("1,Smith,Ann", "1,Smith,Pet")))
    newer = import_file(roster(ANN.replace("1,Smith,Ann", "1,Smith,Pit")))
    for one in (older, newer):
        with transaction():
            undo(one.id)
    assert student().given_name == "Ann"
