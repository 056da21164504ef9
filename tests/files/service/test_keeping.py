"""What people do with files, on every provider."""

from __future__ import annotations

import io
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from school.db import db, transaction
from school.errors import Conflict, Invalid, NotFound, Stale, TooLarge
from school.files import queries
from school.files.models import Blob, BlobLocation, BlobState, File, FileVersion, LocationState
from school.files.service import keeping
from school.files.service.shelf import shelf
from school.search.index import having_word
from school.search.models import Kind
from tests.factories.files import make_file, make_owner
from tests.files.conftest import actions, content_of
from tests.files.samples import PDF, picture, word

NEWER = PDF + b"% newer\n%%EOF\n"


def versions_of(file: File) -> list[FileVersion]:
    return list(
        db.session.scalars(
            sa.select(FileVersion)
            .where(FileVersion.file_id == file.id)
            .order_by(FileVersion.number)
        )
    )


def found(word: str) -> bool:
    return db.session.scalar(having_word(Kind.FILE, word)) is not None


def test_a_file_is_kept_replaced_brought_back_and_put_away(provider: Any, student: Any) -> None:
    file = make_file(student, PDF, filename="Report.pdf")
    keeping.add_version(file, io.BytesIO(NEWER), filename="Report 2.pdf", note="Marks corrected")
    with transaction():
        keeping.restore_version(file, 1)
    with transaction():
        keeping.archive_file(file)
    away = queries.list_files("student", student.id).rows
    with transaction():
        keeping.restore_file(file)

    assert away == []
    (row,) = queries.list_files("student", student.id).rows
    assert (row.name, row.number, row.changed_by) == ("Report.pdf", 3, "Schoolhouse")
    first, second, third = versions_of(file)
    assert first.blob_id == third.blob_id != second.blob_id
    assert second.note == "Marks corrected"
    newest = queries.list_versions(queries.get_file(file.id))[0]
    assert (newest.number, newest.brought_back) == (3, 1)
    contents = [
        content_of(provider, queries.get_content(queries.get_file(file.id), n).key)
        for n in (1, 2, 3)
    ]
    assert contents == [PDF, NEWER, PDF]
    assert actions() == [
        "file.added",
        "file.version_added",
        "file.version_restored",
        "file.archived",
        "file.restored",
    ]


def test_what_was_counted_while_streaming_is_what_is_kept(provider: Any, student: Any) -> None:
    file = make_file(student)

    blob = db.session.scalars(sa.select(Blob)).one()
    place = db.session.scalars(sa.select(BlobLocation)).one()
    content = queries.get_content(file)
    assert (blob.state, place.state) == (BlobState.STORED, LocationState.PRESENT)
    assert (content.size_bytes, content.content_type) == (len(PDF), "application/pdf")
    assert provider.stat(place.key).size_bytes == len(PDF)
    assert "Report" not in place.key


def test_a_stream_that_cannot_be_read_twice_is_taken_too(student: Any) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self._data = io.BytesIO(PDF)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            return self._data.readinto(buffer)

    file = keeping.store_upload(Pipe(), owner_kind="student", owner_id=student.id, filename="a.pdf")

    assert queries.get_content(file).size_bytes == len(PDF)


def test_the_same_name_makes_a_new_version(student: Any) -> None:
    for data in (PDF, NEWER):
        keeping.keep_upload(
            io.BytesIO(data), owner_kind="student", owner_id=student.id, filename="Report.pdf"
        )

    (row,) = queries.list_files("student", student.id).rows
    assert row.number == 2


def test_a_replaced_kind_changes_the_ending_of_the_name(student: Any) -> None:
    file = make_file(student, PDF, filename="Report.pdf")

    keeping.add_version(file, io.BytesIO(word()), filename="Other.docx")

    assert queries.get_file(file.id).name == "Report.docx"
    with transaction():
        keeping.restore_version(file, 1)
    assert queries.get_file(file.id).name == "Report.pdf"


def test_refused_content_leaves_nothing_behind(student: Any) -> None:
    with pytest.raises(Invalid):
        make_file(student, b"MZ\x90\x00" + b"\x00" * 90, filename="photo.jpg")

    assert db.session.scalar(sa.select(sa.func.count()).select_from(Blob)) == 0
    assert db.session.scalar(sa.select(sa.func.count()).select_from(File)) == 0


def test_a_file_over_the_limit_is_refused_before_and_while_reading(student: Any, app: Any) -> None:
    most = shelf().most_bytes

    class Endless(io.RawIOBase):
        read_bytes = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            Endless.read_bytes += len(buffer)
            return len(buffer)

    owner = {"owner_kind": "student", "owner_id": student.id, "filename": "a.pdf"}
    with pytest.raises(TooLarge, match="100 MB"):
        keeping.store_upload(io.BytesIO(b""), size_hint=most + 1, **owner)
    with pytest.raises(TooLarge):
        keeping.store_upload(Endless(), **owner)
    assert Endless.read_bytes < most + 1024 * 1024


