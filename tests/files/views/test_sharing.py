"""Sharing: what it opens, to whom, and that taking it back closes everything at once."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from school import cache, clock
from school.accounts.models import Membership
from school.audit.models import AuditEvent
from school.db import db, transaction
from school.errors import Conflict, Invalid
from school.files.models import Access, File, Folder, OwnerKind, Share
from school.files.queries import Spot
from school.files.service import folders, keeping, open_links, sharing
from school.files.service.places import spot_of_person
from school.files.service.sharing import Grant
from school.permissions import Role
from school.students.service.school import allow_links
from school.tenancy.scope import school_scope
from tests.factories.files import make_owner
from tests.files.samples import PDF, picture

TOMORROW = timedelta(days=1)


class Things:
    """A teacher's own folder with a folder and a file in it, and who else is there."""

    def __init__(self, school: Any, client_for: Callable[..., FlaskClient]) -> None:
        self.school, self.owner = school, client_for(Role.TEACHER)
        self.top = spot_of_person(self.owner.user.id)
        with school_scope(school.id):
            with transaction():
                self.outer = folders.make_folder(self.top, "Outer")
                self.inner = folders.make_folder(folders.inside(self.outer), "Inner")
            self.file = self.keep(folders.inside(self.inner), "Report.pdf")
            self.beside = self.keep(self.top, "Beside.pdf")

    def keep(self, spot: Spot, name: str, **more: Any) -> File:
        with school_scope(self.school.id):
            return keeping.keep_upload(io.BytesIO(PDF), **spot._asdict(), filename=name, **more)

    def share(self, thing: File | Folder, grant: Grant, access: str = "view", **more: Any) -> Share:
        with school_scope(self.school.id), transaction():
            return sharing.share(thing, grant, access=Access(access), **more)

    def end(self, share: Share) -> None:
        with school_scope(self.school.id), transaction():
            sharing.end_share(sharing.get_share(share.id)[0])


@pytest.fixture
def things(school: Any, client_for: Any) -> Things:
    return Things(school, client_for)


def opens(client: FlaskClient, file: File) -> list[int]:
    """Page, download, what the download's link gives, and preview."""
    download = client.get(f"/files/{file.id}/download")
    fetched = client.get(download.location).status_code if download.location else 404
    preview = client.get(f"/files/{file.id}/preview")
    seen = client.get(preview.location).status_code if preview.location else 404
    return [client.get(f"/files/{file.id}").status_code, fetched, seen]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("target", ["file", "inner", "outer"])
@pytest.mark.parametrize("by_role", [True, False], ids=["role", "person"])
def test_a_share_opens_the_file_and_taking_it_back_closes_it(
    things: Things, client_for: Any, role: Role, target: str, *, by_role: bool
) -> None:
    client = client_for(role)
    grant = Grant(role=role) if by_role else Grant(user_id=client.user.id)
    assert opens(client, things.file) == [404, 404, 404]

    share = things.share(getattr(things, target), grant)

    assert opens(client, things.file) == [200, 200, 200]
    assert client.get(f"/files/{things.beside.id}").status_code == 404
    assert str(things.file.id) in client.get("/search?q=report").text
    assert str(things.file.id) in client.get("/files?q=report").text
    assert str(getattr(things, target).id) in client.get("/files/shared").text
    assert client.post(f"/files/{things.file.id}/rename", data={"name": "X"}).status_code == 403
    link = client.get(f"/files/{things.file.id}/download").location
    things.end(share)
    assert opens(client, things.file) == [404, 404, 404]
    assert client.get(link).status_code == 404
    assert str(things.file.id) not in client.get("/search?q=report").text
    assert "Report.pdf" not in client.get("/files?q=report").text
    assert "Outer" not in client.get("/files/shared").text


