"""Whether the rows may be believed. After a database was restored they may be older than the
objects: what looks like a stray is a file nobody remembers, what looks missing was deleted."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from school import clock
from school.audit.actor import current_actor
from school.audit.log import record_platform
from school.db import db, take_write_lock
from school.files.models import RestoreEpoch, StrayObject
from school.files.service.reconciling.outcome import FEW, Seen

RESTORED = "restored"  # somebody said so
LOOKS_OLDER = "looks_older"  # the objects say so
NEWER_BY = timedelta(hours=1)


def find_distrust() -> RestoreEpoch | None:
    """Since when, and why, the rows are not believed; None when they are."""
    return db.session.scalar(
        sa.select(RestoreEpoch)
        .where(RestoreEpoch.cleared_at.is_(None))
        .order_by(RestoreEpoch.began_at)
        .limit(1)
    )


def distrust(reason: str = RESTORED) -> RestoreEpoch:
    """From now on the reconciler only reports, until somebody trusts the rows again. In the
    caller's transaction; said twice, it is true once."""
    take_write_lock(db.session())
    epoch = find_distrust()
    if epoch is None:
        epoch = RestoreEpoch(reason=reason)
        db.session.add(epoch)
        db.session.flush()
        record_platform("storage.distrusted", "restore_epoch", epoch.id)
    return epoch


def trust() -> bool:
    """Believe the rows again; False when they were believed. What was unknown until now has to be
    seen twice anew. In the caller's transaction."""
    take_write_lock(db.session())
    epoch = find_distrust()
    if epoch is None:
        return False
    values = {"cleared_at": clock.now(), "cleared_by_name": current_actor().name}
    db.session.execute(
        sa.update(RestoreEpoch).where(RestoreEpoch.cleared_at.is_(None)).values(values)
    )
    db.session.execute(sa.delete(StrayObject))
    record_platform("storage.trusted", "restore_epoch", epoch.id)
    return True


def looks_older(seen: Seen) -> bool:
    """The rows end where the objects go on: more than a few that nobody knows, and the newest of
    them clearly newer than the newest row."""
    if seen.unknown_files <= FEW or seen.newest_unknown is None:
        return False
    return seen.newest_row is None or seen.newest_unknown > seen.newest_row + NEWER_BY
