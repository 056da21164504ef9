"""Looking at a file on its own page: what is framed can do nothing, and is nobody else's."""

from __future__ import annotations

import io
import random
import re
import zipfile
from contextlib import suppress
from datetime import timedelta
from typing import Any
from xml.parsers.expat import ExpatError

import pytest
from flask.testing import FlaskClient

from school import clock
from school.db import db, transaction
from school.errors import DomainError
from school.files import queries
from school.files.models import File
from school.files.service import documents, keeping, previews
from school.permissions import Role
from school.storage import errors
from school.students.models import Student
from school.tenancy.scope import school_scope
from tests.factories.files import make_file, make_owner
from tests.files.conftest import Faulty
from tests.files.samples import PDF, office, open_document, picture, types, word, zipped
from tests.files.views.test_downloads import acts

LOCKED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
CORE = (
    '<?xml version="1.0"?><cp:coreProperties xmlns:cp="a" xmlns:dc="b" xmlns:dcterms="c">'
    "<dc:title>{title}</dc:title><dc:creator>Amara Okafor</dc:creator>"
    "<cp:lastModifiedBy>Ingrid</cp:lastModifiedBy>"
    "<dcterms:modified>{at}</dcterms:modified></cp:coreProperties>"
)
GOOD_CORE = CORE.format(title="Class 8", at="2026-05-04T10:00:00Z")


def kept(school: Any, pupil: Student, data: bytes = PDF, **more: Any) -> File:
    with school_scope(school.id):
        return make_file(pupil, data, **more)


def framed(client: FlaskClient, file: File) -> Any:
    answer = client.get(f"/files/{file.id}/preview")
    assert answer.status_code == 303, answer.text
    assert answer.location.startswith("/p/")
    return client.get(answer.location)


@pytest.mark.parametrize(
    ("filename", "data", "content_type", "sandboxed"),
    [
        ("a.png", picture("PNG"), "image/png", True),
        ("a.txt", "Grüße\n".encode(), "text/plain; charset=utf-8", True),
        ("a.txt", "Grüße\n".encode("latin-1"), "text/plain; charset=windows-1252", True),
        ("a.csv", b"a;b\n1;2\n", "text/plain; charset=utf-8", True),
        # Browsers show no PDF in a sandbox; it runs nothing in our name.
        ("a.pdf", PDF, "application/pdf", False),
    ],
)
def test_what_is_shown_can_do_nothing(
    client_for: Any, school: Any, pupil: Student, filename: str, data: bytes, content_type: str,
    *, sandboxed: bool,
) -> None:  # fmt: skip
    client = client_for(Role.TEACHER)
    answer = framed(client, kept(school, pupil, data, filename=filename))

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == content_type
    policy = answer.headers["Content-Security-Policy"]
    assert policy == (f"sandbox; {LOCKED}" if sandboxed else LOCKED)
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert answer.headers["Cache-Control"] == "private, max-age=300"
    if filename != "a.png":  # that one was drawn anew
        assert answer.data == data
    assert [act for act, _ in acts(school)] == ["file.link_issued", "file.downloaded"]


