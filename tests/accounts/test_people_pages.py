"""The list of members, inviting, changing roles, ending accounts."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from school.accounts.models import Membership, User
from school.audit.models import AuditEvent, PlatformEvent
from school.db import db
from school.mail.models import MailMessage
from school.permissions import Role
from school.tenancy.scope import school_scope
from tests.conftest import make_member
from tests.pages import read_page


def key_of(user: User) -> UUID:
    """Its id, although a refused request forgot what was loaded."""
    return sa.inspect(user).identity[0]


def roles_of(user: User) -> set[str]:
    db.session.remove()
    held = sa.select(Membership.role).where(Membership.user_id == key_of(user))
    return set(db.session.scalars(held))


def is_active(user: User) -> bool:
    db.session.remove()
    return bool(db.session.scalar(sa.select(User.active).where(User.id == key_of(user))))


def events(school, action: str) -> int:
    with school_scope(school.id):
        found = (
            sa.select(sa.func.count()).select_from(AuditEvent).where(AuditEvent.action == action)
        )
        return db.session.scalar(found)


def platform_events(action: str) -> int:
    db.session.remove()
    found = sa.select(sa.func.count()).select_from(PlatformEvent)
    return db.session.scalar(found.where(PlatformEvent.action == action))


@pytest.fixture
def office(client_for):
    """The browser of an administrator."""
    return client_for(Role.ADMINISTRATOR)


@pytest.fixture
def lee(school):
    return make_member(school, Role.TEACHER, display_name="Sarah Lee", password="set")


def test_the_list_shows_members_of_this_school_only(office, page, school, other_school, lee):
    make_member(other_school, Role.TEACHER, display_name="Otto Elsewhere")
    shown = page(office, "/people")
    assert shown.h1 == "People"
    assert "Sarah Lee" in shown.text
    assert "Otto Elsewhere" not in shown.text
    assert "2 people" in shown.text


def test_the_list_takes_as_many_queries_for_fifty_as_for_two(office, page, school, count_queries):
    page(office, "/people")
    with count_queries() as few:
        page(office, "/people")
    for _ in range(55):
        make_member(school, Role.GUARDIAN)
    with count_queries() as many:
        page(office, "/people")
    assert many.count == few.count == 3


def test_pages_of_the_list_lead_forwards_and_back(office, page, school):
    names = [f"Person {n:03}" for n in range(60)]
    for name in names:
        make_member(school, Role.GUARDIAN, display_name=name)
    first = page(office, "/people", role="guardian")
    forward = next(link for link in first.links if "place=" in link)
    second = read_page(office.get(forward))
    assert [name for name in names if name in first.text] == names[:50]
    assert [name for name in names if name in second.text] == names[50:]
    back = next(link for link in second.links if "place=" in link)
    assert [name for name in names if name in read_page(office.get(back)).text] == names[:50]


@pytest.mark.parametrize("place", ["nonsense", "WzEsMl0", "W2ZhbHNlLCJhIiwibm90LWFuLWlkIl0"])
def test_a_damaged_page_address_is_told_not_crashed_on(office, page, place):
    assert "damaged" in page(office, "/people", status=422, place=place).text


def test_search_role_and_state_narrow_the_list(office, page, school, lee):
    make_member(school, Role.GUARDIAN, display_name="Gustav Meyer")
    assert "Gustav" not in page(office, "/people", q="sarah le").text
    assert "Sarah Lee" not in page(office, "/people", role="guardian").text
    assert "Gustav" in page(office, "/people", state="invited").text
    assert "Nobody fits" in page(office, "/people", q="zzz").text


def test_search_finds_names_in_other_alphabets(office, page, school):
    make_member(school, Role.GUARDIAN, display_name="Łucja Żak")
    assert "Łucja Żak" in page(office, "/people", q="łucja").text


def test_a_percent_sign_is_a_letter_in_the_search(office, page, lee):
    assert "Nobody fits" in page(office, "/people", q="%").text


def test_inviting_makes_an_account_a_mail_and_an_entry(office, page, school):
    page(office, "/people/invite")
    answer = office.post(
        "/people/invite",
        data={"display_name": "Ada New", "email": "ADA@example.org", "role": "teacher"},
    )
    assert answer.status_code == 303
    shown = page(office, "/people", state="invited")
    assert "Ada New" in shown.text
    theirs = next(link for link in shown.links if re.search(r"/people/[0-9a-f-]{36}$", link))
    forms = [form["action"] for form in page(office, theirs).forms]
    assert f"{theirs}/take-back" in forms
    assert f"{theirs}/roles" not in forms
    page(office, "/permissions/explain", status=404, person=theirs.rpartition("/")[2])
    assert db.session.scalar(sa.select(MailMessage.to_address)) == "ada@example.org"
    assert events(school, "member.invited") == 1
    assert office.post(f"{theirs}/invite-again").status_code == 303
    assert office.post(f"{theirs}/take-back").status_code == 303
    assert "Ada New" not in page(office, "/people").text


def test_inviting_somebody_known_elsewhere_answers_in_the_same_words(office, page, other_school):
    make_member(other_school, Role.TEACHER, email="known@example.org", password="set")
    words = []
    for email in ("known@example.org", "fresh@example.org"):
        office.post("/people/invite", data={"display_name": "X", "email": email, "role": "teacher"})
        words.append(page(office, "/people/invite").text.replace(email, "…"))
    assert words[0] == words[1]


def test_a_refused_invitation_shows_the_form_again_with_the_reason(office, page):
    answer = office.post(
        "/people/invite", data={"display_name": "X", "email": "no address", "role": "teacher"}
    )
    assert answer.status_code == 422
    assert "not an e-mail address" in answer.get_data(as_text=True)
    answer = office.post("/people/invite", data={"email": "a@example.org"})
    assert answer.status_code == 422


def test_roles_change_and_change_back(office, page, school, lee):
    office.post(f"/people/{lee.id}/roles", data={"roles": ["teacher", "registrar"]})
    assert roles_of(lee) == {"teacher", "registrar"}
    assert events(school, "member.roles_changed") == 1
    shown = page(office, f"/people/{lee.id}")
    assert "Sarah Lee is now a registrar and a teacher" in shown.text
    undo = next(form["action"] for form in shown.forms if "/roles/back/" in form["action"])
    assert office.post(undo).status_code == 303
    assert roles_of(lee) == {"teacher"}


def test_without_roles_a_person_leaves_and_undo_brings_them_back(office, page, school, lee):
    office.post(f"/people/{lee.id}/roles", data={})
    assert roles_of(lee) == set()
    page(office, f"/people/{lee.id}", status=404)
    shown = page(office, "/people")
    assert "Sarah Lee left the school" not in page(office, "/people").text
    undo = next(form["action"] for form in shown.forms if "/roles/back/" in form["action"])
    office.post(undo)
    assert roles_of(lee) == {"teacher"}


def test_undo_cannot_bring_in_somebody_with_another_entry(office, school, other_school, lee):
    stranger = make_member(other_school, Role.TEACHER)
    office.post(f"/people/{lee.id}/roles", data={"roles": ["registrar"]})
    with school_scope(school.id):
        event_id = db.session.scalar(
            sa.select(AuditEvent.id).where(AuditEvent.action == "member.roles_changed")
        )
    assert office.post(f"/people/{stranger.id}/roles/back/{event_id}").status_code == 404
    assert office.post(f"/people/{lee.id}/roles/back/{uuid4()}").status_code == 404


def test_the_last_administrator_stays_one(office, page, school):
    me = office.user
    answer = office.post(f"/people/{me.id}/roles", data={"roles": ["teacher"]})
    assert answer.status_code == 422
    assert "only administrator" in answer.get_data(as_text=True)
    assert roles_of(me) == {"administrator"}


def test_ending_an_account_and_letting_in_again(office, client_for, page, school, lee):
    theirs = client_for(Role.TEACHER, user=lee)
    assert theirs.get("/account").status_code == 200
    office.post(f"/people/{lee.id}/end")
    assert not is_active(lee)
    assert theirs.get("/account").status_code == 302
    assert platform_events("account.deactivated") == 1
    shown = page(office, f"/people/{lee.id}")
    assert "Sarah Lee can no longer sign in" in shown.text
    office.post(f"/people/{lee.id}/restart")
    assert is_active(lee)


def test_an_account_that_belongs_elsewhere_too_is_not_ended(
    office, page, school, other_school, lee
):
    db.session.add(Membership(school_id=other_school.id, user_id=lee.id, role=Role.TEACHER))
    db.session.commit()
    office.post(f"/people/{lee.id}/end")
    assert is_active(lee)
    assert "belongs elsewhere" in page(office, f"/people/{key_of(lee)}").text


def test_an_invitation_goes_out_again_only_until_somebody_came(office, page, school, lee):
    office.post(f"/people/{lee.id}/invite-again")
    assert "has come in already" in page(office, f"/people/{lee.id}").text
    waiting = make_member(school, Role.TEACHER)
    office.post(f"/people/{waiting.id}/invite-again")
    assert db.session.scalar(sa.select(MailMessage.to_address)) == waiting.email


@pytest.mark.parametrize(
    "path", ["", "/roles", "/end", "/restart", "/invite-again"], ids=lambda path: path or "page"
)
def test_people_of_other_schools_are_not_there(office, page, other_school, path):
    stranger = make_member(other_school, Role.TEACHER)
    send = office.post if path else office.get
    assert send(f"/people/{stranger.id}{path}").status_code == 404
    assert is_active(stranger)
    assert roles_of(stranger) == {"teacher"}


@pytest.mark.parametrize("role", [Role.TEACHER, Role.GUARDIAN, Role.STUDENT])
def test_only_the_office_sees_the_list(client_for, page, role):
    page(client_for(role), "/people", status=403)


def test_a_registrar_sees_but_changes_nothing(client_for, page, lee):
    registrar = client_for(Role.REGISTRAR)
    shown = page(registrar, f"/people/{lee.id}")
    assert not [form for form in shown.forms if "/people/" in form.get("action", "")]
    for path in ("roles", "end", "restart", "invite-again"):
        assert registrar.post(f"/people/{lee.id}/{path}").status_code == 403
    assert registrar.get("/people/invite").status_code == 403


def test_the_page_of_a_member_takes_two_queries(office, page, count_queries, lee):
    page(office, f"/people/{lee.id}")
    with count_queries() as queries:
        page(office, f"/people/{lee.id}")
    assert queries.count == 2


@pytest.mark.parametrize("path", ["/people/invite", "/api-tokens/new"])
def test_an_empty_form_needs_no_query(office, page, count_queries, path):
    page(office, path)
    with count_queries() as queries:
        page(office, path)
    assert queries.count == 0, queries.statements
