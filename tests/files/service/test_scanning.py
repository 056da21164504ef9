"""Nobody gets what the virus scanner did not let through."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, current_app

from school import cache, clock
from school.audit.models import AuditEvent
from school.db import db, new_id, transaction
from school.files import queries
from school.files.models import Blob, File, ScanState
from school.files.queries import Held
from school.files.service import bundles, keeping, scanning
from school.files.service.content import Refused
from school.jobs.models import Job
from school.permissions import Person, Role
from tests.factories.files import make_file
from tests.files.conftest import actions
from tests.files.samples import PDF, zipped
from tests.servers.clamd import (
    VIRUS,
    VIRUS_NAME,
    ClamdServer,
    clamd_server,  # noqa: F401
    throwaway_clamd,
)

VIRUS_TEXT = VIRUS
NOBODY = "tcp://127.0.0.1:9"
CLEAN, HELD, INFECTED = ScanState.CLEAN, ScanState.HELD, ScanState.INFECTED


@pytest.fixture
def scanner_at(app: Flask) -> Iterator[Callable[[str], None]]:
    """Name another scanner for the length of a test."""
    settings = app.config["SETTINGS"]
    yield lambda url: app.config.update(SETTINGS=settings.model_copy(update={"clamav_url": url}))
    app.config["SETTINGS"] = settings


@pytest.fixture
def scanned(clamd_server: ClamdServer, scanner_at: Callable[[str], None]) -> ClamdServer:  # noqa: F811
    scanner_at(clamd_server.unix_url)
    return clamd_server


def blobs() -> list[Blob]:
    db.session.expire_all()
    return list(db.session.scalars(sa.select(Blob).order_by(Blob.id)))


def set_blob(**values: Any) -> None:
    with transaction() as session:
        session.execute(sa.update(Blob).values(**values))
    cache.cache.clear()


def is_open(file: File) -> bool:
    try:
        queries.get_content(file)
    except Held:
        return False
    return True


def test_what_is_clean_is_open_at_once(scanned: ClamdServer, student: Any) -> None:
    file = make_file(student)

    (blob,) = blobs()
    assert (blob.scan_state, is_open(file)) == (CLEAN, True)
    assert blob.scan_engine is not None
    assert blob.scan_engine.startswith("ClamAV ")


def test_a_virus_is_refused_and_the_student_history_says_so(
    scanned: ClamdServer, student: Any
) -> None:
    with pytest.raises(Refused) as refused:
        make_file(student, VIRUS_TEXT, filename="Notes.txt")

    assert VIRUS_NAME in str(refused.value)
    assert blobs() == []
    event = db.session.scalars(sa.select(AuditEvent)).one()
    assert (event.action, event.entity_id) == ("file.refused", student.id)
    assert event.after is not None
    assert event.after["signature"] == VIRUS_NAME


def test_a_virus_inside_a_document_is_refused(scanned: ClamdServer, student: Any) -> None:
    scanned.learn("Schoolhouse.Test.Inner", b"inner virus" * 10)
    with pytest.raises(Refused):
        make_file(student, zipped({"a.txt": VIRUS}), filename="letter.docx")

    assert blobs() == []


def test_without_a_scanner_files_are_open_and_unscanned(student: Any) -> None:
    file = make_file(student)

    assert (blobs()[0].scan_state, is_open(file)) == (ScanState.UNSCANNED, True)


def test_a_scanner_that_is_away_holds_the_file_until_it_is_back(
    scanner_at: Callable[[str], None],
    clamd_server: ClamdServer,  # noqa: F811
    student: Any,
) -> None:
    scanner_at(NOBODY)
    file = make_file(student)
    assert (blobs()[0].scan_state, blobs()[0].scan_reason) == (HELD, "unreachable")
    assert not is_open(file)
    (job,) = db.session.scalars(sa.select(Job).where(Job.kind == scanning.SCAN))

    still_away = scanning.scan_waiting(nightly=False)
    scanner_at(clamd_server.unix_url)
    back = scanning.scan_waiting(nightly=False)

    assert job.run_at > clock.now()
    assert (still_away.clean, back.clean) == (0, 1)
    assert is_open(file)
    assert actions()[-1] == "file.scanned"


def test_what_the_scanner_holds_is_in_no_list_of_contents_and_in_no_zip(
    scanner_at: Callable[[str], None], student: Any
) -> None:
    make_file(student, filename="Open.pdf")
    scanner_at(NOBODY)
    make_file(student, PDF + b"%\n%%EOF\n", filename="Shut.pdf")

    roles = frozenset({Role.REGISTRAR})
    registrar = Person(
        new_id(), "Rosa", "rosa@example.com", school_id=student.school_id, roles=roles
    )
    with transaction():
        entries = bundles.gather(registrar, "student", student.id, ids=None)

    shown = {entry.name: (entry.content is not None, entry.is_held) for entry in entries}
    assert shown == {"Open.pdf": (True, False), "Shut.pdf": (False, True)}


def test_new_signatures_close_what_was_open(scanned: ClamdServer, student: Any) -> None:
    text = b"A letter that turns out to be a virus.\n"
    file = make_file(student, text, filename="Letter.txt")
    assert is_open(file)
    assert scanning.scan_waiting(nightly=True).infected == 0
    with throwaway_clamd() as newer:
        newer.learn("Schoolhouse.Test.Later", text)
        set_blob(scan_engine="ClamAV 1.0/1", scanned_at=clock.now())
        scanned_then = _rescan_at(newer)

    assert scanned_then.infected == 1
    assert (blobs()[0].scan_state, is_open(file)) == (INFECTED, False)
    assert queries.count_held() == 1
    (row,) = queries.list_held(sa.true())
    assert (row.name, row.scan_state) == ("Letter.txt", INFECTED)
    assert actions()[-1] == "file.scanned"


def _rescan_at(server: ClamdServer) -> scanning.Scanned:
    """clamd learns a moment after it was told."""
    settings = current_app.config["SETTINGS"]
    current_app.config["SETTINGS"] = settings.model_copy(update={"clamav_url": server.unix_url})
    found = scanning.Scanned()
    for _ in range(100):
        found = scanning.scan_waiting(nightly=True)
        if found.infected:
            break
        set_blob(scan_engine="ClamAV 1.0/1", scanned_at=clock.now())
    current_app.config["SETTINGS"] = settings
    return found


def test_one_night_without_the_scanner_closes_nothing(
    scanned: ClamdServer, scanner_at: Callable[[str], None], student: Any
) -> None:
    file = make_file(student)
    set_blob(scan_engine="ClamAV 1.0/1")
    scanner_at(NOBODY)

    scanning.scan_waiting(nightly=True)

    assert is_open(file)


def test_a_round_asks_about_each_content_once(scanned: ClamdServer, student: Any) -> None:
    for number in range(3):
        make_file(student, PDF + b"%%%d\n%%%%EOF\n" % number, filename=f"{number}.pdf")
    set_blob(scan_state=ScanState.UNSCANNED, scan_engine=None, scanned_at=None)

    assert scanning.scan_waiting(nightly=True).clean == 3
    assert scanning.scan_waiting(nightly=True).clean == 0


def test_too_large_for_the_scanner_is_held_and_not_asked_about_every_minute(
    scanned: ClamdServer, student: Any
) -> None:
    letters = b"A long text.\n" * (5 * 1024 * 1024 // 13)
    file = make_file(student, letters, filename="Long.txt")

    assert (blobs()[0].scan_reason, is_open(file)) == ("too_large", False)
    assert scanning.scan_waiting(nightly=False) == scanning.Scanned()
    assert scanning.scan_waiting(nightly=True).held == 1


def test_an_encrypted_medical_file_is_scanned_as_what_it_is(
    scanned: ClamdServer, scanner_at: Callable[[str], None], student: Any
) -> None:
    scanner_at(NOBODY)
    file = make_file(student, VIRUS_TEXT, filename="Note.txt", purpose="medical")
    assert blobs()[0].envelope is not None
    scanner_at(scanned.unix_url)

    assert scanning.scan_waiting(nightly=False).infected == 1
    assert not is_open(file)


def test_a_new_version_can_be_held_while_the_old_one_stays_open(
    scanner_at: Callable[[str], None], student: Any
) -> None:
    file = make_file(student)
    scanner_at(NOBODY)
    keeping.add_version(file, io.BytesIO(PDF + b"%\n%%EOF\n"), filename="Report.pdf")

    assert not is_open(file)
    assert queries.get_content(file, 1).number == 1


def test_an_unsure_scanner_takes_no_found_virus_back(
    scanner_at: Callable[[str], None], student: Any
) -> None:
    file = make_file(student)
    set_blob(scan_state=INFECTED, scan_reason="Later.Virus", scan_engine="ClamAV 1.0/1")
    scanner_at(NOBODY)

    scanning.scan_again(file)

    assert (blobs()[0].scan_state, blobs()[0].scan_reason) == (INFECTED, "Later.Virus")


def test_what_came_in_unscanned_and_cannot_be_scanned_is_closed(
    scanner_at: Callable[[str], None],
    clamd_server: ClamdServer,  # noqa: F811
    student: Any,
) -> None:
    file = make_file(student, b"A long text.\n" * (5 * 1024 * 1024 // 13), filename="Long.txt")
    scanner_at(NOBODY)
    away = scanning.scan_again(file)
    open_while_away = is_open(file)
    scanner_at(clamd_server.unix_url)

    assert (away.unchecked, open_while_away) == (1, True)
    assert scanning.scan_waiting(nightly=True).held == 1
    assert not is_open(file)


def test_names_of_others_are_not_told(scanner_at: Callable[[str], None], student: Any) -> None:
    scanner_at(NOBODY)
    make_file(student, filename="Private.pdf")

    assert [row.name for row in queries.list_held(sa.false())] == [None]


def test_content_brought_back_is_one_held_file(
    scanner_at: Callable[[str], None], student: Any
) -> None:
    scanner_at(NOBODY)
    file = make_file(student)
    keeping.add_version(file, io.BytesIO(PDF + b"%\n%%EOF\n"), filename="Report.pdf")
    with transaction():
        keeping.restore_version(file, 1)

    assert (queries.count_held(), len(queries.list_held(sa.true()))) == (2, 2)
