"""Events (append-only) and change sets."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from school import clock
from school.db import Base, Json, Timestamps, new_id, one_of
from school.tenancy.models import TenantEntity


class ChangeSetState(StrEnum):
    OPEN = "open"
    COMMITTED = "committed"
    UNDONE = "undone"


class ChangeSet(TenantEntity, Timestamps, Base):
    """A bulk act (an import, archiving twelve students): previewed, done and undone as one."""

    __tablename__ = "change_set"
    __table_args__ = (one_of("state", ChangeSetState),)

    kind: Mapped[str] = mapped_column(sa.String(60))
    title: Mapped[str] = mapped_column(sa.String(300))
    state: Mapped[str] = mapped_column(sa.String(16), default=ChangeSetState.OPEN)
    actor_id: Mapped[UUID | None]
    actor_name: Mapped[str] = mapped_column(sa.String(200))
    committed_at: Mapped[datetime | None]
    undo_until: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None] = mapped_column(sa.String(200))
    counts: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)

    def is_undoable(self, at: datetime) -> bool:
        """Committed, not yet undone, and inside its time."""
        return (
            self.state == ChangeSetState.COMMITTED
            and self.undo_until is not None
            and at <= self.undo_until
        )


class AuditEvent(TenantEntity, Base):
    """One thing one person did to one record.

    `entity` is the name of the record's table: undo finds the record by it. `before` is None for
    something new, `after` is None for something removed; otherwise both hold just the fields that
    differ. The date is part of the key so that the table can be partitioned by month.
    """

    __tablename__ = "audit_event"
    __table_args__ = (
        sa.Index("ix_audit_event_entity", "school_id", "entity", "entity_id", "id"),
        sa.Index("ix_audit_event_change_set", "school_id", "change_set_id"),
        sa.Index("ix_audit_event_actor", "school_id", "actor_id", "id"),
        sa.Index(
            "ix_audit_event_about",
            "school_id",
            "about_id",
            "id",
            sqlite_where=sa.text("about_id IS NOT NULL"),
            postgresql_where=sa.text("about_id IS NOT NULL"),
        ),
    )

    happened_on: Mapped[date] = mapped_column(primary_key=True, default=clock.today, sort_order=-1)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    action: Mapped[str] = mapped_column(sa.String(60))
    entity: Mapped[str] = mapped_column(sa.String(40))
    entity_id: Mapped[UUID]
    # On whose page this is told too: the student of a link or an enrollment.
    about_id: Mapped[UUID | None]
    actor_id: Mapped[UUID | None]
    actor_name: Mapped[str] = mapped_column(sa.String(200))
    request_id: Mapped[str | None] = mapped_column(sa.String(40))
    # No foreign key: events outlive everything they speak of.
    change_set_id: Mapped[UUID | None]
    before: Mapped[dict[str, Any] | None] = mapped_column(Json)
    after: Mapped[dict[str, Any] | None] = mapped_column(Json)


class PlatformEvent(Base):
    """What happened above the schools: accounts, sign-ins, schools made and archived."""

    __tablename__ = "platform_event"
    __table_args__ = (sa.Index("ix_platform_event_entity", "entity", "entity_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    action: Mapped[str] = mapped_column(sa.String(60))
    entity: Mapped[str] = mapped_column(sa.String(40))
    entity_id: Mapped[UUID | None]
    actor_id: Mapped[UUID | None]
    actor_name: Mapped[str] = mapped_column(sa.String(200))
    request_id: Mapped[str | None] = mapped_column(sa.String(40))
    details: Mapped[dict[str, Any] | None] = mapped_column(Json)
