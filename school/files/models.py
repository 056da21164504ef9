"""Files and their versions; blobs and their places.

History lives in rows, never in a provider's own versioning. A `File` has append-only versions; a
version points at a `Blob` (content); a blob lies in one or more places (`BlobLocation`), so that
hybrid storage, repair and moving to another provider are operations on places.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from school import clock
from school.db import Base, Json, Timestamps, Versioned, new_id, one_of
from school.tenancy.models import TenantEntity, belongs_to

# In the order in which providers list their objects, on every database.
Key = sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql")


class BlobState(StrEnum):
    PENDING = "pending"  # the row is committed before the first byte is sent
    STORED = "stored"
    DELETING = "deleting"
    DELETED = "deleted"


class LocationState(StrEnum):
    WRITING = "writing"
    PRESENT = "present"
    MISSING = "missing"
    DELETING = "deleting"


class OwnerKind(StrEnum):
    """What a file can hang on. Its domain's policy decides who may see it."""

    STUDENT = "student"
    SCHOOL = "school"


class Blob(TenantEntity, Timestamps, Base):
    """Content, written once. sha256 and size are counted while streaming, never taken on trust."""

    __tablename__ = "blob"
    __table_args__ = (
        one_of("state", BlobState),
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


class File(TenantEntity, Versioned, Timestamps, Base):
    """A file as people know it: a name, an owner, a current version."""

    __tablename__ = "file"
    __table_args__ = (
        one_of("owner_kind", OwnerKind),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 150", name="name_length"),
        sa.Index("ix_file_owner", "school_id", "owner_kind", "owner_id", "archived_at"),
    )

    owner_kind: Mapped[str] = mapped_column(sa.String(16))
    owner_id: Mapped[UUID]
    purpose: Mapped[str] = mapped_column(sa.String(40), default="document")
    name: Mapped[str] = mapped_column(sa.String(150))
    # Not a foreign key: version and file point at each other; the service keeps it true and the
    # reconciler checks it.
    current_version: Mapped[int] = mapped_column(default=1)
    archived_at: Mapped[datetime | None]


class FileVersion(TenantEntity, Base):
    """One version of a file. Append-only: restoring an old one makes a new row on its blob."""

    __tablename__ = "file_version"
    __table_args__ = (
        belongs_to("file_id", "file", ondelete="CASCADE"),
        belongs_to("blob_id", "blob"),
        sa.UniqueConstraint("school_id", "file_id", "number"),
        sa.CheckConstraint("number >= 1", name="number_from_one"),
        sa.Index("ix_file_version_blob", "school_id", "blob_id"),
    )

    file_id: Mapped[UUID]
    number: Mapped[int]
    blob_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(sa.String(150))
    note: Mapped[str | None] = mapped_column(sa.String(300))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    created_by: Mapped[UUID | None]
    created_by_name: Mapped[str] = mapped_column(sa.String(200))


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
