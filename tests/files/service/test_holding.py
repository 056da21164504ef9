"""Legal holds: what they stop, who sees them first, and the history they leave."""

from __future__ import annotations

import io
import threading
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from school.audit.actor import Actor, acting_as
from school.audit.models import AuditEvent
from school.db import db, transaction
from school.errors import Conflict, Invalid, NotFound
from school.files import queries
from school.files.models import File, HoldTarget, LegalHold
from school.files.queries import Spot, spot_of
from school.files.service import folders, holding, keeping, trashing
from school.files.service.places import spot_of_person
from school.tenancy.scope import current_school_id, school_scope
from tests.factories.files import make_file, make_owner
from tests.files.samples import PDF


def place(kind: HoldTarget, target_id: Any, reason: str = "A claim") -> LegalHold:
    with acting_as(Actor(name="Grace Kim")), transaction():
        return holding.place_hold(kind, target_id, reason)


def trash(file: File) -> None:
    with transaction():
        trashing.trash_file(file)


def aims(file: File) -> dict[HoldTarget, Any]:
    return {
        HoldTarget.FILE: file.id,
        HoldTarget.STUDENT: file.owner_id,
        HoldTarget.SCHOOL: current_school_id(),
    }


@pytest.mark.parametrize("kind", list(HoldTarget))
def test_a_hold_stops_deletion_until_it_is_lifted(kind: HoldTarget, student: Any) -> None:
    file = make_file(student)
    with transaction():
        outer = folders.make_folder(queries.Spot("student", student.id), "Letters")
        inner = folders.make_folder(folders.inside(outer), "Old")
        folders.move([file], [], folders.inside(inner))
    aimed = aims(file) | {HoldTarget.FOLDER: outer.id}
    hold = place(kind, aimed[kind])

    with pytest.raises(Conflict, match="legal hold"):
        trash(file)
    with transaction():
        holding.lift_hold(hold.id)
    trash(queries.get_file(file.id))

    assert queries.get_file(file.id).trashed_at is not None


def test_a_hold_on_one_student_leaves_the_other_alone(student: Any) -> None:
    other = make_file(make_owner())
    place(HoldTarget.STUDENT, student.id)

    trash(other)

    assert queries.get_file(other.id).trashed_at is not None


def test_a_hold_on_a_file_in_the_trash_keeps_it(student: Any) -> None:
    file = make_file(student)
    trash(file)
    place(HoldTarget.FILE, file.id)

    with pytest.raises(Conflict, match="legal hold"), transaction():
        trashing.delete_for_good(file.id)
    with transaction():
        trashing.take_out(queries.get_file(file.id))  # bringing it back loses nothing

    assert queries.get_file(file.id).trashed_at is None


def test_who_placed_and_who_lifted_is_kept(student: Any) -> None:
    file = make_file(student)
    hold = place(HoldTarget.FILE, file.id, "  A claim of 3 May ")
    with acting_as(Actor(name="Amara Okafor")), transaction():
        holding.lift_hold(hold.id)
        holding.lift_hold(hold.id)  # twice is once

    (row,) = holding.list_holds()
    assert (row.hold.reason, row.name) == ("A claim of 3 May", "Report.pdf")
    assert (row.hold.placed_by_name, row.hold.lifted_by_name) == ("Grace Kim", "Amara Okafor")
    told = db.session.scalars(
        sa.select(AuditEvent.action)
        .where(AuditEvent.entity == "legal_hold")
        .order_by(AuditEvent.id)
    )
    assert list(told) == ["legal_hold.placed", "legal_hold.lifted"]


def test_a_hold_on_a_student_is_told_on_the_students_page(student: Any) -> None:
    hold = place(HoldTarget.STUDENT, student.id)
    with transaction():
        holding.lift_hold(hold.id)
    place(HoldTarget.FILE, make_file(student).id)

    told = db.session.scalars(sa.select(AuditEvent).where(AuditEvent.about_id == student.id))
    assert {event.action for event in told} == {"legal_hold.placed", "legal_hold.lifted"}


@pytest.mark.parametrize("by", ["file", "folder"])
def test_a_held_file_is_not_taken_to_another_owner(by: str, student: Any) -> None:
    of_student, mine = Spot("student", student.id), spot_of_person(uuid4())
    with transaction():
        outer = folders.make_folder(of_student, "Letters")
        inner = folders.make_folder(folders.inside(outer), "Old")
    beside = make_file(student)
    file = keeping.keep_upload(io.BytesIO(PDF), **folders.inside(inner)._asdict(), filename="A.pdf")
    hold = place(HoldTarget.FILE, file.id)

    def take(to: Spot) -> None:
        files, chosen = ([file], []) if by == "file" else ([], [folders.get_folder(outer.id)])
        with transaction():
            folders.move(files, chosen, to)

    with pytest.raises(Conflict, match="legal hold"):
        take(mine)
    with transaction():
        assert folders.move([beside], [], mine) == 1  # not held
        within = folders.make_folder(of_student, "Within")
    take(folders.inside(within))  # it stays the student's
    with transaction():
        holding.lift_hold(hold.id)
    take(mine)

    assert spot_of(queries.get_file(file.id))[:2] == mine[:2]