def test_a_shared_page_does_not_say_what_else_its_owner_has(
    things: Things, client_for: Any, page: Any
) -> None:
    client = client_for(Role.GUARDIAN)
    things.share(things.inner, Grant(user_id=client.user.id))

    shown = page(client, f"/files/folders/{things.inner.id}")
    file = page(client, f"/files/{things.file.id}")

    for found in (shown, file):
        assert "Shared with me" in found.text
        assert "Outer" not in found.text and "My files" not in found.text
    assert client.get(f"/files/folders/{things.outer.id}").status_code == 404
    assert "New folder" not in shown.text and "Who has access" not in file.text
    assert client.get("/files/mine").status_code == 404
    assert "Inner" in page(client, "/files").text


def test_a_student_whose_file_is_shared_with_another_family_is_not_named(
    things: Things, school: Any, client_for: Any, page: Any
) -> None:
    client = client_for(Role.GUARDIAN)
    with school_scope(school.id):
        pupil = make_owner(family_name="Secretname")
    file = things.keep(Spot(OwnerKind.STUDENT, pupil.id), "Song.pdf")
    things.share(file, Grant(user_id=client.user.id))

    assert "Secretname" not in page(client, f"/files/{file.id}").text
    assert client.get(f"/students/{pupil.id}/files").status_code == 404


def test_an_editor_fills_and_changes_what_is_shared_and_nothing_around_it(
    things: Things, client_for: Any
) -> None:
    client = client_for(Role.TEACHER)
    things.share(things.outer, Grant(user_id=client.user.id), "edit")
    outer = folders.inside(things.outer)

    sent = {"at": str(outer), "file": (io.BytesIO(PDF), "New.pdf")}
    assert client.post("/files/folders/upload", data=sent).status_code == 303
    made = {"at": str(outer), "name": "Made"}
    assert client.post("/files/folders", data=made).status_code == 303
    assert client.post(f"/files/{things.file.id}/rename", data={"name": "R"}).status_code == 303
    ids = {"ids": [str(things.file.id)], "to": str(outer)}
    assert client.post("/files/move/here", data=ids).status_code == 303
    for place in (things.top, spot_of_person(client.user.id)):
        ids["to"] = str(place)
        assert client.post("/files/move/here", data=ids).status_code in {403, 404}
    whole = {"ids": [f"folder:{things.outer.id}"], "to": str(spot_of_person(client.user.id))}
    assert client.post("/files/move/here", data=whole).status_code in {403, 404}
    for path in ("rename", "trash"):
        answer = client.post(f"/files/folders/{things.outer.id}/{path}", data={"name": "X"})
        assert answer.status_code == 403
    assert client.get(f"/files/{things.file.id}/share").status_code == 403
    assert client.post(f"/files/{things.file.id}/archive").status_code == 403


def test_files_of_the_owner_beside_a_shared_folder_do_not_come_in_its_zip(
    things: Things, client_for: Any
) -> None:
    client = client_for(Role.TEACHER)
    things.share(things.inner, Grant(user_id=client.user.id))
    at = str(folders.inside(things.inner))

    assert client.post("/files/zip", data={"at": at, "all": "1"}).status_code == 200
    for ids in ([str(things.beside.id)], [f"folder:{things.outer.id}"]):
        assert client.post("/files/zip", data={"at": at, "ids": ids}).status_code == 404


def test_families_never_change_what_is_shared(things: Things, client_for: Any) -> None:
    client = client_for(Role.GUARDIAN)
    form = {"who": client.user.email, "access": "edit"}

    answer = things.owner.post(f"/files/{things.file.id}/share", data=form)

    assert answer.status_code == 422
    assert "Families can look at files, but not change them." in answer.text
    assert opens(client, things.file) == [404, 404, 404]


