"""What the operators' page says of the database in use, whichever it is."""

from __future__ import annotations

from school.admin.queries import find_database
from tests.conftest import POSTGRES_URL

PAGE = "/platform/database"


def test_the_page_names_it_without_a_password(page, platform):
    shown = page(platform, PAGE)
    found = find_database()
    assert found.place in shown.text
    assert found.size_bytes > 10_000
    assert ("PostgreSQL" if POSTGRES_URL else "SQLite, a file") in shown.text


def test_only_from_sqlite_it_can_be_moved(page, platform):
    assert ("Look first" in page(platform, PAGE).text) == (not POSTGRES_URL)
    answer = platform.post(f"{PAGE}/move")
    assert answer.status_code == 409
    assert ("PostgreSQL already" if POSTGRES_URL else "Look first") in answer.text
