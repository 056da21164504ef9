"""A whole file by a signed link: the announced bytes, once, from the one person, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from itertools import product
from typing import Any
from uuid import UUID

import pytest
import requests
import sqlalchemy as sa
from flask.testing import FlaskClient

from school import clock
from school.audit.models import AuditEvent
from school.db import db
from school.errors import NotFound
from school.files.models import StorageTask
from school.files.service.uploading import direct
from school.permissions import Person, Role
from school.storage.signing import Claim, LinkSigner
from school.students.models import Student
from school.tenancy.scope import school_scope
from tests.files.samples import PDF, picture
from tests.files.views.test_tus import PLACE, files_of, stored, under_way

PNG = picture("PNG")


def announce(client: FlaskClient, pupil: Student, data: bytes = PDF, **more: Any) -> Any:
    told = {
        "filename": "Report.pdf",
        "at": f"student:{pupil.id}",
        "size": str(len(data)),
        "type": "application/pdf",
        "sha256": sha256(data).hexdigest(),
        **more,
    }
    return client.post(f"{PLACE}/direct", data=told, headers={"Accept": "application/json"})


def put(client: FlaskClient, send: dict[str, Any], data: bytes = PDF, **headers: str) -> Any:
    told = {**send["headers"], "Accept": "application/json", **headers}
    return client.put(send["url"], data=data, headers=told)


def finish(client: FlaskClient, told: dict[str, Any]) -> Any:
    return client.post(f"{told['url']}/finish", headers={"Accept": "application/json"})


def test_a_file_comes_by_a_link(
    client_for: Any, school: Any, pupil: Student, provider: Any
) -> None:
    """At our own route, or at the cloud's."""
    client = client_for(Role.TEACHER)
    told = announce(client, pupil).json
    send = told["send"]
    if send["url"].startswith("/u/"):
        assert put(client, send).status_code == 204
    else:
        answer = requests.put(send["url"], data=PDF, headers=send["headers"], timeout=10)
        assert answer.status_code == 200
    assert finish(client, told).json["state"] == "kept"
    assert finish(client, told).status_code == 202  # twice is once

    state = client.get(told["url"]).json
    assert stored(school, provider, state["file_id"]) == PDF
    assert [row.name for row in files_of(school, pupil)] == ["Report.pdf"]
    if not send["url"].startswith("/u/"):  # the link may still be used: its place is emptied late
        with school_scope(school.id):
            (at,) = db.session.scalars(sa.select(StorageTask.next_at))
            assert at > clock.now() + timedelta(hours=23)


def test_it_is_looked_into_like_every_file(
    client_for: Any, school: Any, pupil: Student, storage: Any
) -> None:
    client = client_for(Role.TEACHER)
    hidden = PNG + b"PK a second file"
    told = announce(client, pupil, hidden, type="image/png", filename="a.png").json
    put(client, told["send"], hidden)
    finish(client, told)
    state = client.get(told["url"]).json
    assert stored(school, storage, state["file_id"]).find(b"second file") == -1

    bad = b"MZ" + bytes(100)
    told = announce(client, pupil, bad).json
    put(client, told["send"], bad)
    finish(client, told)
    assert client.get(told["url"]).json["detail"] == "This is a program. Send the document itself."
    assert under_way(client) == 0


def test_the_link_takes_nothing_but_what_was_announced(client_for: Any, pupil: Student) -> None:
    client = client_for(Role.TEACHER)
    told = announce(client, pupil).json
    send = told["send"]
    assert finish(client, told).status_code == 409
    assert put(client, send, PDF + b"x", **{"Content-Length": str(len(PDF) + 1)}).status_code == 422
    assert put(client, send, PDF[:-1], **{"Content-Length": str(len(PDF) - 1)}).status_code == 422
    assert put(client, send, PDF[:-1] + b"x").status_code == 422
    assert put(client, send, **{"Content-Type": "text/plain"}).status_code == 422
    assert finish(client, told).status_code == 409

    assert put(client, send).status_code == 204
    assert put(client, send).status_code == 409
    assert finish(client, told).status_code == 202
    assert put(client, send).status_code in {404, 409}
    actions = db_actions(client)
    assert {"upload.link_issued", "upload.link_used", "file.added"} <= actions


