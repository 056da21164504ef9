"""Accounts of all schools."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
import sqlalchemy as sa

from school.accounts.models import OneTimeLink, User
from school.admin import service
from school.audit.models import PlatformEvent
from school.db import db, transaction
from school.errors import Conflict
from school.mail.models import MailMessage
from school.permissions import Person, Role
from tests.conftest import make_member
from tests.pages import read_page


def key_of(user: User):
    return sa.inspect(user).identity[0]


def stored(user: User) -> User:
    db.session.remove()
    return db.session.get(User, key_of(user))


def actions() -> list[str]:
    db.session.remove()
    return list(db.session.scalars(sa.select(PlatformEvent.action).order_by(PlatformEvent.id)))


@pytest.fixture
def lee(school):
    return make_member(school, Role.TEACHER, display_name="Sarah Lee", password="set")


def test_the_list_spans_all_schools_in_two_queries(
    platform, page, school, other_school, lee, count_queries
):
    make_member(other_school, Role.GUARDIAN, display_name="Otto Elsewhere")
    page(platform, "/platform/accounts")
    with count_queries() as queries:
        shown = page(platform, "/platform/accounts")
    assert queries.count == 2, queries.statements
    assert "Sarah Lee" in shown.text
    assert "Millbrook Primary" in shown.text


def test_pages_and_search(platform, page, school):
    for n in range(55):
        make_member(school, Role.GUARDIAN, display_name=f"Person {n:03}")
    first = page(platform, "/platform/accounts", q="guardian")
    assert "Person 049" in first.text
    assert "Person 050" not in first.text
    second = read_page(platform.get(next(link for link in first.links if "place=" in link)))
    assert "Person 054" in second.text
    assert "Nobody fits" in page(platform, "/platform/accounts", q="zzz").text
    page(platform, "/platform/accounts", status=422, place="W2ZhbHNlLCJhIiwiYiJd")


def test_an_account_shows_its_roles_in_two_queries(platform, page, lee, count_queries):
    page(platform, f"/platform/accounts/{lee.id}")
    with count_queries() as queries:
        shown = page(platform, f"/platform/accounts/{lee.id}")
    assert queries.count == 2, queries.statements
    assert "Northfield School Teacher" in shown.text


def test_ending_ends_sessions_and_can_be_taken_back(platform, client_for, page, lee):
    theirs = client_for(Role.TEACHER, user=lee)
    assert theirs.get("/account").status_code == 200
    platform.post(f"/platform/accounts/{lee.id}/end")
    assert theirs.get("/account").status_code == 302
    shown = page(platform, f"/platform/accounts/{lee.id}")
    undo = next(form["action"] for form in shown.forms if form["action"].endswith("/restart"))
    platform.post(undo)
    assert stored(lee).active
    assert actions() == ["account.deactivated", "account.reactivated"]


def test_nobody_ends_their_own_account(platform, page):
    me = platform.user
    platform.post(f"/platform/accounts/{me.id}/end")
    assert stored(me).active
    assert "cannot end your own" in page(platform, f"/platform/accounts/{key_of(me)}").text


def test_the_only_administrator_of_a_school_is_not_ended(platform, page, school):
    head = make_member(school, Role.ADMINISTRATOR)
    platform.post(f"/platform/accounts/{head.id}/end")
    assert stored(head).active


def test_a_link_goes_to_the_person_and_is_never_shown(platform, page, lee):
    platform.post(f"/platform/accounts/{lee.id}/link")
    letter = db.session.scalars(sa.select(MailMessage)).one()
    assert letter.to_address == lee.email
    assert "/welcome/" in letter.body
    assert "/welcome/" not in page(platform, f"/platform/accounts/{lee.id}").html
    assert db.session.scalar(sa.select(sa.func.count()).select_from(OneTimeLink)) == 1
    assert actions() == ["user.link_made"]


def test_looking_after_all_schools_is_given_and_taken(platform, client_for, page, lee):
    platform.post(f"/platform/accounts/{lee.id}/platform")
    assert stored(lee).is_platform_admin
    theirs = client_for(Role.TEACHER, user=lee)
    page(theirs, "/platform/schools")
    platform.post(f"/platform/accounts/{lee.id}/platform/take")
    assert not stored(lee).is_platform_admin
    page(theirs, "/platform/schools", status=403)
    assert actions() == ["account.platform_admin", "account.platform_admin_taken"]


def test_the_last_who_looks_after_all_schools_stays(platform, page):
    me = platform.user
    platform.post(f"/platform/accounts/{me.id}/platform/take")
    assert stored(me).is_platform_admin


@pytest.mark.parametrize("path", ["/end", "/restart", "/link", "/platform", "/platform/take"])
def test_an_account_that_is_not_there_is_not_found(platform, path):
    assert platform.post(f"/platform/accounts/{uuid4()}{path}").status_code == 404


@pytest.mark.parametrize("path", ["/end", "/restart", "/link", "/platform", "/platform/take"])
def test_administrators_of_a_school_come_nowhere_near(client_for, lee, path):
    office = client_for(Role.ADMINISTRATOR)
    assert office.post(f"/platform/accounts/{lee.id}{path}").status_code == 403
    assert stored(lee).active


def test_of_two_who_take_it_from_each_other_at_once_one_stays(app):
    ids = [make_member(None, None, is_platform_admin=True).id for _ in range(2)]
    start = Barrier(2)

    def take(mine, theirs) -> bool:
        with app.app_context():
            by = Person(user_id=mine, display_name="X", email="x@example.org")
            start.wait()
            try:
                with transaction():
                    service.take_platform_from(db.session.get(User, theirs), by=by)
            except Conflict:
                return False
            return True

    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(take, ids, reversed(ids)))
    db.session.remove()
    left = db.session.scalars(sa.select(User.id).where(User.is_platform_admin.is_(True))).all()
    assert sorted(done) == [False, True]
    assert len(left) == 1
