"""Two at once in one owner's folders: names stay single, nothing lies in itself."""

from __future__ import annotations

import io
from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from school.db import db, transaction
from school.errors import Conflict, DomainError, Invalid
from school.files.models import File, FileVersion, Folder, OwnerKind
from school.files.queries import Spot, trail_to
from school.files.service import folders, keeping, trashing_folders
from school.files.service.places import spot_of_school
from school.tenancy.scope import school_scope
from tests.files.samples import PDF, picture


def at_once(app: Flask, school: Any, *acts: Callable[[], object]) -> list[str]:
    """Do these together, each as a request of its own would; what each came to."""
    start, told = Barrier(len(acts)), list[str]()

    def run(act: Callable[[], object]) -> None:
        with app.app_context(), school_scope(school.id):
            start.wait()
            try:
                act()
                told.append("done")
            except DomainError as error:
                told.append(type(error).__name__)

    threads = [Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(told)


def make(name: str, spot: Spot | None = None) -> Folder:
    with transaction():
        return folders.make_folder(spot or spot_of_school(), name)


def test_of_many_folders_of_one_name_made_at_once_one_is_there(
    app: Flask, school: Any, in_school: Any
) -> None:
    names = ("Forms", "forms", "FORMS", "Forms")

    told = at_once(app, school, *(lambda name=name: make(name) for name in names))

    assert told == ["Invalid"] * 3 + ["done"]
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Folder)) == 1


def test_two_folders_moved_into_each_other_at_once_make_no_circle(
    app: Flask, school: Any, in_school: Any
) -> None:
    one, other = make("One"), make("Other")

    def move(this: Any, into: Any) -> None:
        with transaction():
            folders.move([], [folders.get_folder(this)], folders.inside(folders.get_folder(into)))

    told = at_once(app, school, lambda: move(one.id, other.id), lambda: move(other.id, one.id))

    assert told == ["Invalid", "done"]
    db.session.expire_all()
    assert {len(trail_to(folder.id)) for folder in (one, other)} == {1, 2}


def test_a_file_sent_into_a_folder_that_is_removed_meanwhile_is_kept_or_refused(
    app: Flask, school: Any, in_school: Any
) -> None:
    folder = make("Going")
    spot = folders.inside(folder)

    def send() -> None:
        keeping.keep_upload(io.BytesIO(PDF), **spot._asdict(), filename="a.pdf")

    def remove() -> None:
        with transaction():
            trashing_folders.trash_folder(folders.get_folder(folder.id))

    told = at_once(app, school, send, remove)

    assert told in (["NotFound", "done"], ["done", "done"])
    db.session.expire_all()
    kept = db.session.scalars(sa.select(File)).all()
    assert [file.trashed_with for file in kept] == ([] if "NotFound" in told else [folder.id])


def test_files_of_one_name_sent_at_once_are_versions_of_one(
    app: Flask, school: Any, in_school: Any
) -> None:
    spot = folders.inside(make("Forms"))
    sends = [lambda: keeping.keep_upload(io.BytesIO(PDF), **spot._asdict(), filename="a.pdf")] * 3

    assert at_once(app, school, *sends) == ["done"] * 3
    assert db.session.scalar(sa.select(sa.func.count()).select_from(File)) == 1
    assert db.session.scalar(sa.select(sa.func.count()).select_from(FileVersion)) == 3


@pytest.mark.parametrize("name", ["", "   ", None, "\u200b", " \u202e\u3164 "])
def test_a_folder_needs_a_name(in_school: Any, name: str | None) -> None:
    with pytest.raises(Invalid, match="Type a name"), transaction():
        folders.make_folder(spot_of_school(), name)


def test_a_file_of_the_same_name_in_other_letters_is_a_version(in_school: Any) -> None:
    spot = spot_of_school()
    names = ("Report.pdf", "REPORT.pdf", "Repört.pdf")
    kept = [keeping.keep_upload(io.BytesIO(PDF), **spot._asdict(), filename=name) for name in names]
    assert kept[0].id == kept[1].id != kept[2].id
    assert db.session.scalar(sa.select(sa.func.count()).select_from(FileVersion)) == 3


def test_folders_moved_into_a_full_place_are_refused(
    in_school: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MOST_BESIDE", 3)
    into = make("Into")
    for name in ("One", "Two"):
        make(name, folders.inside(into))
    moving = [make(name) for name in ("Three", "Four")]

    with pytest.raises(Invalid, match="3 folders lie here already"), transaction():
        folders.move([], [folders.get_folder(folder.id) for folder in moving], folders.inside(into))


def test_a_photo_is_not_moved(student: Any) -> None:
    top = Spot(OwnerKind.STUDENT, student.id)
    folder = make("Pictures", top)
    photo = keeping.set_photo(
        io.BytesIO(picture()), owner_kind="student", owner_id=student.id, filename="me.jpg"
    )
    with pytest.raises(Conflict, match="A photo lies in no folder"), transaction():
        folders.move([photo], [], folders.inside(folder))


def test_a_file_is_not_renamed_to_what_lies_beside_it(in_school: Any) -> None:
    spot = spot_of_school()
    for name in ("One.pdf", "Two.pdf"):
        file = keeping.keep_upload(io.BytesIO(PDF), **spot._asdict(), filename=name)
    with pytest.raises(Invalid, match="lies there already"), transaction():
        keeping.rename_file(file, "one.pdf")
    with transaction():
        assert keeping.rename_file(file, "TWO.pdf").name == "TWO.pdf"
