"""A newer file against what people edited: whose word counts."""

from __future__ import annotations

import uuid
from datetime import date

import pytest
import sqlalchemy as sa

from school.academics.models import SchoolClass
from school.audit.models import AuditEvent, ChangeSet
from school.db import db, transaction
from school.enrollment.models import Enrollment
from school.errors import Conflict
from school.roster.models import RosterImport, RosterRow
from school.roster.service.committing import commit
from school.roster.service.undoing import undo
from school.search.index import having_word
from school.search.models import Kind
from school.students import service as students_service
from school.students.models import CustomField, Guardian, Student, StudentGuardian, StudentStatus
from tests.roster.conftest import import_file, stage_file, told

ANN = "1,Smith,Ann,2015-03-01,7A,Jo Smith,0113 496 0000,jo@example.org"


def student(number: str = "1") -> Student:
    return db.session.scalars(
        sa.select(Student).where(Student.admission_number == number)
        .execution_options(populate_existing=True)
    ).one()


def edit(row, **values) -> None:
    with transaction():
        students_service.edit_student(row, version=row.version, **values)


def class_of(number: str = "1") -> str | None:
    return db.session.scalar(
        sa.select(SchoolClass.name)
        .join(Enrollment, Enrollment.class_id == SchoolClass.id)
        .join(Student, Student.id == Enrollment.student_id)
        .where(Student.admission_number == number, Enrollment.ends_on.is_(None))
    )


def students_of(path, **options) -> dict[str, int]:
    return told(stage_file(path, **options))["students"]


def test_what_a_person_edited_stays_when_the_file_says_what_it_said(in_school, roster):
    import_file(roster(ANN))
    edit(student(), family_name="Smith-Jones")
    counts = students_of(roster(ANN))
    assert (counts["changed"], counts["unchanged"]) == (0, 1)
    import_file(roster(ANN))
    assert student().family_name == "Smith-Jones"


def test_where_both_changed_the_persons_value_stays_and_is_shown(in_school, roster):
    import_file(roster(ANN))
    edit(student(), family_name="Smith-Jones")
    newer = roster(ANN.replace("Smith,Ann", "Brown,Ann"))
    imported = stage_file(newer)
    row = db.session.scalars(sa.select(RosterRow).where(RosterRow.import_id == imported.id)).one()
    assert row.kept == {"family_name": ["Smith-Jones", "Brown"]}
    import_file(newer)
    assert student().family_name == "Smith-Jones"


def test_the_files_value_is_taken_when_asked_for(in_school, roster):
    import_file(roster(ANN))
    edit(student(), family_name="Smith-Jones")
    import_file(roster(ANN.replace("Smith,Ann", "Brown,Ann")), overwrite_edited=True)
    assert student().family_name == "Brown"


def test_the_files_value_can_be_taken_for_one_row(in_school, roster):
    from school.roster.service.committing import commit
    from school.roster.service.repairing import take_from_file

    import_file(roster(ANN))
    edit(student(), family_name="Smith-Jones")
    imported = stage_file(roster(ANN.replace("Smith,Ann", "Brown,Ann")))
    with transaction():
        take_from_file(imported.id, 2, ["family_name"])
    with transaction():
        commit(imported.id)
    assert student().family_name == "Brown"


def test_a_move_closes_the_old_class_and_opens_the_new(in_school, roster):
    import_file(roster(ANN))
    import_file(roster(ANN.replace("7A", "7B")))
    assert class_of() == "7B"
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Enrollment)) == 2


def test_a_new_telephone_is_the_same_guardian(in_school, roster):
    import_file(roster(ANN))
    done = told(import_file(roster(ANN.replace("0113 496 0000", "0113 496 0999"))))
    assert (done["students"]["changed"], done["guardians"]["new"]) == (1, 0)
    guardian = db.session.scalars(sa.select(Guardian)).one()
    db.session.refresh(guardian)
    assert guardian.phone == "0113 496 0999"
    assert db.session.scalars(having_word(Kind.GUARDIAN, "01134960999")).all() == [guardian.id]


def test_brothers_and_sisters_share_their_guardian(in_school, roster):
    done = told(import_file(roster(ANN, "2,Smith,Bo,2013-01-01,8A, Jo Smith ,0113 496 0000,JO@EXAMPLE.ORG")))
    assert done["guardians"] == {"new": 1, "merged": 1}
    assert db.session.scalar(sa.select(sa.func.count()).select_from(StudentGuardian)) == 2


