"""Whether content may be handed out: the virus scanner is asked when it comes in, and again later.

What is found harmful on its way in is refused. What was not looked into throughout (the scanner is
away or too slow, the content too large or locked) is kept but held: nobody gets it until a later
scan says that it is clean. A held one is asked about again, ever more seldom; every night whatever
newer signatures have not seen is, so that what nobody knew yesterday is found today.

Content that came in while no scanner was named stays available until its turn comes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, Any, cast
from uuid import UUID

import sqlalchemy as sa
import structlog

from school import cache, clock
from school.audit.log import record
from school.db import db, transaction
from school.files.models import Blob, BlobDerivative, BlobState, File, FileVersion, ScanState
from school.files.queries import AVAILABLE, Content, content_of_blob
from school.files.service.clamd import Scan, Scanner, Verdict
from school.files.service.reading import sought
from school.files.service.shelf import shelf
from school.files.service.thumbnails.planning import plan_thumbnail
from school.jobs.queue import enqueue_within
from school.storage.errors import StorageError
from school.tenancy.scope import current_school_id

log = structlog.get_logger(__name__)
SCAN = "files.scan"
# While somebody waits; a job has the scanner's own time for it.
ARRIVAL_S = 20.0
NIGHT_S = 30 * 60.0
# Signatures of a school's own do not show in the engine's number.
GOOD_FOR = timedelta(days=30)
AT_ONCE = 100
FIRST_WAIT_S, LONGEST_WAIT_S = 60, 3600
# Asking again helps only where the scanner was the reason.
_PASSING = ("unreachable", "timeout", "protocol", "unreadable")
_STATES = {
    Verdict.CLEAN: ScanState.CLEAN,
    Verdict.INFECTED: ScanState.INFECTED,
    Verdict.UNSURE: ScanState.HELD,
}


@dataclass(slots=True)
class Scanned:
    """What came of one round of scanning: how many stand how after it.

    `unchecked`: about these the scanner said nothing, so they stay as they were, and open.
    """

    clean: int = 0
    infected: int = 0
    held: int = 0
    unchecked: int = 0

    def count(self, name: str) -> None:
        setattr(self, name, getattr(self, name) + 1)


def scan_arrival(stream: IO[bytes]) -> Scan | None:
    """What the scanner says of a seekable stream; None where no scanner is named."""
    url = shelf().scanner_url
    if not url:
        return None
    stream.seek(0)
    try:
        return Scanner(url, timeout_s=ARRIVAL_S).scan(stream)
    finally:
        stream.seek(0)


def scan_values(scan: Scan | None) -> dict[str, Any]:
    """The columns of a blob that say what came of a scan."""
    if scan is None:
        return {"scan_state": ScanState.UNSCANNED}
    return {
        "scan_state": _STATES[scan.verdict],
        "scan_reason": scan.signature or scan.reason,
        "scan_engine": scan.engine,
        "scanned_at": clock.now(),
    }


def plan_scan(*, wait_s: int = FIRST_WAIT_S, nightly: bool = False) -> None:
    """In the caller's transaction: see to it that a round of this school is waiting."""
    enqueue_within(SCAN, timedelta(seconds=wait_s), wait_s=wait_s, nightly=nightly)


def plan_nightly_scan() -> bool:
    """For the school in scope, where a scanner is named. Opens its own transaction."""
    if not shelf().scanner_url:
        return False
    with transaction():
        plan_scan(wait_s=0, nightly=True)
    return True


def scan_waiting(*, nightly: bool, wait_s: int = FIRST_WAIT_S) -> Scanned:
    """Ask about what is held in the school in scope; `nightly` also about what newer signatures
    have not seen. Opens its own transactions, and plans the next round where one can help."""
    scanned = Scanned()
    url = shelf().scanner_url
    if not url:
        return scanned
    scanner = Scanner(url)
    engine = _engine(scanner)
    ends_at = time.monotonic() + NIGHT_S
    began_at = clock.now()
    while engine is not None and time.monotonic() < ends_at:
        batch = _next_blobs(engine, nightly=nightly, before=began_at)
        for blob_id in batch:
            scanned.count(_scan_blob(scanner, blob_id))
        if len(batch) < AT_ONCE:
            break
    with transaction():
        if _waits_for_scanner():
            plan_scan(wait_s=min(2 * wait_s, LONGEST_WAIT_S))
    return scanned


