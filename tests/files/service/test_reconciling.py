"""What lies in the storage and what the rows say: every difference is found, and put right where
it can be; nothing is deleted that does not lie somewhere else by then."""

from __future__ import annotations

import io
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from school import clock
from school.db import db, new_id, transaction
from school.errors import NotFound
from school.files import queries
from school.files.models import (
    Blob,
    BlobLocation,
    BlobState,
    File,
    FileVersion,
    LocationState,
    ReconcileRun,
    RestoreEpoch,
    StrayObject,
)
from school.files.service.outbox import delete_later
from school.files.service.reconciling import (
    Kind,
    Mode,
    Outcome,
    Stop,
    distrust,
    find_distrust,
    looking,
    outcome,
    reconcile,
    trust,
    verifying,
)
from school.files.service.sweeping import sweep
from school.roster.models import RosterImport
from school.storage import errors
from school.storage.hybrid import HybridStorage
from school.storage.keys import new_key
from school.storage.local import LocalStorage
from school.storage.protocol import ObjectInfo
from school.storage.s3 import S3Storage
from school.tenancy.scope import school_scope
from tests.conftest import make_member
from tests.factories.files import make_file, make_owner
from tests.files.conftest import Killed, content_of, killed
from tests.files.samples import PDF
from tests.servers import s3 as s3_place

ASIDE = looking.ASIDE


class Place:
    """A provider with faults on request, whose objects can be tampered with."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.ages: dict[str, timedelta] = {}
        self.away = False
        self.dies_at_delete = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def list(self, prefix: str, *, after: str | None = None) -> Iterator[ObjectInfo]:
        if self.away:
            raise errors.Unavailable("The storage does not answer.")
        yield from self.real.list(prefix, after=after)

    def delete(self, key: str, **more: Any) -> bool:
        if self.dies_at_delete:
            raise Killed
        return self.real.delete(key, **more)

    def held(self) -> set[str]:
        return {info.key for info in self.real.list("")}

    def drop(self, data: bytes = b"left behind", key: str | None = None) -> str:
        """An object that no row knows."""
        key = key or new_key()
        self.real.put(key, io.BytesIO(data))
        return key

    def tamper(self, key: str, data: bytes) -> None:
        self.real.delete(key)
        self.real.put(key, io.BytesIO(data))


@pytest.fixture(params=["local", "s3"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, put_on_shelf: Callable[[Any], None]
) -> Place:
    """The only provider."""
    alone = Place(_local(tmp_path / "own") if request.param == "local" else _s3(request))
    put_on_shelf(alone)
    return alone


def _local(folder: Path, name: str = "local") -> LocalStorage:
    return LocalStorage(folder, signing_keys=["k" * 40], public_base_url="http://c", name=name)


def _s3(request: pytest.FixtureRequest) -> S3Storage:
    return S3Storage(
        s3_place.BUCKET,
        uuid4().hex,
        endpoint_url=request.getfixturevalue("s3_server"),
        credentials=s3_place.CREDENTIALS,
    )


@pytest.fixture
def first(tmp_path: Path) -> Place:
    return Place(_local(tmp_path / "own"))


@pytest.fixture(params=["local", "s3"])
def cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where copies lie."""
    return Place(_local(tmp_path / "cloud", "cloud") if request.param == "local" else _s3(request))


