"""Downloads: signed links, checked again when used, served as HTTP wants it."""

from __future__ import annotations

import random
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import requests
import sqlalchemy as sa
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from school import clock
from school.accounts.models import Membership, User
from school.audit.models import AuditEvent
from school.db import db, transaction
from school.files import queries
from school.files.models import File
from school.files.service import keeping
from school.files.service.links import issue_link
from school.permissions import Role
from school.students.models import Guardian, Student, StudentGuardian
from school.tenancy.scope import school_scope
from tests.factories.files import make_file
from tests.files.samples import PDF, word

DATA = PDF[:-6] + bytes(range(256)) * 20 + b"\n%%EOF\n"


def kept(school: Any, pupil: Student, data: bytes = DATA, **more: Any) -> File:
    with school_scope(school.id):
        return make_file(pupil, data, **more)


def link(client: FlaskClient, file: File, **query: Any) -> str:
    answer = client.get(f"/files/{file.id}/download", query_string=query)
    assert answer.status_code == 303
    return answer.location


def program_link(client: FlaskClient, file: File) -> str:
    """A link asked for with a token of the client's."""
    with school_scope(file.school_id), transaction():
        person = queries.find_person(client.user.id, file.school_id)
        return issue_link(person, queries.get_file(file.id), for_program=True)


def acts(school: Any) -> list[tuple[str, str]]:
    with school_scope(school.id):
        rows = db.session.execute(
            sa.select(AuditEvent.action, AuditEvent.actor_name)
            .where(AuditEvent.action.in_(["file.link_issued", "file.downloaded"]))
            .order_by(AuditEvent.id)
        ).all()
        return [tuple(row) for row in rows]


