"""The pages about files, as people of every role see them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from school import cache
from school.accounts.models import User
from school.db import db, transaction
from school.files import queries
from school.files.models import File
from school.files.service import keeping
from school.permissions import Role
from school.students.models import Guardian, Student, StudentGuardian
from school.tenancy.scope import school_scope
from tests.factories.files import make_file, make_owner
from tests.files.samples import PDF, picture

NEWER = PDF + b"% newer\n%%EOF\n"
FILE_TOO = "Report.pdf"


@pytest.fixture
def pupil(school: Any) -> Student:
    with school_scope(school.id):
        return make_owner()


def kept(school: Any, pupil: Student, **more: Any) -> File:
    with school_scope(school.id):
        return make_file(pupil, **more)


def files_of(school: Any, pupil: Student) -> Sequence[queries.FileRow]:
    with school_scope(school.id):
        return queries.list_files("student", pupil.id).rows


def send(client: FlaskClient, pupil: Student, *files: tuple[bytes, str], **headers: str) -> Any:
    return client.post(
        f"/students/{pupil.id}/files",
        data={"file": [(io.BytesIO(data), name) for data, name in files]},
        content_type="multipart/form-data",
        headers=headers,
    )


@pytest.fixture
def family(school: Any, client_for: Any, pupil: Student) -> Callable[[Role], FlaskClient]:
    """A signed-in guardian of the pupil, or the pupil."""

    def sign_in(role: Role) -> FlaskClient:
        client = client_for(role)
        user: User = client.user
        with school_scope(school.id), transaction():
            if role == Role.STUDENT:
                db.session.get(Student, (school.id, pupil.id)).user_id = user.id
            else:
                guardian = Guardian(name="Marta", sort_name="marta", user_id=user.id)
                db.session.add(guardian)
                db.session.flush()
                db.session.add(StudentGuardian(student_id=pupil.id, guardian_id=guardian.id))
        return client

    return sign_in


def test_an_empty_page_says_what_to_do_next(client_for: Any, page: Any, pupil: Student) -> None:
    found = page(client_for(Role.TEACHER), f"/students/{pupil.id}/files")

    assert found.h1 == "Zofia Dąbrowska"
    assert "No files yet. Drop the first one above" in found.text
    assert "Choose files" in found.text


def test_many_files_are_taken_at_once_and_the_broken_one_is_named(
    client_for: Any, page: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)

    answer = send(
        client,
        pupil,
        (PDF, "One.pdf"),
        (b"MZ\x90\x00" + b"\x00" * 90, "Two.pdf"),
        (PDF, "Three.pdf"),
    )

    assert answer.status_code == 303
    found = page(client, answer.location)
    assert "Two.pdf: This is a program." in found.text
    assert "2 files are kept" in found.text
    assert {row.name for row in files_of(school, pupil)} == {"One.pdf", "Three.pdf"}
    assert files_of(school, pupil)[0].changed_by == client.user.display_name


def test_a_script_gets_json_for_what_it_sent(client_for: Any, pupil: Student) -> None:
    client = client_for(Role.TEACHER)

    good = send(client, pupil, (PDF, "One.pdf"), Accept="application/json")
    bad = send(client, pupil, (b"", "Two.pdf"), Accept="application/json")

    assert (good.status_code, good.json[0]["name"]) == (201, "One.pdf")
    assert bad.status_code == 422
    assert bad.mimetype == "application/problem+json"
    assert bad.json["detail"] == "This file is empty."
    assert bad.json["errors"] == {"file": ["This file is empty."]}


def test_sending_nothing_is_answered_in_words(client_for: Any, pupil: Student) -> None:
    answer = client_for(Role.TEACHER).post(f"/students/{pupil.id}/files")

    assert answer.status_code == 422
    assert "Choose a file." in answer.text


def test_a_hostile_name_is_only_text_on_the_page(
    client_for: Any, page: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    send(client, pupil, (PDF, "<img src=x onerror=alert(1)>.pdf"))

    found = page(client, f"/students/{pupil.id}/files")
    assert "<img src=x onerror=alert(1)>.pdf" in found.text
    (row,) = files_of(school, pupil)
    shown = page(client, f"/files/{row.id}")
    assert shown.h1 == "<img src=x onerror=alert(1)>.pdf"


def test_a_file_is_replaced_brought_back_renamed_and_put_away(
    client_for: Any, page: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.REGISTRAR)
    file = kept(school, pupil)
    place = f"/files/{file.id}"

    client.post(f"{place}/versions", data={"file": (io.BytesIO(NEWER), "x.pdf"), "note": "Fixed"})
    client.post(f"{place}/versions/1/restore")
    answer = client.post(f"{place}/rename", data={"name": "Certificate"})

    assert answer.status_code == 303
    shown = page(client, place)
    assert shown.h1 == "Certificate.pdf"
    assert "Version 3 Current" in shown.text
    assert "“Fixed”" in shown.text
    assert "3 versions, every one is kept" in shown.text

    answer = client.post(f"{place}/archive")
    away = page(client, answer.location)
    assert "“Certificate.pdf” is put away" in away.text
    undo = next(form for form in away.forms if "data-undo" in form)
    assert files_of(school, pupil) == []
    client.post(undo["action"])
    assert [row.name for row in files_of(school, pupil)] == ["Certificate.pdf"]


def test_what_is_put_away_is_listed_apart(
    client_for: Any, page: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.REGISTRAR)
    file = kept(school, pupil)
    client.post(f"/files/{file.id}/archive")

    listed = page(client, f"/students/{pupil.id}/files", show="archived")

    assert "Report.pdf" in listed.text
    assert "Take out" in listed.text
    assert "This file is put away" in page(client, f"/files/{file.id}").text


@pytest.mark.parametrize(
    ("path", "data", "words"),
    [
        ("versions", {}, "Choose a file."),
        ("rename", {"name": ""}, "Type a name."),
        ("rename", {"name": "x.docx"}, "inside is a .pdf file"),
        ("rename", {"name": "x" * 200}, "Field cannot be longer"),
    ],
)
def test_what_cannot_be_done_is_said_beside_the_field(
    client_for: Any, page: Any, school: Any, pupil: Student, path: str, data: Any, words: str
) -> None:
    from tests.pages import read_page

    client = client_for(Role.TEACHER)
    file = kept(school, pupil)

    answer = client.post(f"/files/{file.id}/{path}", data=data)

    assert words in read_page(answer, status=422).text


def test_an_edit_from_an_old_page_is_not_done(client_for: Any, school: Any, pupil: Student) -> None:
    client = client_for(Role.TEACHER)
    file = kept(school, pupil)
    client.post(f"/files/{file.id}/rename", data={"name": "First", "version": file.version})

    answer = client.post(
        f"/files/{file.id}/rename", data={"name": "Second", "version": file.version}
    )

    assert answer.status_code == 409
    assert "was changed by somebody else meanwhile" in answer.text
    assert "<table" not in answer.text  # nothing to compare
    assert f'href="/files/{file.id}"' in answer.text
    assert [row.name for row in files_of(school, pupil)] == ["First.pdf"]


@pytest.mark.parametrize("version", ["9" * 20, "9" * 5000, "x", "1.5"])
def test_a_version_that_cannot_be_is_an_old_one(
    client_for: Any, school: Any, pupil: Student, version: str
) -> None:
    client = client_for(Role.TEACHER)
    place = f"/files/{kept(school, pupil).id}"
    new = {"file": (io.BytesIO(NEWER), "x.pdf")}
    tries = (("versions", new), ("versions/1/restore", {}), ("rename", {"name": "A"}))
    for path, data in tries:
        answer = client.post(f"{place}/{path}", data={**data, "version": version})
        assert answer.status_code == 409, path
    assert client.post(f"{place}/versions/{'9' * 20}/restore").status_code == 404
    assert [(row.name, row.number) for row in files_of(school, pupil)] == [("Report.pdf", 1)]


@pytest.mark.parametrize("role", [Role.GUARDIAN, Role.STUDENT])
def test_families_do_not_see_what_was_put_away(
    family: Any, client_for: Any, page: Any, school: Any, pupil: Student, role: Role
) -> None:
    client, teacher, file = family(role), client_for(Role.TEACHER), kept(school, pupil)
    listed = f"/students/{pupil.id}/files"
    with school_scope(school.id), transaction():
        keeping.archive_file(file)

    assert "See what was put away" not in page(client, listed).text
    assert "See what was put away" in page(teacher, listed).text
    for place in (f"{listed}?show=archived", f"/files/{file.id}", f"/files/{file.id}/download"):
        assert client.get(place).status_code == 404
        assert teacher.get(place).status_code in {200, 303}


def test_a_photo_is_set_shown_and_taken_away(
    client_for: Any, page: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    place = f"/students/{pupil.id}"
    client.post(f"{place}/photo", data={"file": (io.BytesIO(picture("PNG", (800, 400))), "me.png")})

    html = page(client, f"{place}/files").html
    source = html.split('<img class="ava ava-l" src="')[1].split('"')[0]
    shown = client.get(source)
    assert shown.mimetype == "image/jpeg"
    assert "sandbox" in shown.headers["Content-Security-Policy"]

    client.post(f"{place}/photo/remove")
    assert "the initials show instead" in page(client, f"{place}/files").text


def test_a_photo_that_is_none_is_refused_in_words(
    client_for: Any, page: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    answer = client.post(f"/students/{pupil.id}/photo", data={"file": (io.BytesIO(PDF), "me.pdf")})

    assert "not a picture" in page(client, answer.location).text


# Who may do what: (role, sees the files, may add, may put away)
STAFF = [
    (Role.ADMINISTRATOR, 200, 303, 303),
    (Role.REGISTRAR, 200, 303, 303),
    (Role.TEACHER, 200, 303, 403),
]
FAMILY = [(Role.GUARDIAN, 200, 403, 403), (Role.STUDENT, 200, 403, 403)]


def answers(client: FlaskClient, pupil: Student, file: File) -> dict[str, int]:
    place = f"/files/{file.id}"
    return {
        "list": client.get(f"/students/{pupil.id}/files").status_code,
        "show": client.get(place).status_code,
        "download": client.get(f"{place}/download").status_code,
        "upload": send(client, pupil, (PDF, "New.pdf")).status_code,
        "replace": client.post(
            f"{place}/versions", data={"file": (io.BytesIO(NEWER), "x.pdf")}
        ).status_code,
        "bring_back": client.post(f"{place}/versions/1/restore").status_code,
        "rename": client.post(f"{place}/rename", data={"name": "Other"}).status_code,
        "photo": client.post(
            f"/students/{pupil.id}/photo", data={"file": (io.BytesIO(picture()), "a.jpg")}
        ).status_code,
        "photo_away": client.post(f"/students/{pupil.id}/photo/remove").status_code,
        "archive": client.post(f"{place}/archive").status_code,
        "restore": client.post(f"{place}/restore").status_code,
    }


def expected(see: int, add: int, put_away: int) -> dict[str, int]:
    adding = ("upload", "replace", "bring_back", "rename", "photo", "photo_away")
    return (
        {"list": see, "show": see, "download": 303 if see == 200 else see}
        | dict.fromkeys(adding, add)
        | dict.fromkeys(("archive", "restore"), put_away)
    )


@pytest.mark.parametrize(("role", "see", "add", "put_away"), STAFF)
def test_staff_may_do_what_their_role_says(
    client_for: Any, school: Any, pupil: Student, role: Role, see: int, add: int, put_away: int
) -> None:
    file = kept(school, pupil)

    assert answers(client_for(role), pupil, file) == expected(see, add, put_away)


@pytest.mark.parametrize(("role", "see", "add", "put_away"), FAMILY)
def test_families_look_at_their_own_files_and_change_none(
    family: Any, school: Any, pupil: Student, role: Role, see: int, add: int, put_away: int
) -> None:
    file = kept(school, pupil)

    assert answers(family(role), pupil, file) == expected(see, add, put_away)


@pytest.mark.parametrize("role", [Role.GUARDIAN, Role.STUDENT])
def test_families_do_not_know_that_other_children_s_files_exist(
    family: Any, school: Any, pupil: Student, role: Role
) -> None:
    with school_scope(school.id):
        other = make_owner(given_name="Isla", family_name="MacLeod")
    file = kept(school, other)

    client = family(role)

    got = answers(client, other, file)
    assert {got[key] for key in ("list", "show", "download")} == {404}
    assert set(got.values()) <= {403, 404}


@pytest.mark.parametrize("role", list(Role))
def test_another_school_s_file_is_not_there(
    client_for: Any, school: Any, other_school: Any, pupil: Student, role: Role
) -> None:
    file = kept(school, pupil)

    got = answers(client_for(role, at=other_school), pupil, file)

    assert {got[key] for key in ("list", "show", "download")} == {404}
    assert set(got.values()) <= {403, 404}
    assert "Dąbrowska" not in client_for(role, at=other_school).get(f"/files/{file.id}").text


def test_a_stranger_is_asked_to_sign_in(app: Any, school: Any, pupil: Student) -> None:
    file = kept(school, pupil)
    client = app.test_client()

    for path in (f"/students/{pupil.id}/files", f"/files/{file.id}", f"/files/{file.id}/download"):
        answer = client.get(path, headers={"Accept": "application/json"})
        assert answer.status_code == 401


def test_medical_files_are_seen_by_who_may_read_medical_notes(
    family: Any, client_for: Any, page: Any, school: Any, pupil: Student
) -> None:
    file = kept(school, pupil, filename="Allergies.pdf", purpose="medical")

    assert "Allergies.pdf" in page(client_for(Role.TEACHER), f"/students/{pupil.id}/files").text
    assert "Allergies.pdf" in page(family(Role.GUARDIAN), f"/students/{pupil.id}/files").text
    pupils_own = family(Role.STUDENT)
    assert "Allergies" not in page(pupils_own, f"/students/{pupil.id}/files").text
    assert pupils_own.get(f"/files/{file.id}").status_code == 404
    assert pupils_own.get(f"/files/{file.id}/download").status_code == 404


def test_a_forged_form_changes_nothing(client_for: Any, school: Any, pupil: Student) -> None:
    client = client_for(Role.REGISTRAR)
    client.sends_token = False
    file = kept(school, pupil)

    assert client.post(f"/files/{file.id}/archive").status_code == 422
    assert len(files_of(school, pupil)) == 1


def test_a_list_of_fifty_asks_no_more_than_a_list_of_one(
    client_for: Any, count_queries: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)

    def asked() -> int:
        cache.cache.clear()
        with count_queries() as queries_sent:
            assert client.get(f"/students/{pupil.id}/files").status_code == 200
        return queries_sent.count

    kept(school, pupil, filename="0.pdf")
    one = asked()
    with school_scope(school.id):
        for number in range(1, 50):
            make_file(pupil, filename=f"{number}.pdf")
    assert asked() == one <= 10


def test_a_file_page_asks_the_same_for_two_versions_and_for_twenty(
    client_for: Any, count_queries: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    file = kept(school, pupil)

    def asked() -> int:
        cache.cache.clear()
        with count_queries() as queries_sent:
            assert client.get(f"/files/{file.id}").status_code == 200
        return queries_sent.count

    client.post(f"/files/{file.id}/versions", data={"file": (io.BytesIO(NEWER), "x.pdf")})
    two = asked()
    for number in range(1, 18):
        client.post(f"/files/{file.id}/versions/{number}/restore")
    assert asked() == two <= 8


def test_unknown_ids_are_not_there(client_for: Any, school: Any) -> None:
    client = client_for(Role.ADMINISTRATOR)

    assert client.get(f"/students/{uuid4()}/files").status_code == 404
    assert client.get(f"/files/{uuid4()}").status_code == 404
    assert client.get(f"/files/{uuid4()}/photo").status_code == 404