def test_a_medical_file_opens_by_a_share_only_to_staff(
    things: Things, school: Any, client_for: Any
) -> None:
    with school_scope(school.id):
        pupil = make_owner()
        with transaction():
            folder = folders.make_folder(Spot(OwnerKind.STUDENT, pupil.id), "Letters")
    note = things.keep(folders.inside(folder), "Note.pdf", purpose="medical")
    guardian = client_for(Role.GUARDIAN)
    things.share(folder, Grant(role=Role.GUARDIAN))
    things.share(note, Grant(user_id=guardian.user.id))

    assert guardian.get(f"/files/folders/{folder.id}").status_code == 200
    assert "Note.pdf" not in guardian.get(f"/files/folders/{folder.id}").text
    assert guardian.get(f"/files/{note.id}").status_code == 404
    assert "Note.pdf" not in guardian.get("/files?q=note").text
    assert "Note.pdf" not in guardian.get("/files/shared").text
    answer = guardian.post("/files/zip", data={"at": str(folders.inside(folder)), "all": "1"})
    assert answer.status_code == 303  # nothing in it for them
    assert client_for(Role.TEACHER).get(f"/files/{note.id}").status_code == 200


def test_a_share_ends_by_its_date(things: Things, client_for: Any) -> None:
    client = client_for(Role.TEACHER)
    things.share(things.file, Grant(user_id=client.user.id), expires_at=clock.now() + TOMORROW)

    assert client.get(f"/files/{things.file.id}").status_code == 200
    with clock.set_to(clock.now() + 2 * TOMORROW), client.session_transaction() as session:
        session["signed_in_at"] = clock.now().timestamp()
    with clock.set_to(clock.now() + 2 * TOMORROW):
        assert client.get(f"/files/{things.file.id}").status_code == 404


def test_giving_changing_taking_back_and_giving_again_is_all_told(
    things: Things, school: Any, client_for: Any, page: Any
) -> None:
    colleague = client_for(Role.TEACHER)
    place = f"/files/{things.file.id}/share"
    form = {"who": colleague.user.email, "access": "view"}

    assert things.owner.post(place, data=form).status_code == 303
    things.owner.post(place, data={**form, "access": "edit"})
    shown = page(things.owner, place)
    assert colleague.user.display_name in shown.text
    assert "may look and change" in shown.text
    action = next(f["action"] for f in shown.forms if f["action"].endswith("/end"))
    back = things.owner.post(action)
    assert "not shared with anybody else" in page(things.owner, place).text
    assert opens(colleague, things.file)[0] == 404
    undo = re.search(r'action="([^"]+/renew)"', things.owner.get(back.location).text)
    things.owner.post(undo[1] if undo else action.replace("/end", "/renew"))
    assert opens(colleague, things.file)[0] == 200
    with school_scope(school.id):
        told = db.session.scalars(
            sa.select(AuditEvent.action)
            .where(AuditEvent.entity_id == things.file.id, AuditEvent.action.like("share.%"))
            .order_by(AuditEvent.id)
        ).all()
    assert told == ["share.given", "share.changed", "share.ended", "share.given"]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({}, "Type a name or an e-mail address"),
        ({"who": "nobody at all"}, "Nobody else of your school is called so."),
        ({"role": "teacher", "expires_on": "2020-01-01"}, "This day has passed."),
        ({"role": "teacher", "expires_on": "x"}, "valid date"),
        ({"role": "pirate"}, "valid choice"),
        ({"role": "teacher", "who": "Jan"}, "Choose a group or type a name, not both."),
    ],
)
def test_what_cannot_be_shared_is_said_beside_the_field(
    things: Things, form: dict[str, str], words: str
) -> None:
    answer = things.owner.post(
        f"/files/folders/{things.outer.id}/share", data={"access": "view", **form}
    )
    assert (answer.status_code, words in answer.text) == (422, True)


