"""Uploads that stop and go on: the same bytes in the end, whatever happened on the way."""

from __future__ import annotations

import io
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from school import clock
from school.accounts.models import Membership
from school.audit.models import AuditEvent
from school.db import db, transaction
from school.errors import DomainError, Unavailable
from school.files import queries
from school.files.models import (
    Blob,
    File,
    FileVersion,
    StorageTask,
    StorageUsage,
    Upload,
    UploadPart,
    UploadState,
)
from school.files.service import keeping, quotas, sealing
from school.files.service.reconciling import Kind, reconcile
from school.files.service.sweeping import sweep
from school.files.service.uploading import arriving, beginning, ending, finding, finishing
from school.permissions import Person, Role
from school.storage import errors
from school.storage.container import KeyRing
from school.storage.local import LocalStorage
from school.students.models import Student
from school.tenancy.scope import school_scope
from tests.conftest import make_member
from tests.factories.files import make_file
from tests.files.conftest import Faulty, Killed, content_of, killed, later

TEXT = b"Zofia;7B;2026-11-20\n" * 50
PIECE = 300


@pytest.fixture
def person(in_school: Any) -> Person:
    user = make_member(in_school, Role.ADMINISTRATOR)
    return Person(
        user.id,
        user.display_name,
        user.email,
        school_id=in_school.id,
        roles=frozenset({Role.ADMINISTRATOR}),
    )


def begin(person: Person, student: Student, data: bytes = TEXT, **more: Any) -> UUID:
    wanted = beginning.Wanted(
        filename="list.csv",
        length_bytes=len(data),
        spot=queries.Spot("student", student.id),
        **more,
    )
    with transaction():
        return beginning.begin(person, wanted).id


def send(person: Person, upload_id: UUID, offset: int, data: bytes) -> Upload:
    with arriving.spooled(io.BytesIO(data)) as piece:
        return arriving.append(person, upload_id, piece, offset=offset)


def send_all(person: Person, upload_id: UUID, data: bytes = TEXT, *, start: int = 0) -> None:
    for at in range(start, len(data), PIECE):
        send(person, upload_id, at, data[at : at + PIECE])


def found(upload_id: UUID) -> Upload:
    db.session.expire_all()
    upload = finding.find_upload(upload_id)
    assert upload is not None
    return upload


def assert_kept(provider: Any, upload_id: UUID, data: bytes = TEXT) -> File:
    upload = found(upload_id)
    assert (upload.state, upload.problem) == (UploadState.KEPT, None)
    assert upload.file_id is not None
    file = queries.get_file(upload.file_id)
    content = queries.get_content(file)
    with sealing.opened(content) as blocks:
        assert b"".join(blocks) == data
    assert_nothing_is_left(provider)
    return file


def assert_nothing_is_left(provider: Any) -> None:
    """No piece, no object of one, and exactly the room that files take."""
    sweep()
    db.session.expire_all()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(UploadPart)) == 0
    assert_known(provider)
    counted = sa.select(sa.func.coalesce(sa.func.sum(Blob.size_bytes), 0)).where(
        Blob.state.in_(quotas.COUNTED)
    )
    school_s = sa.select(StorageUsage.used_bytes).where(StorageUsage.holder_kind == "school")
    assert db.session.scalar(school_s) == db.session.scalar(counted)


_seen: set[str] = set()


