"""Used space is counted exactly, whoever sends what at once and whatever dies in between."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from school import clock
from school.audit.actor import Actor, acting_as
from school.audit.models import AuditEvent
from school.db import db, new_id, transaction
from school.errors import Invalid, Unavailable
from school.files.models import (
    Blob,
    BlobState,
    File,
    HolderKind,
    StorageUsage,
    Upload,
    UploadState,
    UsageDay,
)
from school.files.service import keeping, quotas, writing
from school.files.service.quotas import NoRoom, set_limit
from school.files.service.recounting import keep_count, plan_count, recount
from school.files.service.sweeping import let_go, sweep
from school.storage import errors
from school.students.models import Student
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from tests.factories.files import make_owner
from tests.files.conftest import Faulty, Killed, killed

SCHOOL, PERSON = HolderKind.SCHOOL, HolderKind.PERSON


@pytest.fixture
def sender() -> Iterator[UUID]:
    """Everything in the test is sent by this person."""
    user_id = uuid4()
    with acting_as(Actor(name="Amara Okafor", user_id=user_id)):
        yield user_id


def send(student: Student, size_bytes: int, *, name: str = "Notes.txt", hint: bool = False) -> File:
    return keeping.store_upload(
        io.BytesIO(b"x" * size_bytes),
        owner_kind="student",
        owner_id=student.id,
        filename=name,
        size_hint=size_bytes if hint else None,
    )


def used(kind: HolderKind, holder_id: UUID) -> int:
    db.session.expire_all()
    row = db.session.scalar(
        sa.select(StorageUsage.used_bytes).where(
            StorageUsage.holder_kind == kind, StorageUsage.holder_id == holder_id
        )
    )
    return row or 0


def limit(kind: HolderKind, holder_id: UUID, size_bytes: int | None) -> None:
    with transaction():
        set_limit(kind, holder_id, size_bytes)


def assert_exact() -> None:
    db.session.expire_all()
    assert recount(dry_run=True) == []


def sweep_after_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    db.session.expunge_all()
    now = clock.now() + writing.LEASE + timedelta(minutes=2)
    monkeypatch.setattr(clock, "now", lambda: now)
    sweep()


def add_upload(sender: UUID, student: Student, length_bytes: int) -> UUID:
    """What taking up a resumable upload does to the counters."""
    upload_id = new_id()
    with transaction() as session:
        quotas.reserve_upload(length_bytes, user_id=sender)
        session.add(
            Upload(
                id=upload_id,
                user_id=sender,
                owner_kind="student",
                owner_id=student.id,
                purpose="document",
                filename="Long.txt",
                length_bytes=length_bytes,
                expires_at=clock.now() + timedelta(days=1),
            )
        )
    return upload_id


def end_upload(upload_id: UUID, state: UploadState) -> None:
    with transaction() as session:
        upload = session.scalars(sa.select(Upload).where(Upload.id == upload_id)).one()
        upload.state = state
        quotas.release_upload(upload.length_bytes, user_id=upload.user_id)


# ---- what counts ----


def test_a_file_counts_for_its_sender_and_the_school(
    in_school: School, student: Student, sender: UUID
) -> None:
    send(student, 700)
    file = send(student, 300, name="Other.txt")
    keeping.add_version(file, io.BytesIO(b"y" * 50), filename="Other.txt")
    assert used(SCHOOL, in_school.id) == 1050
    assert used(PERSON, sender) == 1050
    assert_exact()


def test_what_nobody_sent_counts_for_the_school_only(in_school: School, student: Student) -> None:
    send(student, 700)
    assert used(SCHOOL, in_school.id) == 700
    assert db.session.scalars(sa.select(Blob.sent_by)).all() == [None]
    assert db.session.scalar(sa.select(sa.func.count()).select_from(StorageUsage)) == 1


def test_a_version_brought_back_takes_no_space(student: Student, sender: UUID) -> None:
    file = send(student, 700)
    keeping.add_version(file, io.BytesIO(b"y" * 50), filename="Notes.txt")
    with transaction():
        keeping.restore_version(file, 1)
    assert used(PERSON, sender) == 750


def test_content_that_is_let_go_counts_no_more(
    in_school: School, student: Student, sender: UUID
) -> None:
    file = send(student, 700)
    send(student, 30, name="Stays.txt")
    with transaction() as session:
        versions = keeping.FileVersion
        blob_id = session.scalars(
            sa.select(versions.blob_id).where(versions.file_id == file.id)
        ).one()
        session.execute(
            sa.update(versions).where(versions.file_id == file.id).values(pruned_at=clock.now())
        )
        assert let_go(blob_id)
    assert used(SCHOOL, in_school.id) == used(PERSON, sender) == 30
    assert_exact()


# ---- limits ----


def test_a_file_that_fits_exactly_is_kept_and_the_next_byte_is_not(
    in_school: School, student: Student, sender: UUID
) -> None:
    limit(PERSON, sender, 1000)
    send(student, 1000)
    with pytest.raises(NoRoom) as refused:
        send(student, 1, name="One.txt")
    assert refused.value.status == 413
    assert str(refused.value) == "There is no room for this file: you have 0 kB left of 1 kB."
    assert used(SCHOOL, in_school.id) == 1000, "the school's count is taken back too"
    assert_exact()


def test_a_full_school_is_named(in_school: School, student: Student, sender: UUID) -> None:
    limit(SCHOOL, in_school.id, 25_000_000)
    with pytest.raises(NoRoom, match="the school has 25 MB left of 25 MB"):
        send(student, 25_000_001)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Blob)) == 0
    assert_exact()


def test_a_known_size_is_refused_before_a_byte_is_read(student: Student, sender: UUID) -> None:
    limit(PERSON, sender, 10)

    class NotRead(io.BytesIO):
        def read(self, *_size: Any) -> bytes:
            raise AssertionError("nothing is read of what does not fit")

    with pytest.raises(NoRoom):
        keeping.store_upload(
            NotRead(), owner_kind="student", owner_id=student.id, filename="a.txt", size_hint=11
        )


def test_the_installation_limits_whoever_has_no_own_limit(
    app: Flask, student: Student, sender: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = app.config["SETTINGS"].model_copy(update={"person_quota_mib": 1})
    monkeypatch.setitem(app.config, "SETTINGS", settings)
    with pytest.raises(NoRoom):
        send(student, 1024 * 1024 + 1)
    limit(PERSON, sender, 0)
    send(student, 1024 * 1024 + 1)
    limit(PERSON, sender, None)
    with pytest.raises(NoRoom):
        send(student, 1, name="One.txt")


def test_a_lower_limit_takes_nothing_away(
    in_school: School, student: Student, sender: UUID
) -> None:
    file = send(student, 700)
    limit(PERSON, sender, 100)
    assert quotas.list_standings(sender)[1].left_bytes == 0
    with transaction():
        keeping.rename_file(file, "Renamed.txt")
    with pytest.raises(NoRoom):
        send(student, 1, name="One.txt")


def test_setting_a_limit_is_audited(student: Student, sender: UUID) -> None:
    limit(PERSON, sender, 500)
    event = db.session.scalars(
        sa.select(AuditEvent).where(AuditEvent.action == "storage.limit_set")
    ).one()
    assert (event.before, event.after) == ({"limit_bytes": None}, {"limit_bytes": 500})
    with pytest.raises(Invalid):
        limit(PERSON, sender, -1)


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [(0, "0 kB"), (999, "0 kB"), (1_999_000, "1999 kB"), (2_000_000, "2 MB"),
     (1_500_000_000, "1500 MB"), (12_900_000_000, "12 GB")],
)  # fmt: skip
def test_what_is_left_is_never_said_too_large(size_bytes: int, words: str) -> None:
    assert quotas.in_words(size_bytes) == words


def test_schools_count_apart(
    app: Flask, school: School, other_school: School, sender: UUID
) -> None:
    for place, size in ((school, 10), (other_school, 20)):
        with school_scope(place.id):
            send(make_owner(), size)
    for place, size in ((school, 10), (other_school, 20)):
        with school_scope(place.id):
            assert used(PERSON, sender) == used(SCHOOL, place.id) == size


# ---- at once ----


def at_once(app: Flask, school: School, count: int, act: Callable[[], object]) -> list[str]:
    """What happened in each of so many threads that begin together: 'kept' or the error's name."""
    together = threading.Barrier(count)

    def one(_number: int) -> str:
        with app.app_context(), school_scope(school.id):
            together.wait()
            try:
                with transaction():
                    act()
            except NoRoom:
                return "refused"
            return "kept"

    db.session.rollback()
    with ThreadPoolExecutor(count) as pool:
        return sorted(pool.map(one, range(count)))


