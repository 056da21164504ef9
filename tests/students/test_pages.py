"""The pages: what a person sees and can do, school by school and role by role."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from school import clock
from school.audit.models import AuditEvent
from school.db import db, transaction
from school.enrollment.queries import class_of
from school.permissions import Role
from school.spreadsheets.formulas import unmark
from school.students import queries, service
from school.students.models import Student, StudentStatus
from school.tenancy.scope import school_scope, tell_database
from tests.conftest import make_member
from tests.factories.academics import make_class
from tests.factories.students import make_guardian, make_student
from tests.pages import read_page

SECRET = "CanaryAsthma"


@pytest.fixture
def office(client_for):
    return client_for(Role.REGISTRAR)


def post(client, path, answers=303, **data):
    response = client.post(path, data=data)
    assert response.status_code == answers, response.text[:500]
    return response


def test_a_student_is_admitted_through_the_page(office, page, in_school):
    school_class = make_class("8B")
    form = page(office, "/students/admit")
    assert form.h1 == "Admit a student"
    response = post(
        office, "/students/admit", family_name="Nguyễn", given_name="Hoàng Long",
        family_name_first="y", admission_number="77", status="enrolled",
        class_id=str(school_class.id), birth_date="2013-03-04",
    )  # fmt: skip
    shown = page(office, response.location)
    assert shown.h1 == "Nguyễn Hoàng Long"
    assert "Class 8B" in shown.text


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"family_name": "", "admission_number": "1"}, "A single name goes here."),
        ({"family_name": "A", "admission_number": "4711"}, "has the number 4711 already"),
        ({"family_name": "A", "admission_number": "1", "birth_date": "2026-02-31"},
         "This date does not exist."),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_saved(
    office, in_school, data, sentence
):
    make_student(admission_number="4711")
    response = post(office, "/students/admit", answers=422, **data)
    assert sentence in read_page(response, status=422).text
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Student)) == 1


def test_two_editors_at_once_get_both_values_and_choose(office, in_school):
    student = make_student(town="Kelby")
    path = f"/students/{student.id}/edit/contact"
    post(office, path, version="1", town="Marston", phone="1")
    conflict = post(office, path, answers=409, version="1", town="Ashcombe", phone="2")
    shown = read_page(conflict, status=409)
    assert "Marston" in shown.text and "Ashcombe" in shown.text
    form = next(f for f in shown.forms if f.get("action") == path)
    values = {f["name"]: f["value"] for f in form["fields"] if f.get("type") != "radio"}
    # Theirs for the town, mine for the telephone.
    post(office, path, **{**values, "town": "Marston", "phone": "2"})
    with school_scope(in_school.id):
        saved = queries.get_student(student.id)
        assert (saved.town, saved.phone) == ("Marston", "2")


def test_the_medical_note_is_seen_by_those_who_may_and_nobody_else(client_for, page, in_school):
    user = make_member(in_school, Role.STUDENT)
    student = make_student(medical_note=SECRET)
    with transaction():
        student.user_id = user.id
    own = client_for(Role.STUDENT, user=user)
    assert SECRET not in page(own, f"/students/{student.id}").html
    assert SECRET in page(client_for(Role.TEACHER), f"/students/{student.id}").html
    admin = client_for(Role.ADMINISTRATOR)
    for path in ("/students", "/search", "/"):
        assert SECRET not in page(admin, path).html
    for path in ("/students", "/search"):
        assert "Zofia" not in page(admin, path, q=SECRET).text


def test_history_says_that_the_medical_note_changed_but_not_to_all_what_it_says(
    app, in_school, person_as
):
    from school.audit.history import list_events
    from school.permissions import ROLE_PERMISSIONS, Permission
    from school.students.views.history import entries_of

    student = make_student()
    with transaction():
        service.edit_student(student, version=1, medical_note=SECRET)
    events = list_events(student.id, entity="student")
    narrowed = ROLE_PERMISSIONS[Role.REGISTRAR] - {Permission.MEDICAL_VIEW}
    with app.test_request_context():
        hidden = repr(entries_of(events, person_as(Role.REGISTRAR, scopes=narrowed)))
        shown = repr(entries_of(events, person_as(Role.REGISTRAR)))
    assert SECRET in shown
    assert SECRET not in hidden and "changed" in hidden


def test_the_export_is_filtered_safe_and_recorded(office, in_school):
    make_student(given_name='=HYPERLINK("http://x")', family_name="@SUM(A1)", gender_code="F")
    make_student(given_name="Jan", gender_code="M")
    response = office.get("/students/export.csv", query_string={"gender": "F"})
    text = response.get_data().decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == 2
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@")]
    assert unmark(rows[1][1]) == "@SUM(A1)"
    event = db.session.scalars(
        sa.select(AuditEvent).where(AuditEvent.action == "student.exported")
    ).one()
    assert event.after["filters"] == {"gender": "F"}
    assert office.get("/students/export.xlsx").data[:2] == b"PK"


def test_the_medical_column_needs_its_permission(in_school, person_as):
    from school.permissions import ROLE_PERMISSIONS, Permission
    from school.students.queries import export
    from school.students.queries.listing import StudentFilter

    make_student(medical_note=SECRET)
    narrowed = ROLE_PERMISSIONS[Role.REGISTRAR] - {Permission.MEDICAL_VIEW}
    for person, sees in (
        (person_as(Role.REGISTRAR), True),
        (person_as(Role.REGISTRAR, scopes=narrowed), False),
    ):
        rows = list(export.rows(person, StudentFilter(), statuses={}))
        assert (SECRET in repr(rows)) == sees
        assert len(export.headings(person, lambda text, **_more: text)) == len(rows[0])


def test_teachers_may_not_export_or_edit(client_for, in_school):
    student = make_student()
    teacher = client_for(Role.TEACHER)
    for path in ("/students/export.csv", f"/students/{student.id}/edit/names", "/students/admit"):
        assert teacher.get(path).status_code == 403
    assert teacher.post(f"/students/{student.id}/archive").status_code == 403


def test_archiving_ticked_students_offers_undo_that_works(office, page, in_school):
    students = [make_student(), make_student()]
    response = post(office, "/students/bulk/archive", ids=[str(s.id) for s in students])
    shown = page(office, response.location)
    assert "2 students archived" in shown.text
    undo = re.search(r'action="(/history/changes/[^"]+)"', shown.html).group(1)
    post(office, undo)
    with school_scope(in_school.id):
        db.session.expire_all()
        assert {queries.get_student(s.id).status for s in students} == {StudentStatus.ENROLLED}


@pytest.mark.parametrize(
    ("locale", "archived"), [("en", "1 student archived"), ("de", "1 Schüler/-in archiviert")]
)
def test_bulk_acts_are_called_in_the_readers_language(client_for, in_school, locale, archived):
    user = make_member(in_school, Role.REGISTRAR, locale=locale)
    reader = client_for(Role.REGISTRAR, user=user)
    school_class, student = make_class("8B"), make_student()
    post(
        reader, "/students/bulk/move", ids=[str(student.id)], class_id=str(school_class.id),
        on="2026-11-02",
    )  # fmt: skip
    post(reader, "/students/bulk/archive", ids=[str(student.id)])
    shown = reader.get(f"/students/{student.id}/history").text
    assert archived in shown
    assert locale != "en" or "Part of “Moved to class 8B”" in shown


def test_ticked_students_move_to_a_class_asked_for_on_the_way(office, in_school):
    school_class, student = make_class("8B"), make_student()
    asked = read_page(post(office, "/students/bulk/move", answers=200, ids=[str(student.id)]))
    assert "Move 1 student to a class" in asked.h1
    post(
        office, "/students/bulk/move", ids=[str(student.id)], class_id=str(school_class.id),
        on="2026-11-02",
    )  # fmt: skip
    assert class_of(student.id).id == school_class.id


@pytest.mark.parametrize("ids", [[], ["nonsense"]])
def test_a_bulk_act_without_students_says_what_to_do(office, in_school, ids):
    post(office, "/students/bulk/archive", answers=422, ids=ids)


def test_history_shows_old_and_new_and_takes_back(office, page, in_school):
    student = make_student(town="Kelby")
    with transaction():
        service.edit_student(student, version=1, town="Marston")
    shown = page(office, f"/students/{student.id}/history")
    assert re.search(r"<del>.*Kelby</del>.*<ins>.*Marston</ins>", shown.html)
    undo = re.search(r'action="(/history/events/[^"]+)"', shown.html).group(1)
    post(office, undo)
    db.session.expire_all()
    assert queries.get_student(student.id).town == "Kelby"
    again = office.post(undo)
    assert again.status_code == 404


def test_a_guardian_the_school_knows_is_offered_before_a_new_one(office, in_school):
    sister, brother = make_student(), make_student(given_name="Jan")
    guardian = make_guardian(sister, phone="07700 900118")
    path = f"/students/{brother.id}/guardians/add"
    offered = read_page(post(office, path, answers=200, name="K. Dąbrowska", phone="07700900118"))
    assert "The school knows already" in offered.text
    post(office, f"/students/{brother.id}/guardians/link", guardian_id=str(guardian.id))
    assert [g.id for _l, g in queries.guardian_links(brother.id)] == [guardian.id]
    post(office, path, name="Katarzyna Dąbrowska", is_new="1", lives_with="y")
    assert len(queries.guardian_links(brother.id)) == 2


def test_unlinking_is_undone_from_the_toast(office, page, in_school):
    student = make_student()
    make_guardian(student)
    link = queries.guardian_links(student.id)[0][0]
    response = post(office, f"/students/{student.id}/guardians/{link.id}/unlink")
    assert queries.guardian_links(student.id) == []
    shown = page(office, response.location)
    post(office, re.search(r'action="(/history/events/[^"]+)"', shown.html).group(1))
    assert len(queries.guardian_links(student.id)) == 1


def test_families_see_their_child_without_the_other_guardians_contact(client_for, page, in_school):
    user = make_member(in_school, Role.GUARDIAN)
    child, stranger = make_student(), make_student(given_name="Stranger")
    make_guardian(child, name="Me Myself", user_id=user.id, phone="111111")
    make_guardian(child, name="The Other", phone="222222", address="Secret Street")
    make_guardian(stranger, name="Nobody Known", phone="333333")
    client = client_for(Role.GUARDIAN, user=user)
    shown = page(client, f"/students/{child.id}")
    assert "111111" in shown.html and "The Other" in shown.text
    assert "222222" not in shown.html
    assert client.get(f"/students/{stranger.id}").status_code == 404
    for path in ("/", "/students", "/guardians", "/search?q=s", "/search?q=nobody"):
        html = client.get(path).text
        assert "Stranger" not in html and "333333" not in html and "222222" not in html
    assert "Zofia Dąbrowska" in page(client, "/").text


def test_siblings_are_shown_to_those_who_may_see_them(client_for, page, in_school):
    user = make_member(in_school, Role.GUARDIAN)
    mine, half = make_student(given_name="Mine"), make_student(given_name="Half")
    make_guardian(mine, name="Me", user_id=user.id)
    make_guardian(mine, half, name="Other")
    assert (
        "Half Dąbrowska"
        not in page(client_for(Role.GUARDIAN, user=user), f"/students/{mine.id}").text
    )
    assert "Half Dąbrowska" in page(client_for(Role.TEACHER), f"/students/{mine.id}").text


@pytest.fixture
def their_addresses(other_school) -> dict[str, list[str]]:
    """Addresses of another school's objects, to read and to write."""
    with school_scope(other_school.id):
        student, school_class = make_student(), make_class()
        guardian = make_guardian(student)
        link = queries.guardian_links(student.id)[0][0]
        with transaction():
            field = service.add_field("Bus", "text")
            change_set = service.archive_students([make_student().id])
        event_id = db.session.scalars(sa.select(AuditEvent.id)).first()
    one, part = f"/students/{student.id}", f"/students/{student.id}/guardians"
    return {
        "get": [
            one,
            f"{one}/history",
            f"{one}/edit/names",
            f"{one}/edit/medical",
            part,
            f"{part}/add",
            f"{part}/{link.id}",
            f"/guardians/{guardian.id}",
            f"/guardians/{guardian.id}/edit",
            f"/classes/{school_class.id}",
            f"/classes/{school_class.id}/edit",
            f"/settings/fields/{field.id}",
            f"/students/{uuid4()}",
        ],
        "post": [
            f"{one}/archive",
            f"{one}/restore",
            f"{part}/link",
            f"{part}/{link.id}/up",
            f"{part}/{link.id}/unlink",
            f"/classes/{school_class.id}/archive",
            f"/settings/fields/{field.id}/archive",
            f"/history/events/{event_id}/undo",
            f"/history/changes/{change_set.id}/undo",
        ],
    }