def test_a_click_gives_the_file_and_both_acts_are_noted(
    client_for: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    place = link(client, kept(school, pupil))

    answer = client.get(place)

    assert place.startswith("/f/")
    assert (answer.status_code, answer.data) == (200, DATA)
    who = client.user.display_name
    assert acts(school) == [("file.link_issued", who), ("file.downloaded", who)]


def test_old_versions_come_with_their_own_content_and_name(
    client_for: Any, school: Any, pupil: Student
) -> None:
    import io

    client = client_for(Role.TEACHER)
    file = kept(school, pupil, filename="Old.pdf")
    with school_scope(school.id):
        keeping.add_version(file, io.BytesIO(PDF), filename="New.pdf")

    old = client.get(link(client, file, version=1))
    new = client.get(link(client, file))

    assert (old.data, new.data) == (DATA, PDF)
    for number in ("9", "0", "-1", "x", "", "9" * 20, "9" * 5000):
        assert client.get(f"/files/{file.id}/download?version={number}").status_code == 404


def test_what_is_sent_can_do_no_harm(client_for: Any, school: Any, pupil: Student) -> None:
    client = client_for(Role.TEACHER)
    document = client.get(link(client, kept(school, pupil, word(), filename="a.docx")))
    pdf = client.get(link(client, kept(school, pupil)))

    assert document.headers["Content-Disposition"].startswith("attachment")
    assert pdf.headers["Content-Disposition"].startswith("inline")
    for answer in (document, pdf):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "sandbox" in document.headers["Content-Security-Policy"]
    assert pdf.mimetype == "application/pdf"


def test_what_could_be_shown_can_be_kept_instead(
    client_for: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    answer = client.get(link(client, kept(school, pupil), save=1))

    assert answer.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "name",
    [
        "Report.pdf",
        "成績表 2026.pdf",
        "Zażółć gęślą jaźń.pdf",
        "تقرير.pdf",
        'quote".pdf',
        "semi;colon, comma.pdf",
        "100%25.pdf",
        "😀.pdf",
        "नमस्ते.pdf",
    ],
)
def test_names_arrive_in_every_script(
    client_for: Any, school: Any, pupil: Student, name: str
) -> None:
    client = client_for(Role.TEACHER)
    header = client.get(link(client, kept(school, pupil, filename=name))).headers[
        "Content-Disposition"
    ]

    assert header.isascii()
    assert "\n" not in header and "\r" not in header
    extended = re.search(r"filename\*=UTF-8''([^;]+)", header)
    plain = re.search(r'filename="?((?:[^"\\]|\\.)*)"?', header)
    found = unquote(extended.group(1)) if extended else plain.group(1)
    assert found == name


# ── ranges and conditions ──


def expected_part(header: str, size: int) -> tuple[int, int] | str | None:
    """RFC 9110 by hand: (start, stop), 'whole' when to be ignored, None for 416."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header)
    if not match or match.groups() == ("", ""):
        return "whole"
    first, last = match.groups()
    if first == "":
        wanted = int(last)
        # No bytes at all: a server may leave such a range out of account, and ours does.
        return "whole" if wanted == 0 else (max(0, size - wanted), size)
    if last and int(last) < int(first):
        return "whole"
    if int(first) >= size:
        return None
    return (int(first), min(int(last) + 1, size) if last else size)


@pytest.fixture
def place(client_for: Any, school: Any, pupil: Student) -> tuple[FlaskClient, str]:
    client = client_for(Role.TEACHER)
    return client, link(client, kept(school, pupil))


numbers = st.integers(0, len(DATA) + 50) | st.just(10**30)


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(first=st.none() | numbers, last=st.none() | numbers)
@example(first=0, last=0)
@example(first=None, last=0)
@example(first=len(DATA) - 1, last=None)
@example(first=len(DATA), last=None)
def test_every_single_range_is_answered_as_http_says(
    place: tuple[FlaskClient, str], first: int | None, last: int | None
) -> None:
    client, url = place
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"

    answer = client.get(url, headers={"Range": header})

    part = expected_part(header, len(DATA))
    if part is None:
        assert answer.status_code == 416
        assert answer.headers["Content-Range"] == f"bytes */{len(DATA)}"
        return
    if part == "whole":
        assert (answer.status_code, answer.data) == (200, DATA)
        return
    start, stop = part
    assert answer.status_code == 206
    assert answer.data == DATA[start:stop]
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"
    assert answer.headers["Content-Length"] == str(stop - start)


@pytest.mark.parametrize(
    "header", ["bytes=0-1,5-6", "lines=1-2", "bytes", "bytes=a-b", "bytes=5-2"]
)
def test_what_is_no_single_range_gets_the_whole(
    place: tuple[FlaskClient, str], header: str
) -> None:
    client, url = place
    answer = client.get(url, headers={"Range": header})

    assert (answer.status_code, answer.data) == (200, DATA)


def test_conditions_save_sending_what_is_known(place: tuple[FlaskClient, str]) -> None:
    client, url = place
    tag = client.get(url).headers["ETag"]

    assert not tag.startswith("W/")
    same = client.get(url, headers={"If-None-Match": tag})
    assert (same.status_code, same.data) == (304, b"")
    assert same.headers["ETag"] == tag
    assert client.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.get(url, headers={"If-None-Match": "*"}).status_code == 304
    part = {"Range": "bytes=0-9"}
    assert client.get(url, headers={**part, "If-Range": tag}).status_code == 206
    assert client.get(url, headers={**part, "If-Range": '"other"'}).status_code == 200


def test_head_tells_the_size_and_sends_nothing(place: tuple[FlaskClient, str]) -> None:
    client, url = place
    answer = client.head(url)

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(DATA))


# ── links that must not work ──


def test_no_flipped_bit_is_accepted(place: tuple[FlaskClient, str], app: Any) -> None:
    from school.errors import DomainError
    from school.files.service import links

    _, url = place
    token = url.removeprefix("/f/")
    links.read_ticket(token)  # the genuine one is
    positions = [(at, bit) for at in range(len(token)) for bit in range(7)]
    accepted = []
    for at, bit in positions:
        char = chr(ord(token[at]) ^ (1 << bit))
        forged = token[:at] + char + token[at + 1 :]
        try:
            links.read_ticket(forged)
        except DomainError:
            continue
        accepted.append((at, bit))
    assert accepted == []
    assert len(positions) > 1500


def test_a_forged_link_gets_a_plain_page(place: tuple[FlaskClient, str], page: Any) -> None:
    client, url = place
    rng = random.Random(7)
    for _ in range(20):
        at = rng.randrange(len("/f/"), len(url))
        forged = url[:at] + ("A" if url[at] != "A" else "B") + url[at + 1 :]
        answer = client.get(forged)
        assert answer.status_code == 404
    for rubbish in ("/f/x", "/f/a.b", "/f/a.b.c", "/f/" + "A" * 5000, "/f/%00", "/f/ünïcode.x.y"):
        assert client.get(rubbish).status_code == 404


def test_an_old_link_says_so(
    place: tuple[FlaskClient, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, url = place
    soon = clock.now() + timedelta(minutes=4, seconds=50)
    late = clock.now() + timedelta(minutes=5, seconds=2)
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: soon)
        assert client.get(url).status_code == 200
        patch.setattr(clock, "now", lambda: late)
        answer = client.get(url)
    assert answer.status_code == 410
    assert "too old" in answer.text


def test_a_link_for_uploading_does_not_download(app: Any, place: tuple[FlaskClient, str]) -> None:
    from school.storage.signing import Claim, LinkSigner

    client, url = place
    signer = LinkSigner(app.config["SETTINGS"].signing_keys)
    claim = signer.verify(url.removeprefix("/f/"), method="GET")
    for method in ("PUT", "DELETE", "get"):
        other = Claim(method, claim.key, claim.expires_at, more=claim.more)
        assert client.get("/f/" + signer.sign(other)).status_code == 404
    stranger = LinkSigner(["another key of forty characters, at least"])
    assert client.get("/f/" + stranger.sign(claim)).status_code == 404


def test_an_ordinary_link_is_nothing_to_anybody_else(
    app: Any, client_for: Any, place: tuple[FlaskClient, str], school: Any
) -> None:
    client, url = place
    for stranger in (client_for(Role.GUARDIAN), client_for(Role.ADMINISTRATOR), app.test_client()):
        answer = stranger.get(url)
        assert answer.status_code == 404
        assert DATA not in answer.data
    assert [act for act, _who in acts(school)] == ["file.link_issued"]
    assert client.get(url).data == DATA


def test_an_ordinary_link_works_without_a_cookie_for_programs(
    app: Any, client_for: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    url = program_link(client, kept(school, pupil))
    answer = app.test_client().get(url)

    assert (answer.status_code, answer.data) == (200, DATA)
    assert acts(school)[-1][0] == "file.downloaded"
    assert acts(school)[-1][1].startswith("Teacher")
    assert client.get(url).data == DATA
    assert client_for(Role.GUARDIAN).get(url).status_code == 404


def test_a_sensitive_link_does_not_open_for_programs(
    app: Any, client_for: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    url = program_link(client, kept(school, pupil, purpose="medical"))
    assert app.test_client().get(url).status_code == 404
    assert client.get(url).data == DATA


def test_a_sensitive_link_works_for_one_person_only(
    app: Any, client_for: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    url = link(client, kept(school, pupil, purpose="medical"))

    answer = client.get(url)
    assert (answer.status_code, answer.data) == (200, DATA)
    assert "no-store" in answer.headers["Cache-Control"]
    assert client_for(Role.ADMINISTRATOR).get(url).status_code == 404
    assert app.test_client().get(url).status_code == 404


def test_a_right_taken_away_ends_the_link_at_once(
    app: Any, client_for: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    url = program_link(client, kept(school, pupil))
    assert app.test_client().get(url).status_code == 200
    with transaction() as session:
        session.execute(sa.delete(Membership).where(Membership.user_id == client.user.id))
    assert app.test_client().get(url).status_code == 404


def test_a_guardian_unlinked_from_the_child_loses_the_link_at_once(
    client_for: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.GUARDIAN)
    with school_scope(school.id), transaction() as session:
        guardian = Guardian(name="Marta", sort_name="marta", user_id=client.user.id)
        session.add(guardian)
        session.flush()
        session.add(StudentGuardian(student_id=pupil.id, guardian_id=guardian.id))
    url = link(client, kept(school, pupil))
    assert client.get(url).status_code == 200

    with school_scope(school.id), transaction() as session:
        session.execute(sa.delete(StudentGuardian).where(StudentGuardian.student_id == pupil.id))

    assert client.get(url).status_code == 404


@pytest.mark.parametrize(("role", "after"), [(Role.GUARDIAN, 404), (Role.TEACHER, 200)])
def test_a_link_of_a_file_put_away_ends_for_families_only(
    client_for: Any, school: Any, pupil: Student, role: Role, after: int
) -> None:
    client = client_for(role)
    with school_scope(school.id), transaction() as session:
        guardian = Guardian(name="Marta", sort_name="marta", user_id=client.user.id)
        session.add(guardian)
        session.flush()
        session.add(StudentGuardian(student_id=pupil.id, guardian_id=guardian.id))
    file = kept(school, pupil)
    url = link(client, file)
    with school_scope(school.id), transaction():
        keeping.archive_file(file)
    assert client.get(url).status_code == after


def test_a_blocked_account_s_link_ends_at_once(
    app: Any, client_for: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    url = program_link(client, kept(school, pupil))
    assert app.test_client().get(url).status_code == 200
    with transaction() as session:
        session.get(User, client.user.id).active = False
    assert app.test_client().get(url).status_code == 404


def test_a_link_of_one_school_is_nothing_in_another(
    client_for: Any, other_school: Any, place: tuple[FlaskClient, str]
) -> None:
    client, url = place
    with transaction() as session:
        session.add(
            Membership(user_id=client.user.id, school_id=other_school.id, role=Role.ADMINISTRATOR)
        )
    there = client_for(Role.ADMINISTRATOR, at=other_school, user=client.user)
    assert there.get("/students").status_code == 200
    assert there.get(url).status_code == 404


def test_a_viewer_asking_piece_by_piece_is_one_use(
    place: tuple[FlaskClient, str], school: Any
) -> None:
    client, url = place
    for start in range(0, 50, 10):
        client.get(url, headers={"Range": f"bytes={start}-{start + 9}"})

    assert [act for act, _ in acts(school)].count("file.downloaded") == 1


# ── other ways of sending ──


def test_nginx_is_told_where_the_file_lies(
    app: Any, monkeypatch: pytest.MonkeyPatch, place: tuple[FlaskClient, str], school: Any
) -> None:
    client, url = place
    fast = app.config["SETTINGS"].model_copy(update={"accel_redirect": True})
    monkeypatch.setitem(app.config, "SETTINGS", fast)

    answer = client.get(url)

    inside = answer.headers["X-Accel-Redirect"]
    assert answer.data == b""
    assert inside.startswith("/protected-files/")
    key = inside.removeprefix("/protected-files/")
    path: Path = app.extensions["school.storage"].local_path(key)
    assert path.read_bytes() == DATA
    assert answer.headers["Content-Disposition"].startswith("inline")


def test_a_store_that_is_away_is_said_in_words(
    app: Any, place: tuple[FlaskClient, str], put_on_shelf: Any
) -> None:
    from school.storage import errors
    from tests.files.conftest import Faulty

    class Away(Faulty):
        def open(self, *_args: Any, **_more: Any) -> Any:
            raise errors.Unavailable("away")

    client, url = place
    put_on_shelf(Away(app.extensions["school.storage"]))
    answer = client.get(url)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "60"
    assert "does not answer" in answer.text


def test_every_provider_serves_what_was_sent(
    provider: Any, client_for: Any, school: Any, pupil: Student
) -> None:
    """Local by our own route; clouds by a link they sign and serve themselves."""
    client = client_for(Role.TEACHER)
    file = kept(school, pupil, filename="Zażółć.pdf")

    url = link(client, file)

    if provider.caps.local_path:
        assert client.get(url).data == DATA
        return
    assert urlsplit(url).netloc
    answer = requests.get(url, timeout=10)
    assert answer.content == DATA
    assert "filename*=UTF-8''Za" in answer.headers["Content-Disposition"]
    query = parse_qs(urlsplit(url).query)
    lifetime = query.get("X-Amz-Expires") or query["X-Goog-Expires"]
    assert int(lifetime[0]) <= 300


def test_sensitive_content_in_a_cloud_still_goes_through_us(
    provider: Any, client_for: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    url = link(client, kept(school, pupil, purpose="medical"))

    assert url.startswith("/f/")
    answer = client.get(url, headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.data) == (206, DATA[10:20])


def test_photos_are_sent_to_pages_without_a_link(
    client_for: Any, school: Any, pupil: Student
) -> None:
    import io

    from tests.files.samples import picture

    with school_scope(school.id):
        file = keeping.set_photo(
            io.BytesIO(picture()), owner_kind="student", owner_id=pupil.id, filename="a.jpg"
        )
        size = queries.get_content(file).size_bytes
    answer = client_for(Role.TEACHER).get(f"/files/{file.id}/photo")

    assert (answer.status_code, len(answer.data)) == (200, size)
    assert answer.headers["Cache-Control"] == "private, max-age=300"


@pytest.mark.parametrize("purpose", ["document", "medical"])
def test_only_photos_are_sent_without_a_link(
    client_for: Any, school: Any, pupil: Student, purpose: str
) -> None:
    file = kept(school, pupil, purpose=purpose)
    assert client_for(Role.TEACHER).get(f"/files/{file.id}/photo").status_code == 404
