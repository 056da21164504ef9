"""Uploads that go on where they stopped, as any client of tus 1.0 sees them."""

from __future__ import annotations

import hashlib
import io
import uuid
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from school import clock
from school.db import db
from school.files import policy, queries
from school.files.models import UNDER_WAY, Blob, StorageUsage, Upload, UploadPart
from school.files.service import keeping, quotas
from school.files.service.families import MIB
from school.files.service.uploading.arriving import PIECE_BYTES
from school.permissions import Permission, Role
from school.students.models import Student
from school.tenancy.scope import school_scope
from tests.factories.files import make_file
from tests.files.conftest import content_of
from tests.files.samples import PDF, picture

PLACE = "/files/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
TEXT = b"Zofia;7B;2026-11-20\n" * 40
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream"}


def metadata(**told: Any) -> str:
    return ",".join(f"{name} {b64encode(str(v).encode()).decode()}" for name, v in told.items())


def begin(
    client: FlaskClient,
    pupil: Student | None,
    length: int,
    *,
    data: bytes | None = None,
    **more: Any,
) -> Any:
    told = {"filename": "list.csv", **({"at": f"student:{pupil.id}"} if pupil else {}), **more}
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata(**told)}
    if data is not None:
        headers["Content-Type"] = PIECE["Content-Type"]
    return client.post(PLACE, headers={**headers, "Accept": "application/json"}, data=data)


def send(client: FlaskClient, place: str, offset: int, data: bytes, **headers: str) -> Any:
    told = {**PIECE, "Upload-Offset": str(offset), "Accept": "application/json", **headers}
    return client.patch(place, headers=told, data=data)


def begun(client: FlaskClient, pupil: Student, length: int = len(TEXT), **more: Any) -> str:
    answer = begin(client, pupil, length, **more)
    assert answer.status_code == 201, answer.text
    return str(answer.location)


def files_of(school: Any, pupil: Student) -> Sequence[queries.FileRow]:
    with school_scope(school.id):
        return queries.list_files("student", pupil.id).rows


def stored(school: Any, storage: Any, file_id: Any) -> bytes:
    with school_scope(school.id):
        return content_of(
            storage, queries.get_content(queries.get_file(uuid.UUID(str(file_id)))).key
        )


def test_it_says_what_it_speaks(client_for: Any) -> None:
    client = client_for(Role.TEACHER)
    for place in (PLACE, f"{PLACE}/{uuid.uuid4()}"):
        answer = client.options(place)
        assert answer.status_code == 204
        assert answer.headers["Tus-Version"] == answer.headers["Tus-Resumable"] == "1.0.0"
        assert set(answer.headers["Tus-Extension"].split(",")) == {
            "creation", "creation-with-upload", "expiration", "termination", "checksum",
        }  # fmt: skip
        assert answer.headers["Tus-Max-Size"] == str(100 * MIB)
        assert answer.headers["Tus-Checksum-Algorithm"] == "sha256"


def test_a_file_comes_in_pieces(client_for: Any, school: Any, pupil: Student, storage: Any) -> None:
    client = client_for(Role.TEACHER)
    place = begun(client, pupil)

    first = send(client, place, 0, TEXT[:300])
    told = client.head(place)
    last = send(client, place, 300, TEXT[300:])

    assert (first.status_code, first.headers["Upload-Offset"]) == (204, "300")
    assert first.headers["Tus-Resumable"] == "1.0.0"
    assert "Upload-Expires" in first.headers
    assert told.headers["Upload-Offset"] == "300"
    assert told.headers["Upload-Length"] == str(len(TEXT))
    assert told.headers["Cache-Control"] == "no-store"
    assert (last.status_code, last.headers["Upload-Offset"]) == (204, str(len(TEXT)))
    state = client.get(place).json
    assert (state["state"], state["detail"]) == ("kept", None)
    assert stored(school, storage, state["file_id"]) == TEXT
    (row,) = files_of(school, pupil)
    assert (row.name, row.changed_by) == ("list.csv", client.user.display_name)


def test_a_small_file_comes_with_its_announcement(
    client_for: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    answer = begin(client, pupil, len(PDF), data=PDF, filename="Report.pdf")

    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, str(len(PDF)))
    assert client.get(answer.location).json["state"] == "kept"
    assert [row.name for row in files_of(school, pupil)] == ["Report.pdf"]


def test_a_first_piece_that_is_not_taken_leaves_nothing(client_for: Any, pupil: Student) -> None:
    client = client_for(Role.TEACHER)
    answer = begin(client, pupil, 3, data=b"four")

    assert answer.status_code == 413
    assert under_way(client) == 0


