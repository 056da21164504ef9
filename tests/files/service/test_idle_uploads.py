"""Uploads nobody goes on with: the room of what has not arrived is others' after two hours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from school.db import db, transaction
from school.files.models import HolderKind, StorageUsage
from school.files.service import quotas
from school.files.service.recounting import recount
from school.files.service.sweeping import sweep
from school.files.service.uploading import ending, finishing
from school.permissions import Person
from school.students.models import Student
from tests.files.conftest import actions, later
from tests.files.service.test_uploading import (
    TEXT,
    assert_kept,
    begin,
    found,
    person,  # noqa: F401
    send,
)

HALF = len(TEXT) // 2
TWO_HOURS = ending.IDLE + timedelta(minutes=1)


def used(kind: HolderKind) -> int:
    row = sa.select(StorageUsage.used_bytes).where(StorageUsage.holder_kind == kind)
    return db.session.scalar(row) or 0


def both_used() -> tuple[int, int]:
    return used(HolderKind.SCHOOL), used(HolderKind.PERSON)


def test_after_two_hours_only_what_has_arrived_counts(
    storage: Any,
    person: Person,  # noqa: F811
    student: Student,
    monkeypatch: pytest.MonkeyPatch,
    run_jobs: Callable[[], int],
) -> None:
    upload_id = begin(person, student)
    send(person, upload_id, 0, TEXT[:HALF])
    later(monkeypatch, ending.IDLE - timedelta(minutes=1))
    run_jobs()
    assert both_used() == (len(TEXT), len(TEXT))

    later(monkeypatch, timedelta(minutes=2))
    run_jobs()

    assert both_used() == (HALF, HALF)
    assert recount() == []
    sweep()
    assert both_used() == (HALF, HALF)  # once
    assert actions().count("upload.room_released") == 1

    send(person, upload_id, HALF, TEXT[HALF:])
    assert both_used() == (len(TEXT), len(TEXT))
    finishing.finish(upload_id)
    assert_kept(storage, upload_id)
    assert recount() == []
    assert "upload.room_taken" in actions()


def test_going_on_needs_room_again(
    person: Person,  # noqa: F811
    student: Student,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with transaction():
        quotas.set_limit(HolderKind.PERSON, person.user_id, len(TEXT))
    upload_id = begin(person, student)
    send(person, upload_id, 0, TEXT[:HALF])
    later(monkeypatch, TWO_HOURS)
    sweep()
    other_id = begin(person, student, b"x" * 10)  # takes what was given back

    with pytest.raises(quotas.NoRoom, match="There is no room for this file"):
        send(person, upload_id, HALF, TEXT[HALF:])

    assert (found(upload_id).offset_bytes, found(upload_id).room_bytes) == (HALF, HALF)
    assert used(HolderKind.PERSON) == HALF + 10
    with transaction():
        ending.give_up(person, other_id)
    send(person, upload_id, HALF, TEXT[HALF:])
    assert used(HolderKind.PERSON) == len(TEXT)


def test_what_ends_gives_back_only_what_it_still_kept(
    person: Person,  # noqa: F811
    student: Student,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = [begin(person, student) for _ in range(2)]
    for upload_id in ids:
        send(person, upload_id, 0, TEXT[:HALF])
    later(monkeypatch, TWO_HOURS)
    sweep()
    with transaction():
        ending.give_up(person, ids[0])
    assert both_used() == (HALF, HALF)
    later(monkeypatch, ending.LIFETIME)
    sweep()
    assert both_used() == (0, 0)
    assert recount() == []


def test_a_piece_on_its_way_keeps_the_room(
    person: Person,  # noqa: F811
    student: Student,
    monkeypatch: pytest.MonkeyPatch,
    storage: Any,
) -> None:
    """Nothing is released between the moment a piece is let in and the moment it counts."""
    upload_id = begin(person, student)
    send(person, upload_id, 0, TEXT[:HALF])
    later(monkeypatch, TWO_HOURS)
    put = storage.put

    def sweep_first(*args: Any, **more: Any) -> Any:
        db.session.rollback()
        sweep()
        return put(*args, **more)

    monkeypatch.setattr(storage, "put", sweep_first)
    send(person, upload_id, HALF, TEXT[HALF:])
    monkeypatch.setattr(storage, "put", put)
    assert both_used() == (len(TEXT), len(TEXT))
    finishing.finish(upload_id)
    assert_kept(storage, upload_id)
    assert recount() == []
