"""What the virus check holds back, on the pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from school import cache
from school.db import transaction
from school.files.models import Blob, File, ScanState
from school.permissions import Role
from tests.factories.files import make_file
from tests.pages import read_page


@pytest.fixture
def infected(student: Any) -> File:
    file = make_file(student, filename="Letter.pdf")
    with transaction() as session:
        values = {"scan_state": ScanState.INFECTED, "scan_reason": "Some.Virus"}
        session.execute(sa.update(Blob).values(**values))
    cache.cache.clear()
    return file


def test_administrators_find_it_from_today(infected: File, client_for: Callable[..., Any]) -> None:
    office = client_for(Role.ADMINISTRATOR)
    today = read_page(office.get("/"))
    held = read_page(office.get("/files/held"))

    assert "1 file is held back by the virus check" in today.text
    assert "Letter.pdf" in held.text
    assert "Virus found: Some.Virus" in held.text


def test_nobody_opens_it_and_the_page_says_why(
    infected: File, client_for: Callable[..., Any]
) -> None:
    teacher = client_for(Role.TEACHER)

    assert teacher.get(f"/files/{infected.id}/download").status_code == 409
    assert teacher.get(f"/files/{infected.id}/preview").status_code == 409
    page = read_page(teacher.get(f"/files/{infected.id}"))
    assert "A virus was found in this file" in page.text


def test_a_teacher_does_not_ask_again_about_what_was_caught(
    infected: File, client_for: Callable[..., Any]
) -> None:
    assert client_for(Role.TEACHER).post(f"/files/{infected.id}/scan").status_code == 409
    assert client_for(Role.TEACHER).get("/files/held").status_code == 403
