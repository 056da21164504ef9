"""Folders and places: who sees and changes what, as pages show it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from school.audit.models import AuditEvent
from school.db import db, transaction
from school.files.models import File, Folder, OwnerKind
from school.files.queries import Spot, list_in
from school.files.service import folders, holding, keeping
from school.files.service.places import ROLE_IDS, spot_of_person, spot_of_role, spot_of_school
from school.permissions import Role
from school.students.models import Student
from school.tenancy.scope import school_scope
from tests.factories.files import make_owner
from tests.files.samples import PDF
from tests.files.views.test_tus import begin

STAFF = (Role.TEACHER, Role.REGISTRAR, Role.ADMINISTRATOR)
FAMILIES = (Role.GUARDIAN, Role.STUDENT)


@pytest.fixture
def pupil(school: Any) -> Student:
    with school_scope(school.id):
        return make_owner()


@pytest.fixture
def made(school: Any) -> Callable[..., Folder]:
    def make(spot: Spot, name: str = "Forms") -> Folder:
        with school_scope(school.id), transaction():
            return folders.make_folder(spot, name)

    return make


@pytest.fixture
def kept(school: Any) -> Callable[..., File]:
    def keep(spot: Spot, name: str = "Report.pdf", **more: Any) -> File:
        with school_scope(school.id):
            return keeping.keep_upload(io.BytesIO(PDF), **spot._asdict(), filename=name, **more)

    return keep


def inside(folder: Folder) -> Spot:
    return folders.inside(folder)


def fresh(school: Any, thing: Any) -> Any:
    with school_scope(school.id):
        db.session.expire_all()
        return db.session.get(type(thing), (school.id, thing.id))


def move(client: FlaskClient, to: Spot, *things: Any) -> Any:
    ids = [f"folder:{one.id}" if isinstance(one, Folder) else str(one.id) for one in things]
    return client.post("/files/move/here", data={"ids": ids, "to": str(to)})


PLACES = {
    "school": ("/files/school", STAFF, (Role.REGISTRAR, Role.ADMINISTRATOR)),
    "teachers": (
        "/files/roles/teacher",
        (Role.TEACHER, Role.ADMINISTRATOR),
        (Role.TEACHER, Role.ADMINISTRATOR),
    ),
    "registrars": (
        "/files/roles/registrar",
        (Role.REGISTRAR, Role.ADMINISTRATOR),
        (Role.REGISTRAR, Role.ADMINISTRATOR),
    ),
    "administrators": ("/files/roles/administrator", STAFF[2:], STAFF[2:]),
    "mine": ("/files/mine", STAFF, STAFF),
}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("name", PLACES)
def test_a_place_opens_for_those_it_is_for(
    school: Any, client_for: Any, name: str, role: Role
) -> None:
    path, seen_by, changed_by = PLACES[name]
    client = client_for(role)
    with school_scope(school.id):
        spot = {
            "school": spot_of_school,
            "teachers": lambda: spot_of_role(Role.TEACHER),
            "registrars": lambda: spot_of_role(Role.REGISTRAR),
            "administrators": lambda: spot_of_role(Role.ADMINISTRATOR),
            "mine": lambda: spot_of_person(client.user.id),
        }[name]()

    answer = client.get(path)
    made = client.post("/files/folders", data={"at": str(spot), "name": "New"})

    assert answer.status_code == (200 if role in seen_by else 404)
    assert ("New folder" in answer.text) == (role in changed_by)
    expected = 303 if role in changed_by else 403 if role in (*seen_by, *FAMILIES) else 404
    assert made.status_code == expected


def test_nobody_else_reads_a_persons_own_files(
    school: Any, client_for: Any, made: Any, kept: Any
) -> None:
    owner = client_for(Role.TEACHER)
    folder = made(spot_of_person(owner.user.id))
    file = kept(inside(folder))
    places = [f"/files/{file.id}{end}" for end in ("", "/download", "/preview", "/thumbnail")]
    places.append(f"/files/folders/{folder.id}")

    assert owner.get(places[0]).status_code == 200
    for role in Role:
        other = client_for(role)
        assert [other.get(place).status_code for place in places] == [404] * len(places), role
        found = other.get("/search?q=report")
        assert str(file.id) not in found.text
        assert str(file.id) not in other.get("/files?q=report").text
    assert str(file.id) in owner.get("/search?q=report").text
    assert str(file.id) in owner.get("/files?q=report").text


def test_a_folder_is_made_filled_renamed_and_removed(
    school: Any, client_for: Any, page: Any
) -> None:
    client = client_for(Role.TEACHER)
    at = str(spot_of_person(client.user.id))

    client.post("/files/folders", data={"at": at, "name": "  Trip / autumn "})
    shown = page(client, "/files/mine")
    assert "Trip - autumn" in shown.text
    place = next(link for link in shown.links if "/files/folders/" in link)
    folder_id = place.rpartition("/")[2]
    sent = {"at": f"{at}:{folder_id}", "file": (io.BytesIO(PDF), "Plan.pdf")}
    assert client.post("/files/folders/upload", data=sent).location.endswith(place)
    sent = {"at": f"{at}:{folder_id}", "file": (io.BytesIO(PDF), "Plan.pdf")}
    client.post("/files/folders/upload", data=sent)
    assert "2 versions" in page(client, place).text

    client.post(f"{place}/rename", data={"name": "Trip"})
    assert page(client, place).h1 == "Trip"
    with school_scope(school.id), transaction():
        file = db.session.scalars(sa.select(File).where(File.name == "Plan.pdf")).one()
        folders.move([file], [], spot_of_person(client.user.id))
    client.post(f"{place}/trash")
    assert client.get(place).status_code == 404
    assert page(client, "/files/mine").text.count("Plan.pdf") >= 1


@pytest.mark.parametrize("name", ["forms", "FORMS", " Forms "])
def test_two_folders_of_one_name_never_lie_side_by_side(
    school: Any, client_for: Any, made: Any, page: Any, name: str
) -> None:
    client = client_for(Role.REGISTRAR)
    with school_scope(school.id):
        spot = spot_of_school()
    made(spot, "Forms")

    answer = client.post("/files/folders", data={"at": str(spot), "name": name})

    assert "“Forms” lies there already" in page(client, answer.location).text
    with school_scope(school.id):
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Folder)) == 1


def test_folders_lie_in_one_another_twenty_deep_and_no_deeper(
    school: Any, client_for: Any, made: Any, page: Any
) -> None:
    client = client_for(Role.REGISTRAR)
    with school_scope(school.id):
        top = spot_of_school()
    spot, chain = top, []
    for number in range(20):
        chain.append(made(spot, f"F{number}"))
        spot = inside(chain[-1])

    answer = client.post("/files/folders", data={"at": str(spot), "name": "Deeper"})
    assert "At most 20 folders can lie in one another" in page(client, answer.location).text
    other = made(top, "Other")
    assert move(client, inside(other), chain[0]).status_code == 422
    assert move(client, inside(other), chain[1]).status_code == 303


def test_a_folder_never_comes_to_lie_in_itself(school: Any, client_for: Any, made: Any) -> None:
    client = client_for(Role.REGISTRAR)
    with school_scope(school.id):
        outer = made(spot_of_school(), "Outer")
    inner = made(inside(outer), "Inner")

    for to in (outer, inner):
        answer = move(client, inside(to), outer)
        assert answer.status_code == 422
        assert "cannot lie in itself" in answer.text
    assert fresh(school, outer).parent_id is None


def test_what_is_moved_to_another_owner_takes_all_in_it_along(
    school: Any, client_for: Any, made: Any, kept: Any, page: Any
) -> None:
    client = client_for(Role.ADMINISTRATOR)
    mine, teachers = spot_of_person(client.user.id), spot_of_role(Role.TEACHER)
    outer = made(mine, "Outer")
    inner = made(inside(outer), "Inner")
    file = kept(inside(inner))
    colleague = client_for(Role.TEACHER)
    assert colleague.get(f"/files/{file.id}").status_code == 404

    answer = move(client, teachers, outer)

    assert answer.location.endswith("/files/roles/teacher")
    assert colleague.get(f"/files/{file.id}").status_code == 200
    for thing in (outer, inner, file):
        now = fresh(school, thing)
        assert (now.owner_kind, now.owner_id) == teachers[:2]
    assert fresh(school, inner).parent_id == outer.id
    undo = next(form for form in page(client, answer.location).forms if "data-undo" in form)
    client.post(undo["action"])
    assert colleague.get(f"/files/{file.id}").status_code == 404
    with school_scope(school.id):
        actions = db.session.scalars(
            sa.select(AuditEvent.action).where(AuditEvent.entity_id == outer.id)
        ).all()
    assert actions.count("folder.moved") == 2


@pytest.mark.parametrize(
    ("role", "source", "target", "status"),
    [
        (Role.TEACHER, "student", "student", 303),
        (Role.TEACHER, "student", "mine", 403),
        (Role.REGISTRAR, "student", "mine", 303),
        (Role.TEACHER, "mine", "student", 303),
        (Role.TEACHER, "mine", "school", 403),
        (Role.REGISTRAR, "mine", "school", 303),
        (Role.TEACHER, "school", "mine", 403),
        (Role.TEACHER, "registrars", "mine", 404),
    ],
)
def test_moving_needs_both_ends(
    school: Any,
    client_for: Any,
    made: Any,
    kept: Any,
    pupil: Student,
    role: Role,
    source: str,
    target: str,
    status: int,
) -> None:
    client = client_for(role)
    with school_scope(school.id):
        spots = {
            "mine": spot_of_person(client.user.id),
            "school": spot_of_school(),
            "registrars": spot_of_role(Role.REGISTRAR),
            "student": Spot(OwnerKind.STUDENT, pupil.id),
        }
    folder = made(spots[target], "To")
    file = kept(spots[source])

    assert move(client, inside(folder), file).status_code == status
    assert (fresh(school, file).folder_id == folder.id) == (status == 303)


def test_a_medical_file_and_a_held_students_files_stay(
    school: Any, client_for: Any, made: Any, kept: Any, pupil: Student
) -> None:
    client = client_for(Role.ADMINISTRATOR)
    mine = spot_of_person(client.user.id)
    of_pupil = Spot(OwnerKind.STUDENT, pupil.id)
    folder = made(of_pupil, "Letters")
    note = kept(inside(folder), "Note.pdf", purpose="medical")
    letter = kept(of_pupil, "Letter.pdf")

    for thing in (note, folder):
        answer = move(client, mine, thing)
        assert (answer.status_code, "stays with whom" in answer.text) == (409, True)
    with school_scope(school.id), transaction():
        holding.place_hold(holding.HoldTarget.STUDENT, pupil.id, "Court case")
    assert move(client, mine, letter).status_code == 409
    assert move(client, inside(folder), letter).status_code == 303


def test_a_medical_file_is_kept_with_its_student_only(school: Any, client_for: Any) -> None:
    client = client_for(Role.ADMINISTRATOR)
    with school_scope(school.id):
        to = spot_of_school()

    refused = begin(client, None, 5, at=str(to), purpose="medical")

    assert refused.status_code == 422
    assert "Medical documents are kept with the student only." in refused.text
    assert begin(client, None, 5, at=str(to)).status_code == 201


def test_a_name_that_is_taken_stops_the_whole_move(
    school: Any, client_for: Any, made: Any, kept: Any
) -> None:
    client = client_for(Role.TEACHER)
    mine = spot_of_person(client.user.id)
    folder = made(mine, "To")
    kept(inside(folder), "Report.pdf")
    one, other = kept(mine, "report.PDF"), kept(mine, "Other.pdf")

    answer = move(client, inside(folder), other, one)

    assert answer.status_code == 422
    assert "“Report.pdf” lies there already" in answer.text
    assert fresh(school, other).folder_id is None


def test_the_way_to_another_place_is_found_without_script(
    school: Any, client_for: Any, made: Any, kept: Any
) -> None:
    client = client_for(Role.TEACHER)
    mine = spot_of_person(client.user.id)
    outer = made(mine, "Outer")
    made(inside(outer), "Inner")
    file = kept(mine)

    here = client.post("/files/move", data={"ids": [str(file.id)], "at": str(mine)})
    assert "Outer" in here.text and "Teachers" in here.text
    deeper = client.post("/files/move", data={"ids": [str(file.id)], "to": str(inside(outer))})
    assert "Inner" in deeper.text and "Up to “My files”" in deeper.text
    assert client.post("/files/move", data={}).status_code == 422


def test_a_folder_comes_as_a_zip_with_its_folders(
    school: Any, client_for: Any, made: Any, kept: Any
) -> None:
    client = client_for(Role.TEACHER)
    mine = spot_of_person(client.user.id)
    outer = made(mine, "Out: er")
    inner = made(inside(outer), "Inner")
    kept(inside(inner), "a.pdf")
    kept(inside(outer), "b.pdf")
    kept(mine, "c.pdf")
    hidden = kept(spot_of_person(client_for(Role.TEACHER).user.id), "hidden.pdf")

    def unzipped(**form: Any) -> list[str]:
        answer = client.post("/files/zip", data={"at": str(mine), **form})
        return sorted(zipfile.ZipFile(io.BytesIO(answer.data)).namelist())

    assert unzipped(all="1") == ["Out_ er/Inner/a.pdf", "Out_ er/b.pdf", "c.pdf"]
    assert unzipped(ids=[f"folder:{outer.id}"]) == ["Out_ er/Inner/a.pdf", "Out_ er/b.pdf"]
    for ids in ([str(hidden.id)], [f"folder:{inner.id}"]):
        refused = client.post("/files/zip", data={"at": str(mine), "ids": ids})
        assert refused.status_code == 404


def test_names_dates_and_sizes_put_a_folder_in_order_page_by_page(
    school: Any, kept: Any, client_for: Any
) -> None:
    client = client_for(Role.TEACHER)
    mine = spot_of_person(client.user.id)
    names = ["zebra.txt", "Äpfel.txt", "bread.txt", "Yoghurt.txt", "aa.txt"]
    with school_scope(school.id):
        for place, name in enumerate(names):
            keeping.keep_upload(io.BytesIO(b"x" * (place + 1)), **mine._asdict(), filename=name)
        by_name = ["aa.txt", "Äpfel.txt", "bread.txt", "Yoghurt.txt", "zebra.txt"]
        for by, expected in (("name", by_name), ("changed", names), ("size", names)):
            for descending in (False, True):
                wanted = expected[::-1] if descending else expected
                assert _read_all(mine, by, descending=descending) == wanted, by
    assert client.get("/files/mine?sort=-size").text.index("aa.txt") < client.get(
        "/files/mine?sort=-size"
    ).text.index("zebra.txt")
    assert client.get("/files/mine?place=x").status_code == 422


def _read_all(spot: Spot, by: str, *, descending: bool) -> list[str]:
    from school.web.pagination import read_place

    found, place = [], None
    while True:
        page = list_in(spot, by=by, descending=descending, place=read_place(place), size=2)
        found += [row.name for row in page.rows]
        if page.after is None:
            return found
        place = page.after


def test_a_folder_page_asks_seldom_however_much_lies_there(
    school: Any, client_for: Any, made: Any, kept: Any, pupil: Student, count_queries: Any
) -> None:
    client = client_for(Role.REGISTRAR)
    folder = made(Spot(OwnerKind.STUDENT, pupil.id))

    def asked() -> int:
        client.get(f"/files/folders/{folder.id}")
        with count_queries() as sent:
            assert client.get(f"/files/folders/{folder.id}").status_code == 200
        return sent.count

    kept(inside(folder), "0.pdf")
    one = asked()
    for number in range(1, 30):
        kept(inside(folder), f"{number}.pdf")
        made(inside(folder), f"F{number}")
    assert asked() == one <= 6


def test_files_are_found_by_kind(school: Any, client_for: Any, kept: Any) -> None:
    client = client_for(Role.TEACHER)
    mine = spot_of_person(client.user.id)
    kept(mine, "Plan autumn.pdf")
    with school_scope(school.id):
        keeping.keep_upload(io.BytesIO(b"Autumn"), **mine._asdict(), filename="Autumn.txt")

    assert "Plan autumn.pdf" in client.get("/files?q=aut&kind=pdf").text
    assert "Autumn.txt" not in client.get("/files?q=aut&kind=pdf").text
    assert "Autumn.txt" in client.get("/files?q=aut&kind=document").text
    assert "Plan autumn.pdf" in client.get("/files?kind=pdf").text
    assert "No file you may see is called so" in client.get("/files?q=winter").text


def test_another_schools_folder_is_not_there(
    school: Any, other_school: Any, client_for: Any
) -> None:
    client = client_for(Role.ADMINISTRATOR)
    with school_scope(other_school.id), transaction():
        spot = spot_of_role(Role.TEACHER)  # the id is the same in every school
        theirs = folders.make_folder(spot, "Theirs")
    with school_scope(other_school.id):
        keeping.keep_upload(io.BytesIO(PDF), **spot._asdict(), filename="Theirs.pdf")

    assert client.get(f"/files/folders/{theirs.id}").status_code == 404
    assert "Theirs" not in client.get("/files/roles/teacher").text
    assert "Theirs.pdf" not in client.get("/files?q=theirs").text
    at = f"{spot}:{theirs.id}"
    assert client.post("/files/folders", data={"at": at, "name": "X"}).status_code == 404
    assert ROLE_IDS[Role.TEACHER] == spot.owner_id


@pytest.mark.parametrize("at", ["", "x", "student", "student:x", "nobody:" + "0" * 32, "x:y:z"])
def test_a_place_that_is_none_is_not_there(client_for: Any, at: str) -> None:
    client = client_for(Role.ADMINISTRATOR)
    assert client.post("/files/folders", data={"at": at, "name": "X"}).status_code == 404
    assert client.post("/files/zip", data={"at": at, "all": "1"}).status_code == 404
