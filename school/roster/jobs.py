"""Background work of an import: read, save, undo. Each may be run twice."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from school.db import transaction
from school.errors import Conflict
from school.jobs.queue import handler, progress
from school.roster.models import ImportState
from school.roster.service import committing, repairing, staging, undoing, uploads
from school.web.storage import storage_in_use


@handler(uploads.STAGE)
def stage(import_id: str) -> dict[str, Any]:
    """Read the uploaded file into rows to look at."""
    imported = staging.get_import(UUID(import_id))
    if imported.state not in staging.OPEN_STATES:
        return {"state": imported.state}
    with uploads.fetched(storage_in_use(), imported) as path:
        imported = staging.stage(imported.id, path, tell=progress)
    with transaction():
        repairing.lay_over(imported.id)
    return {"state": imported.state}


@handler(uploads.COMMIT)
def commit(import_id: str) -> dict[str, Any]:
    """Save everything, or nothing. Run again after it was saved, it just says so."""
    try:
        with transaction():
            done = committing.commit(UUID(import_id), tell=progress)
    except Conflict:
        if staging.get_import(UUID(import_id)).state == ImportState.COMMITTED:
            return {"state": ImportState.COMMITTED.value}
        raise
    return {"state": ImportState.COMMITTED.value, "counts": done.counts}


@handler(uploads.UNDO)
def undo(import_id: str) -> dict[str, Any]:
    """Take a saved import back."""
    progress(0.1, "Undoing")
    try:
        with transaction():
            done = undoing.undo(UUID(import_id))
    except Conflict:
        if staging.get_import(UUID(import_id)).state == ImportState.UNDONE:
            return {"state": ImportState.UNDONE.value}
        raise
    return {"state": ImportState.UNDONE.value, "restored": done.restored, "kept": len(done.kept)}
