"""Folders in the trash: with everything in them, back whole, held, and gone after their time."""

from __future__ import annotations

import io
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from school.audit.actor import Actor, acting_as
from school.audit.models import AuditEvent
from school.db import db, new_id, transaction
from school.errors import Conflict, NotFound, Stale
from school.files import queries
from school.files.models import File, FileVersion, Folder, HoldTarget, Share
from school.files.queries import Spot, list_folders, list_in
from school.files.service import folders, holding, keeping, sharing, trashing
from school.files.service.trashing_folders import Inside, take_out_folder, trash_folder
from school.permissions import Role
from school.search.index import having_word
from school.search.models import Kind
from school.tenancy.scope import current_school_id
from tests.factories.files import make_owner
from tests.files.conftest import later
from tests.files.samples import PDF

MONTH = timedelta(days=31)


def make(spot: Spot, name: str) -> Folder:
    with transaction():
        return folders.make_folder(spot, name)


def keep(folder: Folder, name: str, **more: Any) -> File:
    spot = folders.inside(folder)
    return keeping.keep_upload(io.BytesIO(PDF), **spot._asdict(), filename=name, **more)


def trash(thing: Any) -> Any:
    db.session.expire_all()
    with acting_as(Actor(name="Grace Kim")), transaction():
        if isinstance(thing, Folder):
            return trash_folder(folders.get_folder(thing.id, from_trash=True))
        return trashing.trash_file(queries.get_file(thing.id))


def back(thing: Any) -> Any:
    db.session.expire_all()
    with transaction():
        if isinstance(thing, Folder):
            return take_out_folder(folders.get_folder(thing.id, from_trash=True))
        return trashing.take_out(queries.get_file(thing.id))


def fresh(thing: Any) -> Any:
    db.session.expire_all()
    return db.session.get(type(thing), (current_school_id(), thing.id))


def names(spot: Spot) -> list[str]:
    db.session.expire_all()
    return [row.name for row in [*list_folders(spot), *list_in(spot).rows]]


def in_trash() -> list[str]:
    listed = trashing.list_trashed(lambda thing: thing.trashed_at.is_not(None), place=None)
    return [row.name for row in listed.rows]


def hold(kind: HoldTarget, target_id: UUID) -> UUID:
    with transaction():
        return holding.place_hold(kind, target_id, "A claim").id


@pytest.fixture
def top(student: Any) -> Spot:
    return Spot("student", student.id)


@pytest.fixture
def tree(top: Spot) -> tuple[Folder, Folder, File, File]:
    """Trip › Old, and a file in each."""
    outer = make(top, "Trip")
    inner = make(folders.inside(outer), "Old")
    return outer, inner, keep(outer, "Plan.pdf"), keep(inner, "Letter.pdf")


def test_all_in_it_goes_along_and_comes_back_whole(top: Spot, tree: Any) -> None:
    outer, inner, plan, letter = tree
    with transaction():
        keeping.archive_file(letter)

    assert trash(outer) == Inside(files=2, folders=1)

    assert names(top) == [] and in_trash() == ["Trip"]
    assert db.session.scalar(having_word(Kind.FILE, "plan")) is None
    with pytest.raises(NotFound):
        folders.get_folder(inner.id)
    assert {fresh(one).trashed_by_name for one in tree} == {"Grace Kim"}

    assert back(outer) == Inside(files=2, folders=1)

    assert names(top) == ["Trip"] and names(folders.inside(outer)) == ["Old", "Plan.pdf"]
    assert in_trash() == []
    assert db.session.scalar(having_word(Kind.FILE, "plan")) == plan.id
    assert fresh(letter).archived_at is not None
    assert db.session.scalar(having_word(Kind.FILE, "letter")) is None


def test_twice_is_once(tree: Any) -> None:
    outer = tree[0]

    assert trash(outer).files == 2
    assert trash(outer) == Inside(0, 0)
    assert back(outer).files == 2
    assert back(outer) == Inside(0, 0)


