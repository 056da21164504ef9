"""`python -m school files …`."""

from __future__ import annotations

import json
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from school import clock
from school.db import transaction
from school.errors import NotFound
from school.files.cli import files
from school.files.models import StorageUsage
from school.files.service import keeping, retention, writing
from school.files.service.outbox import delete_later
from school.files.service.quotas import list_standings
from school.storage.local import LocalStorage
from school.tenancy.scope import school_scope
from tests.factories.files import make_file, make_owner
from tests.files.conftest import Faulty, killed
from tests.files.conftest import Killed as Gone
from tests.files.samples import PDF


def run(*words: str) -> Any:
    return CliRunner().invoke(files, words, catch_exceptions=False)


def test_files_are_listed_for_people_and_machines(app: Any, school: Any) -> None:
    with school_scope(school.id):
        file = make_file(make_owner(), filename="Zażółć.pdf")

    told = run("list", "--school", school.slug)
    assert told.exit_code == 0
    assert str(file.id) in told.output
    assert "Zażółć.pdf" in told.output
    row = json.loads(run("list", "--school", school.slug, "--json").output)
    assert (row["name"], row["number"]) == ("Zażółć.pdf", 1)


def test_another_school_s_files_are_not_listed(app: Any, school: Any, other_school: Any) -> None:
    with school_scope(school.id):
        make_file(make_owner())

    assert run("list", "--school", other_school.slug).output == ""


def test_the_only_school_needs_no_naming(app: Any, school: Any) -> None:
    with school_scope(school.id):
        make_file(make_owner(), filename="Report.pdf")

    assert "Report.pdf" in run("list").output


def test_of_several_schools_one_must_be_named(app: Any, school: Any, other_school: Any) -> None:
    told = run("list")
    assert told.exit_code == 2
    assert other_school.slug in told.output


def test_fewer_than_one_is_wrong_usage(app: Any, school: Any) -> None:
    assert run("list", "--limit", "-1").exit_code == 2


def test_a_school_that_is_not_there_is_named(app: Any) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        run("list", "--school", "nowhere")


def test_the_backlog_names_what_waits(app: Any, school: Any) -> None:
    assert run("backlog").output == "Nothing waits.\n"
    with school_scope(school.id), transaction():
        delete_later("local", "blob/aa/bb/cc")
    assert "delete at local: 1 objects, 0 bytes" in run("backlog", "--school", school.slug).output
    told = json.loads(run("backlog", "--json").output)
    assert (told["school"], told["operation"], told["objects"]) == (str(school.id), "delete", 1)


def test_the_sweep_goes_through_every_school(
    app: Any, school: Any, other_school: Any, put_on_shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = Faulty(app.extensions["school.storage"])
    put_on_shelf(faulty)
    for place in (school, other_school):
        faulty.after_put.append(Gone())
        with school_scope(place.id):
            pupil = make_owner()
            with killed():
                make_file(pupil)
    late = clock.now() + writing.LEASE + timedelta(minutes=2)
    monkeypatch.setattr(clock, "now", lambda: late)

    told = json.loads(run("sweep", "--json").output)

    assert told == {"discarded": 2, "copied": 0, "deleted": 2, "failed": 0, "waiting": 0}
    assert "0 broken uploads let go" in run("sweep").output


@pytest.fixture
def own_place(app: Any, put_on_shelf: Any, tmp_path: Path) -> LocalStorage:
    """An empty storage of this test's own."""
    place = LocalStorage(tmp_path / "own", signing_keys=["k" * 40], public_base_url="http://c")
    put_on_shelf(place)
    return place


def test_comparing_ends_with_one_when_something_is_lost(own_place: Any, school: Any) -> None:
    with school_scope(school.id):
        make_file(make_owner())
    told = run("reconcile")
    assert told.exit_code == 0
    assert told.output.startswith("local (mend): objects 1,")
    (kept,) = own_place.list("")
    own_place.delete(kept.key)

    for words in (["--dry-run"], []):
        told = run("reconcile", *words)
        assert told.exit_code == 1
        assert f"lost  {kept.key}" in told.output
    told = run("reconcile", "--json", "--provider", "local")
    assert told.exit_code == 1
    found = json.loads(told.output)
    assert (found["provider"], found["clean"], found["counts"]["lost"]) == ("local", False, 1)


def test_comparing_a_storage_that_is_not_in_use(own_place: Any) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        run("reconcile", "--provider", "nowhere")


def test_lost_and_found_is_emptied_when_told(own_place: Any) -> None:
    old = "lost-and-found/2020-01-01/blob/aa/bb/cc"
    own_place.put(old, BytesIO(b"x"))
    assert f"old  {old}" in run("reconcile").output
    assert "emptied 1" in run("reconcile", "--empty-lost-and-found").output
    assert list(own_place.list("")) == []


def test_trust_is_taken_and_given(own_place: Any) -> None:
    assert "trusted already" in run("trust").output
    assert run("distrust").exit_code == 0
    assert json.loads(run("reconcile", "--json").output)["mode"] == "report"
    assert "put right again" in run("trust").output
    assert json.loads(run("reconcile", "--json").output)["mode"] == "mend"


def test_usage_says_what_drifted_and_puts_it_right(app: Any, school: Any) -> None:
    with school_scope(school.id):
        make_file(make_owner())
        size = list_standings(None)[0].used_bytes
        with transaction() as session:
            session.execute(sa.update(StorageUsage).values(used_bytes=5))

    told = run("usage", "--school", school.slug)
    assert told.exit_code == 1
    assert f"counted 5 bytes, there are {size:,}" in told.output
    assert run("usage", "--recount").exit_code == 0
    row = json.loads(run("usage", "--json").output)
    assert row == {
        "school": str(school.id),
        "used_bytes": size,
        "limit_bytes": None,
        "drifts": [],
    }


def test_retention_says_first_and_does_then(app: Any, school: Any) -> None:
    with school_scope(school.id):
        file = make_file(make_owner())
        keeping.add_version(file, BytesIO(PDF + b"% newer\n%%EOF\n"), filename="a.pdf")
        with transaction():
            retention.set_rule(retention.Limits("document", 1, None))

    looked = run("retention", "--dry-run", "--school", school.slug).output
    assert "document: 1 versions of 1 files" in looked
    assert "would go" in looked
    told = json.loads(run("retention", "--json").output)
    assert told["rules"][0]["versions"] == 1
    assert told["done"] == {"versions": 1, "files": 1}
    assert "0 versions of 0 files" in run("retention", "--dry-run").output