@pytest.fixture
def hybrid(first: Place, cloud: Place, put_on_shelf: Callable[[Any], None]) -> HybridStorage:
    both = HybridStorage(first, cloud)
    put_on_shelf(both)
    return both


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Some days go by."""
    real, gone = clock.now, [timedelta(0)]

    def wait(days: float = 1) -> None:
        gone[0] += timedelta(days=days)
        monkeypatch.setattr(clock, "now", lambda: real() + gone[0])

    return wait


@pytest.fixture
def two(school: Any) -> list[File]:
    """Two files of a school."""
    return files_of(school, 2)


def files_of(school: Any, number: int) -> list[File]:
    with school_scope(school.id):
        pupil = make_owner()
        return [make_file(pupil, filename=f"{n}.pdf") for n in range(number)]


def key_of(file: File) -> str:
    with school_scope(file.school_id):
        key = db.session.scalar(
            sa.select(BlobLocation.key).where(BlobLocation.blob_id.in_(blobs_of(file)))
        )
    assert key is not None
    return key


def blobs_of(file: File) -> Any:
    return sa.select(FileVersion.blob_id).where(FileVersion.file_id == file.id)


def states(file: File) -> dict[str, str]:
    """{provider: state}."""
    with school_scope(file.school_id):
        rows = db.session.execute(
            sa.select(BlobLocation.provider, BlobLocation.state).where(
                BlobLocation.blob_id.in_(blobs_of(file))
            )
        )
        return dict(rows.all())


def sweep_in(school: Any) -> Any:
    with school_scope(school.id):
        return sweep()


def only(outcomes: list[Outcome]) -> Outcome:
    (one,) = outcomes
    return one


def of(outcomes: list[Outcome], name: str) -> Outcome:
    return next(one for one in outcomes if one.provider == name)


def kinds(found: Outcome) -> list[str]:
    return [one["kind"] for one in found.findings]


def test_where_all_is_well_nothing_is_found(place: Place, two: list[File]) -> None:
    found = only(reconcile())
    assert found.is_clean
    assert found.findings == []
    assert (found.counts["objects"], found.counts["rows"]) == (2, 2)
    assert found.counts["bytes"] == 2 * len(PDF)


def test_an_empty_storage_is_clean(place: Place, app: Flask) -> None:
    assert only(reconcile()).is_clean


def test_a_file_that_is_nowhere_is_told_and_marked(place: Place, two: list[File]) -> None:
    place.real.delete(key_of(two[0]))
    found = only(reconcile())
    assert not found.is_clean
    assert kinds(found) == [Kind.LOST]
    assert found.findings[0]["school"] == str(two[0].school_id)
    assert states(two[0]) == {place.name: LocationState.MISSING}
    assert states(two[1]) == {place.name: LocationState.PRESENT}
    assert only(reconcile()).counts["lost"] == 1  # as long as it is gone


def test_a_file_that_comes_back_counts_again(place: Place, two: list[File]) -> None:
    key = key_of(two[0])
    place.real.delete(key)
    reconcile()
    place.drop(PDF, key)
    found = only(reconcile())
    assert found.is_clean
    assert kinds(found) == [Kind.RETURNED]
    assert states(two[0]) == {place.name: LocationState.PRESENT}


def test_something_else_of_the_same_length_is_no_return(place: Place, two: list[File]) -> None:
    key = key_of(two[0])
    place.real.delete(key)
    reconcile()
    place.drop(b"x" * len(PDF), key)
    assert kinds(only(reconcile())) == [Kind.DAMAGED]
    assert states(two[0]) == {place.name: LocationState.MISSING}


def test_a_file_of_another_length_is_found_at_once_and_left_to_look_at(
    place: Place, two: list[File]
) -> None:
    key = key_of(two[0])
    place.tamper(key, PDF[:-5])
    found = only(reconcile())
    assert not found.is_clean
    assert kinds(found) == [Kind.DAMAGED]
    assert content_of(place.real, key) == PDF[:-5]


def test_changed_bytes_are_found_when_their_turn_comes(
    place: Place, two: list[File], later: Callable[..., None]
) -> None:
    later(1)
    assert only(reconcile()).counts["verified"] == 1
    place.tamper(key_of(two[1]), b"x" * len(PDF))
    later(1)
    found = only(reconcile())
    assert found.counts["verified"] == 1
    assert kinds(found) == [Kind.DAMAGED]


def test_a_thirtieth_a_day_reads_everything_in_a_month(
    first: Place, put_on_shelf: Any, school: Any, later: Callable[..., None]
) -> None:
    put_on_shelf(first)
    made = files_of(school, 31)
    for _ in range(16):
        later(1)
        assert only(reconcile()).counts["verified"] == 2
    with school_scope(school.id):
        oldest = db.session.scalar(sa.select(sa.func.min(BlobLocation.verified_at)))
    assert oldest > made[-1].created_at + timedelta(hours=1)


def test_the_bytes_read_in_a_night_are_bounded(
    first: Place, put_on_shelf: Any, school: Any, other_school: Any, later: Any, monkeypatch: Any
) -> None:
    put_on_shelf(first)
    files_of(school, 1)
    files_of(other_school, 1)
    monkeypatch.setattr(verifying, "MOST_BYTES", 1)
    later(1)
    assert only(reconcile()).counts["verified"] == 1
    later(1)
    assert only(reconcile()).counts["verified"] == 1
    for one in (school, other_school):  # each in turn
        with school_scope(one.id):
            row = db.session.scalars(sa.select(BlobLocation)).one()
            assert row.verified_at > row.created_at + timedelta(hours=1)


def test_a_missing_object_is_copied_back(
    hybrid: HybridStorage, first: Place, cloud: Place, two: list[File], school: Any
) -> None:
    sweep_in(school)
    key = key_of(two[0])
    first.real.delete(key)
    found = of(reconcile(), "local")
    assert found.is_clean
    assert kinds(found) == [Kind.REPAIRED]
    assert content_of(hybrid, key) == PDF  # nobody notices meanwhile
    sweep_in(school)
    assert states(two[0]) == {"local": LocationState.PRESENT, cloud.name: LocationState.PRESENT}
    assert content_of(first.real, key) == PDF


def test_a_missing_copy_is_made_again(
    hybrid: HybridStorage, cloud: Place, two: list[File], school: Any
) -> None:
    sweep_in(school)
    cloud.real.delete(key_of(two[0]))
    assert kinds(of(reconcile(), cloud.name)) == [Kind.REPAIRED]
    sweep_in(school)
    assert content_of(cloud.real, key_of(two[0])) == PDF


@pytest.mark.parametrize("wrong", [PDF[:-5], b"x" * len(PDF)], ids=["short", "changed"])
def test_a_damaged_object_goes_aside_and_is_copied_back(
    hybrid: HybridStorage, first: Place, two: list[File], school: Any, wrong: bytes, later: Any
) -> None:
    sweep_in(school)
    for file in two:
        first.tamper(key_of(file), wrong)
    for _ in range(2):
        later(1)
        assert of(reconcile(), "local").is_clean
    sweep_in(school)
    aside = [key for key in first.held() if key.startswith(ASIDE)]
    assert len(aside) == 2
    assert all(content_of(first.real, key) == wrong for key in aside)
    assert all(content_of(first.real, key_of(file)) == PDF for file in two)


def test_where_the_other_place_is_away_nothing_is_given_up(
    hybrid: HybridStorage, first: Place, cloud: Place, two: list[File], school: Any
) -> None:
    sweep_in(school)
    key = key_of(two[0])
    first.tamper(key, PDF[:-5])

    def away(key: str) -> ObjectInfo:
        raise errors.Unavailable("away")

    cloud.stat = away  # type: ignore[attr-defined]
    found = of(reconcile(only="local"), "local")
    assert found.counts["lost"] == 0
    assert states(two[0])["local"] == LocationState.PRESENT
    assert key in first.held()


def test_a_stray_is_put_aside_when_seen_twice_and_old(
    place: Place, two: list[File], later: Callable[..., None]
) -> None:
    stray = place.drop()
    assert only(reconcile()).counts["unknown"] == 1
    assert db.session.scalar(sa.select(sa.func.count()).select_from(StrayObject)) == 0  # too young
    later(2)
    first_seen = clock.today()
    assert only(reconcile()).counts["moved"] == 0
    assert stray in place.held()
    later(1)
    found = only(reconcile())
    assert found.is_clean
    assert kinds(found) == [Kind.STRAY]
    aside = f"{ASIDE}{first_seen.isoformat()}/{stray}"
    assert place.held() == {key_of(two[0]), key_of(two[1]), aside}
    assert content_of(place.real, aside) == b"left behind"
    assert db.session.scalar(sa.select(sa.func.count()).select_from(StrayObject)) == 0
    assert only(reconcile()).counts["unknown"] == 0


def test_looking_twice_in_a_minute_moves_nothing_young(place: Place, two: list[File]) -> None:
    stray = place.drop()
    for _ in range(3):
        reconcile()
    assert stray in place.held()


def test_a_stray_that_somebody_comes_to_know_stays(
    place: Place, two: list[File], later: Callable[..., None], school: Any
) -> None:
    stray = place.drop()
    later(2)
    reconcile()
    with school_scope(school.id), transaction():
        delete_later(place.name, stray, after=timedelta(hours=24))
    later(0.5)
    reconcile()
    assert stray in place.held()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(StrayObject)) == 0


def test_a_list_that_lies_moves_nothing(
    place: Place, two: list[File], later: Callable[..., None], monkeypatch: Any
) -> None:
    """Rows that the ranges miss are found key by key before anything moves."""
    monkeypatch.setattr(looking, "places_between", lambda *_: iter(()))
    for _ in range(3):
        later(2)
        assert only(reconcile()).counts["moved"] == 0
    assert place.held() == {key_of(file) for file in two}


def test_an_unordered_list_stops_the_run(first: Place, put_on_shelf: Any, two_local: Any) -> None:
    keys = sorted(first.held(), reverse=True)
    first.list = lambda prefix, after=None: iter([first.real.stat(key) for key in keys])  # type: ignore[method-assign]
    assert only(reconcile()).stopped == {"reason": Stop.UNORDERED}


@pytest.fixture
def two_local(first: Place, put_on_shelf: Any, school: Any) -> list[File]:
    put_on_shelf(first)
    return files_of(school, 2)


def test_many_strays_stop_the_run(
    first: Place, two_local: list[File], later: Callable[..., None], school: Any
) -> None:
    strays = {first.drop() for _ in range(21)}
    later(2)
    with_newer_rows(school)
    reconcile()
    later(1)
    with_newer_rows(school)
    found = only(reconcile())
    assert found.stopped == {"reason": Stop.MANY_STRAYS, "number": 21, "of": 25}
    assert not found.is_clean
    assert strays <= first.held()


def with_newer_rows(school: Any) -> None:
    """A file that was written today: the rows are not older than the objects."""
    files_of(school, 1)


def test_twenty_strays_are_put_aside(
    first: Place, two_local: list[File], later: Callable[..., None]
) -> None:
    strays = {first.drop() for _ in range(20)}
    for _ in range(2):
        later(2)
        found = only(reconcile())
    assert found.counts["moved"] == 20
    assert not strays & first.held()


def test_many_missing_mean_another_bucket(
    first: Place, put_on_shelf: Any, school: Any, tmp_path: Path
) -> None:
    put_on_shelf(first)
    made = files_of(school, 21)
    put_on_shelf(Place(_local(tmp_path / "another")))
    found = only(reconcile())
    assert found.stopped == {"reason": Stop.MANY_MISSING, "number": 21, "of": 21}
    assert states(made[0]) == {"local": LocationState.PRESENT}
    put_on_shelf(first)
    assert only(reconcile()).is_clean


def test_a_new_empty_disk_is_filled_again_when_told(
    hybrid: HybridStorage, first: Place, school: Any
) -> None:
    made = files_of(school, 21)
    sweep_in(school)
    for file in made:
        first.real.delete(key_of(file))
    assert of(reconcile(), "local").stopped is not None
    assert of(reconcile(however_many=True), "local").counts["repaired"] == 21
    sweep_in(school)
    assert first.held() == {key_of(file) for file in made}


def test_strays_of_other_domains_make_no_row_look_old(first: Place, two_local: list[File]) -> None:
    for _ in range(21):
        first.drop(key=f"avatars/{uuid4().hex}")
    with school_scope(two_local[0].school_id), transaction() as session:
        long_ago = clock.now() - timedelta(days=3)
        session.execute(sa.update(BlobLocation).values(created_at=long_ago))
    assert only(reconcile()).mode == Mode.MEND


@pytest.mark.parametrize("cloud", ["local"], indirect=True)
def test_encrypted_files_are_compared_as_they_lie(
    hybrid: HybridStorage, first: Place, school: Any, later: Callable[..., None]
) -> None:
    with school_scope(school.id):
        file = make_file(make_owner(), purpose="medical")
    sweep_in(school)
    later(1)
    found = reconcile()
    assert all(one.is_clean and one.findings == [] for one in found)
    assert [one.counts["verified"] for one in found] == [1, 1]
    key = key_of(file)
    sealed = content_of(first.real, key)
    assert PDF not in sealed
    first.tamper(key, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    later(1)
    assert kinds(of(reconcile(), "local")) == [Kind.REPAIRED]
    sweep_in(school)
    assert content_of(first.real, key) == sealed


def test_a_storage_that_is_away_loses_nothing(place: Place, two: list[File]) -> None:
    place.away = True
    found = only(reconcile())
    assert found.stopped is not None
    assert found.stopped["reason"] == Stop.UNREADABLE
    assert not found.is_clean
    assert states(two[0]) == {place.name: LocationState.PRESENT}


def test_other_domains_keys_are_left_alone(
    place: Place, two: list[File], later: Callable[..., None], other_school: Any
) -> None:
    """Those they want, and all of whoever has not said which."""
    avatar, old_avatar = (place.drop(key=f"avatars/{uuid4().hex}") for _ in range(2))
    upload, old_upload = (place.drop(key=new_key("import")) for _ in range(2))
    nobodys = place.drop(key="letters/2026/one")
    user = make_member(None, None)
    with transaction():
        user = db.session.merge(user)
        user.avatar_key = avatar
    with school_scope(other_school.id), transaction() as session:
        imported = RosterImport(
            filename="a.csv", size_bytes=1, sha256="0" * 64, created_by_name="x"
        )
        imported.storage_key = upload
        session.add(imported)
    for _ in range(2):
        later(2)
        found = only(reconcile())
    assert {avatar, upload, nobodys} <= place.held()
    assert not {old_avatar, old_upload} & place.held()
    assert found.counts["foreign"] == 1


def test_avatars_stay_where_there_is_no_school_yet(
    place: Place, app: Flask, later: Callable[..., None]
) -> None:
    avatar = place.drop(key=f"avatars/{uuid4().hex}")
    user = make_member(None, None)
    with transaction():
        db.session.merge(user).avatar_key = avatar
    for _ in range(3):
        later(2)
        reconcile()
    assert avatar in place.held()


def test_each_schools_files_are_its_own_and_known(
    place: Place, school: Any, other_school: Any, later: Callable[..., None], monkeypatch: Any
) -> None:
    monkeypatch.setattr(looking, "WINDOW", 3)  # many windows, rows of both in each
    mine, theirs = files_of(school, 5), files_of(other_school, 5)
    gone = key_of(theirs[2])
    place.real.delete(gone)
    later(2)
    found = only(reconcile())
    assert (found.counts["rows"], found.counts["unknown"]) == (10, 0)
    assert [(one["key"], one["school"]) for one in found.findings] == [(gone, str(other_school.id))]
    assert all(states(file) == {place.name: LocationState.PRESENT} for file in mine)


def test_a_dry_run_says_so_and_changes_nothing(
    place: Place, two: list[File], later: Callable[..., None]
) -> None:
    stray = place.drop()
    later(2)
    reconcile()
    later(1)
    place.real.delete(key_of(two[0]))
    before = place.held()
    found = only(reconcile(dry_run=True))
    assert found.mode == Mode.DRY
    assert sorted(kinds(found)) == [Kind.LOST, Kind.STRAY]
    assert not found.is_clean
    assert place.held() == before
    assert stray in before
    assert states(two[0]) == {place.name: LocationState.PRESENT}


def test_after_a_restore_it_only_reports_until_trusted(
    place: Place, two: list[File], later: Callable[..., None]
) -> None:
    stray = place.drop()
    later(2)
    reconcile()
    with transaction():
        distrust()
        distrust()
    place.real.delete(key_of(two[0]))
    for _ in range(2):
        later(1)
        found = only(reconcile())
        assert found.mode == Mode.REPORT
        assert Kind.LOST in kinds(found)
    assert stray in place.held()
    assert states(two[0]) == {place.name: LocationState.PRESENT}
    with transaction():
        assert trust()
        assert not trust()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(RestoreEpoch)) == 1
    reconcile()
    assert stray in place.held()  # to be seen twice anew
    assert states(two[0]) == {place.name: LocationState.MISSING}
    later(1)
    reconcile()
    assert stray not in place.held()


def test_rows_older_than_the_objects_are_noticed(
    first: Place, two_local: list[File], later: Callable[..., None]
) -> None:
    """Somebody restored a database and told nobody."""
    strays = {first.drop() for _ in range(21)}
    with school_scope(two_local[0].school_id), transaction() as session:
        long_ago = clock.now() - timedelta(days=3)
        session.execute(sa.update(BlobLocation).values(created_at=long_ago))
    found = only(reconcile())
    assert found.mode == Mode.REPORT
    epoch = find_distrust()
    assert epoch is not None
    assert epoch.reason == "looks_older"
    for _ in range(3):
        later(2)
        reconcile()
    assert strays <= first.held()


@pytest.mark.parametrize("days", [0, 1], ids=["same day", "next day"])
def test_killed_between_copying_aside_and_deleting(
    place: Place, two: list[File], later: Callable[..., None], days: int
) -> None:
    stray = place.drop()
    later(2)
    reconcile()
    later(1)
    place.dies_at_delete = True
    with killed():
        reconcile()
    db.session.remove()
    assert len(place.held()) == 4  # both of it
    place.dies_at_delete = False
    later(days)
    assert only(reconcile()).counts["moved"] == 1
    assert len(place.held()) == 3
    assert stray not in place.held()


@pytest.mark.parametrize("step", ["delete", "forget_strays"])
def test_a_process_killed_while_putting_aside_is_made_up_for(
    step: str, app: Flask, first: Place, two_local: list[File], tmp_path: Path
) -> None:
    """`kill -9`, then the next run."""
    stray = first.drop(b"left behind")
    long_ago = clock.now() - timedelta(days=3)
    os.utime(first.real._root / stray, (long_ago.timestamp(),) * 2)
    with transaction() as session:
        session.add(StrayObject(provider="local", key=stray, first_seen_at=long_ago))
    url = db.engine.url.render_as_string(hide_password=False)
    words = [sys.executable, "-m", "tests.files.service.killed_reconcile", str(tmp_path), url, step]
    assert subprocess.run(words, check=False, timeout=60).returncode == -signal.SIGKILL
    aside = f"{ASIDE}{long_ago.date().isoformat()}/{stray}"
    assert (stray in first.held()) == (step == "delete")
    assert aside in first.held()
    assert only(reconcile()).is_clean
    assert first.held() == {aside, *(key_of(file) for file in two_local)}
    assert db.session.scalar(sa.select(sa.func.count()).select_from(StrayObject)) == 0


def test_killed_while_replacing_damaged_bytes(
    hybrid: HybridStorage, first: Place, two: list[File], school: Any
) -> None:
    sweep_in(school)
    key = key_of(two[0])
    first.tamper(key, PDF[:-5])
    first.dies_at_delete = True
    with killed():
        reconcile()
    db.session.remove()
    first.dies_at_delete = False
    assert all(one.is_clean for one in reconcile())
    sweep_in(school)
    assert content_of(first.real, key) == PDF
    assert all(one.findings == [] for one in reconcile())


def test_killed_after_deleting_damaged_bytes(
    hybrid: HybridStorage, first: Place, two: list[File], school: Any, monkeypatch: Any
) -> None:
    from school.files.service.reconciling import mending

    sweep_in(school)
    key = key_of(two[0])
    first.tamper(key, PDF[:-5])

    def die(*_: Any) -> bool:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(mending, "_move", die)
        with killed():
            reconcile()
    db.session.remove()
    assert key not in first.held()
    assert all(one.is_clean for one in reconcile())
    sweep_in(school)
    assert content_of(first.real, key) == PDF


def test_what_lies_aside_for_a_month_is_listed_and_deleted_only_when_told(
    place: Place, two: list[File]
) -> None:
    young, old = (
        place.drop(key=f"{ASIDE}{day.isoformat()}/{new_key()}")
        for day in (clock.today() - timedelta(days=29), clock.today() - timedelta(days=30))
    )
    found = only(reconcile())
    assert (found.counts["aside"], found.counts["old"]) == (2, 1)
    assert [one["key"] for one in found.findings] == [old]
    assert {young, old} <= place.held()
    assert only(reconcile(empty_lost_and_found=True, dry_run=True)).counts["emptied"] == 0
    assert only(reconcile(empty_lost_and_found=True)).counts["emptied"] == 1
    assert young in place.held()
    assert old not in place.held()


def test_broken_uploads_are_cleared_away(first: Place, two_local: list[File]) -> None:
    part = first.real._root / ".parts" / "dead.part"
    part.write_bytes(b"half")
    assert only(reconcile()).counts["stale_uploads"] == 0
    long_ago = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    os.utime(part, (long_ago, long_ago))
    assert only(reconcile()).counts["stale_uploads"] == 1
    assert not part.exists()


def test_work_behind_time_is_told(
    hybrid: HybridStorage, cloud: Place, two: list[File], school: Any, later: Callable[..., None]
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise errors.Unavailable("away")

    cloud.put = away  # type: ignore[attr-defined]
    sweep_in(school)
    assert of(reconcile(), cloud.name).counts["waiting"] == 0
    later(0.1)
    found = of(reconcile(), cloud.name)
    assert found.counts["waiting"] == 2
    assert kinds(found) == [Kind.WAITING]


def test_objects_being_written_or_deleted_are_the_sweeps(place: Place, two: list[File]) -> None:
    with school_scope(two[0].school_id), transaction() as session:
        for state in (LocationState.WRITING, LocationState.DELETING):
            blob = Blob(id=new_id(), state=BlobState.PENDING)
            session.add(blob)
            session.flush()
            session.add(
                BlobLocation(blob_id=blob.id, provider=place.name, key=new_key(), state=state)
            )
    assert only(reconcile()).findings == []


def test_a_list_older_than_the_row_is_no_loss(place: Place, two: list[File]) -> None:
    listed = list(place.real.list(""))
    with school_scope(two[0].school_id):
        late = make_file(make_owner(), filename="late.pdf")
    place.list = lambda prefix, after=None: iter(listed)  # type: ignore[method-assign]
    assert only(reconcile()).is_clean
    assert states(late) == {place.name: LocationState.PRESENT}


def test_a_run_is_written_down_with_few_findings(
    place: Place, two: list[File], monkeypatch: Any, later: Callable[..., None]
) -> None:
    monkeypatch.setattr(outcome, "MOST_FINDINGS", 1)
    for file in two:
        place.real.delete(key_of(file))
    reconcile()
    run = db.session.scalars(sa.select(ReconcileRun)).one()
    assert (run.provider, run.mode, run.counts["lost"]) == (place.name, Mode.MEND, 2)
    assert len(run.findings) == 1
    assert run.finished_at >= run.started_at
    later(91)
    reconcile()
    assert db.session.scalars(sa.select(ReconcileRun.id)).one() != run.id


def test_one_provider_alone(hybrid: HybridStorage, cloud: Place, app: Flask) -> None:
    assert [one.provider for one in reconcile(only=cloud.name)] == [cloud.name]
    with pytest.raises(NotFound, match="nowhere"):
        reconcile(only="nowhere")


def test_from_inside_a_school_it_sees_them_all(
    place: Place, two: list[File], other_school: Any
) -> None:
    with school_scope(other_school.id):
        assert only(reconcile()).counts["rows"] == 2


class Endless:
    """A provider that lists many objects it makes up as it goes."""

    name = "endless"

    def __init__(self, number: int) -> None:
        self.number = number

    def list(self, prefix: str, *, after: str | None = None) -> Iterator[ObjectInfo]:
        at = datetime.now(UTC)
        for n in range(self.number):
            yield ObjectInfo(f"blob/{n:012}", 1, "e", at)

    def abort_stale_uploads(self, older_than: timedelta) -> int:
        return 0


def test_memory_does_not_grow_with_the_number(app: Flask, school: Any, put_on_shelf: Any) -> None:
    put_on_shelf(Endless(10_000))
    reconcile()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    put_on_shelf(Endless(200_000))
    found = only(reconcile())
    assert found.counts["unknown"] == 200_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024  # KiB


def test_queries_still_find_what_is_repaired(
    hybrid: HybridStorage, first: Place, two: list[File], school: Any
) -> None:
    sweep_in(school)
    first.real.delete(key_of(two[0]))
    reconcile()
    with school_scope(school.id):
        file = queries.get_file(two[0].id)
        assert content_of(hybrid, queries.get_content(file).key) == PDF