@pytest.mark.parametrize("is_known", [False, True])
def test_a_guardian_named_twice_for_one_student_is_tied_once(in_school, roster, is_known):
    twice = "1,Smith,Ann,Jo Smith,0113 496 0000,Jo Smith,0113 496 0000"
    headings = (
        "Admission No,Surname,Forename,Guardian 1 Name,Guardian 1 Phone,Guardian 2 Name,Guardian 2 Phone"
    )
    if is_known:
        import_file(roster("1,Smith,Ann", headings="Admission No,Surname,Forename"))
    path = roster(twice, headings=headings)
    assert told(import_file(path))["guardians"] == {"new": 1, "merged": 1}
    assert db.session.scalar(sa.select(sa.func.count()).select_from(StudentGuardian)) == 1
    assert students_of(path)["unchanged"] == 1


def test_equal_names_alone_are_two_people(in_school, roster):
    done = told(import_file(roster(
        "1,Smith,Ann,2015-03-01,7A,Jo Smith,,", "2,Brown,Bo,2013-01-01,8A,Jo Smith,,"
    )))
    assert done["guardians"] == {"new": 2, "merged": 0}


def test_a_guardian_the_file_no_longer_names_is_untied_but_stays(in_school, roster):
    import_file(roster(ANN))
    import_file(roster("1,Smith,Ann,2015-03-01,7A,,,"))
    assert db.session.scalar(sa.select(sa.func.count()).select_from(StudentGuardian)) == 0
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Guardian)) == 1


def test_without_the_number_name_and_birth_date_tell_who_it_is(in_school, roster):
    import_file(roster(ANN))
    counts = students_of(roster(ANN.replace("1,", "99,", 1)))
    assert (counts["new"], counts["changed"]) == (0, 1)
    import_file(roster(ANN.replace("1,", "99,", 1)))
    assert student("99").given_name == "Ann"


def test_a_namesake_with_a_number_of_their_own_in_the_file_is_another_person(in_school, roster):
    import_file(roster(ANN))
    counts = students_of(roster(ANN, ANN.replace("1,", "99,", 1)))
    assert (counts["new"], counts["unchanged"]) == (1, 1)


def test_two_possible_people_are_a_problem_not_a_guess(in_school, roster):
    import_file(roster(ANN, ANN.replace("1,", "2,", 1)))
    done = told(stage_file(roster(ANN.replace("1,", "99,", 1))))
    assert done["students"]["problem"] == 1
    assert done["problems"][0]["code"] == "ambiguous_match"


def test_a_file_without_numbers_gives_the_next_free_ones(in_school, roster):
    path = roster("Smith,Ann,2015-03-01", "Lee,Bo,2014-01-01", headings="Surname,Forename,Date of Birth")
    import_file(path)
    assert set(db.session.scalars(sa.select(Student.admission_number))) == {"000001", "000002"}
    assert students_of(path)["unchanged"] == 2


def test_a_cell_that_cannot_be_read_leaves_what_the_school_has(in_school, roster):
    import_file(roster(ANN))
    import_file(roster(ANN.replace("2015-03-01", "2015-02-31").replace("jo@example.org", "jo@")))
    assert student().birth_date == date(2015, 3, 1)
    assert db.session.scalar(sa.select(Guardian.email)) == "jo@example.org"


def test_a_column_the_file_lacks_changes_nothing(in_school, roster):
    import_file(roster(ANN))
    import_file(roster("1,Smith,Ann", headings="Admission No,Surname,Forename"))
    assert student().birth_date == date(2015, 3, 1)
    assert class_of() == "7A"
    assert db.session.scalar(sa.select(sa.func.count()).select_from(StudentGuardian)) == 1


def test_students_who_are_gone_can_be_archived(in_school, roster):
    import_file(roster(ANN, "2,Lee,Bo,2014-01-01,7A,,,"))
    done = told(import_file(roster(ANN), archive_gone=True))
    assert done["students"]["gone"] == 1
    assert student("2").status == StudentStatus.ARCHIVED


def test_students_admitted_by_hand_are_never_gone(in_school, roster):
    with transaction() as session:
        session.add(Student(admission_number="77", family_name="Hand", sort_name="hand"))
    assert students_of(roster(ANN))["gone"] == 0