def test_of_several_of_one_name_one_is_chosen(things: Things, client_for: Any, school: Any) -> None:
    from tests.conftest import make_member

    one = make_member(school, Role.TEACHER, display_name="Jan Novak")
    make_member(school, Role.REGISTRAR, display_name="Jan Novak")
    place = f"/files/{things.file.id}/share"

    asked = things.owner.post(place, data={"who": "jan", "access": "view"})
    assert asked.status_code == 422 and asked.text.count('name="user_id"') == 2
    form = {"user_id": str(one.id), "access": "view"}
    assert things.owner.post(place, data=form).status_code == 303
    assert opens(client_for(Role.TEACHER, user=one), things.file)[0] == 200


def test_nothing_is_shared_with_somebody_who_was_not_named_exactly(
    things: Things, school: Any, page: Any
) -> None:
    from tests.conftest import make_member

    one = make_member(school, Role.GUARDIAN, display_name="Greta Zwilling")
    make_member(school, Role.TEACHER, display_name="Greta Zwillinger")
    place, form = f"/files/{things.file.id}/share", {"access": "view"}

    asked = things.owner.post(place, data={**form, "who": "zwilling g"})
    assert (asked.status_code, asked.text.count('name="user_id"')) == (422, 2)
    assert "Guardian" in asked.text and one.email not in asked.text
    for more in ({"who": "greta"}, {"who": "greta zwillinge"}):
        assert things.owner.post(place, data={**form, **more}).status_code == 422
    # Another name typed beside the one that was ticked.
    stale = {**form, "who": "greta zwillinger x", "user_id": str(one.id)}
    assert things.owner.post(place, data=stale).status_code == 422
    for exact in (" greta  zwilling", one.email):
        given = things.owner.post(place, data={**form, "who": exact})
        told = page(things.owner, given.location).text
        assert "“Report.pdf” is shared with Greta Zwilling (Guardian)" in told


def test_a_photo_is_shared_with_nobody(
    things: Things, school: Any, client_for: Any, links_on: None
) -> None:
    with school_scope(school.id):
        pupil = make_owner()
        photo = keeping.set_photo(
            io.BytesIO(picture()), owner_kind="student", owner_id=pupil.id, filename="me.jpg"
        )
    client = client_for(Role.REGISTRAR)

    answer = client.post(f"/files/{photo.id}/share", data={"role": "teacher", "access": "view"})
    assert (answer.status_code, "A photo is not shared" in answer.text) == (409, True)
    assert f"/files/{photo.id}/share" not in client.get(f"/files/{photo.id}").text
    with pytest.raises(Conflict, match="A photo is not shared"):
        things.share(photo, Grant(role=Role.TEACHER))
    with pytest.raises(Conflict, match="A photo is not shared"):
        make_link(things, photo)


def test_what_has_ended_by_its_date_is_not_given_again(things: Things, client_for: Any) -> None:
    client = client_for(Role.TEACHER)
    share = things.share(
        things.file, Grant(user_id=client.user.id), expires_at=clock.now() + TOMORROW
    )
    things.end(share)
    with (
        clock.set_to(clock.now() + 2 * TOMORROW),
        school_scope(things.school.id),
        pytest.raises(Invalid, match="last day has passed"),
        transaction(),
    ):
        sharing.renew_share(sharing.get_share(share.id)[0])


def test_nobody_of_another_school_is_shared_with(
    things: Things, other_school: Any, client_for: Any
) -> None:
    stranger = client_for(Role.TEACHER, at=other_school)
    place = f"/files/{things.file.id}/share"

    for form in ({"who": stranger.user.email}, {"user_id": str(stranger.user.id)}):
        answer = things.owner.post(place, data={"access": "view", **form})
        assert answer.status_code in {404, 422}
    things.share(things.file, Grant(role=Role.TEACHER))
    assert opens(stranger, things.file) == [404, 404, 404]


# Links that open without an account.


@pytest.fixture
def links_on(school: Any) -> None:
    with school_scope(school.id), transaction():
        allow_links(allowed=True)


def make_link(things: Things, thing: File | Folder, *, days: int = 3) -> str:
    with school_scope(things.school.id), transaction():
        token = open_links.make_link(thing, expires_at=clock.now() + days * TOMORROW)
    return f"/s/{token}"


