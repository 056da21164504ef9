"""What the installation does with all schools' objects: comparing, moving, being careful."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from school import clock
from school.db import Base, Json, Timestamps, new_id, one_of
from school.files.models.content import Key


class ReconcileRun(Base):
    """One comparison of a provider with the rows of all schools. Holds keys, never names."""

    __tablename__ = "reconcile_run"
    __table_args__ = (sa.Index("ix_reconcile_run_started", "started_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str] = mapped_column(sa.String(40))
    # files.service.reconciling.outcome.Mode
    mode: Mapped[str] = mapped_column(sa.String(16))
    started_at: Mapped[datetime] = mapped_column(default=clock.now)
    finished_at: Mapped[datetime | None]
    # Why nothing was put right although something was found: {"reason": …, numbers}
    stopped: Mapped[dict[str, Any] | None] = mapped_column(Json)
    counts: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    findings: Mapped[list[Any]] = mapped_column(Json, default=list)


class StrayObject(Base):
    """An object no row knew when it was last looked for; seen in two runs, it is put aside."""

    __tablename__ = "stray_object"

    provider: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    key: Mapped[str] = mapped_column(Key, primary_key=True)
    first_seen_at: Mapped[datetime] = mapped_column(default=clock.now)


class RestoreEpoch(Base):
    """While one is open the rows may be older than the objects: nothing is moved or given up."""

    __tablename__ = "restore_epoch"
    __table_args__ = (sa.CheckConstraint("length(reason) >= 1", name="reason_given"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    began_at: Mapped[datetime] = mapped_column(default=clock.now)
    reason: Mapped[str] = mapped_column(sa.String(40))
    cleared_at: Mapped[datetime | None]
    cleared_by_name: Mapped[str | None] = mapped_column(sa.String(200))


class MoveStep(StrEnum):
    """In this order; until the source is emptied every step can be rolled back."""

    COPYING = "copying"  # new files go to both places, old ones follow
    COMPARING = "comparing"  # every object at the target is read again and compared
    SOAKING = "soaking"  # read from the target; the source still gets everything
    DELETING = "deleting"  # the source is emptied
    DONE = "done"
    ROLLING_BACK = "rolling_back"  # read from the source again; the target is emptied
    ROLLED_BACK = "rolled_back"


class StorageMove(Timestamps, Base):
    """All files on their way from one provider to another. One at a time."""

    __tablename__ = "storage_move"
    __table_args__ = (one_of("step", MoveStep),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    source: Mapped[str] = mapped_column(sa.String(40))
    target: Mapped[str] = mapped_column(sa.String(40))
    # Addresses without secrets, as in STORAGE_URL.
    source_url: Mapped[str] = mapped_column(sa.String(500))
    target_url: Mapped[str] = mapped_column(sa.String(500))
    step: Mapped[str] = mapped_column(sa.String(16), default=MoveStep.COPYING)
    started_at: Mapped[datetime] = mapped_column(default=clock.now)
    switched_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    counts: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
