"""What must be true once the house is at work again, wherever it was killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from school.audit.models import AuditEvent
from school.db import db
from school.files import queries
from school.files.models import (
    Blob,
    BlobDerivative,
    BlobLocation,
    BlobState,
    File,
    FileVersion,
    LocationState,
    StorageTask,
    StorageUsage,
)
from school.files.service.quotas import COUNTED
from school.files.service.reconciling.looking import ASIDE
from school.files.service.reconciling.outcome import Place
from school.files.service.reconciling.verifying import read_through
from school.storage.local import PARTS
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from tests.files.killing.house import House, digest_of


def disorder(house: House) -> list[str]:
    """Everything that is not as it should be, in words."""
    with house.app.app_context():
        school_id = db.session.scalars(sa.select(School.id)).one()
        with school_scope(school_id):
            return [
                *_lost(house),
                *_dangling(),
                *_orphans(house),
                *_unfinished(),
                *_untold(),
                *_miscounted(),
            ]


def _all(table: type[Any]) -> list[Any]:
    return list(db.session.scalars(sa.select(table)))


def _lost(house: House) -> Iterator[str]:
    """Somebody was told that this is kept."""
    for file_id, versions in house.promises().items():
        file = db.session.scalar(sa.select(File).where(File.id == UUID(file_id)))
        if file is None:
            yield f"the file {file_id} is gone"
            continue
        for number, digest in versions.items():
            if digest_of(queries.get_content(file, int(number))) != digest:
                yield f"version {number} of {file.name} reads differently"


def _dangling() -> Iterator[str]:
    """Rows that name what is not there."""
    blobs = {blob.id: blob for blob in _all(Blob)}
    versions, places = _all(FileVersion), _all(BlobLocation)
    used = {version.blob_id for version in versions if version.pruned_at is None}
    used |= {made.derived_id for made in _all(BlobDerivative) if made.blob_id in used}
    for file in _all(File):
        numbers = sorted(one.number for one in versions if one.file_id == file.id)
        if numbers != list(range(1, len(numbers) + 1)) or file.current_version not in numbers:
            yield f"{file.name} is at version {file.current_version} of {numbers}"
        for number in (
            one.number for one in versions if one.file_id == file.id and not one.pruned_at
        ):
            content = queries.get_content(file, number)
            if digest_of(content) != content.sha256:
                yield f"version {number} of {file.name} is not what was sent"
    for blob in blobs.values():
        held_by = {place.provider for place in places if place.blob_id == blob.id}
        wanted = {"local", "local-copies"} if blob.state == BlobState.STORED else set()
        if held_by != wanted:
            yield f"a blob that is {blob.state} has places at {sorted(held_by)}"
        if (blob.id in used) != (blob.state == BlobState.STORED):
            yield f"a blob that is {blob.state} is {'' if blob.id in used else 'not '}used"


def _orphans(house: House) -> Iterator[str]:
    """Objects and rows beside each other, in both places; every byte is read."""
    for provider in house.both.members:
        rows = {one.key: one for one in _all(BlobLocation) if one.provider == provider.name}
        held = {info.key for info in provider.list("")}
        aside = {key.removeprefix(ASIDE).partition("/")[2] for key in held if key.startswith(ASIDE)}
        if not aside <= house.strays():
            yield f"{provider.name} held {len(aside)} objects that nobody knew"
        objects = {key for key in held if not key.startswith(ASIDE)}
        if objects != set(rows):
            yield f"{provider.name} holds {len(objects)} objects for {len(rows)} rows"
        for place in rows.values():
            blob = db.session.scalars(sa.select(Blob).where(Blob.id == place.blob_id)).one()
            read_through(provider, _place_of(place, blob))
        if list((provider._root / PARTS).iterdir()):
            yield f"{provider.name} still holds parts"


def _place_of(place: BlobLocation, blob: Blob) -> Any:
    is_sealed = blob.envelope is not None
    return Place(
        place.school_id,
        place.id,
        place.blob_id,
        place.key,
        place.state,
        blob.stored_bytes if is_sealed else blob.size_bytes,
        blob.stored_sha256 if is_sealed else blob.sha256,
        place.created_at,
    )


def _unfinished() -> Iterator[str]:
    """Nothing waits, nothing is half done."""
    for blob in _all(Blob):
        if blob.state not in {BlobState.STORED, BlobState.DELETED}:
            yield f"a blob is still {blob.state}"
    for place in _all(BlobLocation):
        if place.state != LocationState.PRESENT:
            yield f"a place at {place.provider} is {place.state}"
    for task in _all(StorageTask):
        yield f"still to do: {task.operation} at {task.provider} ({task.last_error})"


def _untold() -> Iterator[str]:
    """Every change is in the history, and nothing is that did not happen."""
    told = Counter(db.session.scalars(sa.select(AuditEvent.action)))
    files, versions = len(_all(File)), len(_all(FileVersion))
    kept = told["file.added"] - told["file.deleted"]
    if kept != files:
        yield f"{files} files, of which the history tells {kept}"
    later = told["file.version_added"] + told["file.version_restored"]
    if later != versions - files:
        yield f"{versions - files} later versions, of which the history tells {later}"


def _miscounted() -> Iterator[str]:
    """What counts towards the school's room and the sender's is what lies there."""
    counting = [blob for blob in _all(Blob) if blob.state in COUNTED]
    wanted: Counter[UUID] = Counter()
    for blob in counting:
        wanted[blob.school_id] += blob.size_bytes
        if blob.sent_by is not None:
            wanted[blob.sent_by] += blob.size_bytes
    counted = {row.holder_id: row.used_bytes for row in _all(StorageUsage) if row.used_bytes}
    if counted != dict(wanted):
        yield f"counted {sorted(counted.values())} bytes instead of {sorted(wanted.values())}"
    if len(wanted) != (2 if counting else 0):
        yield "a sender is not known"
