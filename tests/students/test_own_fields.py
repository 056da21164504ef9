"""A stored value that is not of its field's kind: every page still shows it, and loses nothing."""

from __future__ import annotations

import pytest

from school.db import transaction
from school.permissions import Role
from school.students import queries, service
from tests.api.conftest import *  # noqa: F403 - its fixtures
from tests.factories.students import make_student

BAD = {"date": "31/12/2020", "number": "twelve", "yes_no": "maybe", "choice": "green"}


@pytest.fixture(params=BAD)
def spoilt(request, in_school):
    """(student, field id, what is stored)."""
    with transaction():
        field = service.add_field("Extra", request.param, choices=["Red", "Blue"])
    key, text = str(field.id), BAD[request.param]
    student = make_student()
    with transaction():
        student.custom = {key: text}  # as an import once wrote it
    return student, key, text


@pytest.fixture
def office(client_for):
    return client_for(Role.REGISTRAR)


def test_a_bad_value_is_shown_as_text(spoilt, page, office):
    student, _, text = spoilt
    assert text in page(office, f"/students/{student.id}").text
    assert f'value="{text}"' in page(office, f"/students/{student.id}/edit/facts").html
    for address in ("/students", "/students/export.xlsx"):
        assert office.get(address).status_code == 200
    assert text in office.get("/students/export.csv").text


def test_the_api_says_a_bad_value_as_it_is(spoilt, program):
    student, key, text = spoilt
    assert program().get(f"/students/{student.id}").json["custom"] == {key: text}


def test_editing_something_else_keeps_a_bad_value(spoilt, office):
    student, key, text = spoilt
    data = {"version": student.version, "grade_level": "7", "status": "enrolled", f"custom_{key}": text}
    assert office.post(f"/students/{student.id}/edit/facts", data=data).status_code == 303
    changed = queries.get_student(student.id)
    assert (changed.grade_level, changed.custom[key]) == ("7", text)


def test_a_bad_value_is_not_taken_anew(spoilt, office):
    student, key, _ = spoilt
    data = {"version": student.version, "status": "enrolled", f"custom_{key}": "another"}
    assert office.post(f"/students/{student.id}/edit/facts", data=data).status_code == 422


def test_a_bad_value_can_be_put_right(spoilt, office):
    student, key, text = spoilt
    right = {"31/12/2020": "2020-12-31", "twelve": "12", "maybe": "yes", "green": "Red"}[text]
    data = {"version": student.version, "status": "enrolled", f"custom_{key}": right}
    assert office.post(f"/students/{student.id}/edit/facts", data=data).status_code == 303
    stored = {"12": 12, "yes": True}.get(right, right)
    assert queries.get_student(student.id).custom[key] == stored