def test_only_a_page_that_frames_may_have_frames(
    client_for: Any, page: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    policies = {}
    for name, data in {
        "a.pdf": PDF,
        "a.txt": b"hello",
        "a.jpg": picture(),
        "a.docx": word(),
    }.items():
        found = page(client, f"/files/{kept(school, pupil, data, filename=name).id}")
        policies[name] = found.response.headers["Content-Security-Policy"]
        assert ("<iframe" in found.html) == (name in {"a.pdf", "a.txt"}), name

    assert policies["a.pdf"] == policies["a.txt"] == policies["a.jpg"] + "; frame-src 'self'"
    assert policies["a.jpg"] == policies["a.docx"]
    assert "frame-src" not in policies["a.jpg"]


def test_text_is_framed_in_a_sandbox_and_pictures_are_pictures(
    client_for: Any, page: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    text = page(client, f"/files/{kept(school, pupil, b'hello', filename='a.txt').id}").html
    image = page(client, f"/files/{kept(school, pupil, picture(), filename='b.jpg').id}").html

    assert re.search(r'<iframe[^>]* title="Preview of a.txt" sandbox loading="lazy">', text)
    assert re.search(r'<img class="preview"[^>]* alt="Preview of b.jpg"', image)


def test_what_cannot_be_shown_says_so(
    client_for: Any, page: Any, school: Any, pupil: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_for(Role.TEACHER)
    document = kept(school, pupil, word(), filename="a.docx")
    text = kept(school, pupil, b"x" * 2000, filename="a.txt")
    assert "There is no preview of this kind of file." in page(client, f"/files/{document.id}").text
    assert client.get(f"/files/{document.id}/preview").status_code == 404
    monkeypatch.setitem(previews._MOST_BYTES, "text", 1999)
    assert "too large for a preview" in page(client, f"/files/{text.id}").text
    assert client.get(f"/files/{text.id}/preview").status_code == 404


@pytest.mark.parametrize("data", [PDF, b"hello", office("word/document.xml")])
def test_the_page_of_a_file_asks_six_times_at_most(
    client_for: Any, school: Any, pupil: Student, count_queries: Any, data: bytes
) -> None:
    client = client_for(Role.TEACHER)
    names = {PDF: "a.pdf", b"hello": "a.txt"}
    file = kept(school, pupil, data, filename=names.get(data, "a.docx"))
    client.get(f"/files/{file.id}")
    with count_queries() as queries_made:
        assert client.get(f"/files/{file.id}").status_code == 200
    assert len(queries_made.statements) <= 6


# ── links ──


def test_a_preview_is_one_persons(client_for: Any, app: Any, school: Any, pupil: Student) -> None:
    client, other = client_for(Role.TEACHER), client_for(Role.TEACHER)
    place = client.get(f"/files/{kept(school, pupil).id}/preview").location

    assert client.get(place).status_code == 200
    assert other.get(place).status_code == 404
    assert app.test_client().get(place).status_code == 404


def test_rights_are_asked_again(client_for: Any, school: Any, pupil: Student) -> None:
    client = client_for(Role.GUARDIAN)
    file = kept(school, pupil)
    assert client.get(f"/files/{file.id}/preview").status_code == 404
    teacher = client_for(Role.TEACHER)
    medical = kept(school, pupil, filename="m.pdf", purpose="medical")
    assert teacher.get(f"/files/{medical.id}/preview").status_code in {303, 404}
    office_client = client_for(Role.ADMINISTRATOR)
    answer = framed(office_client, medical)
    assert (answer.data, answer.headers["Cache-Control"]) == (PDF, "private, no-store")


def test_an_archived_file_is_taken_from_a_familys_frame(
    client_for: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.STUDENT)
    with school_scope(school.id), transaction():
        db.session.get(Student, (school.id, pupil.id)).user_id = client.user.id
    file = kept(school, pupil)
    place = client.get(f"/files/{file.id}/preview").location
    assert client.get(place).status_code == 200
    with school_scope(school.id), transaction():
        keeping.archive_file(file)
    assert client.get(place).status_code == 404


def test_another_schools_preview_is_not_there(
    client_for: Any, school: Any, other_school: Any
) -> None:
    with school_scope(other_school.id):
        theirs = make_file(make_owner())
    there = client_for(Role.TEACHER, at=other_school)
    place = there.get(f"/files/{theirs.id}/preview").location
    client = client_for(Role.ADMINISTRATOR)

    assert client.get(f"/files/{theirs.id}/preview").status_code == 404
    assert client.get(place).status_code == 404


def test_links_are_for_one_use_only_and_grow_old(
    client_for: Any, school: Any, pupil: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_for(Role.TEACHER)
    file = kept(school, pupil)
    place = client.get(f"/files/{file.id}/preview").location
    download = client.get(f"/files/{file.id}/download").location

    assert client.get(place.replace("/p/", "/f/")).status_code == 404
    assert client.get(download.replace("/f/", "/p/")).status_code == 404
    late = clock.now() + timedelta(minutes=5, seconds=2)
    monkeypatch.setattr(clock, "now", lambda: late)
    assert client.get(place).status_code == 410


def test_no_flipped_bit_is_accepted(client_for: Any, school: Any, pupil: Student) -> None:
    client = client_for(Role.TEACHER)
    token = client.get(f"/files/{kept(school, pupil).id}/preview").location.removeprefix("/p/")
    previews.read_ticket(token)
    accepted = []
    for at in range(len(token)):
        for bit in range(7):
            forged = token[:at] + chr(ord(token[at]) ^ (1 << bit)) + token[at + 1 :]
            try:
                previews.read_ticket(forged)
            except DomainError:
                continue
            accepted.append((at, bit))
    assert accepted == []


@pytest.mark.parametrize("rubbish", ["x", "a.b", "a.b.c", "A" * 5000, "%00", "ünïcode.x.y"])
def test_rubbish_is_not_there(client_for: Any, rubbish: str) -> None:
    assert client_for(Role.TEACHER).get(f"/p/{rubbish}").status_code == 404


def test_a_store_that_is_away_is_said_in_words(
    app: Any, client_for: Any, page: Any, school: Any, pupil: Student, put_on_shelf: Any
) -> None:
    class Away(Faulty):
        def open(self, *_args: Any, **_more: Any) -> Any:
            raise errors.Unavailable("away")

    client = client_for(Role.TEACHER)
    text = kept(school, pupil, b"hello", filename="a.txt")
    document = kept(school, pupil, word(docProps__core=b""), filename="a.docx")
    put_on_shelf(Away(app.extensions["school.storage"]))

    assert framed(client, text).status_code == 503
    assert "no preview" in page(client, f"/files/{document.id}").text


# ── what documents say of themselves ──


def told(school: Any, pupil: Student, data: bytes, filename: str, **more: Any) -> documents.Told:
    file = kept(school, pupil, data, filename=filename, **more)
    with school_scope(school.id):
        return documents.told_by(queries.get_file(file.id))


def test_a_document_says_what_it_is(
    client_for: Any, page: Any, school: Any, pupil: Student
) -> None:
    parts = {
        "docProps/core.xml": GOOD_CORE,
        "docProps/app.xml": "<Properties><Pages>7</Pages><Words>900</Words></Properties>",
    }
    file = kept(school, pupil, office("word/document.xml", **parts), filename="a.docx")

    found = page(client_for(Role.TEACHER), f"/files/{file.id}").text

    for words in ("Title Class 8", "Author Amara Okafor", "Last changed by Ingrid", "Pages 7"):
        assert words in found
    assert "Words" not in found


def test_every_kind_counts_its_own(school: Any, pupil: Student) -> None:
    book = '<workbook><sheets><sheet name="a"/><sheet name="b"/></sheets></workbook>'
    sheets = told(
        school,
        pupil,
        zipped(
            {
                "[Content_Types].xml": types("xl/workbook.xml"),
                "xl/workbook.xml": book,
            }
        ),
        "a.xlsx",
    )
    slides = told(
        school,
        pupil,
        office("ppt/presentation.xml", **{"docProps/app.xml": "<P><Slides>12</Slides></P>"}),
        "a.pptx",
    )
    assert (sheets, slides) == ({"sheets": 2}, {"slides": 12})


def test_an_open_document_says_it_too(school: Any, pupil: Student) -> None:
    meta = (
        '<office:document-meta xmlns:office="o" xmlns:meta="m" xmlns:dc="d"><office:meta>'
        "<dc:title>Trip</dc:title><meta:initial-creator>Zoë</meta:initial-creator>"
        "<dc:date>2026-05-04T10:00:00.123456789</dc:date>"
        '<meta:document-statistic meta:page-count="3"/></office:meta></office:document-meta>'
    )
    data = io.BytesIO(open_document("text"))
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr("meta.xml", meta)
    assert told(school, pupil, data.getvalue(), "a.odt") == {
        "title": "Trip",
        "author": "Zoë",
        "changed_at": "2026-05-04T10:00:00.123456",
        "pages": 3,
    }


@pytest.mark.parametrize(
    ("core", "expected"),
    [
        ("<broken", {}),
        ("<a>" * 100 + "</a>" * 100, {}),
        (f"<a>{'<b/>' * 3000}</a>", {}),
        (f"<a><title>{'x' * 300_000}</title></a>", {}),
        (f"<a><title>{'x' * 5000}</title></a>", {"title": "x" * 199 + "…"}),
        ("<a><title>in\u202evisi\u200bble \n  one</title></a>", {"title": "invisible one"}),
        ("<a><title>  </title><modified>0001-01-01T00:00:00+14:00</modified></a>", {}),
        ("<a><modified>yesterday</modified></a>", {}),
        ('<!DOCTYPE a [<!ENTITY x "boo">]><a><title>&x;</title></a>', {}),
        ("<a><title>&lt;script&gt;alert(1)&lt;/script&gt;</title></a>",
         {"title": "<script>alert(1)</script>"}),
    ],
)  # fmt: skip
def test_hostile_properties_say_nothing_or_little(core: str, expected: documents.Told) -> None:
    found = documents._as_told(_texts(core))
    assert dict(found) == expected


def _texts(core: str) -> dict[str, str]:
    data = core.encode()
    if len(data) > documents.MOST_PART_BYTES:
        return {}
    with suppress(ValueError, ExpatError):
        return documents._Reader(documents._OOXML["docProps/core.xml"]).read(data)
    return {}


def test_markup_in_a_title_is_text_on_the_page(
    client_for: Any, page: Any, school: Any, pupil: Student
) -> None:
    core = CORE.format(title="&lt;b&gt;bold&lt;/b&gt;", at="never")
    data = office("word/document.xml", **{"docProps/core.xml": core})
    file = kept(school, pupil, data, filename="a.docx")

    assert "&lt;b&gt;bold" in page(client_for(Role.TEACHER), f"/files/{file.id}").html


def test_a_medical_documents_words_are_read_but_not_remembered(
    school: Any, pupil: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_args: Any, **_more: Any) -> Any:
        raise AssertionError("remembered")

    monkeypatch.setattr(documents.cache, "remember", never)
    data = office("word/document.xml", **{"docProps/core.xml": GOOD_CORE})
    found = told(school, pupil, data, "a.docx", purpose="medical")

    assert found["title"] == "Class 8"


def test_of_a_large_document_little_is_read(
    app: Any, school: Any, pupil: Student, put_on_shelf: Any
) -> None:
    noise = random.Random(5).randbytes(12 * 1024 * 1024)
    parts = {"docProps/core.xml": GOOD_CORE, "word/media/image1.bin": noise}
    with school_scope(school.id):
        real = app.extensions["school.storage"]

        class Counting(Faulty):
            read = 0

            def open(self, key: str, **more: Any) -> Any:
                Counting.read += more.get("length") or 10**9
                return self.real.open(key, **more)

        data = zipped({"[Content_Types].xml": "x", "word/document.xml": "<x/>", **parts})
        info = real.put("blob/large-document", io.BytesIO(data))
        put_on_shelf(Counting(real))
        content = queries.Content(
            file_id=pupil.id, number=1, name="a.docx", purpose="medical", key=info.key,
            size_bytes=len(data), sha256="", blob_id=pupil.id, envelope=None,
            content_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        )  # fmt: skip
        assert documents._read(content)["title"] == "Class 8"
    assert Counting.read < 1024 * 1024
