"""Whatever stops a write, at whatever moment: no lost file, no dangling row, no orphan."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from school.db import db
from school.errors import Unavailable
from school.files import queries
from school.files.models import Blob, BlobLocation, BlobState, File, FileVersion, StorageTask
from school.files.service import keeping, writing
from school.files.service.sweeping import sweep
from school.storage import errors
from tests.factories.files import make_file
from tests.files.conftest import Faulty, Killed, content_of, killed, later
from tests.files.samples import PDF

NEWER = PDF + b"% newer\n%%EOF\n"


def sweep_after_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    db.session.expunge_all()
    later(monkeypatch, writing.LEASE + timedelta(minutes=2))
    sweep()


def assert_house_in_order(provider: Any) -> None:
    """Every object has its row, every version its object, nothing is pending or half deleted."""
    db.session.expire_all()
    keys = {place.key for place in db.session.scalars(sa.select(BlobLocation))}
    objects = {info.key for info in provider.list("")} & all_keys()
    states = set(db.session.scalars(sa.select(Blob.state)))
    assert states <= {BlobState.STORED, BlobState.DELETED}
    assert objects == keys
    for file in db.session.scalars(sa.select(File)):
        for version in db.session.scalars(
            sa.select(FileVersion).where(FileVersion.file_id == file.id)
        ):
            content = queries.get_content(file, version.number)
            assert len(content_of(provider, content.key)) == content.size_bytes


_seen: set[str] = set()


@pytest.fixture(autouse=True)
def _note_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shelf is shared by tests: look only at the keys this one made."""
    _seen.clear()
    make = writing.new_key

    def noting() -> str:
        key = make()
        _seen.add(key)
        return key

    monkeypatch.setattr(writing, "new_key", noting)


def all_keys() -> set[str]:
    return set(_seen)


def test_killed_before_the_first_byte(
    faulty: Faulty, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty.before_put.append(Killed())
    with killed():
        make_file(student)

    sweep_after_lease(monkeypatch)

    assert_house_in_order(faulty)
    assert queries.list_files("student", student.id).rows == []


def test_killed_after_the_last_byte(
    faulty: Faulty, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty.after_put.append(Killed())
    with killed():
        make_file(student)
    assert len(all_keys() & {info.key for info in faulty.list("")}) == 1  # it did land

    sweep_after_lease(monkeypatch)

    assert_house_in_order(faulty)
    assert not all_keys() & {info.key for info in faulty.list("")}


@pytest.mark.parametrize("step", ["settle", "_add_row", "record", "file_changed"])
def test_killed_inside_the_second_transaction(
    step: str, provider: Any, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_args: Any, **_more: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(keeping, step, die)
        with killed():
            make_file(student)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(File)) == 0

    sweep_after_lease(monkeypatch)

    assert_house_in_order(provider)


def test_killed_while_replacing_keeps_the_version_before(
    faulty: Faulty, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_file(student)
    faulty.after_put.append(Killed())
    with killed():
        keeping.add_version(file, io.BytesIO(NEWER), filename="a.pdf")

    sweep_after_lease(monkeypatch)

    assert_house_in_order(faulty)
    assert content_of(faulty, queries.get_content(queries.get_file(file.id)).key) == PDF


def test_the_sweep_leaves_running_uploads_alone(
    faulty: Faulty, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty.after_put.append(Killed())
    with killed():
        make_file(student)
    db.session.expunge_all()
    later(monkeypatch, timedelta(minutes=30))

    assert sweep().discarded == 0
    assert db.session.scalars(sa.select(Blob.state)).one() == BlobState.PENDING


def test_an_upload_slower_than_its_lease_is_refused_not_half_kept(
    faulty: Faulty, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = faulty.put

    def slow(key: str, stream: Any, **more: Any) -> Any:
        info = put(key, stream, **more)
        later(monkeypatch, writing.LEASE + timedelta(minutes=5))
        sweep()
        return info

    monkeypatch.setattr(faulty, "put", slow)
    with pytest.raises(Unavailable):
        make_file(student)

    assert_house_in_order(faulty)
    assert queries.list_files("student", student.id).rows == []


def test_an_unknown_outcome_is_tried_again_under_a_new_key(
    faulty: Faulty, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty.after_put.append(errors.OutcomeUnknown("cut off"))  # though it landed

    file = make_file(student)

    assert content_of(faulty, queries.get_content(file).key) == PDF
    tombstone = db.session.scalars(sa.select(StorageTask)).one()
    assert tombstone.key != queries.get_content(file).key
    assert sweep().deleted == 0  # a late write may still land: not yet
    later(monkeypatch, timedelta(hours=25))
    assert sweep().deleted == 1
    assert_house_in_order(faulty)


def test_unknown_twice_gives_up_and_cleans_up(
    faulty: Faulty, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty.after_put.extend(errors.OutcomeUnknown("cut off") for _ in range(2))
    with pytest.raises(Unavailable, match="does not answer"):
        make_file(student)

    later(monkeypatch, timedelta(hours=25))
    sweep()

    assert_house_in_order(faulty)


@pytest.mark.parametrize("fault", [errors.Unavailable, errors.Denied, errors.Throttled])
def test_a_store_that_cannot_take_it_is_said_in_words(
    fault: type[errors.StorageError], faulty: Faulty, student: Any, run_jobs: Any
) -> None:
    faulty.before_put.append(fault("no"))
    with pytest.raises(Unavailable, match="nothing was kept"):
        make_file(student)

    run_jobs()

    assert_house_in_order(faulty)


def test_a_deletion_that_fails_is_tried_until_it_works(
    faulty: Faulty, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty.after_put.append(Killed())
    with killed():
        make_file(student)
    faulty.before_delete.extend(errors.Unavailable("away") for _ in range(3))

    sweep_after_lease(monkeypatch)
    assert db.session.scalars(sa.select(StorageTask)).one().attempts == 1
    assert sweep().failed == 0  # not before its time
    for minutes in (1, 2):
        later(monkeypatch, timedelta(minutes=minutes))
        assert sweep().failed == 1
    later(monkeypatch, timedelta(hours=1))
    assert sweep().deleted == 1

    assert_house_in_order(faulty)


def test_killed_between_deleting_and_noting_it_deletes_again(
    faulty: Faulty, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty.after_put.append(Killed())
    with killed():
        make_file(student)
    delete = faulty.delete

    def delete_and_die(key: str) -> bool:
        delete(key)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(faulty, "delete", delete_and_die)
        with killed():
            sweep_after_lease(monkeypatch)

    sweep()

    assert_house_in_order(faulty)
    assert db.session.scalars(sa.select(StorageTask)).all() == []


def test_a_sweep_is_always_waiting_after_an_upload_began(
    faulty: Faulty, student: Any, monkeypatch: pytest.MonkeyPatch, run_jobs: Any
) -> None:
    """No timer and no person is needed: the job was committed before the first byte."""
    faulty.after_put.append(Killed())
    with killed():
        make_file(student)
    db.session.expunge_all()

    later(monkeypatch, writing.LEASE + timedelta(minutes=2))
    run_jobs()

    assert_house_in_order(faulty)


def test_many_uploads_share_one_waiting_sweep(student: Any) -> None:
    from school.jobs.models import Job

    for number in range(5):
        make_file(student, filename=f"{number}.pdf")

    assert db.session.scalar(sa.select(sa.func.count()).select_from(Job)) == 1
