"""Uploads that were begun before reading and writing switched to the new storage."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from school import clock
from school.db import db, transaction
from school.files import queries
from school.files.models import MoveStep, StorageTask, UploadPart, UploadState
from school.files.service.moving import running
from school.files.service.moving.books import change_step, take_move
from school.files.service.outbox import LATE_WRITE
from school.files.service.sweeping import sweep
from school.files.service.uploading import arriving, beginning, direct, ending, finding, finishing
from school.permissions import Person, Role
from tests.conftest import make_member
from tests.factories.files import make_owner
from tests.files.conftest import later
from tests.files.samples import PDF
from tests.files.service.moving.conftest import Installation, a_week_goes_by, go_on, held


@pytest.fixture
def person(school: Any) -> Person:
    user = make_member(school, Role.ADMINISTRATOR)
    roles = frozenset({Role.ADMINISTRATOR})
    return Person(user.id, user.display_name, user.email, school_id=school.id, roles=roles)


def wanted() -> beginning.Wanted:
    spot = queries.Spot("student", make_owner().id)
    return beginning.Wanted(filename="a.pdf", length_bytes=len(PDF), spot=spot)


def switch(house: Installation) -> None:
    """In another process."""

    def change() -> None:
        move = take_move()
        assert move is not None
        change_step(move, MoveStep.SOAKING)

    house.apart(change)


def by_link(house: Installation, person: Person) -> UUID:
    """The link was given before the switch, and used after it."""
    coming = wanted()
    with transaction():
        upload, sent = direct.begin_direct(
            person, coming, content_type="application/pdf", sha256=sha256(PDF).hexdigest()
        )
        upload_id = upload.id
    switch(house)
    direct.receive(
        person,
        sent.url.removeprefix(direct.UPLOAD_PATH),
        io.BytesIO(PDF),
        content_type="application/pdf",
        size_bytes=len(PDF),
    )
    return upload_id


def by_piece(house: Installation, person: Person) -> UUID:
    """The switch comes between the piece's row and its bytes."""
    coming = wanted()
    with transaction():
        upload_id = beginning.begin(person, coming).id
    with arriving.spooled(io.BytesIO(PDF)) as piece:
        row = arriving._lease(upload_id, piece, 0)
        assert row is not None
        db.session.expunge(row)
        db.session.rollback()
        switch(house)
        arriving._store(row, piece)
        arriving._count(row, piece)
    return upload_id


Way = Callable[[Installation, Person], UUID]
WAYS = pytest.mark.parametrize("way", [by_link, by_piece])


@WAYS
def test_given_up_nothing_is_left_at_either_place(
    house: Installation, person: Person, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.begin()

    def send_and_give_up() -> None:
        upload_id = way(house, person)
        assert held(house.source)
        with transaction():
            ending.give_up(person, upload_id)

    house.at_work(send_and_give_up)
    later(monkeypatch, LATE_WRITE + timedelta(minutes=2))
    house.at_work(sweep)
    assert (held(house.source), held(house.target)) == (set(), set())
    assert house.tasks() == 0


@pytest.mark.parametrize("house", ["s3-file"], indirect=True)
def test_what_a_link_of_the_cloud_brings_late_goes_too(house: Installation, person: Person) -> None:
    """The cloud takes its link back at no move, so its place is emptied when the link is over."""

    def act() -> None:
        coming = wanted()
        with transaction():
            upload, _ = direct.begin_direct(
                person, coming, content_type="application/pdf", sha256=sha256(PDF).hexdigest()
            )
            upload_id = upload.id
        (key,) = db.session.scalars(sa.select(UploadPart.key))
        house.source.put(key, io.BytesIO(PDF))
        db.session.rollback()
        house.apart(house.begin)
        direct.confirm(person, upload_id)
        with transaction():
            ending.give_up(person, upload_id)
        (due,) = db.session.scalars(sa.select(StorageTask.next_at))
        assert due > clock.now() + timedelta(hours=23)

    house.at_work(act)


@WAYS
def test_finished_it_is_kept_and_moves_on(
    house: Installation, person: Person, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.begin()

    def send_and_finish() -> None:
        upload_id = way(house, person)
        direct.confirm(person, upload_id)
        assert finishing.finish(upload_id) is None
        upload = finding.get_upload(person, upload_id)
        assert (upload.state, upload.problem) == (UploadState.KEPT, None)
        assert upload.file_id is not None
        house.promised[upload.file_id] = sha256(PDF).hexdigest()

    house.at_work(send_and_finish)
    house.check_downloads()
    later(monkeypatch, LATE_WRITE + timedelta(minutes=2))
    house.at_work(sweep)
    assert held(house.source) == held(house.target) == house.keys()
    a_week_goes_by()
    go_on(house)
    assert running.finish().step == MoveStep.DONE
    house.check_downloads()