def test_it_is_told_of_the_folder_with_counts_and_of_each_file(tree: Any) -> None:
    outer, _inner, plan, _letter = tree
    trash(outer)
    back(outer)

    told = db.session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id)).all()
    own = [one for one in told if one.entity_id == outer.id and one.action != "folder.made"]
    assert [(one.action, one.after["files"], one.after["folders"]) for one in own] == [
        ("folder.trashed", 2, 1),
        ("folder.taken_out", 2, 1),
    ]
    of_plan = [(one.action, one.after.get("folder")) for one in told if one.entity_id == plan.id]
    assert of_plan[1:] == [("file.trashed", "Trip"), ("file.taken_out", "Trip")]


def test_what_was_deleted_before_its_folder_stays_in_the_trash(tree: Any) -> None:
    outer, inner, plan, letter = tree
    trash(plan)
    trash(inner)

    assert trash(outer) == Inside(0, 0)
    back(outer)

    assert sorted(in_trash()) == ["Old", "Plan.pdf"]
    assert names(folders.inside(outer)) == []
    back(inner)
    assert fresh(letter).trashed_at is None and in_trash() == ["Plan.pdf"]


def test_what_lay_in_a_deleted_folder_comes_back_to_the_nearest_place_that_is_there(
    top: Spot, tree: Any
) -> None:
    outer, inner, plan, letter = tree
    trash(letter)
    trash(plan)
    trash(outer)
    keep_beside = keeping.keep_upload(io.BytesIO(PDF), **top._asdict(), filename="Letter.pdf")

    back(letter)
    back(inner)  # went along with its folder, and comes back without it

    assert fresh(letter).folder_id is None and fresh(letter).name == "Letter (2).pdf"
    assert fresh(inner).parent_id is None and fresh(inner).trashed_with is None
    assert names(top) == ["Old", "Letter (2).pdf", "Letter.pdf"]
    assert fresh(keep_beside).name == "Letter.pdf"
    back(outer)
    assert names(folders.inside(outer)) == []
    assert in_trash() == ["Plan.pdf"]


def test_it_comes_back_with_a_number_where_its_name_is_taken(top: Spot, tree: Any) -> None:
    outer = tree[0]
    trash(outer)
    make(top, "trip")

    back(outer)

    assert names(top) == ["trip", "Trip (2)"]


def test_nothing_is_done_to_a_folder_in_the_trash(top: Spot, tree: Any) -> None:
    outer, inner, plan, _letter = tree
    trash(outer)

    for act in (
        lambda: folders.rename_folder(outer, "New"),
        lambda: folders.make_folder(folders.inside(inner), "New"),
        lambda: folders.move([], [outer], top),
        lambda: keeping.rename_file(plan, "New.pdf"),
    ):
        with pytest.raises(NotFound), transaction():
            act()
    with pytest.raises(NotFound):
        keep(inner, "New.pdf")


def test_who_saw_another_version_of_it_deletes_nothing(tree: Any) -> None:
    outer = tree[0]
    with pytest.raises(Stale), transaction():
        trash_folder(outer, expected_version=outer.version + 1)

    assert fresh(outer).trashed_at is None


@pytest.mark.parametrize("on", ["it", "inside", "file", "above", "student", "school"])
def test_a_hold_keeps_it_out_of_the_trash(on: str, student: Any, tree: Any) -> None:
    outer, inner, _plan, letter = tree
    going = inner if on == "above" else outer
    aims = {
        "it": (HoldTarget.FOLDER, outer.id),
        "inside": (HoldTarget.FOLDER, inner.id),
        "file": (HoldTarget.FILE, letter.id),
        "above": (HoldTarget.FOLDER, outer.id),
        "student": (HoldTarget.STUDENT, student.id),
        "school": (HoldTarget.SCHOOL, current_school_id()),
    }
    held = hold(*aims[on])

    with pytest.raises(Conflict, match="legal hold"):
        trash(going)
    assert fresh(going).trashed_at is None
    with transaction():
        holding.lift_hold(held)

    trash(going)
    assert fresh(going).trashed_at is not None


