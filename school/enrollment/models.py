"""Who was in which class, from when to when."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from school.db import Base, Timestamps
from school.tenancy.models import TenantEntity, belongs_to


class Enrollment(TenantEntity, Timestamps, Base):
    """A student in a class. An open end means now; a move closes one row and opens another."""

    __tablename__ = "enrollment"
    __table_args__ = (
        belongs_to("student_id", "student", ondelete="CASCADE"),
        belongs_to("class_id", "school_class"),
        sa.CheckConstraint("ends_on IS NULL OR ends_on >= begins_on", name="dates_in_order"),
        sa.Index(
            "uq_enrollment_open",
            "school_id",
            "student_id",
            unique=True,
            sqlite_where=sa.text("ends_on IS NULL"),
            postgresql_where=sa.text("ends_on IS NULL"),
        ),
        sa.Index("ix_enrollment_class", "school_id", "class_id", "ends_on"),
        sa.Index("ix_enrollment_student", "school_id", "student_id"),
    )

    student_id: Mapped[UUID]
    class_id: Mapped[UUID]
    begins_on: Mapped[date]
    ends_on: Mapped[date | None]