@pytest.fixture(autouse=True)
def _note_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shelf is shared by tests: look only at the keys this one made."""
    _seen.clear()
    make = arriving.new_key

    def noting(area: str) -> str:
        key = make(area)
        _seen.add(key)
        return key

    monkeypatch.setattr(arriving, "new_key", noting)


def test_pieces_become_one_file(provider: Any, person: Person, student: Student) -> None:
    upload_id = begin(person, student)
    send_all(person, upload_id)
    assert found(upload_id).state == UploadState.FINISHING

    assert finishing.finish(upload_id) is None

    file = assert_kept(provider, upload_id)
    assert finishing.finish(upload_id) is None  # twice is once
    assert len(queries.list_versions(file)) == 1
    version = queries.list_versions(file)[0]
    assert version.by == person.display_name
    told = set(db.session.scalars(sa.select(AuditEvent.action)))
    assert {"upload.begun", "file.added"} <= told


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.sets(st.integers(1, len(TEXT) - 1), max_size=8), again=st.integers(0, 8))
def test_however_it_is_cut_it_is_the_same(
    storage: Any, person: Person, student: Student, cuts: set[int], again: int
) -> None:
    upload_id = begin(person, student)
    places = [0, *sorted(cuts), len(TEXT)]
    for number, (start, stop) in enumerate(pairwise(places)):
        send(person, upload_id, start, TEXT[start:stop])
        if number == again:  # the answer was lost, so it is sent once more
            with pytest.raises(DomainError):
                send(person, upload_id, start, TEXT[start:stop])
    finishing.finish(upload_id)
    assert_kept(storage, upload_id)


def test_of_a_sensitive_file_no_piece_lies_open(
    storage: Any, person: Person, student: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = begin(person, student, purpose="medical")
    send_all(person, upload_id)
    for piece in finding.list_pieces(upload_id):
        assert b"Zofia" not in content_of(storage, piece.key)
    keys = ",".join(f"{n}:{b64encode(byte * 32).decode()}" for n, byte in ((2, b"f"), (1, b"e")))
    newer = replace(sealing.shelf(), keys=KeyRing(keys))
    for module in (sealing, finishing, arriving):
        monkeypatch.setattr(module, "shelf", lambda: newer)

    assert sealing.rewrap() == len(finding.list_pieces(upload_id))
    finishing.finish(upload_id)

    assert_kept(storage, upload_id)


def test_killed_while_a_piece_is_written(
    faulty: Faulty, person: Person, student: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = begin(person, student)
    send(person, upload_id, 0, TEXT[:PIECE])
    faulty.after_put.append(Killed())
    with killed():
        send(person, upload_id, PIECE, TEXT[PIECE:])
    db.session.rollback()
    assert found(upload_id).offset_bytes == PIECE

    with pytest.raises(arriving.Busy):
        send_all(person, upload_id, start=PIECE)
    later(monkeypatch, arriving.LEASE + timedelta(seconds=1))
    send_all(person, upload_id, start=PIECE)
    finishing.finish(upload_id)

    assert_kept(faulty, upload_id)


@pytest.mark.parametrize("step", ["settle", "_add_row", "record", "file_changed"])
def test_killed_while_it_becomes_a_file(
    step: str,
    provider: Any,
    person: Person,
    student: Student,
    monkeypatch: pytest.MonkeyPatch,
    run_jobs: Callable[[], int],
) -> None:
    def die(*_args: Any, **_more: Any) -> None:
        raise Killed

    upload_id = begin(person, student)
    send_all(person, upload_id)
    with monkeypatch.context() as patch:
        patch.setattr(keeping, step, die)
        with killed():
            finishing.finish(upload_id)
    db.session.rollback()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(File)) == 0
    assert finishing.finish(upload_id) is not None  # somebody may still be at it

    later(monkeypatch, timedelta(hours=2))
    run_jobs()

    assert_kept(provider, upload_id)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(FileVersion)) == 1


def test_a_store_that_does_not_take_a_piece_keeps_those_before(
    faulty: Faulty, person: Person, student: Student
) -> None:
    upload_id = begin(person, student)
    send(person, upload_id, 0, TEXT[:PIECE])
    for fault in (errors.Unavailable("away"), errors.OutcomeUnknown("cut off")):
        faulty.before_put.append(fault)
        with pytest.raises(Unavailable):
            send(person, upload_id, PIECE, TEXT[PIECE:])

    send_all(person, upload_id, start=PIECE)
    finishing.finish(upload_id)

    assert_kept(faulty, upload_id)
    late = db.session.scalars(sa.select(StorageTask.next_at)).all()
    assert [at > clock.now() + timedelta(hours=23) for at in late] == [True]


def test_while_the_store_is_away_a_finished_upload_waits(
    faulty: Faulty, person: Person, student: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = begin(person, student)
    send_all(person, upload_id)
    for _ in range(3):
        faulty.before_put.append(errors.Unavailable("away"))
        later(monkeypatch, timedelta(hours=20))
        assert finishing.finish(upload_id) == 1
        sweep()
        assert found(upload_id).state == UploadState.FINISHING

    assert finishing.finish(upload_id) is None

    assert_kept(faulty, upload_id)


def test_a_job_tries_again_when_the_store_is_back(
    faulty: Faulty, person: Person, student: Student, monkeypatch: pytest.MonkeyPatch,
    run_jobs: Callable[[], int],
) -> None:  # fmt: skip
    upload_id = begin(person, student)
    send_all(person, upload_id)
    faulty.before_put.append(errors.Unavailable("away"))
    later(monkeypatch, timedelta(minutes=2))
    run_jobs()
    assert found(upload_id).state == UploadState.FINISHING
    later(monkeypatch, timedelta(minutes=5))
    run_jobs()
    assert_kept(faulty, upload_id)


def test_a_piece_that_is_gone_or_changed_is_told_to_the_sender(
    provider: Any, person: Person, student: Student
) -> None:
    upload_id = begin(person, student)
    send_all(person, upload_id)
    piece = finding.list_pieces(upload_id)[1]
    provider.delete(piece.key)
    provider.put(piece.key, io.BytesIO(b"x" * PIECE))

    finishing.finish(upload_id)

    upload = found(upload_id)
    assert upload.state == UploadState.REFUSED
    assert "Send the file again" in upload.problem["message"]
    assert_nothing_is_left(provider)


def test_two_at_once_bring_a_piece_once(
    app: Flask, in_school: Any, storage: Any, person: Person, student: Student
) -> None:
    upload_id = begin(person, student)
    db.session.rollback()
    gate, told = Barrier(2), []

    def one() -> None:
        with app.app_context(), school_scope(in_school.id):
            gate.wait()
            try:
                told.append(send(person, upload_id, 0, TEXT[:PIECE]).offset_bytes)
            except (arriving.Busy, arriving.WrongOffset) as error:
                told.append(type(error))

    threads = [Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count(PIECE) == 1, told
    assert found(upload_id).offset_bytes == PIECE
    send_all(person, upload_id, start=PIECE)
    finishing.finish(upload_id)
    assert_kept(storage, upload_id)


class Slow(Faulty):
    """A store that takes so long to write that `meanwhile` happens first."""

    def __init__(self, real: Any, meanwhile: Callable[[], object]) -> None:
        super().__init__(real)
        self.meanwhile = meanwhile

    def put(self, key: str, stream: Any, **more: Any) -> Any:
        self.meanwhile()
        return self.real.put(key, stream, **more)


def test_a_slow_writer_does_not_overwrite_a_faster_one(
    storage: Any, person: Person, student: Student, put_on_shelf: Callable[[Any], None]
) -> None:
    """Its lease ran out while it wrote; somebody else brought the piece meanwhile."""
    upload_id = begin(person, student)

    def meanwhile() -> None:
        put_on_shelf(storage)
        with transaction():
            db.session.execute(sa.update(Upload).values(lease_until=None))
        send(person, upload_id, 0, TEXT[:PIECE])

    put_on_shelf(Slow(storage, meanwhile))
    with pytest.raises(arriving.WrongOffset):
        send(person, upload_id, 0, b"other bytes")
    send_all(person, upload_id, start=PIECE)
    finishing.finish(upload_id)
    assert_kept(storage, upload_id)


def test_given_up_while_a_piece_is_written_nothing_is_left(
    storage: Any, person: Person, student: Student, put_on_shelf: Callable[[Any], None]
) -> None:
    """It lands after everything of the upload was taken away."""
    upload_id = begin(person, student)

    def meanwhile() -> None:
        put_on_shelf(storage)
        with transaction():
            ending.give_up(person, upload_id)
        sweep()

    put_on_shelf(Slow(storage, meanwhile))
    with pytest.raises(arriving.WrongOffset):
        send(person, upload_id, 0, TEXT[:PIECE])
    assert {info.key for info in storage.list("part/")} & _seen
    assert_known(storage)


def assert_known(provider: Any) -> None:
    """Whatever lies there is on the list of what goes."""
    keys = set(db.session.scalars(sa.select(StorageTask.key)))
    assert {info.key for info in provider.list("part/")} & _seen <= keys


def test_given_up_while_it_is_checked_nothing_is_kept(
    storage: Any, person: Person, student: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = begin(person, student)
    send_all(person, upload_id)
    check = keeping.scan_arrival

    def give_up_first(stream: Any) -> Any:
        with transaction():
            ending.give_up(person, upload_id)
        return check(stream)

    monkeypatch.setattr(keeping, "scan_arrival", give_up_first)
    finishing.finish(upload_id)

    assert found(upload_id).state == UploadState.ENDED
    assert db.session.scalar(sa.select(sa.func.count()).select_from(File)) == 0
    assert_nothing_is_left(storage)


def faulty_program(*_args: Any) -> None:
    raise RuntimeError("a bug")


def test_old_uploads_end_and_are_forgotten(
    provider: Any, person: Person, student: Student, monkeypatch: pytest.MonkeyPatch,
    run_jobs: Callable[[], int],
) -> None:  # fmt: skip
    open_id, stuck_id = begin(person, student), begin(person, student)
    send(person, open_id, 0, TEXT[:PIECE])
    send_all(person, stuck_id)
    monkeypatch.setattr(finishing, "_keep", faulty_program)
    later(monkeypatch, ending.LIFETIME + timedelta(minutes=2))
    run_jobs()

    assert found(open_id).state == UploadState.ENDED
    assert found(stuck_id).state == UploadState.REFUSED
    assert_nothing_is_left(provider)

    later(monkeypatch, ending.REMEMBERED + timedelta(days=2))
    ending.end_old()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Upload)) == 0


def test_without_a_byte_an_upload_keeps_its_room_for_an_hour(
    storage: Any, person: Person, student: Student, monkeypatch: pytest.MonkeyPatch,
    run_jobs: Callable[[], int],
) -> None:  # fmt: skip
    silent_id, begun_id = begin(person, student), begin(person, student)
    send(person, begun_id, 0, TEXT[:1])
    later(monkeypatch, ending.UNSTARTED_LIFETIME + timedelta(minutes=2))
    run_jobs()

    assert found(silent_id).state == UploadState.ENDED
    used = sa.select(StorageUsage.used_bytes).where(StorageUsage.holder_kind == "school")
    assert db.session.scalar(used) == len(TEXT)
    send(person, begun_id, 1, TEXT[1:])
    finishing.finish(begun_id)
    assert_kept(storage, begun_id)


def test_room_is_kept_from_the_beginning(storage: Any, person: Person, student: Student) -> None:
    with transaction():
        quotas.set_limit(quotas.HolderKind.PERSON, person.user_id, len(TEXT) + 10)
    upload_id = begin(person, student)
    with pytest.raises(quotas.NoRoom):
        begin(person, student, b"x" * 11)
    send_all(person, upload_id)
    finishing.finish(upload_id)
    assert_kept(storage, upload_id)
    begin(person, student, b"x" * 10)


def test_who_lost_the_right_meanwhile_adds_nothing(
    storage: Any, person: Person, student: Student
) -> None:
    upload_id = begin(person, student)
    send_all(person, upload_id)
    with transaction():
        db.session.execute(sa.delete(Membership))
    finishing.finish(upload_id)
    assert found(upload_id).state == UploadState.REFUSED
    assert_nothing_is_left(storage)


def test_the_reconciler_knows_pieces(
    person: Person,
    student: Student,
    monkeypatch: pytest.MonkeyPatch,
    put_on_shelf: Callable[[Any], None],
    tmp_path: Path,
) -> None:
    storage = LocalStorage(tmp_path / "own", signing_keys=["k" * 40])
    put_on_shelf(storage)
    upload_id = begin(person, student)
    send_all(person, upload_id)
    gone, stays = finding.list_pieces(upload_id)[:2]
    storage.delete(gone.key)
    keys = gone.key, stays.key
    for _ in range(2):
        later(monkeypatch, timedelta(hours=30))
        (outcome,) = reconcile()
    found_keys = {one["key"]: one["kind"] for one in outcome.findings}
    assert found_keys.get(keys[0]) == Kind.PIECE
    assert keys[1] not in found_keys
    assert outcome.counts["pieces"] == 1
    assert storage.stat(keys[1]).size_bytes == PIECE
    assert outcome.is_clean


def test_a_new_version_of_a_file_put_away_meanwhile_is_refused(
    storage: Any, person: Person, student: Student
) -> None:
    file = make_file(student, TEXT, filename="list.csv")
    wanted = beginning.Wanted(filename="x.csv", length_bytes=len(TEXT), replaces_id=file.id)
    with transaction():
        upload_id = beginning.begin(person, wanted).id
    send_all(person, upload_id)
    with transaction():
        keeping.archive_file(file)
    finishing.finish(upload_id)
    upload = found(upload_id)
    assert (upload.state, "put away" in upload.problem["message"]) == (UploadState.REFUSED, True)


@pytest.mark.parametrize("step", ["_store", "_count", "_settle"])
def test_a_process_killed_on_the_way_is_made_up_for(
    step: str,
    in_school: Any,
    person: Person,
    student: Student,
    monkeypatch: pytest.MonkeyPatch,
    put_on_shelf: Callable[[Any], None],
    run_jobs: Callable[[], int],
    tmp_path: Path,
) -> None:
    """`kill -9` while a piece comes in, or while the pieces become a file."""
    storage = LocalStorage(tmp_path / "own", signing_keys=["k" * 40])
    put_on_shelf(storage)
    upload_id = begin(person, student)
    is_piece = step in {"_store", "_count"}
    if is_piece:
        (tmp_path / "piece").write_bytes(TEXT[:PIECE])
    else:
        send_all(person, upload_id)
    url = db.engine.url.render_as_string(hide_password=False)
    ids = [str(in_school.id), str(person.user_id), str(upload_id)]
    words = [sys.executable, "-m", "tests.files.service.killed_upload", str(tmp_path), url]
    db.session.rollback()
    assert subprocess.run([*words, *ids, step], check=False, timeout=60).returncode == -9
    assert db.session.scalar(sa.select(sa.func.count()).select_from(File)) == 0

    later(monkeypatch, timedelta(minutes=30) if is_piece else timedelta(hours=2))
    if is_piece:
        assert found(upload_id).offset_bytes == 0
        send_all(person, upload_id)
    later(monkeypatch, timedelta(minutes=5))
    run_jobs()

    assert_kept(storage, upload_id)
    later(monkeypatch, timedelta(hours=25))  # a piece that was cut off might have landed late
    sweep()
    objects = [info.key for info in storage.list("")]
    assert len(objects) == 1  # the file, and nothing of its pieces
