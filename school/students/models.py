"""Students, guardians, how they belong together, and the school's own fields."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from school.db import Base, BytewiseText, Json, Timestamps, Versioned, one_of
from school.tenancy.models import TenantEntity, TenantMixin, belongs_to


class StudentStatus(StrEnum):
    JOINING = "joining"
    ENROLLED = "enrolled"
    LEFT = "left"
    ARCHIVED = "archived"


class Gender(TenantMixin, Base):
    """One entry of the school's own list of genders."""

    __tablename__ = "gender"

    code: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    label: Mapped[str] = mapped_column(sa.String(60))
    position: Mapped[int] = mapped_column(default=0)


class Student(TenantEntity, Versioned, Timestamps, Base):
    """A student of one school.

    A person with a single name has it as family name and no given name.
    """

    __tablename__ = "student"
    __table_args__ = (
        sa.UniqueConstraint("school_id", "admission_number"),
        sa.ForeignKeyConstraint(
            ["school_id", "gender_code"], ["gender.school_id", "gender.code"], ondelete="RESTRICT"
        ),
        one_of("status", StudentStatus),
        sa.CheckConstraint("length(family_name) BETWEEN 1 AND 300", name="family_name_length"),
        sa.CheckConstraint("length(admission_number) BETWEEN 1 AND 60", name="number_length"),
        sa.Index("ix_student_list", "school_id", "status", "sort_name", "id"),
        sa.Index("ix_student_sort", "school_id", "sort_name", "id"),
        sa.Index("ix_student_born", "school_id", "birth_date"),
        sa.Index("ix_student_user", "user_id"),
    )

    admission_number: Mapped[str] = mapped_column(sa.String(60))
    family_name: Mapped[str] = mapped_column(sa.String(300))
    given_name: Mapped[str | None] = mapped_column(sa.String(300))
    preferred_name: Mapped[str | None] = mapped_column(sa.String(300))
    # Written family name first (Nguyễn Hoàng Long).
    family_name_first: Mapped[bool] = mapped_column(default=False)
    # Folded family and given name, for sorting alike on every database; made by the service.
    sort_name: Mapped[str] = mapped_column(BytewiseText)
    birth_date: Mapped[date | None]
    gender_code: Mapped[str | None] = mapped_column(sa.String(10))
    grade_level: Mapped[str | None] = mapped_column(sa.String(60))
    status: Mapped[str] = mapped_column(sa.String(16), default=StudentStatus.ENROLLED)
    email: Mapped[str | None] = mapped_column(sa.String(320))
    phone: Mapped[str | None] = mapped_column(sa.String(60))
    address: Mapped[str | None] = mapped_column(sa.String(500))
    town: Mapped[str | None] = mapped_column(sa.String(120))
    postcode: Mapped[str | None] = mapped_column(sa.String(20))
    medical_note: Mapped[str | None] = mapped_column(sa.Text)
    # Values of the school's own fields: {str(custom_field.id): value}
    custom: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    photo_file_id: Mapped[UUID | None]
    user_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id", ondelete="SET NULL"))
    archived_at: Mapped[datetime | None]
    # What it was before archiving, so that restoring brings it back.
    status_before_archive: Mapped[str | None] = mapped_column(sa.String(16))


class Guardian(TenantEntity, Versioned, Timestamps, Base):
    """An adult responsible for students; one row shared by brothers and sisters.

    The name is one text, as the person writes it: it is never derived from a child's.
    """

    __tablename__ = "guardian"
    __table_args__ = (
        sa.CheckConstraint("length(name) BETWEEN 1 AND 300", name="name_length"),
        sa.Index("ix_guardian_sort", "school_id", "sort_name", "id"),
        sa.Index("ix_guardian_user", "user_id"),
    )

    name: Mapped[str] = mapped_column(sa.String(300))
    sort_name: Mapped[str] = mapped_column(BytewiseText)
    phone: Mapped[str | None] = mapped_column(sa.String(60))
    email: Mapped[str | None] = mapped_column(sa.String(320))
    address: Mapped[str | None] = mapped_column(sa.String(500))
    language: Mapped[str | None] = mapped_column(sa.String(60))
    user_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id", ondelete="SET NULL"))


class StudentGuardian(TenantEntity, Versioned, Timestamps, Base):
    """What a guardian is to a student, and in which order to call."""

    __tablename__ = "student_guardian"
    __table_args__ = (
        belongs_to("student_id", "student", ondelete="CASCADE"),
        belongs_to("guardian_id", "guardian", ondelete="CASCADE"),
        sa.UniqueConstraint("school_id", "student_id", "guardian_id"),
        sa.CheckConstraint("emergency_order >= 1", name="order_from_one"),
        sa.Index("ix_student_guardian_guardian", "school_id", "guardian_id"),
    )

    student_id: Mapped[UUID]
    guardian_id: Mapped[UUID]
    relationship: Mapped[str | None] = mapped_column(sa.String(60))
    emergency_order: Mapped[int] = mapped_column(default=1)
    has_custody: Mapped[bool] = mapped_column(default=True)
    may_be_contacted: Mapped[bool] = mapped_column(default=True)
    lives_with: Mapped[bool] = mapped_column(default=True)


class CustomFieldKind(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    YES_NO = "yes_no"
    CHOICE = "choice"


class CustomField(TenantEntity, Versioned, Timestamps, Base):
    """A field the school added to its students."""

    __tablename__ = "custom_field"
    __table_args__ = (
        one_of("kind", CustomFieldKind),
        sa.UniqueConstraint("school_id", "label"),
    )

    label: Mapped[str] = mapped_column(sa.String(120))
    kind: Mapped[str] = mapped_column(sa.String(16), default=CustomFieldKind.TEXT)
    choices: Mapped[list[Any]] = mapped_column(Json, default=list)
    help: Mapped[str | None] = mapped_column(sa.String(300))
    position: Mapped[int] = mapped_column(default=0)
    is_archived: Mapped[bool] = mapped_column(default=False)
