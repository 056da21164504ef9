"""The trash: gone for everybody, back again, gone for good; on every provider, through crashes."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from school.audit.actor import Actor, acting_as
from school.audit.models import AuditEvent
from school.db import db, transaction
from school.errors import Conflict, NotFound
from school.files import queries
from school.files.models import (
    Blob,
    BlobLocation,
    BlobState,
    File,
    FileVersion,
    HoldTarget,
    LocationState,
    StorageTask,
)
from school.files.service import holding, keeping, trashing
from school.files.service.sweeping import BACKUPS_KEPT, let_go, sweep
from school.search.index import having_word
from school.search.models import Kind
from school.storage import errors
from tests.factories.files import make_file
from tests.files.conftest import Faulty, Killed, actions, content_of, killed, later
from tests.files.samples import PDF, picture

NEWER = PDF + b"% newer\n%%EOF\n"
MONTH = timedelta(days=31)
WEEK = BACKUPS_KEPT + timedelta(minutes=2)


def trash(file: File, by: str = "Grace Kim") -> File:
    with acting_as(Actor(name=by)), transaction():
        return trashing.trash_file(queries.get_file(file.id))


def take_out(file: File) -> File:
    with transaction():
        return trashing.take_out(queries.get_file(file.id))


def is_found(word: str) -> bool:
    return db.session.scalar(having_word(Kind.FILE, word)) is not None


def count(table: Any) -> int:
    db.session.expire_all()
    return db.session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def states() -> set[str]:
    db.session.expire_all()
    return set(db.session.scalars(sa.select(Blob.state)))


def test_what_is_deleted_is_in_no_list_and_no_search_and_comes_back_whole(student: Any) -> None:
    file = make_file(student, filename="Report.pdf")

    trash(file)

    assert queries.list_files("student", student.id).rows == []
    assert queries.list_stored("student", student.id, limit=9) == []
    assert queries.list_all_files() == []
    assert not is_found("report")
    assert queries.get_file(file.id).trashed_by_name == "Grace Kim"

    take_out(file)

    assert [row.name for row in queries.list_files("student", student.id).rows] == ["Report.pdf"]
    assert is_found("report")
    assert queries.get_content(queries.get_file(file.id)).size_bytes == len(PDF)
    assert actions() == ["file.added", "file.trashed", "file.taken_out"]


def test_twice_is_once(student: Any) -> None:
    file = make_file(student)

    trash(file, by="Grace Kim")
    trash(file, by="Somebody Else")
    assert queries.get_file(file.id).trashed_by_name == "Grace Kim"
    take_out(file)
    take_out(file)

    assert actions() == ["file.added", "file.trashed", "file.taken_out"]


def test_one_that_was_put_away_comes_back_as_put_away(student: Any) -> None:
    file = make_file(student)
    with transaction():
        keeping.archive_file(file)

    trash(file)
    assert queries.list_files("student", student.id, archived=True).rows == []
    take_out(file)

    assert [row.id for row in queries.list_files("student", student.id, archived=True).rows] == [file.id]
    assert not is_found("report")


def test_nothing_is_done_to_a_file_in_the_trash(student: Any) -> None:
    file = make_file(student)
    trash(file)

    with pytest.raises(NotFound):
        keeping.add_version(file, io.BytesIO(NEWER), filename="a.pdf")
    for act in (keeping.archive_file, keeping.restore_file):
        with pytest.raises(NotFound), transaction():
            act(file)
    with pytest.raises(NotFound), transaction():
        keeping.rename_file(file, "Other.pdf")


def test_an_upload_of_the_same_name_is_a_new_file(student: Any) -> None:
    old = make_file(student, filename="Report.pdf")
    trash(old)

    new = keeping.keep_upload(
        io.BytesIO(NEWER), owner_kind="student", owner_id=student.id, filename="Report.pdf"
    )

    assert new.id != old.id


def put_away(file: File) -> File:
    with transaction():
        return keeping.archive_file(queries.get_file(file.id))


def take_up(file: File) -> File:
    with transaction():
        return keeping.restore_file(queries.get_file(file.id))


@pytest.mark.parametrize(
    ("leave", "come_back", "action"),
    [(trash, take_out, "file.taken_out"), (put_away, take_up, "file.restored")],
)
def test_what_comes_back_beside_one_of_its_name_gets_a_number(
    leave: Any, come_back: Any, action: str, student: Any
) -> None:
    old = [make_file(student, filename=name) for name in ("Report.pdf", "report.PDF")]
    for file in old:
        leave(file)
    make_file(student, filename="Report.pdf")

    names = [come_back(file).name for file in old]

    assert names == ["Report (2).pdf", "report (3).PDF"]
    assert is_found("2")
    event = db.session.scalars(
        sa.select(AuditEvent).where(AuditEvent.action == action, AuditEvent.entity_id == old[0].id)
    ).one()
    assert (event.before["name"], event.after["name"]) == ("Report.pdf", "Report (2).pdf")
    with transaction():
        keeping.rename_file(queries.get_file(old[1].id), "Other.PDF")
    assert come_back(leave(old[0])).name == "Report (2).pdf"  # free by now: nothing changes


def test_what_is_put_away_again_keeps_its_name_until_it_is_in_use(student: Any) -> None:
    old = put_away(make_file(student, filename="Report.pdf"))
    make_file(student, filename="Report.pdf")

    assert take_out(trash(old)).name == "Report.pdf"
    assert take_up(old).name == "Report (2).pdf"


def test_a_trashed_photo_is_nobodys_picture(student: Any) -> None:
    photo = keeping.set_photo(
        io.BytesIO(picture()), owner_kind="student", owner_id=student.id, filename="me.jpg"
    )
    trash(photo)
    db.session.refresh(student)
    assert student.photo_file_id is None
    assert queries.find_photo("student", student.id) is None

    take_out(photo)
    db.session.refresh(student)
    assert student.photo_file_id == photo.id


def test_a_photo_replaced_meanwhile_comes_back_as_put_away(student: Any) -> None:
    first, second = (_set_and_trash(student, is_trashed=is_trashed) for is_trashed in (True, False))

    take_out(first)

    db.session.refresh(student)
    assert student.photo_file_id == second.id
    found = queries.find_photo("student", student.id)
    assert found is not None
    assert found.id == second.id
    assert queries.get_file(first.id).archived_at is not None


def _set_and_trash(student: Any, *, is_trashed: bool) -> File:
    photo = keeping.set_photo(
        io.BytesIO(picture()), owner_kind="student", owner_id=student.id, filename="me.jpg"
    )
    return trash(photo) if is_trashed else photo


def test_for_good_go_file_versions_and_in_the_end_the_objects(
    provider: Any, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_file(student)
    keeping.add_version(file, io.BytesIO(NEWER), filename="Report.pdf")
    keys = [queries.get_content(queries.get_file(file.id), n).key for n in (1, 2)]
    trash(file)

    later(monkeypatch, timedelta(days=29))
    assert trashing.purge().files == 0
    later(monkeypatch, timedelta(days=2))
    assert trashing.purge().files == 1

    assert (count(File), count(FileVersion), states()) == (0, 0, {BlobState.DELETING})
    assert [content_of(provider, key) for key in keys] == [PDF, NEWER]
    assert sweep().deleted == 0  # a backup may still name them
    later(monkeypatch, WEEK)
    assert sweep().deleted == 2
    assert (count(BlobLocation), count(StorageTask), states()) == (0, 0, {BlobState.DELETED})
    for key in keys:
        with pytest.raises(errors.NotFound):
            provider.stat(key)


def test_the_history_names_what_went(student: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_file(student, filename="Report.pdf")
    content = queries.get_content(file)
    trash(file)
    later(monkeypatch, MONTH)

    trashing.purge()

    event = db.session.scalars(
        sa.select(AuditEvent).where(AuditEvent.action == "file.deleted")
    ).one()
    assert (event.entity_id, event.before["name"]) == (file.id, "Report.pdf")
    assert event.before["versions"] == [
        {"number": 1, "name": "Report.pdf", "sha256": content.sha256}
    ]


def test_content_another_version_has_stays(student: Any) -> None:
    file = make_file(student)
    blob_id = queries.get_content(file).blob_id
    with transaction():
        assert not let_go(blob_id)
    assert states() == {BlobState.STORED}


def test_a_file_that_is_not_in_the_trash_is_never_deleted(student: Any) -> None:
    file = make_file(student)

    with pytest.raises(NotFound), transaction():
        trashing.delete_for_good(file.id)

    assert count(File) == 1


@pytest.mark.parametrize("step", ["record", "file_changed", "flush_file", "let_go"])
def test_killed_while_the_rows_change_leaves_the_file_in_the_trash(
    step: str, provider: Any, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_args: Any, **_more: Any) -> None:
        raise Killed

    file = make_file(student)
    file_id, key = file.id, queries.get_content(file).key
    trash(file)
    later(monkeypatch, MONTH)
    with monkeypatch.context() as patch:
        patch.setattr(trashing, step, die)
        with killed():
            trashing.purge()

    assert (count(File), count(FileVersion), states()) == (1, 1, {BlobState.STORED})
    take_out(file := queries.get_file(file_id))
    assert content_of(provider, key) == PDF
    trash(file)
    later(monkeypatch, MONTH)
    assert trashing.purge().files == 1


def test_killed_between_the_rows_and_the_object_deletes_it_later(
    faulty: Faulty, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The purge is committed; the process dies at the provider, before and after it deleted."""
    key = queries.get_content(file := make_file(student)).key
    trash(file)
    later(monkeypatch, MONTH)
    trashing.purge()
    later(monkeypatch, WEEK)

    faulty.before_delete.append(Killed())
    with killed():
        sweep()
    assert (states(), content_of(faulty, key)) == ({BlobState.DELETING}, PDF)
    delete = faulty.delete

    def delete_and_die(key: str) -> bool:
        delete(key)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(faulty, "delete", delete_and_die)
        with killed():
            sweep()
    assert states() == {BlobState.DELETING}

    sweep()

    assert (count(BlobLocation), count(StorageTask), states()) == (0, 0, {BlobState.DELETED})


