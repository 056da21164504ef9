"""An import and its rows, what each school's columns mean, and what was imported last."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from school.db import Base, Json, Timestamps, Versioned, one_of
from school.tenancy.models import TenantEntity, TenantMixin, belongs_to


class ImportState(StrEnum):
    UPLOADED = "uploaded"  # the file lies here, unread
    READING = "reading"
    PREVIEW = "preview"  # rows staged, nothing saved yet
    COMMITTING = "committing"
    COMMITTED = "committed"
    UNDOING = "undoing"
    UNDONE = "undone"
    REFUSED = "refused"  # the file could not be read; `refusal` says why
    DISCARDED = "discarded"


class RowOutcome(StrEnum):
    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    PROBLEM = "problem"


class RosterImport(TenantEntity, Versioned, Timestamps, Base):
    """One spreadsheet on its way in."""

    __tablename__ = "roster_import"
    __table_args__ = (
        one_of("state", ImportState),
        belongs_to("change_set_id", "change_set"),
        sa.Index("ix_roster_import_list", "school_id", "created_at"),
    )

    filename: Mapped[str] = mapped_column(sa.String(150))
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    sha256: Mapped[str] = mapped_column(sa.String(64))
    # Where the uploaded spreadsheet lies while it is being worked on (a storage key).
    storage_key: Mapped[str | None] = mapped_column(sa.String(200))
    state: Mapped[str] = mapped_column(sa.String(16), default=ImportState.UPLOADED)
    refusal: Mapped[str | None] = mapped_column(sa.Text)
    encoding: Mapped[str | None] = mapped_column(sa.String(40))
    # roster.sheet.columns.Mapping as JSON
    mapping: Mapped[dict[str, Any] | None] = mapped_column(Json)
    options: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    counts: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    job_id: Mapped[UUID | None]
    change_set_id: Mapped[UUID | None]
    created_by: Mapped[UUID | None]
    created_by_name: Mapped[str] = mapped_column(sa.String(200))
    committed_at: Mapped[datetime | None]


class RosterRow(TenantMixin, Base):
    """One student row of the file, as read, repaired and judged."""

    __tablename__ = "roster_row"
    __table_args__ = (
        belongs_to("import_id", "roster_import", ondelete="CASCADE"),
        one_of("outcome", RowOutcome),
        sa.Index("ix_roster_row_outcome", "school_id", "import_id", "outcome", "line"),
        sa.Index("ix_roster_row_rank", "school_id", "import_id", "rank", "line"),
        {"sqlite_with_rowid": False},
    )

    import_id: Mapped[UUID] = mapped_column(primary_key=True)
    # As a person sees it in the file, the first line being 1.
    line: Mapped[int] = mapped_column(primary_key=True)
    outcome: Mapped[str] = mapped_column(sa.String(16))
    # The order to look at rows in (service/rows.py: Rank).
    rank: Mapped[int] = mapped_column(sa.SmallInteger, default=0)
    # The cells as read: {column index: text}; `repairs` lays what a person typed over them.
    raw: Mapped[dict[str, Any]] = mapped_column(Json)
    repairs: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    # The student and guardians as they would be saved.
    values: Mapped[dict[str, Any]] = mapped_column(Json)
    problems: Mapped[list[Any]] = mapped_column(Json, default=list)
    is_blocked: Mapped[bool] = mapped_column(default=False)
    # A person chose not to import it.
    is_left_out: Mapped[bool] = mapped_column(default=False)
    student_id: Mapped[UUID | None]
    # {field: [old, new]}
    changes: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    # Fields a person edited since the last import: {field: [theirs, file's]}
    kept: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    # Of those, the fields for which a person asked for the file's value.
    take: Mapped[list[Any]] = mapped_column(Json, default=list)


class RosterRecord(TenantMixin, Base):
    """What the last committed import said about a student: the base of the three-way merge.

    If the student's field differs from it, a person edited the field since; if the new file
    differs from it, the file changed.
    """

    __tablename__ = "roster_record"
    __table_args__ = (
        belongs_to("student_id", "student", ondelete="CASCADE"),
        {"sqlite_with_rowid": False},
    )

    student_id: Mapped[UUID] = mapped_column(primary_key=True)
    import_id: Mapped[UUID]
    said: Mapped[dict[str, Any]] = mapped_column(Json)
    # What the imports before said, the newest first, for undoing: [{"import_id", "said"}].
    before: Mapped[list[Any]] = mapped_column(Json, default=list)


class ColumnMemory(TenantEntity, Timestamps, Base):
    """What a column header means in this school, as a person last confirmed it."""

    __tablename__ = "column_memory"
    __table_args__ = (sa.UniqueConstraint("school_id", "header"),)

    # Folded header text, with its group heading and its place among equal ones.
    header: Mapped[str] = mapped_column(sa.String(300))
    target: Mapped[str] = mapped_column(sa.String(200))


# The planner knows nothing of tables filled within one transaction: it would check each foreign
# key through whichever index comes first. Only a table's owner may count it, hence the function;
# it counts when a table has doubled since. Somebody else counting already is as good.
COUNT_ROSTER = """
CREATE OR REPLACE FUNCTION count_roster() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_class
        WHERE oid IN ('student'::regclass, 'guardian'::regclass)
        AND pg_relation_size(oid) > 2 * relpages * current_setting('block_size')::bigint
    ) THEN
        ANALYZE (SKIP_LOCKED) student, guardian, student_guardian, enrollment, school_class,
            roster_record;
    END IF;
END
$$
"""
sa.event.listen(
    Base.metadata,
    "after_create",
    sa.DDL(COUNT_ROSTER).execute_if(dialect="postgresql"),  # type: ignore[no-untyped-call]
)
