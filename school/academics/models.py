"""Academic years and classes."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from school.db import Base, BytewiseText, Timestamps, Versioned
from school.tenancy.models import TenantEntity, belongs_to


class AcademicYear(TenantEntity, Versioned, Timestamps, Base):
    """A school year. Exactly one is current."""

    __tablename__ = "academic_year"
    __table_args__ = (
        sa.UniqueConstraint("school_id", "name"),
        sa.CheckConstraint("begins_on < ends_on", name="dates_in_order"),
        sa.Index(
            "uq_academic_year_current",
            "school_id",
            unique=True,
            sqlite_where=sa.text("is_current"),
            postgresql_where=sa.text("is_current"),
        ),
    )

    name: Mapped[str] = mapped_column(sa.String(60))
    begins_on: Mapped[date]
    ends_on: Mapped[date]
    is_current: Mapped[bool] = mapped_column(default=False)


class SchoolClass(TenantEntity, Versioned, Timestamps, Base):
    """A class (form, homeroom, section, batch) in one academic year."""

    __tablename__ = "school_class"
    __table_args__ = (
        belongs_to("academic_year_id", "academic_year"),
        sa.UniqueConstraint("school_id", "academic_year_id", "name"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name="name_length"),
        sa.Index("ix_school_class_sort", "school_id", "sort_name", "id"),
    )

    academic_year_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(sa.String(100))
    # "8B" before "10A": digits padded, made by academics/service.
    sort_name: Mapped[str] = mapped_column(BytewiseText)
    grade_level: Mapped[str | None] = mapped_column(sa.String(60))
    is_archived: Mapped[bool] = mapped_column(default=False)
