"""Many files as one ZIP: the right ones, byte for byte, under names every system keeps."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from school.audit.models import AuditEvent
from school.db import db, transaction
from school.files.models import BlobLocation, File, LocationState
from school.files.service import bundles, keeping
from school.permissions import ROLE_PERMISSIONS, Permission, Role
from school.storage import errors
from school.students.models import Guardian, Student, StudentGuardian
from school.tenancy.scope import school_scope
from tests.factories.files import make_file, make_owner
from tests.files.conftest import Faulty
from tests.files.samples import PDF, picture, word

TEXT = b"name;mark\nZo\xc3\xab;1\n" * 5000


@pytest.fixture
def pupil(school: Any) -> Student:
    with school_scope(school.id):
        return make_owner()


def kept(school: Any, pupil: Student, data: bytes = PDF, **more: Any) -> File:
    with school_scope(school.id):
        return make_file(pupil, data, **more)


def ask(client: FlaskClient, pupil: Student, *files: File, **form: Any) -> Any:
    data = {"ids": [str(file.id) for file in files], **form}
    return client.post(f"/students/{pupil.id}/files/zip", data=data)


def unzipped(answer: Any) -> dict[str, bytes]:
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info) for info in archive.infolist()}


def downloads(school: Any) -> list[dict[str, Any]]:
    with school_scope(school.id):
        query = sa.select(AuditEvent.after).where(AuditEvent.action == "file.downloaded")
        return list(db.session.scalars(query.order_by(AuditEvent.id)))


def test_every_file_comes_byte_for_byte_in_its_current_version(
    client_for: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    image, document = picture(size=(300, 200)), word()
    report = kept(school, pupil)
    kept(school, pupil, TEXT, filename="Marks – Zoë.csv")
    kept(school, pupil, document, filename="成績.docx")
    with school_scope(school.id):
        keeping.add_version(report, io.BytesIO(PDF + b"% newer\n%%EOF\n"), filename="Other.pdf")
        kept_image = make_file(pupil, image, filename="Trip.jpg")
        drawn = client.get(client.get(f"/files/{kept_image.id}/download").location).data

    answer = ask(client, pupil, all="1")

    found = unzipped(answer)
    assert found == {
        "Report.pdf": PDF + b"% newer\n%%EOF\n",
        "Marks – Zoë.csv": TEXT,
        "成績.docx": document,
        "Trip.jpg": drawn,
    }
    assert [d["via"] for d in downloads(school) if "via" in d] == ["zip"] * 4
    assert {d["name"]: d["version"] for d in downloads(school)}["Report.pdf"] == 2
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Cache-Control"] == "private, no-store"
    disposition = answer.headers["Content-Disposition"]
    assert disposition.isascii() and disposition.startswith("attachment; ")
    assert "Files of Zofia Dąbrowska.zip" in unquote(disposition)


def test_what_is_packed_already_is_not_packed_again_and_names_say_utf_8(
    client_for: Any, school: Any, pupil: Student
) -> None:
    kept(school, pupil, PDF, filename="ä.pdf")
    kept(school, pupil, TEXT, filename="b.csv")

    data = ask(client_for(Role.TEACHER), pupil, all="1").data

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        table, pdf = sorted(archive.infolist(), key=lambda info: info.file_size, reverse=True)
    assert (pdf.compress_type, table.compress_type) == (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    assert table.compress_size < len(TEXT) / 20
    assert pdf.flag_bits & 0x800


def test_only_the_ticked_ones_come(client_for: Any, school: Any, pupil: Student) -> None:
    one, _, three = (kept(school, pupil, filename=f"{n}.pdf") for n in "abc")

    found = unzipped(ask(client_for(Role.TEACHER), pupil, one, three))

    assert set(found) == {"a.pdf", "c.pdf"}


def test_nothing_ticked_is_said_in_words(client_for: Any, page: Any, pupil: Student) -> None:
    client = client_for(Role.TEACHER)

    answer = ask(client, pupil)

    assert answer.status_code == 303
    assert "Tick at least one file first." in page(client, answer.location).text


def test_too_many_and_too_large_is_said_before_it_starts(
    client_for: Any, page: Any, school: Any, pupil: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_for(Role.TEACHER)
    one, two = kept(school, pupil), kept(school, pupil, filename="b.pdf")
    sentence = "One download holds 1 files and 2 GB at most"
    with monkeypatch.context() as patch:
        patch.setattr(bundles, "MOST_FILES", 1)
        for files, form in (((one, two), {}), ((), {"all": "1"})):
            answer = ask(client, pupil, *files, **form)
            assert answer.status_code == 303
            assert sentence in page(client, answer.location).text
        assert set(unzipped(ask(client, pupil, one))) == {"Report.pdf"}
    monkeypatch.setattr(bundles, "MOST_BYTES", len(PDF))
    assert ask(client, pupil, one, two).status_code == 303
    assert len(downloads(school)) == 1


def test_a_bundle_of_many_asks_as_often_as_one_of_few(
    client_for: Any, school: Any, pupil: Student, count_queries: Any
) -> None:
    client = client_for(Role.TEACHER)
    made = []
    for number in (1, 20):
        for place in range(number):
            kept(school, pupil, b"%d" % place, filename=f"{number}-{place}.txt")
        ask(client, pupil)
        with count_queries() as queries:
            assert len(unzipped(ask(client, pupil, all="1"))) >= number
        made.append(len(queries.statements))
    assert made[0] == made[1] <= 10


# ── names ──


HOSTILE = [
    "report.pdf",
    "Report.pdf",
    "REPORT.PDF",
    "_not-included.txt",
    "../../etc/passwd",
    "C:\\Windows\\system.ini",
    "con.txt",
    "a\u202efdp.exe",
    'what? "this": <that>|*.pdf',
    "stream.txt:hidden",
    "Re\u0301sume\u0301.pdf",
    "R\u00e9sum\u00e9.pdf",
    "straße.pdf",
    "STRASSE.pdf",
    "x" * 150 + ".pdf",
    "X" * 150 + ".pdf",
    "\u3042" * 150,
    "\u3042" * 140,
    "...",
    "",
    "~$lock.docx",
    "a\x00b\n.txt",
]


def test_names_are_safe_and_none_covers_another() -> None:
    names = bundles.safe_names([*HOSTILE, *HOSTILE, "Report (2).pdf"])

    assert len({name.casefold() for name in names}) == len(names)
    assert "_not-included.txt" not in names
    for name in names:
        assert 0 < len(name) <= 150 and len(name.encode()) <= 240
        assert not set(name) & set('/\\<>:"|?*\x00\n\u202e'), name
        assert name not in {".", ".."} and name == name.strip(" ")
    assert names[:3] == ["report.pdf", "Report (2).pdf", "REPORT (3).PDF"]


def test_a_thousand_of_one_name_are_quick_to_tell_apart() -> None:
    names = bundles.safe_names(["same.pdf"] * 1000)

    assert (names[0], names[1], names[999]) == ("same.pdf", "same (2).pdf", "same (1000).pdf")


# ── rights ──


@pytest.fixture
def family(school: Any, client_for: Any, pupil: Student) -> Callable[[Role], FlaskClient]:
    def sign_in(role: Role) -> FlaskClient:
        client = client_for(role)
        with school_scope(school.id), transaction():
            if role == Role.STUDENT:
                db.session.get(Student, (school.id, pupil.id)).user_id = client.user.id
            else:
                guardian = Guardian(name="Marta", sort_name="marta", user_id=client.user.id)
                db.session.add(guardian)
                db.session.flush()
                db.session.add(StudentGuardian(student_id=pupil.id, guardian_id=guardian.id))
        return client

    return sign_in


@pytest.mark.parametrize("role", [Role.GUARDIAN, Role.STUDENT])
def test_a_family_gets_what_it_may_see_and_nothing_else(
    family: Callable[[Role], FlaskClient], school: Any, pupil: Student, role: Role
) -> None:
    client = family(role)
    kept(school, pupil, filename="Letter.pdf")
    medical = kept(school, pupil, filename="Asthma.pdf", purpose="medical")
    old = kept(school, pupil, filename="Old.pdf")
    with school_scope(school.id), transaction():
        keeping.archive_file(old)

    may_medical = Permission.MEDICAL_VIEW in ROLE_PERMISSIONS[role]
    own = {"Letter.pdf", "Asthma.pdf"} if may_medical else {"Letter.pdf"}

    assert set(unzipped(ask(client, pupil, all="1"))) == own
    assert ask(client, pupil, medical).status_code == (200 if may_medical else 404)
    assert ask(client, pupil, old).status_code == 404
    for query in ("?show=archived",):
        answer = client.post(f"/students/{pupil.id}/files/zip{query}", data={"all": "1"})
        assert answer.status_code == 404
    assert {d["name"] for d in downloads(school)} == own


def test_the_office_gets_medical_and_archived_ones(
    client_for: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.ADMINISTRATOR)
    kept(school, pupil, filename="Asthma.pdf", purpose="medical")
    old = kept(school, pupil, filename="Old.pdf")
    with school_scope(school.id), transaction():
        keeping.archive_file(old)

    assert unzipped(ask(client, pupil, all="1")) == {"Asthma.pdf": PDF}
    answer = client.post(f"/students/{pupil.id}/files/zip?show=archived", data={"all": "1"})
    assert unzipped(answer) == {"Old.pdf": PDF}


def test_another_familys_and_another_schools_files_are_not_there(
    family: Callable[[Role], FlaskClient], client_for: Any, school: Any, other_school: Any,
    pupil: Student,
) -> None:  # fmt: skip
    own = kept(school, pupil)
    with school_scope(school.id):
        sibling = make_owner(given_name="Other")
    with school_scope(other_school.id):
        theirs = make_owner()
    foreign, else_s = kept(other_school, theirs), kept(school, sibling)
    for client in (family(Role.GUARDIAN), client_for(Role.ADMINISTRATOR)):
        assert ask(client, theirs, all="1").status_code == 404
        assert ask(client, pupil, own, foreign).status_code == 404
        assert ask(client, pupil, own, else_s).status_code == 404
        assert ask(client, pupil, ids=["x"]).status_code == 404
    assert ask(family(Role.GUARDIAN), sibling, all="1").status_code == 404
    assert downloads(school) == []


def test_a_photo_is_no_file_of_the_list(client_for: Any, school: Any, pupil: Student) -> None:
    client = client_for(Role.TEACHER)
    with school_scope(school.id):
        photo = keeping.set_photo(
            io.BytesIO(picture()), owner_kind="student", owner_id=pupil.id, filename="a.jpg"
        )
    assert ask(client, pupil, photo).status_code == 404
    assert ask(client, pupil, all="1").status_code == 303


# ── a store that fails ──


class Breaking(Faulty):
    """Fails while the blocks of the keys named are read: after one, before the first, or lying."""

    def __init__(self, real: Any, broken: dict[str, str]) -> None:
        super().__init__(real)
        self.broken = broken

    @contextmanager
    def open(self, key: str, **more: Any) -> Iterator[Iterator[bytes]]:
        how = self.broken.get(key) or self.broken.get("*")
        if how == "gone":
            raise errors.NotFound("gone", key=key)
        if how == "away":
            raise errors.Unavailable("away")
        with self.real.open(key, **more) as blocks:
            yield self._blocks(blocks, how)

    def _blocks(self, blocks: Iterator[bytes], how: str | None) -> Iterator[bytes]:
        for block in blocks:
            if how == "midway":
                yield block[: len(block) // 2]
                raise errors.Unavailable("cut off")
            yield block[:-1] + b"!" if how == "changed" else block[:-1] if how == "short" else block


def key_of(school: Any, file: File) -> str:
    from school.files import queries

    with school_scope(school.id):
        return queries.get_content(queries.get_file(file.id)).key


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("gone", "could not be read"),
        ("midway", "could not be read"),
        ("changed", "holds something else"),
        ("short", "holds something else"),
    ],
)
def test_what_cannot_be_read_is_named_and_the_rest_is_whole(
    app: Any, put_on_shelf: Any, client_for: Any, school: Any, pupil: Student, how: str, reason: str
) -> None:
    bad = kept(school, pupil, random.Random(1).randbytes(1).hex().encode() * 9000, filename="B.txt")
    kept(school, pupil, filename="A.pdf")
    kept(school, pupil, TEXT, filename="C.csv")
    put_on_shelf(Breaking(app.extensions["school.storage"], {key_of(school, bad): how}))

    found = unzipped(ask(client_for(Role.TEACHER), pupil, all="1"))

    told = found.pop("_not-included.txt").decode()
    assert found == {"A.pdf": PDF, "C.csv": TEXT}
    assert "B.txt: " in told and reason in told and "A.pdf" not in told


def test_content_that_lies_nowhere_is_named_too(
    client_for: Any, school: Any, pupil: Student
) -> None:
    lost = kept(school, pupil, filename="Lost.pdf")
    kept(school, pupil, filename="There.pdf")
    key = key_of(school, lost)
    with school_scope(school.id), transaction() as session:
        session.execute(
            sa.update(BlobLocation)
            .where(BlobLocation.key == key)
            .values(state=LocationState.MISSING)
        )

    found = unzipped(ask(client_for(Role.TEACHER), pupil, all="1"))

    assert "Lost.pdf: " in found.pop("_not-included.txt").decode()
    assert found == {"There.pdf": PDF}


def test_a_store_that_is_away_is_said_before_anything_is_sent(
    app: Any, put_on_shelf: Any, client_for: Any, school: Any, pupil: Student
) -> None:
    kept(school, pupil)
    put_on_shelf(Breaking(app.extensions["school.storage"], {"*": "away"}))

    answer = ask(client_for(Role.TEACHER), pupil, all="1")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert "does not answer" in answer.text


def test_every_provider_fills_the_zip(
    provider: Any, client_for: Any, school: Any, pupil: Student
) -> None:
    kept(school, pupil, TEXT, filename="Marks.csv")
    kept(school, pupil, filename="Asthma.pdf", purpose="medical")

    found = unzipped(ask(client_for(Role.ADMINISTRATOR), pupil, all="1"))

    assert found == {"Marks.csv": TEXT, "Asthma.pdf": PDF}


# ── large ones ──


def test_large_sizes_are_written_the_long_way(
    client_for: Any, school: Any, pupil: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(school, pupil, TEXT, filename="Marks.csv")
    kept(school, pupil, filename="Report.pdf")
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)

    data = ask(client_for(Role.TEACHER), pupil, all="1").data

    assert b"PK\x06\x06" in data  # the ZIP64 end of its directory
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {i.filename: archive.read(i) for i in archive.infolist()} == {
            "Marks.csv": TEXT,
            "Report.pdf": PDF,
        }


def test_however_large_little_is_held(school: Any, pupil: Student) -> None:
    """300 MiB through the writer, with the blocks a provider gives."""
    import tracemalloc
    from dataclasses import replace
    from hashlib import sha256

    from school import clock
    from school.files import queries
    from school.files.service.reading import opener

    file = kept(school, pupil)
    block, count = random.Random(3).randbytes(1024 * 1024), 100
    digest = sha256()
    for _ in range(count):
        digest.update(block)
    with school_scope(school.id):
        content = queries.get_content(queries.get_file(file.id))
        opener()
    large = replace(content, size_bytes=count * len(block), sha256=digest.hexdigest())

    @contextmanager
    def blocks(_content: Any, _start: int, _length: int) -> Iterator[Iterator[bytes]]:
        yield (block[:] for _ in range(count))

    entries = [bundles.Entry(f"{n}.pdf", clock.now(), large) for n in range(3)]
    words = bundles.Words("h", "u", "c", "v")
    tracemalloc.start()
    sent = sum(map(len, bundles.stream(entries, blocks, words)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sent > 3 * count * len(block)
    assert peak < 8 * 1024 * 1024
