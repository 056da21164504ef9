"""Schools, and what makes a table a school's own."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from school.db import Base, Timestamps, Versioned, new_id, one_of
from school.tenancy.scope import current_school_id


class SchoolStatus(StrEnum):
    ACTIVE = "active"
    ARCHIVED = "archived"


class School(Versioned, Timestamps, Base):
    """One school: the tenant everything else belongs to."""

    __tablename__ = "school"
    __table_args__ = (
        one_of("status", SchoolStatus),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 200", name="name_length"),
        sa.CheckConstraint(
            "slug = lower(slug) AND length(slug) BETWEEN 1 AND 60", name="slug_shape"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(sa.String(200))
    slug: Mapped[str] = mapped_column(sa.String(60), unique=True)
    time_zone: Mapped[str] = mapped_column(sa.String(64), default="UTC")
    locale: Mapped[str] = mapped_column(sa.String(16), default="en")
    status: Mapped[str] = mapped_column(sa.String(16), default=SchoolStatus.ACTIVE)
    is_demo: Mapped[bool] = mapped_column(default=False)
    phone: Mapped[str | None] = mapped_column(sa.String(60))
    # Whoever holds a link may open what was shared by it, without an account.
    allows_links: Mapped[bool] = mapped_column(default=False)


class TenantMixin:
    """A school's own row: found only inside `school_scope`, keyed by (school_id, id)."""

    @declared_attr
    def school_id(cls) -> Mapped[UUID]:  # noqa: N805
        return mapped_column(
            sa.ForeignKey("school.id", ondelete="RESTRICT"),
            primary_key=True,
            default=current_school_id,
            sort_order=-2,
        )


class TenantEntity(TenantMixin):
    """A tenant row with an id of its own."""

    @declared_attr
    def id(cls) -> Mapped[UUID]:  # noqa: N805
        return mapped_column(primary_key=True, default=new_id, sort_order=-1)


def belongs_to(column: str, table: str, *, ondelete: str = "RESTRICT") -> sa.ForeignKeyConstraint:
    """A link inside one school: (school_id, column) → table(school_id, id).

    For `__table_args__`. Because the school is part of the key, a link to another school's row
    cannot be stored, on SQLite either. With a nullable column use CASCADE or RESTRICT: SET NULL
    would empty school_id too.
    """
    return sa.ForeignKeyConstraint(
        ["school_id", column], [f"{table}.school_id", f"{table}.id"], ondelete=ondelete
    )


def tenant_tables(metadata: sa.MetaData) -> list[sa.Table]:
    """Tables that hold one school's rows, in dependency order."""
    return [table for table in metadata.sorted_tables if _is_tenant(table)]


def _is_tenant(table: sa.Table) -> bool:
    return "school_id" in table.primary_key.columns
