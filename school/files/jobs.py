"""Background work: put right what crashes and slow providers left behind."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from school.files.service.outbox import SWEEP
from school.files.service.reconciling import RECONCILE, reconcile
from school.files.service.scanning import SCAN, scan_waiting
from school.files.service.sweeping import Swept, sweep
from school.jobs.queue import handler, progress


@handler(SWEEP)
def sweep_files() -> dict[str, Any]:
    """One school's sweep; plans the next itself while anything is still to be done."""
    swept: Swept = sweep()
    return {
        "discarded": swept.discarded,
        "copied": swept.copied,
        "deleted": swept.deleted,
        "failed": swept.failed,
        "waiting": swept.waiting,
    }


@handler(RECONCILE)
def reconcile_files() -> dict[str, Any]:
    """All providers beside the rows of all schools; run again it finds less to do."""
    return {one.provider: one.counts for one in reconcile(tell=progress)}


@handler(SCAN)
def scan_files(*, wait_s: int, nightly: bool) -> dict[str, Any]:
    """One school's held files, at night also those that newer signatures have not seen."""
    return asdict(scan_waiting(nightly=nightly, wait_s=wait_s))