def scan_again(file: File) -> Scanned:
    """Ask about the file's current content now. Opens its own transactions."""
    scanned = Scanned()
    url = shelf().scanner_url
    if url:
        blob_id = db.session.scalar(
            sa.select(FileVersion.blob_id).where(
                FileVersion.file_id == file.id, FileVersion.number == file.current_version
            )
        )
        db.session.rollback()
        if blob_id is not None:
            scanned.count(_scan_blob(Scanner(url, timeout_s=ARRIVAL_S), blob_id))
    return scanned


def _engine(scanner: Scanner) -> str | None:
    version = scanner.version()
    return version.engine if version else None


def _next_blobs(engine: str, *, nightly: bool, before: Any) -> list[UUID]:
    """Those asked about longest ago first, each once in a round."""
    held = Blob.scan_state == ScanState.HELD
    if nightly:
        is_old = sa.or_(Blob.scan_engine != engine, Blob.scanned_at < clock.now() - GOOD_FOR)
        is_clean = Blob.scan_state == ScanState.CLEAN
        wanted = sa.or_(held, Blob.scan_state == ScanState.UNSCANNED, sa.and_(is_clean, is_old))
    else:
        wanted = sa.and_(held, Blob.scan_reason.in_(_PASSING))
    found = db.session.scalars(
        sa.select(Blob.id)
        .where(Blob.state == BlobState.STORED, wanted, _came_in())
        .where(sa.or_(Blob.scanned_at.is_(None), Blob.scanned_at < before))
        .order_by(Blob.scanned_at.is_not(None), Blob.scanned_at)
        .limit(AT_ONCE)
    ).all()
    db.session.rollback()  # no transaction stays open while the scanner works
    return list(found)


def _came_in() -> sa.ColumnElement[bool]:
    """Not what the house itself made of content that came in."""
    made = sa.select(BlobDerivative.derived_id).where(
        BlobDerivative.school_id == Blob.school_id, BlobDerivative.derived_id == Blob.id
    )
    return ~made.exists()


def _scan_blob(scanner: Scanner, blob_id: UUID) -> str:
    """How it stands then: a field of Scanned."""
    content = content_of_blob(blob_id)
    db.session.rollback()
    scan = _scan_stored(scanner, content)
    with transaction():
        state = _write_down(blob_id, scan)
    return "unchecked" if scan.verdict is Verdict.UNSURE and state in AVAILABLE else state


def _scan_stored(scanner: Scanner, content: Content | None) -> Scan:
    unreadable = Scan(Verdict.UNSURE, "unreadable")
    if content is None:
        return unreadable
    try:
        with sought(content, most_bytes=content.size_bytes) as stream:
            return scanner.scan(cast("IO[bytes]", stream))
    except (StorageError, OSError) as error:
        log.warning("file.scan_failed", blob_id=str(content.blob_id), error=type(error).__name__)
        return unreadable


def _write_down(blob_id: UUID, scan: Scan) -> ScanState:
    """The state it is in then; as it was where the scan says nothing new."""
    blob = db.session.scalar(
        sa.select(Blob)
        .where(Blob.id == blob_id, Blob.state == BlobState.STORED)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if blob is None:
        return ScanState.UNSCANNED
    before = ScanState(blob.scan_state)
    if scan.verdict is Verdict.UNSURE and not _is_held_now(before, scan):
        blob.scanned_at = clock.now()
        return before
    for column, value in scan_values(scan).items():
        setattr(blob, column, value)
    db.session.flush()
    if blob.scan_state != before:
        _tell(blob)
    if before == ScanState.HELD and blob.scan_state == ScanState.CLEAN:
        plan_thumbnail(blob.id, blob.content_type)
    return ScanState(blob.scan_state)


def _is_held_now(before: ScanState, scan: Scan) -> bool:
    """Whether an unsure scan closes content. A verdict is not taken back by one; what never had
    one is closed by a scanner that looked and could not, not by one that is away for a night."""
    if before is ScanState.UNSCANNED:
        return scan.reason not in _PASSING
    return before is ScanState.HELD


def _tell(blob: Blob) -> None:
    """Whatever was remembered of these files is no longer so, and their history says why."""
    files = db.session.execute(
        sa.select(FileVersion.file_id, FileVersion.number).where(FileVersion.blob_id == blob.id)
    ).all()
    for file_id, number in files:
        after = {"version": number, "scan": blob.scan_state, "reason": blob.scan_reason}
        record("file.scanned", "file", file_id, after=after)
    cache.forget(current_school_id(), "files")


def _waits_for_scanner() -> bool:
    """Something is held for a reason that passes."""
    waiting = db.session.scalar(
        sa.select(Blob.id)
        .where(Blob.state == BlobState.STORED, Blob.scan_state == ScanState.HELD)
        .where(Blob.scan_reason.in_(_PASSING))
        .limit(1)
    )
    return waiting is not None