def test_a_link_is_made_on_the_page_and_shown_once(
    things: Things, app: Flask, links_on: None, school: Any
) -> None:
    until = (datetime.now(UTC) + 5 * TOMORROW).date().isoformat()

    made = things.owner.post(f"/files/{things.file.id}/link", data={"until": until})

    assert made.status_code == 303  # loading the page again makes no other one
    shown = things.owner.get(made.location)
    assert "no-store" in shown.headers["Cache-Control"]
    link = re.search(r"http://localhost(/s/[\w-]+)", shown.text)
    assert link
    shown = app.test_client().get(link[1])
    assert "Report.pdf" in shown.text and school.name in shown.text
    assert link[1] not in things.owner.get(f"/files/{things.file.id}/share").text
    with school_scope(school.id):
        kept = db.session.scalars(sa.select(Share)).one()
        assert kept.token_sha256 and kept.token_sha256 not in link[1]


def test_the_form_sent_twice_makes_one_link(
    things: Things, app: Flask, links_on: None, school: Any
) -> None:
    place = f"/files/{things.file.id}"

    def posted(once: str, days: int = 5) -> str:
        """The link that is shown after it."""
        until = (datetime.now(UTC) + days * TOMORROW).date().isoformat()
        made = things.owner.post(f"{place}/link", data={"until": until, "once": once})
        link = re.search(r"http://localhost(/s/[\w-]+)", things.owner.get(made.location).text)
        assert link
        return link[1]

    shown = things.owner.get(f"{place}/share").text
    once = re.search(r'name="once"[^>]*value="([\w-]{20,})"', shown)
    assert once and once[1] not in things.owner.get(f"{place}/share").text
    link = posted(once[1])

    assert posted(once[1]) == link
    assert len({link, posted("other"), posted(once[1], days=6), posted(""), posted("")}) == 5
    assert app.test_client().get(link).status_code == 200
    with school_scope(school.id):
        assert len(db.session.scalars(sa.select(Share)).all()) == 5
        told = sa.select(AuditEvent).where(AuditEvent.action == "share.given")
        assert len(db.session.scalars(told).all()) == 5
        for given in db.session.scalars(sa.select(Share)).all():
            things.owner.post(f"/files/shares/{given.id}/end")
    again = posted(once[1])
    assert again != link  # what was taken back opens nothing any more
    assert app.test_client().get(link).status_code == 404
    assert app.test_client().get(again).status_code == 200


def downloads(school: Any) -> int:
    with school_scope(school.id):
        told = sa.select(AuditEvent).where(AuditEvent.action == "file.downloaded")
        return len(db.session.scalars(told).all())


def test_what_gives_no_bytes_out_is_no_download(
    things: Things, app: Flask, links_on: None, school: Any
) -> None:
    """By an open link, and by one's own."""
    own = things.owner.get(f"/files/{things.file.id}/download").location
    for client, place in (
        (app.test_client(), f"{make_link(things, things.file)}/file"),
        (things.owner, own),
    ):
        before = downloads(school)
        etag = client.head(place).headers["ETag"]
        known = client.get(place, headers={"If-None-Match": etag})
        beyond = client.get(place, headers={"Range": "bytes=99999999-"})
        assert (known.status_code, beyond.status_code) == (304, 416)
        assert downloads(school) == before

        for start in (0, 10, 20):
            part = client.get(place, headers={"Range": f"bytes={start}-{start + 9}"})
            assert (part.status_code, part.data) == (206, PDF[start : start + 10])
        assert downloads(school) == before + 1
        assert client.get(place).data == PDF
        assert downloads(school) == before + 2


def test_two_people_with_one_link_are_two_downloads(
    things: Things, app: Flask, links_on: None, school: Any
) -> None:
    place = f"{make_link(things, things.file)}/file"
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
        part = app.test_client().get(
            place, headers={"Range": "bytes=0-9"}, environ_overrides={"REMOTE_ADDR": address}
        )
        assert part.status_code == 206
    assert downloads(school) == 2


