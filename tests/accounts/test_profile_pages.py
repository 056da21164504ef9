"""One's own account."""

from __future__ import annotations

import io
from uuid import UUID

import pytest
import sqlalchemy as sa
from PIL import Image

from school.accounts.models import User
from school.audit.models import PlatformEvent
from school.db import db
from school.permissions import Role
from tests.conftest import make_member


@pytest.fixture
def me(client_for):
    """The browser of a teacher."""
    return client_for(Role.TEACHER)


def stored(user: User) -> User:
    db.session.remove()
    return db.session.get(User, key_of(user))


def key_of(user: User) -> UUID:
    """Its id, although a refused request forgot what was loaded."""
    return sa.inspect(user).identity[0]


def actions() -> list[str]:
    db.session.remove()
    return list(db.session.scalars(sa.select(PlatformEvent.action).order_by(PlatformEvent.id)))


def picture(size=(900, 500), kind="JPEG", **more) -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, kind, **more)
    out.seek(0)
    return out


def send(client, data: io.BytesIO, name="me.jpg"):
    return client.post("/account/picture", data={"picture": (data, name)})


def test_the_page_shows_who_one_is_here(me, page):
    shown = page(me, "/account")
    assert shown.h1 == "Your account"
    assert "You are a teacher at Northfield School." in shown.text
    assert me.user.email in shown.text


def test_the_page_takes_four_queries(me, page, count_queries):
    page(me, "/account")
    with count_queries() as queries:
        page(me, "/account")
    assert queries.count == 4, queries.statements


def test_name_language_and_time_zone_are_kept_and_recorded(app, me, page):
    answer = me.post(
        "/account",
        data={"display_name": " Amara  Okafor ", "locale": "de", "time_zone": "Europe/Berlin"},
    )
    assert answer.status_code == 303
    user = stored(me.user)
    assert (user.display_name, user.locale, user.time_zone) == (
        "Amara Okafor",
        "de",
        "Europe/Berlin",
    )
    assert actions() == ["account.profile_changed"]
    with app.app_context():  # the language is chosen once per context
        assert 'lang="de"' in page(me, "/account").html


@pytest.mark.parametrize(
    "faulty", [{"display_name": " "}, {"locale": "xx"}, {"time_zone": "Mars/Phobos"}]
)
def test_what_cannot_be_is_refused_and_nothing_kept(me, faulty):
    before = me.user.display_name
    answer = me.post(
        "/account", data={"display_name": "New", "locale": "", "time_zone": "", **faulty}
    )
    assert answer.status_code == 422
    assert stored(me.user).display_name == before
    assert actions() == []


def test_the_three_buttons_set_the_theme_and_lead_back(me, page):
    answer = me.post("/account/appearance", data={"theme": "dark", "next": "/permissions"})
    assert (answer.status_code, answer.location) == (303, "/permissions")
    assert 'data-bs-theme="dark"' in page(me, "/account").html


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_the_way_back_stays_inside(me, place):
    answer = me.post("/account/appearance", data={"theme": "dark", "next": place})
    assert answer.location == "/account"


def test_an_unknown_theme_is_refused(me):
    assert me.post("/account/appearance", data={"theme": "neon"}).status_code == 422


def test_rows_can_be_compact(me, page):
    assert me.post("/account/look", data={"theme": "auto", "density": "compact"}).status_code == 303
    assert 'data-density="compact"' in page(me, "/account").html


def test_a_picture_is_made_anew_as_a_small_square(me, page, storage):
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    assert send(me, picture(exif=exif)).status_code == 303
    answer = me.get(f"/account/picture/{me.user.id}")
    assert answer.mimetype == "image/png"
    assert b"secret place" not in answer.data
    with Image.open(io.BytesIO(answer.data)) as image:
        assert image.size == (256, 256)
    again = me.get(
        f"/account/picture/{me.user.id}", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")


def test_another_picture_takes_the_place_of_the_first(me, storage):
    others = {info.key for info in storage.list("avatars/")}
    send(me, picture())
    first = stored(me.user).avatar_key
    send(me, picture(kind="PNG"), "me.png")
    second = stored(me.user).avatar_key
    assert {info.key for info in storage.list("avatars/")} - others == {second}
    assert first != second
    me.post("/account/picture/remove")
    assert stored(me.user).avatar_key is None
    assert {info.key for info in storage.list("avatars/")} == others
    assert actions() == ["account.avatar_set", "account.avatar_set", "account.avatar_removed"]
    assert me.get(f"/account/picture/{me.user.id}").status_code == 404


@pytest.mark.parametrize("data", [b"", b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\nnonsense"])
def test_what_is_no_picture_is_told_in_words(me, page, data):
    send(me, io.BytesIO(data))
    assert "not a picture we can read" in page(me, "/account").text
    assert stored(me.user).avatar_key is None


def test_a_picture_is_seen_by_members_of_the_same_school_only(me, client_for, school, other_school):
    send(me, picture())
    place = f"/account/picture/{me.user.id}"
    assert client_for(Role.GUARDIAN).get(place).status_code == 200
    stranger = client_for(
        Role.TEACHER, at=other_school, user=make_member(other_school, Role.TEACHER)
    )
    assert stranger.get(place).status_code == 404


def test_signing_out_everywhere_else_leaves_this_browser_in(me, client_for):
    elsewhere = client_for(Role.TEACHER, user=me.user)
    assert elsewhere.get("/account").status_code == 200
    assert me.post("/account/sessions/end").status_code == 303
    assert elsewhere.get("/account").status_code == 302
    assert me.get("/account").status_code == 200
    assert actions() == ["account.sessions_ended"]


def test_somebody_without_a_school_has_an_account_page_too(client_for, page):
    assert "You are in no school" in page(client_for(None), "/account").text


@pytest.mark.parametrize(
    "path", ["", "/look", "/appearance", "/picture", "/picture/remove", "/sessions/end"]
)
def test_a_forged_form_changes_nothing(me, path):
    me.sends_token = False
    assert me.post(f"/account{path}", data={"theme": "dark"}).status_code == 422
    assert stored(me.user).theme == "auto"


def test_strangers_are_asked_to_sign_in(app):
    assert app.test_client().get("/account").status_code == 302