def under_way(client: FlaskClient) -> int:
    """How many; and no room is kept for anything else than these and files."""
    with client.session_transaction() as session:
        school_id = uuid.UUID(session["school_id"])
    with school_scope(school_id):
        coming = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(Upload.length_bytes), 0))
        number, announced = db.session.execute(coming.where(Upload.state.in_(UNDER_WAY))).one()
        lying = sa.select(sa.func.coalesce(sa.func.sum(Blob.size_bytes), 0))
        files = db.session.scalar(lying.where(Blob.state.in_(quotas.COUNTED)))
        used = sa.select(StorageUsage.used_bytes).where(StorageUsage.holder_kind == "school")
        assert (db.session.scalar(used) or 0) == files + announced
        return int(number)


def test_a_new_version_of_a_file(client_for: Any, school: Any, pupil: Student) -> None:
    client = client_for(Role.TEACHER)
    with school_scope(school.id):
        file = make_file(pupil)
    newer = PDF + b"% newer\n%%EOF\n"
    answer = begin(client, None, len(newer), data=newer, filename="x.pdf", replaces_id=file.id)

    assert answer.status_code == 201
    assert client.get(answer.location).json["file_id"] == str(file.id)
    assert [(row.name, row.number) for row in files_of(school, pupil)] == [("Report.pdf", 2)]


def test_a_photo_stays_one_however_it_is_replaced(
    client_for: Any, school: Any, pupil: Student, storage: Any
) -> None:
    """Small, a JPEG, and without where it was taken."""
    client = client_for(Role.TEACHER)
    with school_scope(school.id):
        photo = keeping.set_photo(
            io.BytesIO(picture()), owner_kind="student", owner_id=pupil.id, filename="me.jpg"
        )
    large = picture("PNG", (1600, 900))
    announced = begin(client, None, len(large), data=large, filename="x.png", replaces_id=photo.id)
    assert client.get(announced.location).json["state"] == "kept"
    assert_is_photo(stored(school, storage, photo.id))

    told = {"file": (io.BytesIO(large), "y.png"), "version": ""}
    assert client.post(f"/files/{photo.id}/versions", data=told).status_code == 303
    assert_is_photo(stored(school, storage, photo.id))
    with school_scope(school.id):
        names = [version.name for version in queries.list_versions(queries.get_file(photo.id))]
    assert names == ["photo.jpg"] * 3


def assert_is_photo(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, max(image.size)) == ("JPEG", 640)


def test_a_name_carries_nothing_that_turns_it_around(
    client_for: Any, page: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    place = begun(client, pupil, filename="list\u202evsc.csv")
    assert client.get(place).json["filename"] == "listvsc.csv"
    shown = page(client, f"/students/{pupil.id}/files").html
    assert 'data-name="listvsc.csv"' in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/problem+json"),
        ("*/*", "application/problem+json"),
        ("text/html", "text/html"),
        ("text/html,*/*;q=0.8", "text/html"),
    ],
)
def test_whoever_speaks_tus_is_answered_for_programs(
    client_for: Any, accept: str | None, kind: str
) -> None:
    headers = {**TUS, **({"Accept": accept} if accept else {})}
    client = client_for(Role.TEACHER)
    answer = client.delete(f"{PLACE}/{uuid.uuid4()}", headers=headers)
    assert (answer.status_code, answer.mimetype) == (404, kind)


def test_what_is_refused_says_why(client_for: Any, school: Any, pupil: Student) -> None:
    client = client_for(Role.TEACHER)
    place = begin(client, pupil, 90, data=b"MZ\x90\x00" + bytes(86), filename="a.pdf").location

    state = client.get(place).json
    assert (state["state"], state["file_id"]) == ("refused", None)
    assert state["detail"] == "This is a program. Send the document itself."
    assert files_of(school, pupil) == []
    assert under_way(client) == 0


def test_an_empty_file_is_refused(client_for: Any, pupil: Student) -> None:
    client = client_for(Role.TEACHER)
    state = client.get(begun(client, pupil, 0)).json
    assert (state["state"], state["detail"]) == ("refused", "This file is empty.")