def test_a_link_gives_the_file_to_anybody_and_nothing_else(
    things: Things, app: Flask, links_on: None, school: Any
) -> None:
    link, anybody = make_link(things, things.file), app.test_client()

    shown, fetched = anybody.get(link), anybody.get(f"{link}/file")

    assert fetched.data == PDF
    assert fetched.headers["Content-Disposition"].startswith("attachment")
    for answer in (shown, fetched):
        assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "no-store" in answer.headers["Cache-Control"]
    assert anybody.get(f"{link}/files/{things.beside.id}").data == PDF  # the link's own file
    assert anybody.get(f"{link}/folders/{things.outer.id}").status_code in {200, 404}
    assert anybody.get(f"/files/{things.file.id}").status_code == 302
    with school_scope(school.id):
        told = db.session.scalars(
            sa.select(AuditEvent).where(AuditEvent.action == "file.downloaded")
        ).all()
    assert {one.entity_id for one in told} == {things.file.id}
    assert told[0].actor_name == "Link"


def test_a_link_to_a_folder_stays_inside_it(things: Things, app: Flask, links_on: None) -> None:
    link, anybody = make_link(things, things.inner), app.test_client()

    assert "Report.pdf" in anybody.get(link).text
    assert anybody.get(f"{link}/files/{things.file.id}").data == PDF
    assert anybody.get(f"{link}/files/{things.beside.id}").status_code == 404
    assert anybody.get(f"{link}/folders/{things.outer.id}").status_code == 404
    whole = make_link(things, things.outer)
    assert anybody.get(f"{whole}/folders/{things.inner.id}").status_code == 200
    assert anybody.get(f"{whole}/folders/{things.inner.id}").text.count("Outer") >= 1


def test_a_link_dies_at_once(
    things: Things, app: Flask, links_on: None, school: Any, client_for: Any
) -> None:
    anybody = app.test_client()

    def is_open(link: str) -> bool:
        codes = {anybody.get(link).status_code, anybody.get(f"{link}/file").status_code}
        assert codes in ({200}, {404})
        return codes == {200}

    link = make_link(things, things.file)
    assert is_open(link)
    for allowed in (False, True):
        with school_scope(school.id), transaction():
            allow_links(allowed=allowed)
        assert not is_open(link)
    link = make_link(things, things.file)
    assert is_open(link)
    with clock.set_to(clock.now() + 4 * TOMORROW):
        assert not is_open(link)
    with school_scope(school.id):
        share = db.session.scalars(sa.select(Share).where(Share.ended_at.is_(None))).one()
    things.owner.post(f"/files/shares/{share.id}/end")
    assert not is_open(link)
    assert things.owner.post(f"/files/shares/{share.id}/renew").status_code == 404
    again = make_link(things, things.file)
    with school_scope(school.id), transaction():
        keeping.archive_file(things.file)
    assert not is_open(again)


def test_links_are_off_until_the_school_wants_them(things: Things, school: Any) -> None:
    place = f"/files/{things.file.id}"
    until = (datetime.now(UTC) + TOMORROW).date().isoformat()

    assert "Make a link" not in things.owner.get(f"{place}/share").text
    answer = things.owner.post(f"{place}/link", data={"until": until})
    assert (answer.status_code, "does not share by link" in answer.text) == (409, True)