def test_every_address_of_another_schools_objects_is_not_found(client_for, their_addresses):
    client = client_for(Role.ADMINISTRATOR)
    answers = {path: client.get(path).status_code for path in their_addresses["get"]}
    answers |= {path: client.post(path).status_code for path in their_addresses["post"]}
    assert set(answers.values()) == {404}, answers


def test_another_schools_students_cannot_be_ticked(client_for, other_school, school):
    with school_scope(other_school.id):
        theirs = make_student()
    client = client_for(Role.ADMINISTRATOR)
    post(client, "/students/bulk/archive", answers=409, ids=[str(theirs.id)])
    exported = client.post("/students/bulk/export", data={"ids": [str(theirs.id)]})
    assert theirs.family_name not in exported.get_data().decode("utf-8-sig")
    with school_scope(other_school.id):
        assert queries.get_student(theirs.id).status == StudentStatus.ENROLLED


def test_the_search_panel_groups_what_it_finds(office, in_school):
    student = make_student(school_class=make_class("Dab 8"))
    make_guardian(student)
    panel = office.get("/search", query_string={"q": "dab"}, headers={"HX-Request": "true"}).text
    assert "<html" not in panel
    assert [w for w in ("Students", "Guardians", "Classes") if w in panel] == [
        "Students", "Guardians", "Classes",
    ]  # fmt: skip
    whole = read_page(office.get("/search", query_string={"q": "dab"}))
    assert "Katarzyna Dąbrowska" in whole.text