@pytest.mark.parametrize("on", ["file", "inside", "student"])
def test_a_hold_placed_later_keeps_the_whole_of_it(
    on: str, student: Any, tree: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer, inner, _plan, letter = tree
    trash(outer)
    aims = {
        "file": (HoldTarget.FILE, letter.id),
        "inside": (HoldTarget.FOLDER, inner.id),
        "student": (HoldTarget.STUDENT, student.id),
    }
    held = hold(*aims[on])
    later(monkeypatch, MONTH)

    purged = trashing.purge()

    assert (purged.files, purged.folders, purged.held) == (0, 0, 2)
    (row,) = trashing.list_trashed(lambda thing: sa.true(), place=None).rows
    assert (row.name, row.is_folder, row.files, row.is_held) == ("Trip", True, 2, True)
    with pytest.raises(Conflict), transaction():
        trashing.delete_for_good(letter.id)
    with transaction():
        holding.lift_hold(held)
    purged = trashing.purge()
    assert (purged.files, purged.folders) == (2, 2)


def test_after_its_time_it_is_gone_with_its_shares(
    tree: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer, *_rest, plan, _letter = tree
    with transaction():
        sharing.share(outer, sharing.Grant(role=Role.TEACHER))
        sharing.share(plan, sharing.Grant(role=Role.TEACHER))
    trash(outer)

    assert trashing.plan_purge() is False
    later(monkeypatch, MONTH)
    assert trashing.plan_purge() is True
    purged = trashing.purge()

    assert (purged.files, purged.folders) == (2, 2)
    for table in (File, FileVersion, Folder, Share):
        assert db.session.scalar(sa.select(sa.func.count()).select_from(table)) == 0
    assert trashing.purge().folders == 0


def test_a_folder_stays_until_what_was_deleted_from_it_is_gone(
    tree: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer, inner, plan, _letter = tree
    trash(outer)
    back(plan)
    trash(plan)
    hold(HoldTarget.FILE, plan.id)
    later(monkeypatch, MONTH)

    purged = trashing.purge()

    assert (purged.files, purged.folders) == (1, 2)
    assert fresh(plan).folder_id is None and fresh(inner) is None


def test_only_the_folder_is_counted_as_held_that_holds_it(top: Spot, tree: Any) -> None:
    outer, *_rest, letter = tree
    other = make(top, "Other")
    for folder in (outer, other):
        trash(folder)
    hold(HoldTarget.FILE, letter.id)

    listed = trashing.list_trashed(lambda thing: thing.trashed_at.is_not(None), place=None)

    assert {row.name: row.is_held for row in listed.rows} == {"Trip": True, "Other": False}


def test_the_trash_is_paged_over_files_and_folders(student: Any, top: Spot) -> None:
    for number in range(40):
        trash(make(top, f"Folder {number}"))
        with transaction():
            whose = {"owner_kind": "student", "owner_id": student.id}
            db.session.add(File(id=new_id(), **whose, name=f"File {number}.pdf"))
    with transaction():
        for file in db.session.scalars(sa.select(File)).all():
            trashing.trash_file(file)

    def page(place: str | None) -> Any:
        from school.web.pagination import read_place

        return trashing.list_trashed(
            lambda thing: thing.trashed_at.is_not(None), place=read_place(place)
        )

    first = page(None)
    second = page(first.after)
    assert (len(first.rows), len(second.rows)) == (50, 30)
    assert len({row.id for row in [*first.rows, *second.rows]}) == 80
    assert [row.id for row in page(second.before).rows] == [row.id for row in first.rows]
    times = [row.at for row in [*first.rows, *second.rows]]
    assert times == sorted(times, reverse=True)


def test_a_held_folders_files_do_not_leave_it(top: Spot, tree: Any) -> None:
    outer, inner, plan, letter = tree
    above = make(top, "Above")
    hold(HoldTarget.FOLDER, outer.id)

    for things in (([plan], []), ([], [inner])):
        with pytest.raises(Conflict, match="stays in that folder"), transaction():
            folders.move(*things, top)
    with transaction():
        assert folders.move([letter], [], folders.inside(outer)) == 1  # stays below it
        folders.move([], [outer], folders.inside(above))  # the hold goes with it


@pytest.mark.parametrize("by", ["file", "folder"])
@pytest.mark.parametrize("kind", ["school", "folder"])
def test_a_hold_above_stops_moves_to_another_owner(by: str, kind: str, tree: Any) -> None:
    outer, _inner, plan, _letter = tree
    other = Spot("student", make_owner().id)
    aims = {
        "school": (HoldTarget.SCHOOL, current_school_id()),
        "folder": (HoldTarget.FOLDER, outer.id),
    }
    held = hold(*aims[kind])
    files, chosen = ([plan], []) if by == "file" else ([], [outer])

    with pytest.raises(Conflict, match="with whom it belongs to"), transaction():
        folders.move(files, chosen, other)
    with transaction():
        holding.lift_hold(held)
        assert folders.move(files, chosen, other) == 1


def test_five_thousand_files_go_and_come_back_in_few_statements(
    top: Spot, student: Any, count_queries: Any
) -> None:
    def filled(name: str, number: int) -> Folder:
        folder = make(top, name)
        with transaction():
            whose = {"owner_kind": "student", "owner_id": student.id, "folder_id": folder.id}
            db.session.add_all(File(id=new_id(), **whose, name=f"{n}.pdf") for n in range(number))
        db.session.expunge_all()
        return folders.get_folder(folder.id)

    def statements(act: Any, folder: Folder) -> int:
        with count_queries() as asked, transaction():
            act(folder)
        return len(asked.statements)

    few, many = filled("Few", 500), filled("Many", 5000)
    one_chunk = statements(trash_folder, few), statements(take_out_folder, few)
    started = time.monotonic()
    all_of_them = statements(trash_folder, many), statements(take_out_folder, many)

    # The words of the search and the history are written so many hundred at once.
    assert all_of_them[0] <= one_chunk[0] + 60 and all_of_them[1] <= one_chunk[1] + 80
    assert time.monotonic() - started < 30
    assert len(list_in(folders.inside(many), size=6000).rows) == 0  # rows without a version
    left = sa.select(sa.func.count()).select_from(File).where(File.trashed_at.is_not(None))
    assert db.session.scalar(left) == 0


def test_a_student_whose_folder_is_held_is_kept(student: Any, top: Spot) -> None:
    folder = make(top, "Empty")
    hold(HoldTarget.FOLDER, folder.id)

    with transaction():
        assert holding.what_keeps("student", [student.id]) == {student.id: "legal_hold"}


def test_a_folder_that_went_along_comes_back_with_what_lies_in_it(student: Any) -> None:
    top = Spot("student", student.id)
    outer = make(top, "Outer")
    inner = make(folders.inside(outer), "Inner")
    deep = make(folders.inside(inner), "Deep")
    beside, one, two = keep(outer, "beside.pdf"), keep(inner, "one.pdf"), keep(deep, "two.pdf")
    before = keep(inner, "before.pdf")
    trash(before)
    trash(outer)

    assert back(inner) == Inside(files=2, folders=1)

    assert names(folders.inside(fresh(inner))) == ["Deep", "one.pdf"]
    assert fresh(inner).parent_id is None
    assert [fresh(one).trashed_with, fresh(two).trashed_at] == [None, None]
    assert fresh(beside).trashed_with == outer.id and fresh(before).trashed_at is not None

    # Deleted anew it is a folder by itself, which the other one leaves where it is.
    trash(inner)
    assert back(outer) == Inside(files=1, folders=0)
    assert fresh(one).trashed_with == inner.id and fresh(deep).trashed_at is not None


@pytest.mark.parametrize("act", [trash_folder, take_out_folder, trashing.take_out])
def test_what_has_become_somebody_elses_meanwhile_stays_as_it_is(student: Any, act: Any) -> None:
    """Who may was asked of the owner it had; the turn that was waited for was that owner's, too."""
    folder = make(Spot("student", student.id), "Trip")
    file, other = keep(folder, "a.pdf"), make_owner()
    thing: Any = file if act is trashing.take_out else folder
    if act is not trash_folder:
        trash(folder)
    thing = fresh(thing)
    was_trashed = thing.trashed_at
    assert thing.owner_id == student.id
    with pytest.raises(Stale), transaction():
        thing = fresh(thing)
        assert thing.owner_id == student.id
        for model in (File, Folder):
            db.session.execute(
                sa.update(model)
                .values(owner_id=other.id)
                .execution_options(synchronize_session=False)
            )
        act(thing)
    assert fresh(thing).trashed_at == was_trashed