def test_own_columns_become_fields_of_the_school(in_school, roster):
    path = roster("1,Smith,Ann,Blue", headings="Admission No,Surname,Forename,Bus route")
    import_file(path)
    field = db.session.scalars(sa.select(CustomField)).one()
    assert (field.label, student().custom) == ("Bus route", {str(field.id): "Blue"})
    newer = roster("1,Smith,Ann,Red", headings="Admission No,Surname,Forename,Bus route")
    assert students_of(newer)["changed"] == 1
    import_file(newer)
    assert student().custom == {str(field.id): "Red"}


def test_new_students_are_found_by_name_number_and_guardian(in_school, roster):
    import_file(roster("0042,Dąbrowska,Zofia,2015-03-01,7A,Jan Nowak,0113 496 0000,"))
    for word in ("dabr", "zof", "0042", "nowak"):
        assert db.session.scalars(having_word(Kind.STUDENT, word)).all() == [student("0042").id], word


def test_each_person_has_one_event_in_one_change_set(in_school, roster):
    imported = import_file(roster(ANN, "2,Smith,Bo,2013-01-01,7A,Jo Smith,0113 496 0000,jo@example.org"))
    change_set = db.session.scalars(sa.select(ChangeSet)).one()
    assert change_set.id == imported.change_set_id
    events = db.session.scalars(
        sa.select(AuditEvent).where(AuditEvent.change_set_id == change_set.id)
    ).all()
    assert sorted(event.entity for event in events) == ["guardian", "student", "student"]
    assert len({event.entity_id for event in events}) == 3


@pytest.mark.parametrize("again", [1, 2])
def test_staging_again_begins_afresh(in_school, roster, again):
    from school.roster.service.staging import stage

    path = roster(ANN)
    imported = stage_file(path)
    for _ in range(again):
        stage(imported.id, path)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(RosterRow)) == 1


def test_rows_of_two_schools_never_meet(app, school, other_school, roster):
    from school.tenancy.scope import school_scope

    with school_scope(school.id):
        import_file(roster(ANN))
    with school_scope(other_school.id):
        done = told(import_file(roster(ANN)))
        assert done["students"]["new"] == done["guardians"]["new"] == done["classes"]["new"] == 1
        assert db.session.scalar(sa.select(sa.func.count()).select_from(RosterImport)) == 1
        assert isinstance(student().id, uuid.UUID)


def test_an_archived_student_in_a_newer_file_stays_out_of_every_class(in_school, roster):
    import_file(roster(ANN))
    with transaction():
        students_service.archive_student(student())
    again = import_file(roster(ANN))
    assert (student().status, class_of()) == (StudentStatus.ARCHIVED, None)
    row = db.session.scalars(sa.select(RosterRow).where(RosterRow.import_id == again.id)).one()
    assert [one["code"] for one in row.problems] == ["archived"]
    assert (row.is_blocked, told(again)["students"]["problem"]) == (False, 0)


def test_a_remark_about_an_archived_student_hides_no_cell(in_school, roster):
    headings = "Preferred Name,Surname,Forename,Date of Birth"
    import_file(roster("Annie,Smith,Ann,2015-03-01", headings=headings))
    with transaction():
        students_service.archive_student(db.session.scalars(sa.select(Student)).one())
    again = stage_file(roster(",Smith,Ann,2015-03-01", headings=headings))
    row = db.session.scalars(sa.select(RosterRow).where(RosterRow.import_id == again.id)).one()
    assert row.changes == {"preferred_name": ["Annie", None]}


def test_a_preview_that_no_longer_holds_is_not_saved_over_another_student(in_school, roster):
    """Two files checked at once give one number to two children: the second must be looked at again."""
    first = stage_file(roster("1,Vane,Zed,2013-01-01,7A,,,"))
    second = stage_file(roster("1,Other,Zoe,2012-02-02,7B,,,"))
    with transaction():
        commit(first.id)
    with pytest.raises(Conflict, match="now means somebody else"), transaction():
        commit(second.id)
    assert (student().family_name, student().given_name) == ("Vane", "Zed")


TWO = "Admission No,Surname,Forename,Date of Birth,Guardian 1 Name,Guardian 1 Phone,Guardian 2 Name,Guardian 2 Phone"
PAIR = "1,Smith,Ann,2015-03-01,Jo Smith,0113 496 0000,Al Smith,0113 496 0001"