def test_many_at_once_never_exceed_the_limit_together(
    app: Flask, in_school: School, sender: UUID
) -> None:
    limit(SCHOOL, in_school.id, 3500)
    limit(PERSON, sender, 0)
    answers = at_once(app, in_school, 6, lambda: quotas.count(1000, sent_by=sender))
    assert answers == ["kept"] * 3 + ["refused"] * 3
    assert used(SCHOOL, in_school.id) == used(PERSON, sender) == 3000


def test_the_first_files_of_a_school_sent_at_once_all_count(app: Flask, in_school: School) -> None:
    sender = uuid4()
    assert at_once(app, in_school, 6, lambda: quotas.count(7, sent_by=sender)) == ["kept"] * 6
    assert used(SCHOOL, in_school.id) == used(PERSON, sender) == 42


def test_two_uploads_at_once_share_the_room_for_one(
    app: Flask, in_school: School, student: Student
) -> None:
    limit(SCHOOL, in_school.id, 1500)
    together = threading.Barrier(2)
    student_id = student.id

    def one(name: str) -> str:
        with app.app_context(), school_scope(in_school.id):
            together.wait()
            try:
                keeping.store_upload(
                    io.BytesIO(b"x" * 1000),
                    owner_kind="student",
                    owner_id=student_id,
                    filename=name,
                    size_hint=1000,
                )
            except NoRoom:
                return "refused"
            return "kept"

    db.session.rollback()
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(one, ["a.txt", "b.txt"])) == ["kept", "refused"]
    assert used(SCHOOL, in_school.id) == 1000
    assert_exact()