def test_a_large_file_is_checked_by_a_job(
    client_for: Any, school: Any, pupil: Student, run_jobs: Callable[[], int]
) -> None:
    client, text = client_for(Role.TEACHER), TEXT * 11_000
    assert len(text) > PIECE_BYTES
    place = begun(client, pupil, len(text))
    assert send(client, place, 0, text[:PIECE_BYTES]).status_code == 204
    assert send(client, place, PIECE_BYTES, text[PIECE_BYTES:]).status_code == 204
    assert client.get(place).json["state"] == "finishing"

    run_jobs()

    assert client.get(place).json["state"] == "kept"
    assert files_of(school, pupil)[0].size_bytes == len(text)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412),
        ({"Content-Type": "application/octet-stream"}, 415),
        ({"Upload-Offset": "5"}, 409),
        ({"Upload-Offset": "minus"}, 422),
        ({"Upload-Checksum": "md5 AAAA"}, 422),
        ({"Upload-Checksum": f"sha256 {b64encode(bytes(32)).decode()}"}, 460),
    ],
)
def test_a_piece_that_does_not_fit_changes_nothing(
    client_for: Any, pupil: Student, headers: dict[str, str], status: int
) -> None:
    client = client_for(Role.TEACHER)
    place = begun(client, pupil)

    answer = send(client, place, 0, TEXT, **headers)

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert client.head(place).headers["Upload-Offset"] == "0"
    if status == 412:
        assert answer.headers["Tus-Version"] == "1.0.0"


def test_a_right_checksum_is_taken(client_for: Any, pupil: Student) -> None:
    client = client_for(Role.TEACHER)
    place = begun(client, pupil)
    digest = b64encode(hashlib.sha256(TEXT).digest()).decode()
    assert (
        send(client, place, 0, TEXT, **{"Upload-Checksum": f"sha256 {digest}"}).status_code == 204
    )


def test_a_piece_has_a_largest_size(client_for: Any, pupil: Student) -> None:
    client = client_for(Role.TEACHER)
    place = begun(client, pupil, PIECE_BYTES + 10)

    answer = send(client, place, 0, bytes(PIECE_BYTES + 1))

    assert answer.status_code == 413
    assert answer.json["detail"] == "Send this file in pieces of 8 MB at most."


def test_more_than_announced_is_refused(client_for: Any, pupil: Student) -> None:
    client = client_for(Role.TEACHER)
    place = begun(client, pupil, 10)
    assert send(client, place, 0, bytes(11)).status_code == 413
    assert send(client, place, 0, b"").status_code == 204


def test_a_piece_that_is_cut_off_is_kept_as_far_as_it_came(
    app: Flask, client_for: Any, school: Any, pupil: Student, storage: Any
) -> None:
    """Servers that hand the body on while it comes see the line break; waitress never does."""
    client = client_for(Role.TEACHER)
    place = begun(client, pupil)

    answer = client.patch(
        place,
        headers={**PIECE, "Upload-Offset": "0"},
        input_stream=io.BytesIO(TEXT[:250]),
        content_length=len(TEXT),
    )

    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "250")
    send(client, place, 250, TEXT[250:])
    assert stored(school, storage, client.get(place).json["file_id"]) == TEXT


@pytest.mark.parametrize(
    ("length", "more", "status", "says"),
    [
        (101 * MIB, {}, 413, "The limit is 100 MB"),
        (5, {"purpose": "photo"}, 422, "not kept for"),
        (5, {"at": f"student:{uuid.uuid4()}"}, 404, "not here"),
        (5, {"at": "mine"}, 404, "not here"),
        (5, {"at": f"ghost:{uuid.uuid4()}"}, 404, "not here"),
        (5, {"replaces_id": uuid.uuid4()}, 404, "not here"),
        (5, {"replaces_id": "that"}, 404, "not here"),
        (5, {"filename": "x" * 301}, 422, "too long"),
        (5, {"filename": "a\x00b"}, 422, "cannot be kept"),
    ],
)
def test_what_cannot_come_is_refused_before_the_first_byte(
    client_for: Any, pupil: Student, length: int, more: dict[str, Any], status: int, says: str
) -> None:
    client = client_for(Role.ADMINISTRATOR)
    answer = begin(client, pupil, length, **more)
    assert (answer.status_code, says in answer.json["detail"]) == (status, True), answer.text
    assert under_way(client) == 0


@pytest.mark.parametrize("header", ["", "-1", "1e3", "9" * 20, "٣"])
def test_a_length_is_a_number(client_for: Any, pupil: Student, header: str) -> None:
    headers = {**TUS, "Upload-Length": header.encode().decode("latin-1")}
    assert client_for(Role.TEACHER).post(PLACE, headers=headers).status_code == 422


def test_metadata_that_cannot_be_read_is_refused(client_for: Any) -> None:
    headers = {**TUS, "Upload-Length": "5", "Upload-Metadata": "filename ???"}
    assert client_for(Role.TEACHER).post(PLACE, headers=headers).status_code == 422


