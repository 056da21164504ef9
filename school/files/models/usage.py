"""How much space a school and each person in it take up."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from school.db import Base, Timestamps, one_of
from school.tenancy.models import TenantEntity


class HolderKind(StrEnum):
    SCHOOL = "school"
    PERSON = "person"


class StorageUsage(TenantEntity, Timestamps, Base):
    """What counts towards one holder's quota.

    Changed only in the transaction in which a blob or an upload begins or ceases to count, so
    that it is exact after any crash: the sum of the holder's blobs (pending or stored) and of
    what is announced by uploads under way.
    """

    __tablename__ = "storage_usage"
    __table_args__ = (
        one_of("holder_kind", HolderKind),
        sa.UniqueConstraint("school_id", "holder_kind", "holder_id"),
        sa.CheckConstraint("used_bytes >= 0", name="used_positive"),
        sa.CheckConstraint("limit_bytes IS NULL OR limit_bytes >= 0", name="limit_positive"),
    )

    holder_kind: Mapped[str] = mapped_column(sa.String(16))
    holder_id: Mapped[UUID]
    used_bytes: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    # None: as the installation's settings say.
    limit_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)


class UsageDay(TenantEntity, Base):
    """What a school took up at the end of a day, for the chart."""

    __tablename__ = "usage_day"
    __table_args__ = (sa.UniqueConstraint("school_id", "day"),)

    day: Mapped[date]
    used_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    files: Mapped[int]
