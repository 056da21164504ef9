"""After an act on ticked rows one is back where they were ticked."""

from __future__ import annotations

import pytest

from school.permissions import Role
from tests.factories.academics import make_class
from tests.factories.students import make_student
from tests.pages import read_page

LIST = "/students?q=dab&sort=-name&place=abc"


@pytest.fixture
def office(client_for):
    return client_for(Role.REGISTRAR)


def test_archiving_keeps_search_sort_and_page(office, in_school):
    ids, referrer = [str(make_student().id)], {"Referer": f"http://localhost{LIST}"}
    answer = office.post("/students/bulk/archive", data={"ids": ids}, headers=referrer)
    assert answer.location == LIST


def test_moving_keeps_them_over_both_steps(office, in_school):
    ids, school_class = [str(make_student().id)], make_class("8B")
    asked = office.post(
        "/students/bulk/move", data={"ids": ids}, headers={"Referer": f"http://localhost{LIST}"}
    )
    form = next(
        f for f in read_page(asked).forms if any(x.get("name") == "back" for x in f["fields"])
    )
    back = next(field["value"] for field in form["fields"] if field.get("name") == "back")
    data = {"ids": ids, "class_id": str(school_class.id), "back": back}
    assert office.post("/students/bulk/move", data=data).location == LIST


@pytest.mark.parametrize("back", ["https://evil.example/x?q=1", "//evil.example", "/people?q=1"])
def test_nowhere_else_is_gone_to(office, in_school, back):
    data = {"ids": [str(make_student().id)], "back": back}
    assert office.post("/students/bulk/archive", data=data).location == "/students"