def test_two_people_replacing_at_once_do_not_overwrite_each_other(student: Any) -> None:
    file = make_file(student)
    seen = queries.get_file(file.id).version
    keeping.add_version(file, io.BytesIO(NEWER), filename="a.pdf", expected_version=seen)

    with pytest.raises(Stale) as conflict:
        keeping.add_version(file, io.BytesIO(PDF), filename="b.pdf", expected_version=seen)

    assert conflict.value.theirs["version"] == 2
    assert len(versions_of(file)) == 2
    states = db.session.scalars(sa.select(Blob.state)).all()
    assert sorted(states) == [BlobState.DELETING, BlobState.STORED, BlobState.STORED]


def test_the_loser_s_bytes_are_deleted_by_the_next_sweep(student: Any, run_jobs: Any) -> None:
    file = make_file(student)
    with pytest.raises(Stale):
        keeping.add_version(file, io.BytesIO(NEWER), filename="b.pdf", expected_version=99)

    run_jobs()

    places = db.session.scalars(sa.select(BlobLocation)).all()
    assert len(places) == 1
    provider = shelf().provider
    assert [info.key for info in provider.list("") if info.key == places[0].key]


def test_bringing_back_the_current_or_a_missing_version_is_refused(student: Any) -> None:
    file = make_file(student)

    with pytest.raises(Conflict), transaction():
        keeping.restore_version(file, 1)
    with pytest.raises(NotFound), transaction():
        keeping.restore_version(file, 7)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Bericht.pdf", "Bericht.pdf"),
        ("Bericht", "Bericht.pdf"),
        ("../x/Bericht v1.2", "Bericht v1.2.pdf"),
        ("con.pdf", "_con.pdf"),
    ],
)
def test_renaming_keeps_the_ending_true(student: Any, typed: str, kept: str) -> None:
    file = make_file(student)

    with transaction():
        keeping.rename_file(file, typed)

    assert queries.get_file(file.id).name == kept
    assert found("bericht") or kept.startswith("_")


@pytest.mark.parametrize("typed", ["", "   ", "Report.docx"])
def test_a_name_that_lies_or_is_empty_is_refused(student: Any, typed: str) -> None:
    file = make_file(student)

    with pytest.raises(Invalid) as refusal, transaction():
        keeping.rename_file(file, typed)

    assert refusal.value.field == "name"


def test_search_finds_files_in_use_only(student: Any) -> None:
    file = make_file(student, filename="Zeugnis Dąbrowska.pdf")
    assert found("dabrowska")

    with transaction():
        keeping.archive_file(file)
    assert not found("dabrowska")

    with transaction():
        keeping.restore_file(file)
    assert found("zeugnis")


def test_a_list_never_shows_less_than_what_was_just_written(student: Any) -> None:
    assert queries.list_files("student", student.id).rows == []
    make_file(student)
    assert len(queries.list_files("student", student.id).rows) == 1


def test_writing_inside_a_transaction_is_a_mistake(student: Any) -> None:
    with pytest.raises(RuntimeError), transaction():
        make_file(student)


def test_nobody_answers_for_an_unknown_kind_of_owner(in_school: Any) -> None:
    with pytest.raises(NotFound):
        keeping.store_upload(io.BytesIO(PDF), owner_kind="bus", owner_id=uuid4(), filename="a.pdf")


def test_a_photo_put_away_like_any_file_is_nobodys_picture(student: Any) -> None:
    kind, owner = "student", student.id
    photo = keeping.set_photo(
        io.BytesIO(picture("PNG", (90, 90))), owner_kind=kind, owner_id=owner, filename="ann.png"
    )
    shown = sa.select(type(student).photo_file_id)
    with transaction():
        keeping.archive_file(photo)
    assert db.session.scalar(shown) is None
    with transaction():
        keeping.restore_file(photo)
    assert db.session.scalar(shown) == photo.id


def test_a_photo_is_set_replaced_and_taken_away(student: Any) -> None:
    def set_photo(kind: str) -> File:
        return keeping.set_photo(
            io.BytesIO(picture(kind, (900, 900))),
            owner_kind="student",
            owner_id=student.id,
            filename=f"me.{kind.lower()}",
        )

    first = set_photo("PNG")
    again = set_photo("JPEG")

    assert first.id == again.id
    assert db.session.get(type(student), (student.school_id, student.id)).photo_file_id == first.id
    assert queries.get_content(again).content_type == "image/jpeg"
    assert queries.list_files("student", student.id).rows == []
    with transaction():
        keeping.remove_photo(owner_kind="student", owner_id=student.id)
    assert db.session.get(type(student), (student.school_id, student.id)).photo_file_id is None
    assert queries.find_photo("student", student.id).archived_at is not None


def test_another_student_s_files_are_not_in_the_list(student: Any) -> None:
    make_file(make_owner(given_name="Isla", family_name="MacLeod"))

    assert queries.list_files("student", student.id).rows == []
