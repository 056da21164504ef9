"""Older versions: which go by a rule, which never do, and what is left of them."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from school.audit.models import AuditEvent
from school.db import db, transaction
from school.errors import Conflict, Invalid, NotFound, Stale
from school.files import queries
from school.files.models import Blob, BlobState, File, FileVersion, HoldTarget
from school.files.service import folders, holding, keeping, retention, trashing
from school.files.service.retention import Amount, Limits
from school.files.service.sweeping import BACKUPS_KEPT, sweep
from school.storage import errors
from tests.factories.files import make_file
from tests.files.conftest import Killed, content_of, killed, later
from tests.files.samples import PDF

DAY = timedelta(days=1)


def body(number: int) -> bytes:
    return PDF + b"%% version %d\n%%%%EOF\n" % number


def file_of(student: Any, versions: int, *, filename: str = "Report.pdf") -> File:
    file = make_file(student, body(1), filename=filename)
    for number in range(2, versions + 1):
        keeping.add_version(file, io.BytesIO(body(number)), filename=filename)
    return queries.get_file(file.id)


def rule(versions: int | None = None, days: int | None = None, purpose: str = "document") -> None:
    with transaction():
        retention.set_rule(Limits(purpose, versions, days))


def kept(file: File) -> list[int]:
    """Numbers of the versions that have their content."""
    db.session.expire_all()
    rows = db.session.scalars(
        sa.select(FileVersion.number)
        .where(FileVersion.file_id == file.id, FileVersion.pruned_at.is_(None))
        .order_by(FileVersion.number)
    )
    return list(rows)


def test_beyond_the_newest_so_many_go(student: Any) -> None:
    file = file_of(student, 5)
    rule(versions=2)

    done = retention.retain()

    assert (done.versions, done.files, kept(file)) == (3, 1, [4, 5])
    assert retention.retain().versions == 0


def test_what_was_replaced_long_ago_goes(student: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_of(student, 2)
    later(monkeypatch, 10 * DAY)
    keeping.add_version(file, io.BytesIO(body(3)), filename="Report.pdf")
    rule(days=5)

    retention.retain()

    # The second was in use until just now, however old it is.
    assert kept(file) == [2, 3]


def test_either_limit_is_enough(student: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_of(student, 3)
    rule(versions=2, days=5)
    retention.retain()
    assert kept(file) == [2, 3]
    later(monkeypatch, 6 * DAY)

    retention.retain()

    assert kept(file) == [3]


def test_the_current_version_never_goes(student: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_of(student, 1)
    rule(versions=1, days=1)
    later(monkeypatch, 1000 * DAY)

    assert retention.retain().versions == 0
    assert kept(file) == [1]


def test_content_that_was_brought_back_stays(student: Any) -> None:
    file = file_of(student, 3)
    with transaction():
        keeping.restore_version(file, 1)
    rule(versions=1)

    retention.retain()

    assert kept(file) == [1, 4]
    assert queries.get_content(queries.get_file(file.id)).size_bytes == len(body(1))
    keeping.add_version(file, io.BytesIO(body(5)), filename="Report.pdf")
    retention.retain()
    assert kept(file) == [5]


def test_only_files_of_the_purpose(student: Any) -> None:
    file = file_of(student, 3)
    rule(versions=1, purpose="medical")

    assert retention.retain().versions == 0
    assert kept(file) == [1, 2, 3]


@pytest.mark.parametrize("kind", list(HoldTarget))
def test_nothing_goes_under_a_hold(kind: HoldTarget, student: Any, school: Any) -> None:
    file = file_of(student, 3)
    with transaction():
        folder = folders.make_folder(queries.Spot("student", student.id), "Letters")
        folders.move([queries.get_file(file.id)], [], folders.inside(folder))
    targets = {
        HoldTarget.FILE: file.id,
        HoldTarget.FOLDER: folder.id,
        HoldTarget.STUDENT: student.id,
        HoldTarget.SCHOOL: school.id,
    }
    with transaction():
        holding.place_hold(kind, targets[kind], "A claim")
    rule(versions=1)

    assert retention.amount_of(Limits("document", 1, None)) == Amount()
    assert retention.retain().versions == 0
    assert kept(file) == [1, 2, 3]


def test_a_hold_placed_while_it_runs_is_kept(student: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [file_of(student, 2, filename=f"{n}.pdf") for n in range(3)]
    held_id = files[1].id
    rule(versions=1)
    retain_one = retention._retain_one

    def hold_first(file_id: Any, purpose: str) -> int:
        if file_id == held_id:
            with transaction():
                holding.place_hold(HoldTarget.FILE, file_id, "A claim")
        return retain_one(file_id, purpose)

    monkeypatch.setattr(retention, "_retain_one", hold_first)

    assert retention.retain().versions == 2
    assert kept(queries.get_file(held_id)) == [1, 2]


def test_a_rule_taken_away_while_it_runs_lets_nothing_more_go(
    student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_of(student, 2, filename="1.pdf")
    file_of(student, 2, filename="2.pdf")
    rule(versions=1)
    retain_one = retention._retain_one

    def then_no_rule(file_id: Any, purpose: str) -> int:
        versions = retain_one(file_id, purpose)
        rule()
        return versions

    monkeypatch.setattr(retention, "_retain_one", then_no_rule)

    assert retention.retain().versions == 1


def test_the_row_stays_and_says_so(student: Any) -> None:
    file = file_of(student, 2)
    sha256 = queries.get_content(file, 1).sha256
    rule(versions=1)

    retention.retain()

    newest, oldest = queries.list_versions(file := queries.get_file(file.id))
    assert (newest.pruned_at, oldest.sha256) == (None, sha256)
    assert oldest.pruned_at is not None
    with pytest.raises(NotFound):
        queries.get_content(file, 1)
    with pytest.raises(Conflict, match="not kept any more"), transaction():
        keeping.restore_version(file, 1)
    event = db.session.scalars(
        sa.select(AuditEvent).where(AuditEvent.action == "file.versions_let_go")
    ).one()
    assert event.before["versions"] == [{"number": 1, "name": "Report.pdf", "sha256": sha256}]


def test_the_preview_says_what_then_goes(student: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = file_of(student, 3), file_of(student, 2, filename="Other.pdf").id
    with transaction():
        keeping.restore_version(first, 1)  # its content stays

    amount = retention.amount_of(Limits("document", 1, None))

    assert amount == Amount(3, 2, len(body(2)) + len(body(3)) + len(body(1)))
    rule(versions=1)
    assert retention.retain().versions == amount.versions
    assert retention.amount_of(Limits("document", 1, None)) == Amount()
    freed = db.session.scalar(
        sa.select(sa.func.sum(Blob.size_bytes)).where(Blob.state == BlobState.DELETING)
    )
    assert freed == amount.bytes
    assert kept(queries.get_file(second)) == [2]


def test_files_in_the_trash_are_left_as_they_are(student: Any) -> None:
    file = file_of(student, 2)
    with transaction():
        trashing.trash_file(file)
    rule(versions=1)

    assert retention.retain().versions == 0
    assert kept(file) == [1, 2]


def test_the_objects_go_when_no_backup_needs_them(
    provider: Any, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = file_of(student, 2)
    key, current = (queries.get_content(file, number).key for number in (1, 2))
    rule(versions=1)
    retention.retain()

    assert sweep().deleted == 0
    assert content_of(provider, key) == body(1)
    later(monkeypatch, BACKUPS_KEPT + timedelta(minutes=2))
    assert sweep().deleted == 1
    with pytest.raises(errors.NotFound):
        provider.stat(key)
    assert content_of(provider, current) == body(2)


@pytest.mark.parametrize("step", ["record", "let_go"])
def test_killed_in_the_middle_goes_on_next_time(
    step: str, provider: Any, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_args: Any, **_more: Any) -> None:
        raise Killed

    file_id = file_of(student, 3).id
    rule(versions=1)
    with monkeypatch.context() as patch:
        patch.setattr(retention, step, die)
        with killed():
            retention.retain()
    assert kept(queries.get_file(file_id)) == [1, 2, 3]

    assert retention.retain().versions == 2
    assert kept(queries.get_file(file_id)) == [3]


@pytest.mark.parametrize(
    "limits",
    [
        Limits("nothing", 1, None),
        Limits("document", 0, None),
        Limits("document", None, -1),
        Limits("document", 1001, None),
        Limits("document", None, 10**12),
    ],
)
def test_limits_nobody_can_mean_are_refused(limits: Limits, in_school: Any) -> None:
    with pytest.raises(Invalid), transaction():
        retention.set_rule(limits)
    with pytest.raises(Invalid):
        retention.amount_of(limits)


def test_a_rule_is_changed_by_who_saw_it(in_school: Any) -> None:
    with transaction():
        made = retention.set_rule(Limits("document", 3, None), expected_version=0)
    assert made is not None
    with pytest.raises(Stale), transaction():
        retention.set_rule(Limits("document", 2, None), expected_version=0)
    with transaction():
        retention.set_rule(Limits("document", None, None), expected_version=made.version)

    assert retention.list_rules() == []
    told = db.session.scalars(
        sa.select(AuditEvent.action)
        .where(AuditEvent.entity == "retention_rule")
        .order_by(AuditEvent.id)
    )
    assert list(told) == ["retention.set", "retention.removed"]


def test_one_job_a_night_and_only_where_there_is_a_rule(student: Any, run_jobs: Any) -> None:
    file = file_of(student, 2)
    assert not retention.plan_retention()
    rule(versions=1)

    assert retention.plan_retention()
    assert not retention.plan_retention()
    file_id = file.id
    db.session.expunge_all()
    run_jobs()

    assert kept(queries.get_file(file_id)) == [2]