def test_a_sweep_waits_for_what_was_purged(
    student: Any, monkeypatch: pytest.MonkeyPatch, run_jobs: Any
) -> None:
    trash(make_file(student))
    later(monkeypatch, MONTH)
    trashing.purge()
    db.session.expunge_all()
    later(monkeypatch, WEEK)

    run_jobs()

    assert states() == {BlobState.DELETED}


def test_a_held_file_is_not_deleted_and_the_others_are(
    student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone = make_file(student, filename="Kept.pdf"), make_file(student, filename="Gone.pdf")
    for file in (kept, gone):
        trash(file)
    with transaction():
        hold = holding.place_hold(HoldTarget.FILE, kept.id, "A claim")
    later(monkeypatch, MONTH)

    purged = trashing.purge()

    assert (purged.files, purged.held) == (1, 1)
    assert [file.id for file in db.session.scalars(sa.select(File))] == [kept.id]
    with pytest.raises(Conflict, match="legal hold"), transaction():
        trashing.delete_for_good(kept.id)
    with transaction():
        holding.lift_hold(hold.id)
    assert trashing.purge().files == 1


def test_a_hold_placed_while_the_purge_runs_is_kept(
    student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the list of what is to go and the file's own turn."""
    files = [make_file(student, filename=f"{n}.pdf") for n in range(3)]
    for file in files:
        trash(file)
    later(monkeypatch, MONTH)
    purge_one = trashing._purge_one

    def hold_first(file_id: Any, before: Any) -> bool:
        if file_id == files[1].id:
            with transaction():
                holding.place_hold(HoldTarget.FILE, file_id, "A claim")
        return purge_one(file_id, before)

    monkeypatch.setattr(trashing, "_purge_one", hold_first)

    assert trashing.purge().files == 2
    assert [file.id for file in db.session.scalars(sa.select(File))] == [files[1].id]


def test_one_job_a_night_and_only_where_something_is_to_go(
    student: Any, monkeypatch: pytest.MonkeyPatch, run_jobs: Any
) -> None:
    file = make_file(student)
    assert not trashing.plan_purge()
    trash(file)
    assert not trashing.plan_purge()
    later(monkeypatch, MONTH)

    assert trashing.plan_purge()
    assert not trashing.plan_purge()
    db.session.expunge_all()
    run_jobs()

    assert count(File) == 0
    assert not trashing.plan_purge()


def test_the_state_of_copies_follows(student: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    trash(make_file(student))
    later(monkeypatch, MONTH)
    trashing.purge()
    db.session.expire_all()
    places = db.session.scalars(sa.select(BlobLocation)).all()
    assert {place.state for place in places} == {LocationState.DELETING}