def test_today_says_what_waits_and_leads_there(office, page, in_school):
    make_student()
    shown = page(office, "/")
    assert "1 student has no guardian" in shown.text
    assert "/students?guardian=none" in shown.links
    make_guardian(db.session.scalars(sa.select(Student)).one())
    assert "has no guardian" not in page(office, "/").text


def test_an_empty_school_says_what_to_do_next(office, page, in_school):
    assert "import your roster" in page(office, "/students").text
    assert "No classes yet" in page(office, "/classes").text
    make_student()
    assert "Nobody here fits these filters." in page(office, "/students", q="zzz").text


def test_settings_change_the_school_its_genders_and_fields(client_for, page, in_school):
    admin = client_for(Role.ADMINISTRATOR)
    page(admin, "/settings")
    post(admin, "/settings/school", version=str(in_school.version), name="Northfield Academy",
         time_zone="Europe/Berlin")  # fmt: skip
    read = service.genders_version()
    post(admin, "/settings/genders", genders="F = Girl\nM = Boy", version=read)
    post(admin, "/settings/genders", answers=422, genders="F Girl", version=read)
    post(admin, "/settings/fields/add", label="House", kind="choice", choices="Red\nBlue")
    post(admin, "/settings/fields/add", answers=422, label="House", kind="text")
    shown = page(admin, "/settings")
    assert "Northfield Academy" in shown.title  # not the name remembered a moment ago
    assert "House" in shown.text and 'value="Northfield Academy"' in shown.html
    field = queries.list_fields()[0]
    post(admin, f"/settings/fields/{field.id}/archive")
    assert queries.list_fields() == []


