"""Content, the places it lies in, what was made of it, and what must still happen to it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from school import clock
from school.db import Base, Json, Timestamps, one_of
from school.tenancy.models import TenantEntity, belongs_to

# In the order in which providers list their objects, on every database.
Key = sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql")


class BlobState(StrEnum):
    PENDING = "pending"  # the row is committed before the first byte is sent
    STORED = "stored"
    DELETING = "deleting"
    DELETED = "deleted"


class ScanState(StrEnum):
    UNSCANNED = "unscanned"  # came in where no scanner is named
    HELD = "held"  # not looked into throughout: handed out to nobody
    CLEAN = "clean"
    INFECTED = "infected"


class LocationState(StrEnum):
    WRITING = "writing"
    PRESENT = "present"
    MISSING = "missing"
    DELETING = "deleting"


class DerivativeKind(StrEnum):
    THUMBNAIL = "thumbnail"


class Blob(TenantEntity, Timestamps, Base):
    """Content, written once. sha256 and size are counted while streaming, never taken on trust."""

    __tablename__ = "blob"
    __table_args__ = (
        one_of("state", BlobState),
        one_of("scan_state", ScanState),
        sa.CheckConstraint("size_bytes IS NULL OR size_bytes >= 0", name="size_positive"),
        sa.CheckConstraint(
            "state IN ('pending', 'deleted') OR (sha256 IS NOT NULL AND size_bytes IS NOT NULL)",
            name="stored_is_known",
        ),
        sa.CheckConstraint(
            "(envelope IS NULL) = (stored_bytes IS NULL)"
            " AND (envelope IS NOT NULL OR stored_sha256 IS NULL)",
            name="sealed_is_known",
        ),
        sa.Index(
            "ix_blob_pending",
            "state",
            "lease_until",
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        ),
        sa.Index("ix_blob_scan", "school_id", "scan_state", "scanned_at"),
    )

    sha256: Mapped[str | None] = mapped_column(sa.String(64))
    size_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    content_type: Mapped[str | None] = mapped_column(sa.String(127))
    # Sensitive content lies encrypted (storage/container): its wrapped data key, and the bytes as
    # they lie at the provider. Otherwise none of the three: what lies there is the content.
    envelope: Mapped[str | None] = mapped_column(sa.String(128))
    stored_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    stored_sha256: Mapped[str | None] = mapped_column(sa.String(64))
    state: Mapped[str] = mapped_column(sa.String(16), default=BlobState.PENDING)
    lease_until: Mapped[datetime | None]
    # What the virus scanner says, with which signatures and when; the reason is Scan.reason.
    scan_state: Mapped[str] = mapped_column(sa.String(16), default=ScanState.UNSCANNED)
    scan_reason: Mapped[str | None] = mapped_column(sa.String(200))
    scan_engine: Mapped[str | None] = mapped_column(sa.String(80))
    scanned_at: Mapped[datetime | None]
    # Whose quota it counts towards; None: nobody's but the school's.
    sent_by: Mapped[UUID | None]


class BlobLocation(TenantEntity, Timestamps, Base):
    """One blob in one provider. The key is random and never used twice."""

    __tablename__ = "blob_location"
    __table_args__ = (
        belongs_to("blob_id", "blob", ondelete="CASCADE"),
        one_of("state", LocationState),
        sa.UniqueConstraint("school_id", "blob_id", "provider"),
        sa.Index("ix_blob_location_key", "school_id", "provider", "key", unique=False),
        sa.Index(
            "ix_blob_location_verified",
            "school_id",
            "provider",
            "verified_at",
            sqlite_where=sa.text("state = 'present'"),
            postgresql_where=sa.text("state = 'present'"),
        ),
    )

    blob_id: Mapped[UUID]
    provider: Mapped[str] = mapped_column(sa.String(40))
    key: Mapped[str] = mapped_column(Key)
    state: Mapped[str] = mapped_column(sa.String(16), default=LocationState.WRITING)
    etag: Mapped[str | None] = mapped_column(sa.String(200))
    verified_at: Mapped[datetime | None]


class BlobDerivative(TenantEntity, Base):
    """Something smaller made of content. `derived_id` is None where nothing can be made of it."""

    __tablename__ = "blob_derivative"
    __table_args__ = (
        belongs_to("blob_id", "blob", ondelete="CASCADE"),
        belongs_to("derived_id", "blob", ondelete="CASCADE"),
        one_of("kind", DerivativeKind),
        sa.UniqueConstraint("school_id", "blob_id", "kind"),
        sa.Index("ix_blob_derivative_derived", "school_id", "derived_id"),
    )

    blob_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(sa.String(16))
    derived_id: Mapped[UUID | None]
    made_at: Mapped[datetime] = mapped_column(default=clock.now)


class StorageTask(TenantEntity, Timestamps, Base):
    """The outbox: what must still happen at a provider (delete, later replicate and verify)."""

    __tablename__ = "storage_task"
    __table_args__ = (
        sa.UniqueConstraint("school_id", "operation", "provider", "key"),
        sa.Index("ix_storage_task_due", "next_at"),
    )

    operation: Mapped[str] = mapped_column(sa.String(16))
    provider: Mapped[str] = mapped_column(sa.String(40))
    key: Mapped[str] = mapped_column(sa.String(200))
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime] = mapped_column(default=clock.now)
    last_error: Mapped[str | None] = mapped_column(sa.String(500))
    details: Mapped[dict[str, Any] | None] = mapped_column(Json)
