"""Undo puts back what still stands, and keeps what people did since."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from school import clock
from school.audit import history, log, undo
from school.audit.models import AuditEvent, ChangeSet
from school.db import db, transaction
from school.enrollment.queries import class_of
from school.errors import Conflict, NotFound
from school.students import queries, service
from school.students.models import Student, StudentGuardian, StudentStatus
from school.tenancy.scope import school_scope
from tests.factories.academics import make_class
from tests.factories.students import make_guardian, make_student


def newest(student: Student) -> AuditEvent:
    return history.list_events(student.id, entity="student", limit=1)[0]


def test_an_edit_taken_back_restores_values_sorting_and_search(in_school):
    student = make_student()
    with transaction():
        service.edit_student(student, version=student.version, family_name="Zed", town="Kelby")
    with transaction():
        report = undo.undo_event(newest(student))
    student = queries.get_student(student.id)
    assert (student.family_name, student.town) == ("Dąbrowska", None)
    assert student.sort_name == "dabrowska zofia"
    assert (report.restored, report.kept) == (1, [])
    assert queries.get_student(student.id).version > 2


def test_a_field_edited_since_is_kept_and_listed(in_school):
    student = make_student()
    with transaction():
        service.edit_student(student, version=student.version, town="Kelby", phone="1")
    event = newest(student)
    with transaction():
        service.edit_student(student, version=student.version, town="Marston")
        report = undo.undo_event(event)
    student = queries.get_student(student.id)
    assert (student.town, student.phone) == ("Marston", None)
    assert report.kept == [undo.Kept("student", student.id, "town", "Marston", "Kelby")]


def test_dates_come_back_as_dates(in_school):
    student = make_student(birth_date=date(2013, 3, 4))
    with transaction():
        service.edit_student(student, version=student.version, birth_date=None)
    with transaction():
        undo.undo_event(newest(student))
    assert queries.get_student(student.id).birth_date == date(2013, 3, 4)


def test_a_field_of_the_schools_own_comes_back_alone(in_school):
    with transaction():
        bus, house = service.add_field("Bus", "number"), service.add_field("House", "text")
    student = make_student(custom={str(bus.id): "31", str(house.id): "Red"})
    with transaction():
        service.edit_student(student, version=student.version, custom={str(bus.id): "12"})
    event = newest(student)
    with transaction():
        service.edit_student(student, version=student.version, custom={str(house.id): "Blue"})
        undo.undo_event(event)
    assert queries.get_student(student.id).custom == {str(bus.id): 31, str(house.id): "Blue"}


def test_a_move_goes_back_in_both_its_parts(in_school):
    old, new = make_class("8A"), make_class("8B")
    student = make_student(school_class=old)
    with transaction():
        change_set = service.move_to_class([student.id], new, date(2026, 11, 2))
    with transaction():
        undo.undo_change_set(change_set)
    assert class_of(student.id).id == old.id


def test_a_bulk_act_goes_back_for_one_student_only(in_school):
    first, second = make_student(), make_student()
    with transaction():
        service.archive_students([first.id, second.id])
    with transaction():
        undo.undo_event(newest(first))
    assert queries.get_student(first.id).status == StudentStatus.ENROLLED
    assert queries.get_student(second.id).status == StudentStatus.ARCHIVED


def test_a_change_set_is_undone_once_and_in_its_time(in_school):
    student = make_student()
    with transaction():
        change_set = service.archive_students([student.id])
    with transaction():
        undo.undo_change_set(change_set)
    with pytest.raises(Conflict), transaction():
        undo.undo_change_set(change_set)
    with transaction():
        late = service.archive_students([student.id])
        late.undo_until = clock.now() - timedelta(seconds=1)
    with pytest.raises(Conflict), transaction():
        undo.undo_change_set(late)


def test_an_unlinked_guardian_is_linked_again_with_everything(in_school):
    student = make_student()
    guardian = make_guardian(student)
    link = queries.guardian_links(student.id)[0][0]
    with transaction():
        service.edit_link(link, version=link.version, has_custody=False)
        service.unlink_guardian(link)
    with transaction():
        undo.undo_event(newest(student))
    again = queries.guardian_links(student.id)[0][0]
    assert (again.id, again.guardian_id, again.has_custody) == (link.id, guardian.id, False)


def test_new_rows_of_a_bulk_act_go_unless_somebody_worked_on_them(in_school):
    with transaction():
        change_set = log.open_change_set("test.import", "Import")
        made = [
            service.admit_student(
                family_name=f"F{n}", admission_number=str(n), change_set=change_set
            )
            for n in range(3)
        ]
    with transaction():
        service.edit_student(made[1], version=made[1].version, family_name="Kept")
    make_guardian(made[2])
    with transaction():
        report = undo.undo_change_set(change_set)
    left = db.session.scalars(sa.select(Student.family_name).order_by(Student.id)).all()
    assert left == ["Kept", "F2"]
    assert {(kept.field, kept.theirs) for kept in report.kept} >= {
        ("family_name", "Kept"),
        ("", "guardian"),
    }


def test_a_large_change_set_takes_few_statements(in_school, count_queries):
    with transaction():
        change_set = log.open_change_set("test.bulk", "Bulk")
        students = [
            service.admit_student(family_name=f"F{n}", admission_number=str(n)) for n in range(60)
        ]
        for student in students:
            service.edit_student(student, version=1, town="Kelby", change_set=change_set)
    db.session.expunge_all()
    change_set = db.session.scalars(sa.select(ChangeSet)).one()
    with count_queries() as queries_sent, transaction():
        undo.undo_change_set(change_set)
    # The sixty updates are one executemany; the rest is a fixed number per thousand.
    assert queries_sent.count < 30
    assert set(db.session.scalars(sa.select(Student.town))) == {None}


def test_the_undoing_is_recorded_too(in_school):
    student = make_student()
    with transaction():
        service.edit_student(student, version=student.version, town="Kelby")
    with transaction():
        undo.undo_event(newest(student))
    event = newest(student)
    assert event.action == "student.undone"
    assert (event.before, event.after) == ({"town": "Kelby"}, {"town": None})


def test_another_schools_event_is_not_found(school, other_school):
    with school_scope(school.id):
        event_id = newest(make_student()).id
    with school_scope(other_school.id), pytest.raises(NotFound):
        history.get_event(event_id)


def test_history_tells_of_links_and_classes_too(in_school):
    student = make_student(school_class=make_class("8B"))
    make_guardian(student)
    actions = [e.action for e in history.list_events(student.id, entity="student")]
    assert actions == ["student_guardian.linked", "enrollment.opened", "student.admitted"]


def test_history_pages_by_the_last_event_read(in_school):
    student = make_student()
    for n in range(5):
        with transaction():
            service.edit_student(student, version=student.version, town=str(n))
    first = history.list_events(student.id, entity="student", limit=3)
    rest = history.list_events(student.id, entity="student", before=first[-1].id, limit=10)
    assert len(first) == 3 and len(rest) == 3
    assert not {e.id for e in first} & {e.id for e in rest}


def test_links_of_a_removed_student_leave_nothing_behind(in_school):
    with transaction():
        change_set = log.open_change_set("test.import", "Import")
        student = service.admit_student(family_name="Gone", change_set=change_set)
        guardian = service.add_guardian("Also Gone", change_set=change_set)
        service.link_guardian(student, guardian, change_set=change_set)
    with transaction():
        report = undo.undo_change_set(change_set)
    assert report.kept == []
    assert db.session.scalars(sa.select(Student)).all() == []
    assert db.session.scalars(sa.select(StudentGuardian)).all() == []
