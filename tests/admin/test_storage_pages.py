"""The operators' page of the storage."""

from __future__ import annotations

import io
from datetime import timedelta
from threading import Event
from uuid import uuid4

import pytest
import sqlalchemy as sa

from school import clock
from school.audit.models import PlatformEvent
from school.cache import cache
from school.db import db, transaction
from school.files.models import BlobLocation, ReconcileRun
from school.files.service import overview
from school.files.service.outbox import delete_later
from school.files.service.reconciling import Kind, Stop, distrust, find_distrust, reconcile
from school.files.service.reconciling.outcome import COUNTS
from school.jobs.models import Job
from school.permissions import Role
from school.storage.keys import new_key
from school.storage.local import LocalStorage
from school.storage.protocol import Health
from school.tenancy.scope import school_scope
from school.worker import run_until_done
from tests.factories.files import make_file, make_owner

PAGE = "/platform/storage"


class Dead:
    """A provider that never answers."""

    def __init__(self, real) -> None:
        self.real = real

    def __getattr__(self, name):
        return getattr(self.real, name)

    def healthcheck(self, timeout_s=2.0) -> Health:
        return Health(ok=False, ms=1, detail="secret address")


@pytest.fixture
def place(app, tmp_path):
    """An empty shelf of its own."""
    own = app.extensions["school.storage"]
    local = LocalStorage(tmp_path / "own", signing_keys=["k" * 40], public_base_url="http://c")
    app.extensions["school.storage"] = local
    yield local
    app.extensions["school.storage"] = own


@pytest.fixture
def lost(place, school):
    """A file whose bytes are gone; returns (its name, its key)."""
    with school_scope(school.id):
        make_file(make_owner(), filename="Medical report.pdf")
        key = db.session.scalars(sa.select(BlobLocation.key)).one()
    place.delete(key)
    return "Medical report.pdf", key


def test_before_anything_was_compared(platform, page, place):
    shown = page(platform, PAGE)
    assert "Nothing was compared yet" in shown.text
    assert "Answers" in shown.text
    assert "local" in shown.text
    assert "Trust" not in shown.text


def test_a_clean_comparison(platform, page, place, school):
    reconcile()
    shown = page(platform, PAGE)
    assert "Nothing is lost." in shown.text
    assert "Nothing was compared yet" not in shown.text


def test_what_was_found_is_said_in_words_and_names_no_file(platform, page, lost, school):
    name, key = lost
    reconcile()
    shown = page(platform, PAGE)
    assert "1 file is lost" in shown.text
    assert "Gone, and no other place has it" in shown.text
    assert key in shown.text
    assert school.name in shown.text
    assert name not in shown.text


def test_every_kind_and_every_stop_has_words(platform, page, place, school):
    for mode, stop in [("mend", stop) for stop in Stop] + [("dry", None), ("report", None)]:
        findings = [{"kind": kind, "key": "k", "school": None, "number": 2} for kind in Kind]
        stopped = {"reason": stop, "number": 30, "of": 100} if stop else None
        with transaction() as session:
            session.add(
                ReconcileRun(
                    provider="local",
                    mode=mode,
                    stopped=stopped,
                    counts=dict.fromkeys(COUNTS, 1),
                    findings=findings,
                    finished_at=clock.now(),
                )
            )
        page(platform, PAGE)


def test_the_page_asks_little(platform, page, lost, school, count_queries):
    reconcile()
    page(platform, PAGE)
    with count_queries() as queries:
        page(platform, PAGE)
    # The last runs, the schools they name, whether the rows are trusted, the last move and job.
    assert queries.count == 5, queries.statements


def test_the_backlog_of_all_schools_is_added_up(
    platform, page, place, school, other_school, count_queries
):
    for one in (school, other_school):
        with school_scope(one.id), transaction():
            delete_later("local", new_key())
            delete_later("local", new_key())
            delete_later("local", new_key(), after=timedelta(hours=1))  # put off: not late
    shown = page(platform, PAGE)
    assert "4 files" in shown.text


def test_a_place_that_does_not_answer(app, platform, page, place):
    app.extensions["school.storage"] = Dead(place)
    shown = page(platform, PAGE)
    assert "Does not answer" in shown.text
    assert "secret address" not in shown.html
    app.extensions["school.storage"] = place
    assert "Does not answer" in page(platform, PAGE).text  # remembered for a minute
    cache.clear()
    assert "Does not answer" not in page(platform, PAGE).text


def test_a_place_that_hangs_is_not_waited_for(app, platform, page, place, monkeypatch):
    gate = Event()

    class Hung(Dead):
        def healthcheck(self, timeout_s=2.0) -> Health:
            gate.wait(20)
            return Health(ok=True, ms=1)

    monkeypatch.setattr(overview, "PATIENCE_S", 0.05)
    app.extensions["school.storage"] = Hung(place)
    assert "Does not answer" in page(platform, PAGE).text
    gate.set()


@pytest.mark.parametrize("who", ["platform", "both"])
def test_comparing_now_is_one_job_with_progress(app, request, page, lost, who):
    """Also for somebody who is in a school: the comparison is of all of them."""
    client = request.getfixturevalue(who)
    for _ in range(2):
        assert client.post(f"{PAGE}/reconcile").status_code == 303
    db.session.remove()
    job = db.session.scalars(sa.select(Job).where(Job.kind == "files.reconcile")).one()
    assert job.school_id is None
    shown = page(client, PAGE)
    assert "Comparing files and database" in shown.text
    assert "Compare now" not in shown.text
    row = client.get(f"{PAGE}/work/{job.id}")
    assert "<progress" in row.text
    db.session.remove()
    run_until_done(app)
    assert "Done" in client.get(f"{PAGE}/work/{job.id}").text
    shown = page(client, PAGE)
    assert "1 file is lost" in shown.text
    assert "Compare now" in shown.text


def test_another_kind_of_work_is_not_shown_here(platform, place):
    assert platform.get(f"{PAGE}/work/{uuid4()}").status_code == 404


def test_after_a_restore_a_person_trusts_again(platform, page, place):
    with transaction():
        distrust()
    place.put(new_key(), io.BytesIO(b"x"))
    reconcile()
    shown = page(platform, PAGE)
    assert "It was restored from a backup" in shown.text
    assert "Only reported" in shown.text
    assert platform.post(f"{PAGE}/trust").status_code == 303
    db.session.remove()
    assert find_distrust() is None
    actions = db.session.scalars(sa.select(PlatformEvent.action).order_by(PlatformEvent.id)).all()
    assert actions == ["storage.distrusted", "storage.trusted"]
    assert "Trust the database" not in page(platform, PAGE).text


@pytest.mark.parametrize("role", list(Role))
def test_nobody_of_a_school_comes_near(client_for, page, lost, role):
    reconcile()
    client = client_for(role)
    shown = client.get(PAGE)
    assert shown.status_code == 403
    assert lost[1] not in shown.text
    assert client.post(f"{PAGE}/reconcile").status_code == 403
    assert client.post(f"{PAGE}/trust").status_code == 403
    assert client.get(f"{PAGE}/work/{uuid4()}").status_code == 403
