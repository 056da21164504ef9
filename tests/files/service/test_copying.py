"""Copies in a second place: planned with the write, made by the sweep, never lost on the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from school.db import db
from school.errors import Unavailable
from school.files import queries
from school.files.models import BlobLocation, File, LocationState, StorageTask
from school.files.service import shelf as shelves
from school.files.service.outbox import COPY, waiting
from school.files.service.sweeping import sweep
from school.storage import errors
from school.storage.hybrid import HybridStorage
from school.storage.local import LocalStorage
from tests.factories.files import make_file
from tests.files.conftest import Faulty, content_of, later
from tests.files.samples import PDF


class Sealed(Faulty):
    """A provider that is away until it is not."""

    away = False

    def put(self, key: str, stream: Any, **more: Any) -> Any:
        self._answer()
        return super().put(key, stream, **more)

    def open(self, key: str, **more: Any) -> Any:
        self._answer()
        return self.real.open(key, **more)

    def _answer(self) -> None:
        if self.away:
            raise errors.Unavailable("The cloud does not answer.")


@pytest.fixture
def cloud(tmp_path: Path) -> Sealed:
    return Sealed(
        LocalStorage(
            tmp_path / "cloud", signing_keys=["k" * 40], public_base_url="http://c", name="cloud"
        )
    )


@pytest.fixture
def first(app: Flask) -> Sealed:
    return Sealed(app.extensions["school.storage"])


@pytest.fixture
def hybrid(first: Sealed, cloud: Sealed, put_on_shelf: Callable[[Any], None]) -> HybridStorage:
    both = HybridStorage(first, cloud)
    put_on_shelf(both)
    return both


def places(file: File) -> dict[str, str]:
    """{provider: state} of the current content."""
    db.session.expire_all()
    key = queries.get_content(file, None).key
    rows = db.session.execute(
        sa.select(BlobLocation.provider, BlobLocation.state).where(BlobLocation.key == key)
    )
    return dict(rows.all())


def key_of(file: File) -> str:
    return queries.get_content(file, None).key


def test_a_file_counts_at_once_and_its_copy_follows(
    hybrid: HybridStorage, cloud: Sealed, student: Any
) -> None:
    file = make_file(student)
    assert places(file) == {"local": LocationState.PRESENT, "cloud": LocationState.WRITING}
    assert sweep().copied == 1
    assert places(file) == {"local": LocationState.PRESENT, "cloud": LocationState.PRESENT}
    assert content_of(cloud, key_of(file)) == PDF
    assert db.session.scalar(sa.select(sa.func.count()).select_from(StorageTask)) == 0


def test_a_cloud_that_is_away_is_not_noticed_and_is_caught_up_with(
    hybrid: HybridStorage, cloud: Sealed, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.away = True
    file = make_file(student)
    swept = sweep()
    assert (swept.copied, swept.failed, swept.waiting) == (0, 1, 1)
    (backlog,) = waiting()
    assert (backlog.operation, backlog.provider) == (COPY, "cloud")
    assert (backlog.objects, backlog.bytes) == (1, len(PDF))
    assert "does not answer" in backlog.last_error
    assert content_of(hybrid, key_of(file)) == PDF
    cloud.away = False
    later(monkeypatch, timedelta(minutes=1))
    assert sweep().copied == 1
    assert places(file)["cloud"] == LocationState.PRESENT


def test_when_the_first_place_is_away_the_copy_is_read(
    hybrid: HybridStorage, first: Sealed, student: Any
) -> None:
    file = make_file(student)
    sweep()
    first.away = True
    assert content_of(hybrid, key_of(file)) == PDF


def test_a_copy_that_landed_unseen_is_compared_and_kept(
    hybrid: HybridStorage, cloud: Sealed, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_file(student)
    cloud.after_put.append(errors.OutcomeUnknown("cut off"))
    assert sweep().failed == 1
    later(monkeypatch, timedelta(minutes=1))
    assert sweep().copied == 1
    assert places(file)["cloud"] == LocationState.PRESENT


def test_a_copy_that_is_something_else_is_never_taken_for_one(
    hybrid: HybridStorage, cloud: Sealed, student: Any, tmp_path: Path
) -> None:
    file = make_file(student)
    path = tmp_path / "cloud" / key_of(file)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"other" * 20)
    assert sweep().failed == 1
    assert places(file)["cloud"] == LocationState.WRITING
    told = db.session.scalar(sa.select(StorageTask.last_error).where(StorageTask.operation == COPY))
    assert told is not None
    assert "IntegrityError" in told


def test_files_from_before_there_were_copies_are_copied_too(
    app: Flask, first: Sealed, cloud: Sealed, student: Any, put_on_shelf: Callable[[Any], None]
) -> None:
    file = make_file(student)
    assert places(file) == {"local": LocationState.PRESENT}
    put_on_shelf(HybridStorage(first, cloud))
    assert sweep().copied == 1
    assert places(file)["cloud"] == LocationState.PRESENT


@pytest.fixture
def wait_for_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents count only once they lie in both places."""
    find = shelves._find[0]

    def strict() -> shelves.Shelf:
        return dataclasses.replace(find(), both_for=frozenset({"document"}))

    monkeypatch.setattr(shelves, "_find", [strict])


@pytest.mark.usefixtures("wait_for_copies")
def test_a_file_that_waits_for_its_copy_lies_in_both_places_at_once(
    hybrid: HybridStorage, cloud: Sealed, student: Any
) -> None:
    file = make_file(student)
    assert places(file) == {"local": LocationState.PRESENT, "cloud": LocationState.PRESENT}
    assert sweep().copied == 0
    assert content_of(cloud, key_of(file)) == PDF


@pytest.mark.usefixtures("wait_for_copies")
def test_a_file_that_waits_for_its_copy_is_refused_without_it(
    hybrid: HybridStorage, cloud: Sealed, student: Any
) -> None:
    cloud.away = True
    with pytest.raises(Unavailable):
        make_file(student)
    assert queries.list_files("student", student.id).rows == []
    cloud.away = False
    sweep()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(BlobLocation)) == 0
