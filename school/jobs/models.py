"""The job table."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from school import clock
from school.db import Base, Json, Timestamps, new_id, one_of


class JobState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # parked: five attempts, or a broken rule that trying again cannot mend


FINISHED = (JobState.DONE, JobState.FAILED)


class Job(Timestamps, Base):
    """One piece of background work. Not a tenant row: the worker looks across schools."""

    __tablename__ = "job"
    __table_args__ = (
        one_of("state", JobState),
        sa.CheckConstraint("progress BETWEEN 0 AND 1", name="progress_range"),
        sa.Index(
            "ix_job_unfinished",
            "state",
            "run_at",
            sqlite_where=sa.text("state IN ('waiting', 'running')"),
            postgresql_where=sa.text("state IN ('waiting', 'running')"),
        ),
        sa.Index("ix_job_school", "school_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(sa.String(60))
    school_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("school.id", ondelete="CASCADE"))
    user_id: Mapped[UUID | None]
    actor_name: Mapped[str] = mapped_column(sa.String(200))
    payload: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    state: Mapped[str] = mapped_column(sa.String(16), default=JobState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    run_at: Mapped[datetime] = mapped_column(default=clock.now)
    heartbeat_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    progress: Mapped[float] = mapped_column(default=0.0)
    sentence: Mapped[str] = mapped_column(sa.String(300), default="")
    result: Mapped[dict[str, Any] | None] = mapped_column(Json)
    error: Mapped[str | None] = mapped_column(sa.Text)

    @property
    def is_finished(self) -> bool:
        return self.state in FINISHED