def test_a_link_lasts_thirty_days_at_most_and_is_never_medical(
    things: Things, app: Flask, links_on: None, school: Any
) -> None:
    with school_scope(school.id):
        pupil = make_owner()
        with transaction():
            folder = folders.make_folder(Spot(OwnerKind.STUDENT, pupil.id), "Letters")
    note = things.keep(folders.inside(folder), "Note.pdf", purpose="medical")
    far = (datetime.now(UTC) + 40 * TOMORROW).date().isoformat()

    for thing, until, status in (
        (f"/files/{things.file.id}/link", far, 422),
        (f"/files/{things.file.id}/link", "9999-12-31", 422),
        (f"/files/{things.file.id}/link", "2020-01-01", 422),
        (f"/files/{things.file.id}/link", "", 422),
        (f"/files/{note.id}/link", (datetime.now(UTC) + TOMORROW).date().isoformat(), 409),
    ):
        assert things.owner.post(thing, data={"until": until}).status_code == status
    answer = things.owner.post(f"/files/{things.file.id}/link", data={"until": far})
    assert re.search(r'id="until-e"[^>]*>.*A link lasts 30 days at most', answer.text, re.DOTALL)
    link = make_link(things, folder)
    anybody = app.test_client()
    assert "Note.pdf" not in anybody.get(link).text
    assert anybody.get(f"{link}/files/{note.id}").status_code == 404


def test_a_wrong_link_tells_nothing_and_is_counted(
    things: Things, app: Flask, links_on: None, other_school: Any
) -> None:
    link, anybody = make_link(things, things.file), app.test_client()
    with school_scope(other_school.id):
        elsewhere = open_links._new_token()

    wrong = [f"/s/{elsewhere}", link[:-1] + ("A" if link[-1] != "A" else "B"), "/s/x", "/s/" + "ä"]
    assert [anybody.get(one).status_code for one in wrong] == [404] * 4
    for _ in range(26):
        anybody.get("/s/guess")
    assert anybody.get("/s/guess").status_code == 429
    assert anybody.get(link).status_code == 200  # who has the right one is not stopped by it


def test_a_link_opens_for_somebody_signed_in_elsewhere(
    things: Things, links_on: None, other_school: Any, client_for: Any
) -> None:
    stranger = client_for(Role.TEACHER, at=other_school)

    shown = stranger.get(make_link(things, things.file))

    assert "Report.pdf" in shown.text
    assert stranger.get("/students").status_code == 200


def test_a_share_to_look_gives_the_file_as_it_is(things: Things, client_for: Any) -> None:
    """What it said before, and what was noted then, stays with those it belongs to."""
    looks, changes = client_for(Role.GUARDIAN), client_for(Role.TEACHER)
    with school_scope(things.school.id):
        newer = io.BytesIO(PDF + b"%\n%%EOF\n")
        keeping.add_version(things.file, newer, filename="Report.pdf", note="secret")
    things.share(things.file, Grant(looks.user.id))
    things.share(things.file, Grant(changes.user.id), "edit")
    at = f"/files/{things.file.id}"

    page = looks.get(at).get_data(as_text=True)
    assert "secret" not in page
    assert "version=1" not in page
    assert looks.get(f"{at}/download?version=1").status_code == 404
    assert looks.get(f"{at}/download?version=2").status_code == 303
    assert changes.get(f"{at}/download?version=1").status_code == 303


def test_what_somebody_lent_ends_when_they_leave(things: Things, client_for: Any) -> None:
    reader = client_for(Role.GUARDIAN)
    things.share(things.file, Grant(reader.user.id))
    things.share(things.outer, Grant(reader.user.id))
    before = opens(reader, things.file)
    with transaction() as session:
        left = Membership.user_id == things.owner.user.id
        session.execute(sa.delete(Membership).where(left))
    cache.cache.clear()

    assert (before, opens(reader, things.file)) == ([200, 200, 200], [404, 404, 404])
    assert reader.get(f"/files/folders/{things.outer.id}").status_code == 404
    assert "Outer" not in reader.get("/files").get_data(as_text=True)


@pytest.mark.parametrize("blank", [" ", "\u3000", "\t"])
def test_a_blank_name_is_asked_for_again(things: Things, blank: str) -> None:
    data = {"name": blank, "version": str(things.file.version)}
    assert things.owner.post(f"/files/{things.file.id}/rename", data=data).status_code == 422
