"""Every night: thumbnails that are missing, of pictures from before there were any, or whose own
job never came to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
import structlog

from school.db import db, transaction
from school.files.models import Blob, BlobDerivative, BlobState, DerivativeKind, File
from school.files.queries import AVAILABLE, PHOTO
from school.files.queries.current import with_current
from school.files.service.families import KINDS
from school.files.service.thumbnails.making import StoreAway, make_thumbnail
from school.jobs.queue import enqueue, find_unfinished
from school.storage.errors import IntegrityError, NotFound, StorageError

log = structlog.get_logger(__name__)
CATCH_UP = "files.missing_thumbnails"
MOST_A_NIGHT = 1000
LONGEST_S = 20 * 60
PICTURES = [kind.content_type for kind in KINDS.values() if kind.family == "image"]


@dataclass(slots=True)
class CaughtUp:
    """What one night did in a school; `left`: more were missing than it came to."""

    made: int = 0
    without: int = 0
    left: bool = False


def make_missing(*, tell: Callable[[float], None] = lambda _: None) -> CaughtUp:
    """Make those that are missing in the school in scope: the newest pictures first, as many as a
    night allows. Opens its own transactions; cut off anywhere it goes on the next night."""
    done, until = CaughtUp(), time.monotonic() + LONGEST_S
    wanted = _missing(MOST_A_NIGHT + 1)
    done.left = len(wanted) > MOST_A_NIGHT
    try:
        for number, blob_id in enumerate(wanted[:MOST_A_NIGHT]):
            if time.monotonic() > until:
                done.left = True
                break
            tell(number / len(wanted))
            is_made = _make(blob_id)
            done.made += is_made
            done.without += not is_made
    except (StorageError, StoreAway) as error:
        log.warning("file.thumbnails_stopped", error=type(error).__name__)
        done.left = True
    return done


def _make(blob_id: UUID) -> bool:
    """Raises StorageError or StoreAway when the store is away."""
    try:
        return make_thumbnail(blob_id)
    except (IntegrityError, NotFound) as error:
        # One picture that is damaged or gone: the comparison tells of it, the others go on.
        db.session.rollback()
        log.warning("file.no_thumbnail", blob_id=str(blob_id), reason=type(error).__name__)
        return False


def _missing(most: int) -> Sequence[UUID]:
    found = db.session.scalars(_without().limit(most)).all()
    db.session.rollback()  # no transaction stays open while the store is asked
    return found


def _without() -> sa.Select[UUID]:
    """Pictures that some file shows now and nobody has tried to make smaller."""
    tried = sa.select(BlobDerivative.blob_id).where(
        BlobDerivative.school_id == Blob.school_id,
        BlobDerivative.blob_id == Blob.id,
        BlobDerivative.kind == DerivativeKind.THUMBNAIL,
    )
    return (
        with_current(sa.select(Blob.id).select_from(File))
        .where(
            File.purpose != PHOTO,
            File.trashed_at.is_(None),
            Blob.state == BlobState.STORED,
            Blob.scan_state.in_(AVAILABLE),
            Blob.content_type.in_(PICTURES),
            ~tried.exists(),
        )
        .distinct()
        .order_by(Blob.id.desc())
    )


def plan_missing() -> bool:
    """A night's work for the school in scope, if there is any, one at a time. Opens its own
    transaction."""
    with transaction():
        if find_unfinished(CATCH_UP) is not None:
            return False
        if db.session.scalar(_without().limit(1)) is None:
            return False
        enqueue(CATCH_UP)
    return True
