"""All that match the list, on every page of it: moved, archived or exported as one."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from school.audit.models import ChangeSet
from school.db import db
from school.enrollment.queries import find_open_many
from school.permissions import Role
from school.students.models import Student, StudentStatus
from school.students.views import bulk
from school.tenancy.scope import school_scope
from tests.factories.academics import make_class
from tests.factories.students import make_student
from tests.pages import read_page

ALL = {"every": "1"}
EIGHTH = {**ALL, "filter": "grade=8&sort=-name"}


@pytest.fixture
def office(client_for):
    return client_for(Role.REGISTRAR)


@pytest.fixture
def eighth(in_school):
    """Sixty of grade 8, more than a page; two of grade 9."""
    for n in range(2):
        make_student(family_name=f"Ninth{n}", grade_level="9")
    return [make_student(family_name=f"Eighth{n:02}", grade_level="8").id for n in range(60)]


def archived() -> set:
    return set(db.session.scalars(sa.select(Student.id).filter_by(status=StudentStatus.ARCHIVED)))


def sent_by(page, action) -> dict[str, str]:
    form = next(form for form in page.forms if form.get("action") == action)
    return {field["name"]: field["value"] for field in form["fields"] if field.get("name")}


def test_the_list_offers_everybody_only_when_a_page_does_not_hold_them(office, eighth):
    assert "Select all 60 that match" in office.get("/students?grade=8").text
    assert "Select all" in office.get("/students?grade=9").text  # of this page
    assert "that match" not in office.get("/students?grade=9").text


def test_archiving_asks_with_the_number_then_does_it_and_is_undone_as_one(office, eighth):
    asked = read_page(office.post("/students/bulk/archive", data=EIGHTH))
    assert asked.h1 == "Archive 60 students"
    assert "All that match: Grade level 8" in asked.text and "and 40 more" in asked.text
    assert not archived()
    data = sent_by(asked, "/students/bulk/archive")
    assert office.post("/students/bulk/archive", data=data).status_code == 303
    assert archived() == set(eighth)
    change_set = db.session.scalars(sa.select(ChangeSet)).one()
    assert change_set.counts == {"students": 60}
    office.post(f"/history/changes/{change_set.id}/undo")
    db.session.expire_all()
    assert not archived()


def test_another_number_than_was_seen_is_asked_about_again(office, eighth):
    data = sent_by(
        read_page(office.post("/students/bulk/archive", data=EIGHTH)), "/students/bulk/archive"
    )
    make_student(family_name="Late", grade_level="8")
    again = read_page(office.post("/students/bulk/archive", data=data))
    assert again.h1 == "Archive 61 students" and "The list changed meanwhile" in again.text
    assert not archived()


def test_the_archived_on_the_list_are_not_counted(office, eighth):
    office.post("/students/bulk/archive", data={"ids": [str(eighth[0])]})
    everybody = {**ALL, "filter": "grade=8&status=all"}
    for act, h1 in (("archive", "Archive 59 students"), ("move", "Move 59 students to a class")):
        assert read_page(office.post(f"/students/bulk/{act}", data=everybody)).h1 == h1
    only = {**ALL, "filter": "status=archived"}
    answer = office.post("/students/bulk/archive", data=only)
    assert answer.status_code == 409 and "Restore them first" in answer.text


def test_moving_keeps_to_the_filter(office, eighth):
    school_class = make_class("8B")
    asked = read_page(office.post("/students/bulk/move", data=EIGHTH))
    assert asked.h1 == "Move 60 students to a class"
    form = next(f for f in asked.forms if any(x.get("name") == "class_id" for x in f["fields"]))
    data = {x["name"]: x.get("value", "") for x in form["fields"] if x.get("name")}
    data["class_id"] = str(school_class.id)
    stale = read_page(office.post("/students/bulk/move", data={**data, "count": "59"}), status=422)
    assert "The list changed meanwhile" in stale.text
    assert office.post("/students/bulk/move", data=data).status_code == 303
    assert set(find_open_many(db.session.scalars(sa.select(Student.id)).all())) == set(eighth)


def test_exporting_keeps_to_the_filter(office, eighth):
    text = office.post("/students/bulk/export", data=EIGHTH).get_data().decode("utf-8-sig")
    assert text.count("Eighth") == 60 and "Ninth" not in text


def test_without_the_filter_nobody_is_chosen(office, eighth):
    for act in ("archive", "move", "export"):
        assert office.post(f"/students/bulk/{act}", data={**ALL, "count": "62"}).status_code == 422
    assert not archived()


def test_more_than_the_limit_is_refused_in_words(office, eighth, monkeypatch):
    monkeypatch.setattr(bulk, "MOST_AT_ONCE", 59)
    answer = office.post("/students/bulk/archive", data={**EIGHTH, "count": "60"})
    assert answer.status_code == 422 and "More than 59 students match" in answer.text
    monkeypatch.setattr("school.students.views.listing.MOST_AT_ONCE", 59)
    assert "At most 59 at once" in office.get("/students?grade=8").text


@pytest.mark.parametrize("role", [Role.TEACHER, Role.GUARDIAN, Role.STUDENT])
def test_who_may_not_archive_is_refused(client_for, eighth, role):
    data = {**EIGHTH, "count": "60"}
    assert client_for(role).post("/students/bulk/archive", data=data).status_code == 403
    assert not archived()


def test_another_schools_students_are_never_among_them(office, school, other_school):
    for place in (school, other_school):
        with school_scope(place.id):
            make_student(family_name=place.name, grade_level="8")
    asked = read_page(office.post("/students/bulk/archive", data=EIGHTH))
    assert asked.h1 == "Archive 1 student" and other_school.name not in asked.text
    office.post("/students/bulk/archive", data={**EIGHTH, "count": "1"})
    with school_scope(school.id):
        assert len(archived()) == 1
    with school_scope(other_school.id):
        assert not archived()


def test_archiving_ends_every_class(office, eighth):
    moved = {**EIGHTH, "count": "60", "class_id": str(make_class("8B").id), "on": ""}
    office.post("/students/bulk/move", data=moved)
    assert len(find_open_many(eighth)) == 60
    office.post("/students/bulk/archive", data={**EIGHTH, "count": "60"})
    assert not find_open_many(eighth)