def test_without_the_form_token_nothing_begins(client_for: Any, pupil: Student) -> None:
    client = client_for(Role.TEACHER)
    place = begun(client, pupil)
    client.sends_token = False
    assert begin(client, pupil, 5).status_code == 422
    assert send(client, place, 0, TEXT).status_code == 422
    as_program = {**TUS, "Accept": "application/json"}
    assert client.delete(place, headers=as_program).status_code == 422
    assert client.head(place).headers["Upload-Offset"] == "0"


def test_an_upload_is_its_senders_alone(client_for: Any, other_school: Any, pupil: Student) -> None:
    place = begun(client_for(Role.TEACHER), pupil)
    for other in (
        client_for(Role.TEACHER),
        client_for(Role.ADMINISTRATOR),
        client_for(Role.ADMINISTRATOR, at=other_school),
    ):
        assert other.head(place).status_code == 404
        assert send(other, place, 0, TEXT).status_code == 404
        assert other.delete(place, headers=TUS).status_code == 404
        assert other.post(f"{place}/finish").status_code == 404
        assert other.post(f"{place}/end").status_code == 404


@pytest.mark.parametrize("role", [Role.GUARDIAN, Role.STUDENT])
def test_families_begin_nothing(client_for: Any, pupil: Student, role: Role) -> None:
    assert begin(client_for(role), pupil, 5).status_code == 403


def test_a_right_taken_away_is_gone_at_the_next_piece(
    client_for: Any, pupil: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_for(Role.TEACHER)
    place = begun(client, pupil, purpose="medical")
    send(client, place, 0, TEXT[:100])
    monkeypatch.setitem(policy.PURPOSE_PERMISSIONS, "medical", Permission.PLATFORM_OPERATE)

    assert send(client, place, 100, TEXT[100:]).status_code == 403
    assert begin(client, pupil, 5, purpose="medical").status_code == 403
    assert client.head(place).headers["Upload-Offset"] == "100"


def test_it_can_be_given_up(client_for: Any, school: Any, pupil: Student, storage: Any) -> None:
    client = client_for(Role.TEACHER)
    place = begun(client, pupil)
    send(client, place, 0, TEXT[:100])
    assert under_way(client) == 1

    assert client.delete(place, headers=TUS).status_code == 204
    assert client.delete(place, headers=TUS).status_code == 204

    assert under_way(client) == 0
    assert client.head(place).status_code == 410
    assert send(client, place, 100, TEXT[100:]).status_code == 410
    with school_scope(school.id):
        assert db.session.scalar(sa.select(sa.func.count()).select_from(UploadPart)) == 0


def test_a_day_after_its_last_byte_it_has_ended(
    client_for: Any, pupil: Student, frozen_clock: Any
) -> None:
    now = clock.now()
    client = client_for(Role.TEACHER)
    place = begun(client, pupil)
    frozen_clock(now + timedelta(minutes=59))
    with client.session_transaction() as session:
        session["signed_in_at"] = clock.now().timestamp()
    assert send(client, place, 0, TEXT[:100]).status_code == 204
    frozen_clock(now + timedelta(hours=24))
    with client.session_transaction() as session:
        session["signed_in_at"] = clock.now().timestamp()
    assert client.head(place).headers["Upload-Offset"] == "100"
    frozen_clock(now + timedelta(hours=25))
    with client.session_transaction() as session:
        session["signed_in_at"] = clock.now().timestamp()
    assert client.head(place).status_code == 410
    assert send(client, place, 100, TEXT[100:]).status_code == 410


def test_nobody_has_endless_uploads(
    client_for: Any, pupil: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("school.files.service.uploading.beginning.MOST_OPEN", 2)
    client = client_for(Role.TEACHER)
    statuses = [begin(client, pupil, 5).status_code for _ in range(3)]
    assert statuses == [201, 201, 429]


def test_the_page_lists_what_is_unfinished(
    client_for: Any, page: Any, pupil: Student, run_jobs: Callable[[], int]
) -> None:
    client = client_for(Role.TEACHER)
    place = begun(client, pupil, filename="Trip.csv")
    send(client, place, 0, TEXT[: len(TEXT) // 2])
    begin(client, pupil, 90, data=b"MZ" + bytes(88), filename="Sums.pdf")

    shown = page(client, f"/students/{pupil.id}/files")
    assert "Trip.csv" in shown.text
    assert "50%" in shown.text
    assert "This is a program." in shown.text
    assert "Trip.csv" not in page(client_for(Role.TEACHER), f"/students/{pupil.id}/files").text

    assert client.post(f"{place}/end").status_code == 303
    assert "Trip.csv is" not in page(client, f"/students/{pupil.id}/files").text