def db_actions(client: FlaskClient) -> set[str]:
    with client.session_transaction() as session:
        school_id = UUID(session["school_id"])
    with school_scope(school_id):
        return set(db.session.scalars(sa.select(AuditEvent.action)))


def test_other_bytes_at_the_cloud_are_never_a_file(
    client_for: Any, school: Any, pupil: Student, storage: Any
) -> None:
    """Whoever reaches the storage past the link's conditions is found out when it is read."""
    client = client_for(Role.TEACHER)
    for data in (PDF[:-1] + b"x", PDF + b"more"):
        told = announce(client, pupil).json
        with school_scope(school.id):
            signer = LinkSigner(["k" * 40])
            token = told["send"]["url"].removeprefix("/u/")
            key = signer.verify(token, method="PUT", now=clock.now()).key
        place = storage._root / key
        place.parent.mkdir(parents=True)
        place.write_bytes(data)
        finish(client, told)
        assert client.get(told["url"]).json["state"] == "refused"
    assert files_of(school, pupil) == []
    assert under_way(client) == 0


def test_the_link_is_one_persons(
    client_for: Any, other_school: Any, pupil: Student, frozen_clock: Callable[..., None]
) -> None:
    client = client_for(Role.TEACHER)
    send = announce(client, pupil).json["send"]
    assert put(client_for(Role.ADMINISTRATOR), send).status_code == 404
    assert put(client_for(Role.ADMINISTRATOR, at=other_school), send).status_code == 404
    assert put(client_for(Role.GUARDIAN), send).status_code == 403
    client.sends_token = False
    assert put(client, send).status_code == 422
    client.sends_token = True
    frozen_clock(clock.now() + timedelta(minutes=5, seconds=1))
    assert put(client, send).status_code == 410


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"sha256": "0" * 63}, "64 characters"),
        ({"sha256": "G" * 64}, "64 characters"),
        ({"type": "text/html"}, "not taken"),
        ({"size": "0"}, "empty"),
        ({"size": "-3"}, "empty"),
        ({"purpose": "medical"}, "not taken by a link"),
    ],
)
def test_what_cannot_come_by_a_link_is_refused(
    client_for: Any, pupil: Student, more: dict[str, str], says: str
) -> None:
    client = client_for(Role.TEACHER)
    answer = announce(client, pupil, **more)
    assert (answer.status_code, says in answer.json["detail"]) == (422, True), answer.text
    assert under_way(client) == 0


def test_of_ten_thousand_links_with_one_bit_changed_none_is_accepted(
    client_for: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    user = client.user
    person = Person(user.id, "T", user.email, school_id=school.id, roles=frozenset({Role.TEACHER}))
    tried, accepted = 0, []
    while tried < 10_000:
        token = announce(client, pupil).json["send"]["url"].removeprefix("/u/")
        with school_scope(school.id):
            direct.read_ticket(person, token)
            for place, bit in product(range(len(token)), range(8)):
                changed = token[:place] + chr(ord(token[place]) ^ (1 << bit)) + token[place + 1 :]
                tried += 1
                try:
                    direct.read_ticket(person, changed)
                except NotFound:
                    continue
                accepted.append(changed)
    assert accepted == []


def test_a_link_the_storage_signs_itself_is_not_ours(client_for: Any, pupil: Student) -> None:
    """The same keys sign both; only ours says for whom and for which upload."""
    claim = Claim("PUT", "blob/ab/cd/abcd", clock.now() + timedelta(minutes=5), size_bytes=3)
    token = LinkSigner(["k" * 40]).sign(claim)
    answer = client_for(Role.TEACHER).put(f"/u/{token}", data=b"abc")
    assert answer.status_code == 404