def guardians_of(number: str = "1") -> list[tuple[str, str | None, str | None]]:
    return [
        tuple(row)
        for row in db.session.execute(
            sa.select(Guardian.name, Guardian.phone, Guardian.email)
            .join(StudentGuardian, StudentGuardian.guardian_id == Guardian.id)
            .join(Student, Student.id == StudentGuardian.student_id)
            .where(Student.admission_number == number)
            .order_by(StudentGuardian.emergency_order)
        )
    ]


@pytest.mark.parametrize(
    ("headings", "line"),
    [
        ("Admission No,Surname,Forename,Guardian 1 Name,Guardian 1 Phone", "1,Smith,Ann,Jo Smith,0113 496 0000"),
        ("Admission No,Surname,Forename,Guardian 1 Name,Guardian 2 Name", "1,Smith,Ann,Jo Smith,Al Smith"),
        ("Admission No,Surname,Forename,Guardian 1 Email", "1,Smith,Ann,jo@example.org"),
    ],
)
def test_what_a_newer_file_says_nothing_of_stays_with_the_guardians(in_school, roster, headings, line):
    import_file(roster(PAIR, headings=TWO))
    before = guardians_of()
    assert len(before) == 2
    import_file(roster(line, headings=headings))
    assert guardians_of() == before


def test_a_guardian_the_narrower_file_replaces_is_replaced_and_the_other_stays(in_school, roster):
    import_file(roster(PAIR, headings=TWO))
    headings = "Admission No,Surname,Forename,Guardian 1 Name"
    import_file(roster("1,Smith,Ann,Bo Jones", headings=headings))
    assert sorted(name for name, *_ in guardians_of()) == ["Al Smith", "Bo Jones"]


def test_a_shared_email_does_not_make_the_mother_the_father(in_school, roster):
    mother = "7A,Fatma Kaya,0113 496 0001,kaya@example.org"
    lines = [f"1,Kaya,Ada,2015-03-01,{mother}", f"2,Kaya,Bo,2016-03-01,{mother}"]
    import_file(roster(*lines))
    father = "7A,Mehmet Kaya,0113 496 0099,kaya@example.org"
    import_file(roster(f"1,Kaya,Ada,2015-03-01,{father}", lines[1]))
    assert [name for name, *_ in guardians_of("1")] == ["Mehmet Kaya"]
    assert [name for name, *_ in guardians_of("2")] == ["Fatma Kaya"]


def test_another_surname_after_a_marriage_is_the_same_guardian(in_school, roster):
    import_file(roster(ANN))
    import_file(roster(ANN.replace("Jo Smith,0113 496 0000", "Jo Miller,0113 496 0009")))
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Guardian)) == 1
    assert guardians_of() == [("Jo Miller", "0113 496 0009", "jo@example.org")]


def test_swapped_numbers_put_nobodys_record_over_anothers(in_school, roster):
    import_file(roster("1,Smith,Ann,2015-03-01,,,,", "2,Lee,Bob,2015-04-01,,,,"))
    imported = stage_file(roster("2,Smith,Ann,2015-03-01,,,,", "1,Lee,Bob,2015-04-01,,,,"))
    done = told(imported)
    assert done["students"]["problem"] == 2
    told_of = [p["message"] for p in done["problems"] if p["code"] == "another_person"]
    assert len(told_of) == 2
    assert "Bob Lee" in told_of[0]


def test_twins_with_swapped_numbers_are_a_question_too(in_school, roster):
    import_file(roster("1,Smith,Ann,2015-03-01,,,,", "2,Smith,Eve,2015-03-01,,,,"))
    done = told(stage_file(roster("2,Smith,Ann,2015-03-01,,,,", "1,Smith,Eve,2015-03-01,,,,")))
    assert done["students"]["problem"] == 2


def test_a_name_and_date_put_right_by_hand_are_still_the_same_student(in_school, roster):
    import_file(roster(ANN))
    edit(student(), family_name="Smyth", birth_date=date(2015, 1, 3))
    assert students_of(roster(ANN))["problem"] == 0


def test_a_student_with_a_new_surname_is_the_same(in_school, roster):
    import_file(roster(ANN))
    assert students_of(roster(ANN.replace("1,Smith,Ann", "1,Brown,Ann")))["changed"] == 1


