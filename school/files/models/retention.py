"""What must be kept, and what may go."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from school import clock
from school.db import Base, Timestamps, Versioned, one_of
from school.tenancy.models import TenantEntity


class RetentionRule(TenantEntity, Versioned, Timestamps, Base):
    """Which older versions of a purpose's files are let go; the current one never is.

    A version goes when it is beyond the newest `most_versions` or was replaced more than
    `most_days` ago; None sets no such limit.
    """

    __tablename__ = "retention_rule"
    __table_args__ = (
        sa.UniqueConstraint("school_id", "purpose"),
        sa.CheckConstraint("most_versions IS NULL OR most_versions >= 1", name="versions_positive"),
        sa.CheckConstraint("most_days IS NULL OR most_days >= 1", name="days_positive"),
    )

    purpose: Mapped[str] = mapped_column(sa.String(40))
    most_versions: Mapped[int | None]
    most_days: Mapped[int | None]


class HoldTarget(StrEnum):
    FILE = "file"
    FOLDER = "folder"
    STUDENT = "student"
    SCHOOL = "school"


class LegalHold(TenantEntity, Base):
    """While it stands nothing of its target is deleted, by a person or by a rule."""

    __tablename__ = "legal_hold"
    __table_args__ = (
        one_of("target_kind", HoldTarget),
        sa.CheckConstraint("length(reason) BETWEEN 1 AND 300", name="reason_given"),
        sa.Index("ix_legal_hold_target", "school_id", "target_kind", "target_id"),
    )

    target_kind: Mapped[str] = mapped_column(sa.String(16))
    target_id: Mapped[UUID]
    reason: Mapped[str] = mapped_column(sa.String(300))
    placed_at: Mapped[datetime] = mapped_column(default=clock.now)
    placed_by_name: Mapped[str] = mapped_column(sa.String(200))
    lifted_at: Mapped[datetime | None]
    lifted_by_name: Mapped[str | None] = mapped_column(sa.String(200))
