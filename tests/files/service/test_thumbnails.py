"""Small pictures of pictures: made by a job, once, of what may be handed out, and gone with it."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from PIL import Image

from school import clock
from school.audit.actor import Actor, acting_as
from school.db import db, transaction
from school.files import queries
from school.files.models import (
    Blob,
    BlobDerivative,
    BlobState,
    File,
    FileVersion,
    ScanState,
    StorageUsage,
)
from school.files.queries import Held
from school.files.service import keeping, scanning, sweeping
from school.files.service.clamd import Scan, Verdict
from school.files.service.reconciling import reconcile
from school.files.service.sealing import opened
from school.files.service.thumbnails import making
from school.files.service.thumbnails.making import StoreAway, make_thumbnail
from school.files.service.thumbnails.showing import find_thumbnail
from school.jobs.models import Job
from school.storage import errors
from tests.factories.files import make_file
from tests.files.conftest import Faulty, Killed, killed
from tests.files.samples import PDF, picture


def photo(student: Any, **more: Any) -> File:
    return make_file(student, picture("PNG", (900, 600)), filename="a.png", **more)


def blob_of(file: File) -> UUID:
    return db.session.scalars(
        sa.select(FileVersion.blob_id)
        .where(FileVersion.file_id == file.id)
        .order_by(FileVersion.number.desc())
    ).first()


def small(file: File) -> Image.Image:
    with opened(find_thumbnail(file)) as blocks:
        return Image.open(io.BytesIO(b"".join(blocks)))


def derivatives() -> list[BlobDerivative]:
    return list(db.session.scalars(sa.select(BlobDerivative)))


def states() -> list[str]:
    db.session.expire_all()
    return sorted(db.session.scalars(sa.select(Blob.state)))


def test_a_job_makes_it_and_lists_know(student: Any, run_jobs: Any) -> None:
    file, text = photo(student), make_file(student)
    assert [row.has_thumbnail for row in queries.list_files("student", student.id).rows] == [False] * 2
    run_jobs()
    made = small(file)
    assert (made.format, made.size) == ("WEBP", (320, 213))
    known = {row.id: row.has_thumbnail for row in queries.list_files("student", student.id).rows}
    assert known == {file.id: True, text.id: False}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_of_every_kind_of_picture(kind: str, student: Any, run_jobs: Any) -> None:
    file = make_file(student, picture(kind, (64, 500)), filename=f"a.{kind.lower()}")
    run_jobs()
    assert small(file).size == (41, 320)


def test_see_through_stays_see_through(student: Any, run_jobs: Any) -> None:
    sheet = io.BytesIO()
    Image.new("RGBA", (50, 50), (200, 0, 0, 0)).save(sheet, "PNG")
    file = make_file(student, sheet.getvalue(), filename="a.png")
    run_jobs()
    assert small(file).getextrema()[3] == (0, 0)


def test_a_new_version_gets_one_of_its_own(student: Any, run_jobs: Any) -> None:
    file = photo(student)
    run_jobs()
    keeping.add_version(file, io.BytesIO(picture("PNG", (20, 40))), filename="a.png")
    run_jobs()
    assert small(queries.get_file(file.id)).size == (20, 40)
    assert len(derivatives()) == 2


def test_a_second_run_changes_nothing(student: Any, run_jobs: Any) -> None:
    blob_id = blob_of(photo(student))
    run_jobs()
    assert make_thumbnail(blob_id) is False
    assert states() == [BlobState.STORED] * 2


def test_it_lies_sealed_where_its_picture_does(student: Any, run_jobs: Any) -> None:
    file = photo(student, purpose="medical")
    run_jobs()
    content = find_thumbnail(file)
    assert content.envelope is not None
    assert small(file).size == (320, 213)


def test_photos_of_people_have_none(student: Any, run_jobs: Any) -> None:
    photo(student, purpose="photo")
    run_jobs()
    assert derivatives() == []


def test_what_cannot_be_drawn_is_tried_once(student: Any, monkeypatch: Any) -> None:
    """A picture from before pictures were drawn anew may be broken."""
    file = photo(student)
    drawn = []

    def broken(stream: Any, _sheet: Any) -> None:
        drawn.append(1)
        raise making.Refused("damaged_picture")

    monkeypatch.setattr(making, "draw_thumbnail", broken)
    assert make_thumbnail(blob_of(file)) is False
    assert make_thumbnail(blob_of(file)) is False
    assert len(drawn) == 1
    assert [made.derived_id for made in derivatives()] == [None]
    assert queries.list_files("student", student.id).rows[0].has_thumbnail is False


@pytest.mark.parametrize("state", [ScanState.HELD, ScanState.INFECTED])
def test_held_content_gets_none_and_shows_none(
    state: ScanState, student: Any, run_jobs: Any
) -> None:
    first, second = photo(student), photo(student)
    assert make_thumbnail(blob_of(first))
    with transaction():
        for file in (first, second):
            db.session.get_one(Blob, (file.school_id, blob_of(file))).scan_state = state
    run_jobs()
    assert len(derivatives()) == 1
    with pytest.raises(Held):
        find_thumbnail(first)


def test_what_was_held_gets_one_when_it_is_clean(student: Any, run_jobs: Any) -> None:
    file = photo(student)
    with transaction():
        db.session.get_one(Blob, (file.school_id, blob_of(file))).scan_state = ScanState.HELD
    run_jobs()
    assert derivatives() == []
    with transaction():
        scanning._write_down(blob_of(file), Scan(Verdict.CLEAN, "clean", engine="ClamAV 1"))
    run_jobs()
    assert small(file).size == (320, 213)


def test_the_scanner_is_not_asked_about_it(student: Any, run_jobs: Any) -> None:
    file = photo(student)
    run_jobs()
    now = clock.now() + timedelta(days=1)
    assert scanning._next_blobs("ClamAV 1", nightly=True, before=now) == [blob_of(file)]


def test_it_counts_for_the_school_and_for_nobody_else(student: Any, run_jobs: Any) -> None:
    sender = UUID(int=7)
    with acting_as(Actor(name="Amara Okafor", user_id=sender)):
        file = keeping.store_upload(
            io.BytesIO(picture("PNG", (900, 600))),
            owner_kind="student", owner_id=student.id, filename="a.png",
        )  # fmt: skip
    run_jobs()
    large, less = queries.get_content(file).size_bytes, find_thumbnail(file).size_bytes
    used = dict(
        db.session.execute(sa.select(StorageUsage.holder_kind, StorageUsage.used_bytes)).all()
    )
    assert used == {"school": large + less, "person": large}


def test_it_goes_with_its_picture(
    student: Any, run_jobs: Any, provider: Any, frozen_clock: Callable[[Any], None]
) -> None:
    file = photo(student)
    run_jobs()
    keys = {queries.get_content(file).key, find_thumbnail(file).key}
    blob_id = blob_of(file)
    with transaction():
        db.session.delete(db.session.scalars(sa.select(FileVersion)).one())
        db.session.flush()
        db.session.delete(db.session.scalars(sa.select(File)).one())
        db.session.flush()
        assert sweeping.let_go(blob_id)
    assert states() == [BlobState.DELETING] * 2
    frozen_clock(clock.now() + sweeping.BACKUPS_KEPT + timedelta(hours=1))
    sweeping.sweep()
    assert states() == [BlobState.DELETED] * 2
    assert not keys & {info.key for info in provider.list("")}
    assert db.session.scalars(sa.select(StorageUsage.used_bytes)).all() == [0]


def test_a_picture_that_goes_meanwhile_leaves_nothing(student: Any, monkeypatch: Any) -> None:
    file = photo(student)
    blob_id, write = blob_of(file), making.write

    def slowly(*args: Any, **more: Any) -> Any:
        written = write(*args, **more)
        with transaction():
            db.session.get_one(Blob, (file.school_id, blob_id)).state = BlobState.DELETING
        return written

    monkeypatch.setattr(making, "write", slowly)
    assert make_thumbnail(blob_id) is False
    sweeping.sweep()
    assert derivatives() == []
    assert states() == [BlobState.DELETED, BlobState.DELETING]


def test_the_reconciler_knows_it(student: Any, run_jobs: Any, app: Flask) -> None:
    photo(student)
    run_jobs()
    db.session.remove()
    (outcome,) = reconcile(dry_run=True)
    assert (outcome.counts["missing"], outcome.counts["rows"]) == (0, 2)


def test_a_store_that_is_away_is_asked_again(faulty: Faulty, student: Any, run_jobs: Any) -> None:
    file = photo(student)
    faulty.before_put.append(errors.Unavailable("away"))
    with pytest.raises(StoreAway):
        make_thumbnail(blob_of(file))
    assert make_thumbnail(blob_of(file))


def test_killed_with_its_bytes_written_it_is_made_again(
    faulty: Faulty, student: Any, frozen_clock: Callable[[Any], None]
) -> None:
    file = photo(student)
    faulty.after_put.append(Killed())
    with killed():
        make_thumbnail(blob_of(file))
    db.session.rollback()
    assert make_thumbnail(blob_of(file))
    frozen_clock(clock.now() + timedelta(hours=2))
    sweeping.sweep()
    assert states() == [BlobState.DELETED, BlobState.STORED, BlobState.STORED]


def test_only_pictures_have_a_job(student: Any) -> None:
    make_file(student, PDF)
    photo(student)
    kinds = db.session.scalars(sa.select(Job.kind).where(Job.kind == "files.thumbnail")).all()
    assert len(kinds) == 1