def test_every_file_handed_over_with_its_folder_is_told(student: Any) -> None:
    of_student, mine = Spot("student", student.id), spot_of_person(uuid4())
    with transaction():
        outer = folders.make_folder(of_student, "Letters")
        inner = folders.make_folder(folders.inside(outer), "Old")
    places = (folders.inside(outer), folders.inside(inner))
    files = [
        keeping.keep_upload(io.BytesIO(PDF), **spot._asdict(), filename="A.pdf") for spot in places
    ]
    for to in (mine, of_student):
        with transaction():
            folders.move([], [folders.get_folder(outer.id)], to)

    events = db.session.scalars(
        sa.select(AuditEvent).where(AuditEvent.action == "file.moved").order_by(AuditEvent.id)
    ).all()
    assert {event.entity_id for event in events} == {file.id for file in files}
    assert [event.about_id for event in events] == [student.id] * 4
    assert events[0].after == {
        "owner_kind": "person", "owner_id": str(mine.owner_id), "name": "A.pdf"
    }  # fmt: skip


@pytest.mark.parametrize("reason", ["", "   ", "x" * 301])
def test_a_hold_needs_a_reason(reason: str, student: Any) -> None:
    with pytest.raises(Invalid):
        place(HoldTarget.STUDENT, student.id, reason)


def test_one_hold_at_a_time_on_one_thing(student: Any) -> None:
    first = place(HoldTarget.STUDENT, student.id)

    assert place(HoldTarget.STUDENT, student.id).id == first.id  # the button, pressed twice
    with pytest.raises(Conflict, match="already"):
        place(HoldTarget.STUDENT, student.id, "Another claim")
    with pytest.raises(Conflict, match="already"), acting_as(Actor(name="Omar Haddad")):
        with transaction():
            holding.place_hold(HoldTarget.STUDENT, student.id, "A claim")
    assert db.session.scalars(sa.select(LegalHold)).all() == [first]
    told = sa.select(AuditEvent).where(AuditEvent.action == "legal_hold.placed")
    assert len(db.session.scalars(told).all()) == 1


def test_what_is_deleted_for_good_cannot_be_held(student: Any) -> None:
    file = make_file(student)
    trash(file)
    with transaction():
        trashing.delete_for_good(file.id)

    with pytest.raises(NotFound):
        place(HoldTarget.FILE, file.id)


def test_another_schools_hold_holds_nothing_here(school: Any, other_school: Any) -> None:
    with school_scope(school.id):
        file = make_file(make_owner())
    with school_scope(other_school.id):
        hold = place(HoldTarget.STUDENT, file.owner_id)

    with school_scope(school.id):
        with pytest.raises(NotFound):
            holding.get_hold(hold.id)
        trash(file)
        assert queries.get_file(file.id).trashed_at is not None


def test_hold_and_deletion_at_once_end_with_one_of_both(app: Any, student: Any) -> None:
    """Two connections at the same moment: either the hold is refused, or the file is there."""
    file_ids = [make_file(student, filename=f"{n}.pdf").id for n in range(6)]
    for file_id in file_ids:
        trash(queries.get_file(file_id))
    school_id, together = current_school_id(), threading.Barrier(2, timeout=10)
    db.session.rollback()

    def in_thread(act: Any) -> threading.Thread:
        def run() -> None:
            with app.app_context(), school_scope(school_id):
                for file_id in file_ids:
                    together.wait()
                    try:
                        with transaction():
                            act(file_id)
                    except (Conflict, NotFound):
                        continue
                db.session.remove()

        return threading.Thread(target=run)

    threads = [
        in_thread(lambda file_id: holding.place_hold(HoldTarget.FILE, file_id, "A claim")),
        in_thread(trashing.delete_for_good),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    db.session.expunge_all()
    there = set(db.session.scalars(sa.select(File.id)))
    held = set(db.session.scalars(sa.select(LegalHold.target_id)))
    assert there == held
    deleted = db.session.scalars(
        sa.select(AuditEvent.entity_id).where(AuditEvent.action == "file.deleted")
    )
    assert there | set(deleted) == set(file_ids)
