"""The small picture goes out by the same door as the large one."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.db import db, transaction
from school.files.models import Blob, ScanState
from school.files.service.thumbnails.making import make_thumbnail
from school.permissions import Role
from school.tenancy.scope import school_scope
from tests.factories.files import make_file
from tests.files.samples import picture


def pictured(school: Any, pupil: Any, **more: Any) -> UUID:
    """A picture with its thumbnail; the file's id."""
    with school_scope(school.id):
        file_id = make_file(pupil, picture("PNG", (900, 600)), filename="a.png", **more).id
        blob_id = db.session.scalars(sa.select(Blob.id).order_by(Blob.id.desc())).first()
        assert make_thumbnail(blob_id)
    return file_id


def address(file_id: UUID) -> str:
    return f"/files/{file_id}/thumbnail?v=1"


def test_it_is_sent_to_be_kept_by_the_browser_alone(
    client_for: Any, school: Any, pupil: Any
) -> None:
    file_id, client = pictured(school, pupil), client_for(Role.TEACHER)
    answer = client.get(address(file_id))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Cache-Control"] == "private, max-age=300"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.data[8:12] == b"WEBP"
    again = client.get(address(file_id), headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_a_sensitive_one_is_kept_nowhere(client_for: Any, school: Any, pupil: Any) -> None:
    file_id = pictured(school, pupil, purpose="medical")
    answer = client_for(Role.REGISTRAR).get(address(file_id))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.data[8:12] == b"WEBP"


def test_whoever_may_not_see_the_file_sees_no_small_one(
    client_for: Any, school: Any, other_school: Any, pupil: Any
) -> None:
    file_id = pictured(school, pupil)
    assert client_for(Role.STUDENT).get(address(file_id)).status_code == 404
    assert client_for(Role.REGISTRAR, at=other_school).get(address(file_id)).status_code == 404


def test_a_file_without_one_has_none(client_for: Any, school: Any, pupil: Any) -> None:
    with school_scope(school.id):
        file_id = make_file(pupil).id
    assert client_for(Role.TEACHER).get(address(file_id)).status_code == 404


def test_a_held_picture_is_not_shown_small(client_for: Any, school: Any, pupil: Any) -> None:
    file_id, client = pictured(school, pupil), client_for(Role.TEACHER)
    with school_scope(school.id), transaction():
        for blob in db.session.scalars(sa.select(Blob)):
            blob.scan_state = ScanState.HELD
    assert client.get(address(file_id)).status_code == 409
    assert "thumbnail" not in client.get(f"/students/{pupil.id}/files").text


def test_lists_show_it_and_load_it_when_it_comes_into_sight(
    client_for: Any, school: Any, pupil: Any, page: Any
) -> None:
    file_id = pictured(school, pupil)
    with school_scope(school.id):
        make_file(pupil)
    text = page(client_for(Role.TEACHER), f"/students/{pupil.id}/files").html
    (image,) = re.findall(r"<img[^>]*thumbnail[^>]*>", text)
    assert f'src="/files/{file_id}/thumbnail?v=1"' in image
    assert 'alt=""' in image
    assert 'loading="lazy"' in image


def test_a_list_of_many_asks_no_oftener(
    client_for: Any, school: Any, pupil: Any, count_queries: Any
) -> None:
    client, asked = client_for(Role.TEACHER), []
    client.get(f"/students/{pupil.id}/files")  # whatever is remembered is so from here on
    for _ in range(2):
        pictured(school, pupil)
        with count_queries() as queries:
            client.get(f"/students/{pupil.id}/files")
        asked.append(queries.count)
    assert asked[0] == asked[1]