def test_of_two_who_change_the_genders_the_second_chooses(client_for, page, in_school):
    admin = client_for(Role.ADMINISTRATOR)
    read = service.genders_version()
    assert f'value="{read}"' in page(admin, "/settings").html
    post(admin, "/settings/genders", genders="F = Girl\nN = None", version=read)
    answer = post(admin, "/settings/genders", 409, genders="F = Girl\nQ = Other", version=read)
    shown = read_page(answer, status=409)
    assert "N = None" in shown.text and "Q = Other" in shown.text
    assert "/settings" in shown.links  # the way out can be opened
    assert [g.code for g in queries.list_genders()] == ["F", "N"]
    fresh = service.genders_version()
    assert f'value="{fresh}"' in shown.html
    post(admin, "/settings/genders", genders="F = Girl\nQ = Other", version=fresh)
    assert [g.code for g in queries.list_genders()] == ["F", "Q"]


def test_one_form_of_the_settings_leaves_the_version_of_the_other(client_for, in_school):
    admin = client_for(Role.ADMINISTRATOR)
    versions = f'value="{in_school.version}"', f'value="{service.genders_version()}"'
    for path, wrong in (("/settings/genders", "genders"), ("/settings/school", "name")):
        shown = post(admin, path, 422, version="77", **{wrong: ""}).text
        assert versions["school" in path] in shown


def test_choices_that_differ_are_shown_and_can_be_chosen(client_for, in_school):
    admin = client_for(Role.ADMINISTRATOR)
    with transaction():
        field = service.add_field("House", "choice", choices=["Red", "Blue"])
    place, read = f"/settings/fields/{field.id}", str(field.version)
    post(admin, place, label="House", choices="Red\nBlue\nGreen", version=read)
    answer = post(admin, place, 409, label="House", choices="Red\nBlack", version=read)
    shown = read_page(answer, status=409)
    assert "Red, Blue, Green" in shown.text and "Red, Black" in shown.text
    assert 'value="Red\nBlack"' in shown.html
    assert "Help" not in shown.text.split("Save these")[0].split("then save.")[1]


