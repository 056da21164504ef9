"""Background work: put right what crashes and slow providers left behind."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from school.files.service.outbox import SWEEP
from school.files.service.reconciling import RECONCILE, reconcile
from school.files.service.recounting import COUNT, keep_count
from school.files.service.retention import RETAIN, retain
from school.files.service.scanning import SCAN, scan_waiting
from school.files.service.sweeping import sweep
from school.files.service.thumbnails.catching_up import CATCH_UP, make_missing
from school.files.service.thumbnails.making import make_thumbnail
from school.files.service.thumbnails.planning import THUMBNAIL
from school.files.service.trashing import PURGE, purge
from school.files.service.uploading.finishing import finish, try_later
from school.files.service.uploading.planning import FINISH
from school.jobs.queue import handler, progress


@handler(SWEEP)
def sweep_files() -> dict[str, Any]:
    """One school's sweep; plans the next itself while anything is still to be done."""
    return asdict(sweep())


@handler(RECONCILE)
def reconcile_files() -> dict[str, Any]:
    """All providers beside the rows of all schools; run again it finds less to do."""
    return {one.provider: one.counts for one in reconcile(tell=progress)}


@handler(SCAN)
def scan_files(*, wait_s: int, nightly: bool) -> dict[str, Any]:
    """One school's held files, at night also those that newer signatures have not seen."""
    return asdict(scan_waiting(nightly=nightly, wait_s=wait_s))


@handler(COUNT)
def count_space() -> dict[str, Any]:
    """One school's counters of used space, and the point of this day in its chart."""
    return {"drifted": keep_count()}


@handler(PURGE)
def purge_trash() -> dict[str, Any]:
    """One school's trash, as far as its time is over."""
    return asdict(purge())


@handler(RETAIN)
def retain_versions() -> dict[str, Any]:
    """One school's older versions, as its rules say."""
    return asdict(retain())


@handler(FINISH)
def finish_upload(*, upload_id: str, wait_s: int) -> dict[str, Any]:
    """One upload all of whose bytes are there; plans the next try itself while one can help."""
    again_s = finish(UUID(upload_id), tell=lambda part: progress(part, "Checking the file"))
    if again_s is not None:
        try_later(UUID(upload_id), after_s=again_s, waited_s=wait_s)
    return {"again_s": again_s}


@handler(THUMBNAIL)
def thumbnail_picture(*, blob_id: str) -> dict[str, Any]:
    """One picture's thumbnail; run again it finds it made."""
    return {"made": make_thumbnail(UUID(blob_id))}


@handler(CATCH_UP)
def catch_up_thumbnails() -> dict[str, Any]:
    """One school's pictures without a thumbnail, as many as a night allows."""
    return asdict(make_missing(tell=lambda part: progress(part, "Making small pictures")))