def test_names_alone_are_the_same_student_again(in_school, roster):
    names = {"headings": "Name"}
    import_file(roster("Teller Zq", "Cher Zq", **names))
    counts = students_of(roster("Teller Zq", "Cher Zq", **names))
    assert (counts["new"], counts["unchanged"]) == (0, 2)


def test_a_namesake_of_unknown_birth_is_remarked(in_school, roster):
    import_file(roster(ANN))
    done = told(stage_file(roster("Ann Smith", headings="Name")))
    assert (done["students"]["new"], done["problems"][0]["code"]) == (1, "namesake")


def test_whoever_stands_in_a_row_to_repair_is_not_gone(in_school, roster):
    import_file(roster(ANN, "2,Lee,Bo,2015-04-01,,,,"))
    newer = roster(ANN.replace("1,Smith", ",Smith"), "2,Lee,Bo,2015-04-01,,,,")
    assert students_of(newer)["gone"] == 0


def test_nobody_is_archived_while_a_row_may_mean_anybody(in_school, roster):
    import_file(roster(ANN, "2,Lee,Bo,2015-04-01,,,,"))
    newer = roster(",Smith,Annie,,,,,", "2,Lee,Bo,2015-04-01,,,,")
    with pytest.raises(Conflict, match="nobody can tell who is meant"):
        import_file(newer, archive_gone=True)
    assert student("1").status == StudentStatus.ENROLLED


def test_who_is_archived_as_gone_leaves_the_class_and_comes_back_whole(in_school, roster):
    import_file(roster(ANN, "2,Lee,Bo,2015-04-01,7A,,,"))
    done = import_file(roster(ANN), archive_gone=True)
    assert (student("2").status, class_of("2")) == (StudentStatus.ARCHIVED, None)
    with transaction():
        undo(done.id)
    back = student("2")
    assert (back.status, back.archived_at, back.status_before_archive) == (
        StudentStatus.ENROLLED, None, None,
    )
    assert class_of("2") == "7A"


def test_what_was_typed_by_hand_stays_when_a_new_column_comes(in_school, roster):
    import_file(roster(ANN))
    edit(student(), town="Handtown")
    wider = "Admission No,Surname,Forename,Date of Birth,Town"
    import_file(roster("1,Smith,Ann,2015-03-01,Filetown", headings=wider))
    assert student().town == "Handtown"
    import_file(roster("1,Smith,Ann,2015-03-01,Filetown", headings=wider), overwrite_edited=True)
    assert student().town == "Filetown"


def test_overwriting_takes_the_file_though_it_says_what_it_said(in_school, roster):
    import_file(roster(ANN))
    edit(student(), family_name="Smith-Jones")
    imported = stage_file(roster(ANN))
    with transaction():
        imported.options = {**imported.options, "overwrite_edited": True}
    with transaction():
        commit(imported.id)
    assert student().family_name == "Smith"


def test_the_first_of_two_rows_is_kept_and_it_is_said(in_school, roster):
    lines = [
        "1,Smith,Ann,2015-03-01,7A,Jo Smith,0113 496 0000,a@example.org",
        "2,Smith,Bo,2016-03-01,7A,Jo Smith,0113 496 0000,b@example.org",
    ]
    imported = stage_file(roster(*lines))
    assert "Rows: 3" in imported.counts["remarks"][0]["message"] % imported.counts["remarks"][0]["params"]
    with transaction():
        commit(imported.id)
    newer = [line.replace("0113 496 0000", f"0113 496 000{place}") for place, line in enumerate(lines, 1)]
    imported = stage_file(roster(*newer))
    assert imported.counts["remarks"]
    with transaction():
        commit(imported.id)
    assert guardians_of("2")[0][1] == "0113 496 0001"


@pytest.mark.parametrize("spelled", ["7a", "7 A", "７A"])
def test_one_class_is_written_one_way(in_school, roster, spelled):
    import_file(roster(ANN, f"2,Lee,Bo,2015-04-01,{spelled},,,"))
    assert db.session.scalars(sa.select(SchoolClass.name)).all() == ["7A"]
    assert students_of(roster(ANN.replace(",7A,", f",{spelled},")))["changed"] == 0


def test_a_renamed_class_is_new_only_where_it_is_written(in_school, roster):
    import_file(roster(ANN))
    with transaction():
        db.session.scalars(sa.select(SchoolClass)).one().name = "7 Ash"
    assert told(stage_file(roster(ANN)))["classes"]["new"] == 0
