"""Two people at once: nobody's work is lost, and only what both changed is asked about."""

from __future__ import annotations

import re

import pytest

from school.academics.queries import get_class
from school.audit.actor import Actor, acting_as
from school.db import db, transaction
from school.permissions import Role
from school.students import queries, service
from tests.factories.academics import make_class
from tests.factories.students import make_guardian, make_student
from tests.pages import read_page

CONTACT = {"phone": "1", "email": "", "address": "", "town": "Kelby", "postcode": ""}


@pytest.fixture
def office(client_for):
    return client_for(Role.ADMINISTRATOR)


def opened(page, client, path):
    """What the form carries unseen: the version, and what it was opened with."""
    return carried(page(client, path), path)


def carried(shown, path):
    form = next(f for f in shown.forms if f.get("action") in {path, None, ""} and f["fields"])
    return {f["name"]: f["value"] for f in form["fields"] if f.get("type") == "hidden"}


def save(client, path, answers, **fields):
    response = client.post(path, data=fields)
    assert response.status_code == answers, response.text[:500]
    return response


def contact_of(student):
    db.session.expire_all()
    saved = queries.get_student(student.id)
    return saved.town, saved.address, saved.phone


def test_what_only_the_other_changed_stays_and_what_only_you_changed_is_saved(
    office, page, in_school
):
    student = make_student(town="Kelby", phone="1")
    path = f"/students/{student.id}/edit/contact"
    mine = opened(page, office, path)
    save(office, path, 303, **opened(page, office, path), **CONTACT | {"town": "Marston"})
    save(office, path, 303, **mine, **CONTACT | {"address": "4 Mill Lane"})
    assert contact_of(student) == ("Marston", "4 Mill Lane", "1")


def test_only_what_both_changed_is_asked_and_nothing_is_chosen_beforehand(office, page, in_school):
    student = make_student(town="Kelby", phone="1")
    path = f"/students/{student.id}/edit/contact"
    mine = opened(page, office, path)
    with transaction():
        service.edit_student(student, version=1, town="Marston", phone="2")
    answer = save(
        office, path, 409, **mine, **CONTACT | {"town": "Ashcombe", "address": "4 Mill Lane"}
    )
    shown = read_page(answer, status=409)
    radios = re.findall(r'<input[^>]*type="radio"[^>]*>', shown.html)
    assert len(radios) == 2 and all(' name="town"' in one for one in radios)
    assert all("required" in one and "checked" not in one for one in radios)
    save(office, path, 303, **carried(shown, path), town="Ashcombe")
    assert contact_of(student) == ("Ashcombe", "4 Mill Lane", "2")


def test_the_page_names_the_student_and_who_changed_what(office, page, in_school):
    student = make_student(given_name="Zofia", family_name="Dąbrowska", town="Kelby", phone="1")
    path = f"/students/{student.id}/edit/contact"
    mine = opened(page, office, path)
    with acting_as(Actor(name="Grace Kim")), transaction():
        service.edit_student(student, version=1, town="Marston")
    shown = read_page(save(office, path, 409, **mine, **CONTACT | {"town": "Ashcombe"}), status=409)
    assert shown.h1 == "Grace Kim changed Zofia Dąbrowska while you were writing"
    assert "Marston" in shown.text and "Grace Kim ·" in shown.text
    with acting_as(Actor(name="Amara Okafor")), transaction():
        service.edit_student(queries.get_student(student.id), version=2, phone="2")
    both = CONTACT | {"town": "Ashcombe", "phone": "3"}
    shown = read_page(save(office, path, 409, **mine, **both), status=409)
    assert shown.h1 == "Somebody else changed Zofia Dąbrowska while you were writing"
    assert "Grace Kim ·" in shown.text and "Amara Okafor ·" in shown.text


def test_another_section_is_no_conflict(office, page, in_school):
    student = make_student(town="Kelby")
    names = f"/students/{student.id}/edit/names"
    mine = opened(page, office, names)
    with transaction():
        service.edit_student(student, version=1, town="Marston")
    save(office, names, 303, **mine, family_name="Lis", given_name="Ada", admission_number="5")
    assert contact_of(student)[0] == "Marston"
    assert queries.get_student(student.id).family_name == "Lis"


def test_a_form_refused_for_something_else_still_knows_how_it_was_opened(office, page, in_school):
    student = make_student(town="Kelby", phone="1")
    path = f"/students/{student.id}/edit/contact"
    mine = opened(page, office, path)
    with transaction():
        service.edit_student(student, version=1, town="Marston")
    refused = save(office, path, 422, **mine, **CONTACT | {"email": "nobody", "phone": "9"})
    again = carried(read_page(refused, status=422), path)
    save(office, path, 303, **again, **CONTACT | {"email": "a@b.org", "phone": "9"})
    assert contact_of(student) == ("Marston", None, "9")


def test_yes_and_no_of_the_schools_own_survive_a_merge(office, page, in_school):
    with transaction():
        bus, swims = service.add_field("Bus", "yes_no"), service.add_field("Swims", "yes_no")
    student = make_student(custom={str(bus.id): True, str(swims.id): False})
    path = f"/students/{student.id}/edit/facts"
    mine = opened(page, office, path)
    with transaction():
        service.edit_student(student, version=1, custom={str(bus.id): False}, grade_level="7")
    fields = {f"custom_{bus.id}": "yes", f"custom_{swims.id}": "no", "status": "enrolled"}
    answer = save(office, path, 409, **mine, **fields, grade_level="8")
    kept = carried(read_page(answer, status=409), path)
    assert kept[f"custom_{bus.id}"] == "no" and kept[f"custom_{swims.id}"] == "no"


def test_guardians_ties_and_classes_merge_alike(office, page, in_school):
    student, school_class = make_student(), make_class("8B")
    guardian = make_guardian(student, phone="1")
    link = queries.guardian_links(student.id)[0][0]
    paths = f"/guardians/{guardian.id}/edit", f"/classes/{school_class.id}/edit"
    tie = f"/students/{student.id}/guardians/{link.id}"
    mine = [opened(page, office, path) for path in (*paths, tie)]
    save(office, paths[0], 303, **mine[0], name=guardian.name, phone="2")
    save(office, paths[0], 303, **mine[0], name="Anna Lis", phone="1")
    save(office, paths[1], 303, **mine[1], name="8C")
    save(office, paths[1], 303, **mine[1], name="8B", grade_level="8")
    save(office, tie, 303, **mine[2], relationship="Aunt", has_custody="y", lives_with="y",
         may_be_contacted="y")  # fmt: skip
    save(office, tie, 303, **mine[2], relationship=link.relationship or "", lives_with="y",
         may_be_contacted="y")  # fmt: skip
    db.session.expire_all()
    saved, tied = queries.get_guardian(guardian.id), queries.get_link(student.id, link.id)
    assert (saved.name, saved.phone) == ("Anna Lis", "2")
    assert (get_class(school_class.id).name, get_class(school_class.id).grade_level) == ("8C", "8")
    assert (tied.relationship, tied.has_custody) == ("Aunt", False)