# ---- uploads that may stop and go on ----


def test_an_upload_under_way_keeps_its_room(student: Student, sender: UUID) -> None:
    limit(PERSON, sender, 1000)
    upload_id = add_upload(sender, student, 800)
    assert_exact()
    with pytest.raises(NoRoom):
        send(student, 201)
    end_upload(upload_id, UploadState.ENDED)
    assert_exact()
    send(student, 201)


def test_what_an_upload_brought_takes_its_own_room(student: Student, sender: UUID) -> None:
    """Although it is longer than half of what there is."""
    limit(PERSON, sender, 1000)
    upload_id = add_upload(sender, student, 800)
    with quotas.room_of_upload(800):
        send(student, 800, hint=True)
    assert_exact()
    with pytest.raises(NoRoom):
        send(student, 1, name="One.txt")
    end_upload(upload_id, UploadState.KEPT)
    assert used(PERSON, sender) == 800
    assert_exact()


def test_an_upload_gets_no_more_than_its_own_room(student: Student, sender: UUID) -> None:
    limit(PERSON, sender, 1000)
    add_upload(sender, student, 800)
    with quotas.room_of_upload(800), pytest.raises(NoRoom):
        send(student, 1001)
    assert_exact()


# ---- whatever dies in between ----


@pytest.mark.parametrize("moment", ["before_put", "after_put"])
def test_killed_around_the_bytes_counts_until_the_sweep(
    in_school: School,
    student: Student,
    sender: UUID,
    faulty: Faulty,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    getattr(faulty, moment).append(Killed())
    with killed():
        send(student, 700)
    db.session.rollback()
    assert used(PERSON, sender) == 700, "its bytes may lie there"
    assert_exact()
    sweep_after_lease(monkeypatch)
    assert used(PERSON, sender) == used(SCHOOL, in_school.id) == 0
    assert_exact()


def test_killed_while_settling_counts_until_the_sweep(
    student: Student, sender: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, killed():
        patch.setattr(keeping, "_add_row", dies)
        send(student, 700)
    db.session.rollback()
    assert used(PERSON, sender) == 700
    assert_exact()
    sweep_after_lease(monkeypatch)
    assert used(PERSON, sender) == 0
    assert_exact()


def test_killed_in_the_transaction_that_counts_counts_nothing(
    student: Student, sender: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, killed():
        patch.setattr(writing, "plan_sweep", dies)
        send(student, 700)
    db.session.rollback()
    assert used(PERSON, sender) == 0
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Blob)) == 0
    assert_exact()


def test_killed_while_letting_go_counts_until_the_next_sweep(
    student: Student, sender: UUID, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty.after_put.append(Killed())
    with killed():
        send(student, 700)
    db.session.rollback()

    def dies(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, killed():
        patch.setattr("school.files.service.sweeping.delete_later", dies)
        sweep_after_lease(patch)
    db.session.rollback()
    assert used(PERSON, sender) == 700
    assert_exact()
    sweep_after_lease(monkeypatch)
    assert used(PERSON, sender) == 0


def test_a_store_that_is_away_gives_the_room_back(
    student: Student, sender: UUID, faulty: Faulty
) -> None:
    faulty.before_put.append(errors.Unavailable("away"))
    with pytest.raises(Unavailable):
        send(student, 700)
    assert used(PERSON, sender) == 0
    assert db.session.scalars(sa.select(Blob.state)).all() == [BlobState.DELETING]
    assert_exact()


# ---- recounting ----


def test_a_counter_that_drifted_is_found_told_and_put_right(
    in_school: School, student: Student, sender: UUID
) -> None:
    send(student, 700)
    with transaction() as session:
        session.execute(
            sa.update(StorageUsage)
            .where(StorageUsage.holder_kind == PERSON)
            .values(used_bytes=12345)
        )
    (drift,) = recount(dry_run=True)
    assert (drift.kind, drift.counted_bytes, drift.actual_bytes) == (PERSON, 12345, 700)
    assert used(PERSON, sender) == 12345
    assert recount() == [drift]
    assert recount() == []
    assert used(PERSON, sender) == 700
    event = db.session.scalars(
        sa.select(AuditEvent).where(AuditEvent.action == "storage.recounted")
    ).one()
    assert (event.before, event.after) == ({"used_bytes": 12345}, {"used_bytes": 700})


def test_a_missing_and_an_idle_counter_are_put_right(
    in_school: School, student: Student, sender: UUID
) -> None:
    send(student, 700)
    gone = uuid4()
    with transaction() as session:
        session.execute(sa.delete(StorageUsage).where(StorageUsage.holder_kind == PERSON))
        session.add(StorageUsage(holder_kind=PERSON, holder_id=gone, used_bytes=9))
    assert len(recount()) == 2
    assert (used(PERSON, sender), used(PERSON, gone)) == (700, 0)


def test_a_counter_that_drifted_keeps_nothing_from_being_deleted(
    student: Student, sender: UUID, faulty: Faulty
) -> None:
    with transaction() as session:
        session.add(StorageUsage(holder_kind=PERSON, holder_id=sender, used_bytes=0))
    send(student, 700)
    with transaction() as session:
        session.execute(sa.update(StorageUsage).values(used_bytes=5))
        quotas.discount(700, sent_by=sender)
    assert used(PERSON, sender) == 0


def test_counting_goes_on_while_it_is_recounted(
    app: Flask, in_school: School, sender: UUID
) -> None:
    """A recount between two halves of an upload neither loses nor doubles it."""
    ready, counted = threading.Event(), threading.Event()

    def begin_a_blob() -> None:
        with app.app_context(), school_scope(in_school.id), transaction() as session:
            quotas.count(500, sent_by=sender)
            session.add(Blob(sha256="0" * 64, size_bytes=500, sent_by=sender))
            session.flush()
            ready.set()
            counted.wait(0.3)  # the recount waits for us, not we for it

    def recounting() -> None:
        with app.app_context(), school_scope(in_school.id):
            ready.wait(5)
            recount()
            counted.set()

    limit(SCHOOL, in_school.id, 0)
    with transaction() as session:
        session.execute(sa.update(StorageUsage).values(used_bytes=77))
    db.session.rollback()
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(begin_a_blob), pool.submit(recounting)]:
            done.result(timeout=10)
    assert used(SCHOOL, in_school.id) == used(PERSON, sender) == 500
    assert_exact()


def test_a_night_notes_the_day_once(
    in_school: School, student: Student, frozen_clock: Callable[[Any], None]
) -> None:
    frozen_clock(clock.now())
    send(student, 700)
    assert keep_count() == 0
    send(student, 50, name="More.txt")
    keep_count()
    (day,) = db.session.scalars(sa.select(UsageDay)).all()
    assert (day.day, day.used_bytes, day.files) == (clock.today(), 750, 2)


def test_the_night_s_counting_is_one_job_however_often_it_is_planned(
    in_school: School, student: Student, run_jobs: Callable[[], int]
) -> None:
    send(student, 700)
    with transaction() as session:
        session.execute(sa.update(StorageUsage).values(used_bytes=1))
    assert [plan_count(), plan_count()] == [True, False]
    run_jobs()
    assert used(SCHOOL, in_school.id) == 700
    assert db.session.scalars(sa.select(UsageDay.used_bytes)).all() == [700]
    assert plan_count()