def test_an_archived_field_is_moved_nowhere(client_for, in_school):
    admin = client_for(Role.ADMINISTRATOR)
    with transaction():
        field = service.add_field("House", "text")
        service.archive_field(field)
    for way in ("up", "down"):
        post(admin, f"/settings/fields/{field.id}/{way}")


def test_a_choice_that_is_none_any_more_is_kept_by_another_edit(office, page, in_school):
    with transaction():
        field = service.add_field("House", "choice", choices=["Red", "Blue"])
    student = make_student(custom={str(field.id): "Red"})
    with transaction():
        field.choices = ["Blue", "Green"]
    place, name = f"/students/{student.id}/edit/facts", f"custom_{field.id}"
    assert '<option selected value="Red">Red</option>' in page(office, place).html
    post(office, place, version=str(student.version), status="enrolled", grade_level="7",
         **{name: "Red"})  # fmt: skip
    changed = queries.get_student(student.id)
    assert (changed.grade_level, changed.custom[str(field.id)]) == ("7", "Red")
    other = make_student()
    answer = post(office, f"/students/{other.id}/edit/facts", 422, version=str(other.version),
                  status="enrolled", **{name: "Red"})  # fmt: skip
    assert "choice" in answer.text


def test_a_forged_form_is_refused(office, in_school):
    student = make_student()
    office.sends_token = False
    assert office.post(f"/students/{student.id}/archive").status_code == 422
    assert queries.get_student(student.id).status == StudentStatus.ENROLLED


def test_saving_the_facts_of_an_archived_student_leaves_them_archived(office, page, in_school):
    student = make_student(status="left")
    with transaction():
        service.archive_student(student)
    path = f"/students/{student.id}/edit/facts"
    shown = page(office, path)
    fields = {field["name"]: field.get("value", "") for field in shown.forms[-1]["fields"]}
    assert "status" not in fields and "Archived" in shown.text
    version = queries.get_student(student.id).version
    post(office, path, version=str(version), grade_level="8", status="joining")
    saved = queries.get_student(student.id)
    assert (saved.grade_level, saved.status) == ("8", StudentStatus.ARCHIVED)
    assert saved.archived_at is not None and saved.status_before_archive == "left"


def test_without_custody_the_family_s_pages_are_closed_and_the_form_says_so(
    office, client_for, page, in_school
):
    user = make_member(in_school, Role.GUARDIAN)
    student = make_student()
    make_guardian(student, user_id=user.id)
    family, own = client_for(Role.GUARDIAN, user=user), f"/students/{student.id}"
    assert page(family, own).h1 == "Zofia Dąbrowska"
    tie, _guardian = queries.guardian_links(student.id)[0]
    path = f"{own}/guardians/{tie.id}"
    assert "Without custody the guardian's own account" in page(office, path).text
    post(office, path, version=str(tie.version), may_be_contacted="y", lives_with="y")
    assert family.get(own).status_code == 404
    assert "Zofia" not in page(family, "/").text


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_day_too_far_off_is_refused_beside_its_field(office, in_school, day):
    old, new = make_class(), make_class()
    student = make_student(school_class=old)
    ticked = {"ids": str(student.id), "class_id": str(new.id), "on": day}
    moved = read_page(post(office, "/students/bulk/move", answers=422, **ticked), status=422)
    assert "This day is too far off" in moved.text
    assert class_of(student.id).id == old.id
    said = {"family_name": "Ito", "admission_number": "9", "status": "enrolled"}
    said |= {"class_id": str(new.id), "begins_on": day}
    admitted = read_page(post(office, "/students/admit", answers=422, **said), status=422)
    assert "This day is too far off" in admitted.text
    assert queries.find_by_number("9") is None


def test_archived_students_are_in_no_class_and_not_counted(office, page, in_school):
    school_class = make_class("8B")
    make_student(given_name="Jan", school_class=school_class)
    gone = make_student(given_name="Ewa", school_class=school_class)
    with transaction():  # as an import archives who is gone: the place in the class stays open
        gone.status, gone.archived_at = StudentStatus.ARCHIVED, clock.now()
    shown = page(office, f"/classes/{school_class.id}")
    assert "Jan" in shown.text and "Ewa" not in shown.text and "1 student" in shown.text
    counted = re.search(r"8B</a>.*?<td class=\"end num\">(\d+)</td>", page(office, "/classes").html)
    assert counted and counted.group(1) == "1"


