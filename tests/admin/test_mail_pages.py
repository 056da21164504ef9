"""The outbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from school.audit.models import PlatformEvent
from school.db import db, transaction
from school.mail.models import MailMessage, MailState
from school.permissions import Role
from tests.conftest import make_member
from tests.pages import read_page


def make_letter(**more) -> MailMessage:
    with transaction() as session:
        letter = MailMessage(
            **{
                "to_address": "ada@example.org",
                "subject": "Your invitation",
                "body": "Come in: http://localhost/welcome/secret\n",
                **more,
            }
        )
        session.add(letter)
    return letter


@pytest.fixture
def set_up(app):
    """Change settings for the length of a test."""
    own = app.config["SETTINGS"]

    def change(**more):
        app.config["SETTINGS"] = own.model_copy(update=more)

    yield change
    app.config["SETTINGS"] = own


def test_the_outbox_takes_one_query(platform, page, count_queries):
    assert "No mail was written yet" in page(platform, "/platform/mail").text
    for _ in range(5):
        make_letter()
    with count_queries() as queries:
        shown = page(platform, "/platform/mail")
    assert queries.count == 1, queries.statements
    assert "ada@example.org" in shown.text


def test_newest_first_and_page_by_page(platform, page):
    begin = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    for n in range(60):
        make_letter(subject=f"Letter {n:02}", created_at=begin + timedelta(minutes=n))
    first = page(platform, "/platform/mail")
    assert first.text.index("Letter 59") < first.text.index("Letter 58")
    assert "Letter 09" not in first.text
    second = read_page(platform.get(next(link for link in first.links if "place=" in link)))
    assert "Letter 09" in second.text
    assert "Letter 10" not in second.text


@pytest.mark.parametrize("place", ["W2ZhbHNlLCJhIiwiYiJd", "W2ZhbHNlLDFd"])
def test_a_damaged_page_address_is_told(platform, page, place):
    page(platform, "/platform/mail", status=422, place=place)


def test_without_a_server_the_text_is_read_here_and_that_is_recorded(platform, page):
    letter = make_letter(body="<b>Hello</b> http://localhost/welcome/secret\n")
    shown = page(platform, f"/platform/mail/{letter.id}")
    assert "http://localhost/welcome/secret" in shown.links
    assert "<b>Hello" not in shown.html
    assert db.session.scalar(sa.select(PlatformEvent.action)) == "mail.read"


def test_with_a_server_the_text_is_the_persons_alone(platform, page, set_up):
    letter = make_letter()
    set_up(smtp_url="smtp://localhost")
    shown = page(platform, f"/platform/mail/{letter.id}")
    assert "welcome/secret" not in shown.html
    assert db.session.scalar(sa.select(PlatformEvent.action)) is None


def test_a_failed_mail_is_sent_again_and_others_are_not(platform, page, run_jobs):
    letter = make_letter(state=MailState.FAILED, error="ConnectionRefusedError", attempts=3)
    assert "ConnectionRefusedError" in page(platform, f"/platform/mail/{letter.id}").text
    assert platform.post(f"/platform/mail/{letter.id}/again").status_code == 303
    run_jobs()
    db.session.remove()
    assert db.session.scalar(sa.select(MailMessage.state)) == MailState.SENT
    assert platform.post(f"/platform/mail/{letter.id}/again").status_code == 409


def test_states_narrow_the_list(platform, page):
    make_letter(subject="Stuck", state=MailState.FAILED)
    make_letter(subject="Gone", state=MailState.SENT)
    shown = page(platform, "/platform/mail", state="failed")
    assert "Stuck" in shown.text
    assert "Gone" not in shown.text


def test_a_mail_that_is_not_there_is_not_found(platform, page):
    page(platform, f"/platform/mail/{uuid4()}", status=404)


def test_outside_a_demo_a_school_reads_no_mail(client_for, page, school):
    letter = make_letter(school_id=school.id)
    office = client_for(Role.ADMINISTRATOR)
    page(office, "/platform/mail", status=403)
    page(office, f"/platform/mail/{letter.id}", status=403)
    assert office.post(f"/platform/mail/{letter.id}/again").status_code == 403


def test_on_a_demo_administrators_read_the_mail_of_their_school(
    client_for, page, school, other_school, set_up
):
    teacher = make_member(school, Role.TEACHER)
    high = make_member(school, Role.ADMINISTRATOR, is_platform_admin=True)
    make_letter(subject="Ours", school_id=school.id)
    make_letter(subject="Reset of a teacher", to_address=teacher.email)
    theirs = make_letter(subject="Theirs", school_id=other_school.id)
    key = make_letter(subject="Key of the house", to_address=high.email)
    set_up(demo=True)
    office = client_for(Role.ADMINISTRATOR)
    shown = page(office, "/platform/mail")
    assert "Ours" in shown.text
    assert "Reset of a teacher" in shown.text
    assert "Theirs" not in shown.text
    assert "Key of the house" not in shown.text
    page(office, f"/platform/mail/{theirs.id}", status=404)
    page(office, f"/platform/mail/{key.id}", status=404)
    page(client_for(Role.TEACHER), "/platform/mail", status=403)


def test_one_mail_takes_one_query_where_its_text_is_not_shown(
    platform, page, set_up, count_queries
):
    letter = make_letter()
    db.session.remove()
    set_up(smtp_url="smtp://localhost")
    page(platform, f"/platform/mail/{letter.id}")
    db.session.remove()
    with count_queries() as queries:
        page(platform, f"/platform/mail/{letter.id}")
    assert queries.count == 1, queries.statements
