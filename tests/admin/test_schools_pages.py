"""Opening, renaming, closing schools."""

from __future__ import annotations

from uuid import uuid4

import pytest
import sqlalchemy as sa

from school.academics.models import AcademicYear
from school.accounts.models import Invitation
from school.audit.models import PlatformEvent
from school.db import db
from school.mail.models import MailMessage
from school.permissions import Role
from school.students.models import Gender
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from tests.conftest import make_member, make_school

FORM = {
    "name": "Hill School",
    "time_zone": "Europe/London",
    "display_name": "Hilda Head",
    "email": "hilda@example.org",
}


def actions() -> list[str]:
    db.session.remove()
    return list(db.session.scalars(sa.select(PlatformEvent.action).order_by(PlatformEvent.id)))


def find(name: str) -> School | None:
    db.session.remove()
    return db.session.scalar(sa.select(School).where(School.name == name))


@pytest.fixture(params=["platform", "both"])
def somebody(request):
    """Whether or not they are in a school themselves, it works the same."""
    return request.getfixturevalue(request.param)


def test_the_list_counts_people_and_takes_one_query(somebody, page, school, count_queries):
    make_member(school, Role.TEACHER)
    page(somebody, "/platform/schools")
    with count_queries() as queries:
        shown = page(somebody, "/platform/schools")
    assert "Northfield School" in shown.text
    assert queries.count == 1, queries.statements
    for n in range(5):
        make_school(f"School {n}")
    with count_queries() as more:
        page(somebody, "/platform/schools")
    assert more.count == 1


def invited(school):
    db.session.remove()
    with school_scope(school.id):
        found = db.session.execute(sa.select(Invitation.email, Invitation.role)).one()
    db.session.remove()
    return tuple(found)


def test_a_new_school_is_ready_to_work_and_its_head_invited(somebody, page):
    page(somebody, "/platform/schools/new")
    assert somebody.post("/platform/schools/new", data=FORM).status_code == 303
    made = find("Hill School")
    assert invited(made) == ("hilda@example.org", "administrator")
    letter = db.session.scalars(sa.select(MailMessage)).one()
    assert (letter.to_address, letter.school_id) == ("hilda@example.org", made.id)
    db.session.remove()
    with school_scope(made.id):
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Gender)) == 3
        assert db.session.scalar(sa.select(AcademicYear.is_current)) is True
    assert "school.created" in actions()


@pytest.mark.parametrize(
    "faulty",
    [{"name": ""}, {"email": "nowhere"}, {"display_name": ""}, {"time_zone": "Mars/Phobos"}],
)
def test_a_faulty_form_opens_nothing(platform, faulty):
    answer = platform.post("/platform/schools/new", data={**FORM, **faulty})
    assert answer.status_code == 422
    assert find("Hill School") is None
    assert actions() == []


def test_renaming_is_kept_and_recorded(platform, page, school):
    platform.post(f"/platform/schools/{school.id}", data={"name": "Southfield School"})
    assert find("Southfield School") is not None
    assert actions() == ["school.renamed"]
    answer = platform.post(f"/platform/schools/{school.id}", data={"name": " "})
    assert answer.status_code == 422


def test_a_closed_school_cannot_be_entered_until_it_opens_again(platform, client_for, page, school):
    teacher = client_for(Role.TEACHER)
    assert teacher.get("/account").status_code == 200
    platform.post(f"/platform/schools/{school.id}/close")
    assert "You are in no school" in page(teacher, "/account").text
    shown = page(platform, "/platform/schools")
    assert "Northfield School is closed" in shown.text
    platform.post(f"/platform/schools/{school.id}/reopen")
    assert "You are a teacher" in page(teacher, "/account").text
    assert actions() == ["school.archived", "school.restored"]


def test_closing_twice_is_told_not_done_again(platform, page, school):
    platform.post(f"/platform/schools/{school.id}/close")
    platform.post(f"/platform/schools/{school.id}/close")
    assert "in that state already" in page(platform, "/platform/schools").text
    assert actions() == ["school.archived"]


def test_a_school_without_administrators_gets_a_new_one(somebody, page, school):
    page(somebody, f"/platform/schools/{school.id}")
    somebody.post(
        f"/platform/schools/{school.id}/administrators",
        data={"display_name": "Nora New", "email": "nora@example.org"},
    )
    assert invited(school) == ("nora@example.org", "administrator")


def test_one_school_takes_three_queries(platform, page, school, count_queries):
    page(platform, f"/platform/schools/{school.id}")
    db.session.remove()  # the test's own copy of the school would be found
    with count_queries() as queries:
        page(platform, f"/platform/schools/{school.id}")
    assert queries.count == 3, queries.statements


@pytest.mark.parametrize("path", ["", "/administrators", "/close", "/reopen"])
def test_a_school_that_is_not_there_is_not_found(platform, path):
    data = {"name": "X", "display_name": "X", "email": "x@example.org"}
    answer = platform.post(f"/platform/schools/{uuid4()}{path}", data=data)
    assert answer.status_code == 404


@pytest.mark.parametrize("role", list(Role))
def test_nobody_else_comes_near(client_for, page, school, role):
    client = client_for(role)
    page(client, "/platform/schools", status=403)
    assert client.post("/platform/schools/new", data=FORM).status_code == 403
    assert client.post(f"/platform/schools/{school.id}/close").status_code == 403


def test_who_looks_after_all_schools_sees_no_students(platform):
    assert platform.get("/students").status_code in {302, 403, 404}


def test_the_form_for_a_new_school_needs_no_query(platform, page, count_queries):
    page(platform, "/platform/schools/new")
    with count_queries() as queries:
        page(platform, "/platform/schools/new")
    assert queries.count == 0, queries.statements