def overtaken(app, monkeypatch, student, **theirs):
    """Another editor saves after ours has read the student and before it writes."""
    engine, real = sa.create_engine(app.config["OWNER_URL"]), service.edit_student
    table = Student.__table__

    def edit(*args, **kwargs):
        monkeypatch.setattr(service, "edit_student", real)
        with engine.begin() as connection:
            tell_database(connection, student.school_id)
            connection.execute(
                sa.update(table)
                .where(table.c.id == student.id)
                .values(version=table.c.version + 1, **theirs)
            )
        engine.dispose()
        return real(*args, **kwargs)

    monkeypatch.setattr(service, "edit_student", edit)


def test_the_same_moment_still_shows_both_values(app, office, in_school, monkeypatch):
    student = make_student(town="Kelby")
    path = f"/students/{student.id}/edit/contact"
    overtaken(app, monkeypatch, student, town="Marston")
    answer = post(office, path, answers=409, version="1", town="Ashcombe", phone="2")
    shown = read_page(answer, status=409)
    assert "Marston" in shown.text and "Ashcombe" in shown.text
    form = next(f for f in shown.forms if f.get("action") == path)
    values = {f["name"]: f["value"] for f in form["fields"] if f.get("type") != "radio"}
    post(office, path, **{**values, "town": "Ashcombe", "phone": "2"})
    saved = queries.get_student(student.id)
    assert (saved.town, saved.phone) == ("Ashcombe", "2")


ITO = {"family_name": "Ito ", "given_name": "Ren", "admission_number": "77",
       "birth_date": "2013-03-04", "status": "enrolled"}  # fmt: skip


def how_many_students():
    return db.session.scalar(sa.select(sa.func.count()).select_from(Student))


def test_pressing_admit_twice_leads_twice_to_the_one_student(office, page, in_school):
    first = post(office, "/students/admit", **ITO)
    second = post(office, "/students/admit", **ITO)
    assert second.location == first.location
    assert page(office, second.location).h1 == "Ren Ito"
    assert how_many_students() == 1


def test_two_presses_in_the_same_moment_lead_to_the_one_student(office, in_school, monkeypatch):
    first = post(office, "/students/admit", **ITO)
    # The second press asked for the number before the first one had saved it.
    monkeypatch.setattr(service.values, "refuse_taken_number", lambda *_args, **_more: None)
    assert post(office, "/students/admit", **ITO).location == first.location
    post(office, "/students/admit", answers=409, **ITO | {"given_name": "Mai"})
    assert how_many_students() == 1


@pytest.mark.parametrize(
    "other", [{"given_name": "Mai"}, {"family_name": "Itō"}, {"birth_date": "2013-03-05"}]
)
def test_a_number_taken_by_somebody_else_is_still_refused(office, in_school, other):
    post(office, "/students/admit", **ITO)
    answer = post(office, "/students/admit", answers=422, **ITO | other)
    assert "has the number 77 already" in read_page(answer, status=422).text
    assert how_many_students() == 1


def test_a_number_taken_by_another_person_or_earlier_is_still_refused(
    office, client_for, in_school, frozen_clock
):
    at = datetime.now(UTC)
    frozen_clock(at)
    post(office, "/students/admit", **ITO)
    post(client_for(Role.REGISTRAR), "/students/admit", answers=422, **ITO)
    frozen_clock(at + timedelta(seconds=59))
    post(office, "/students/admit", answers=303, **ITO)
    frozen_clock(at + timedelta(seconds=61))
    post(office, "/students/admit", answers=422, **ITO)
    assert how_many_students() == 1


def test_a_class_with_students_in_it_is_not_archived(client_for, page, in_school):
    admin, school_class = client_for(Role.ADMINISTRATOR), make_class("8B")
    students = [make_student(school_class=school_class) for _ in range(2)]
    own = f"/classes/{school_class.id}"
    for sentence in ("2 students are in this class.", "One student is in this class."):
        answer = post(admin, f"{own}/archive")
        assert answer.location == own
        assert f"{sentence} Move them first." in page(admin, own).text
        with transaction():
            service.archive_student(students.pop())
    post(admin, f"{own}/archive")
    assert "Class 8B is archived." in page(admin, "/classes").text
    assert "8B" not in page(admin, "/classes").text
