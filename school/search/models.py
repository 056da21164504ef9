"""The index: one row per word of a thing.

A table of words instead of the databases' own full-text engines: a range on a plain text column
answers by index on SQLite and on PostgreSQL alike, and PostgreSQL may use that index under
row-level security (text comparison is leak-proof there; `@@` and LIKE are not).
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from school.db import Base, BytewiseText, one_of
from school.tenancy.models import TenantMixin


class Kind(StrEnum):
    STUDENT = "student"
    GUARDIAN = "guardian"
    CLASS = "class"
    FILE = "file"


class SearchWord(TenantMixin, Base):
    __tablename__ = "search_word"
    __table_args__ = (
        one_of("kind", Kind),
        sa.Index("ix_search_word_entity", "school_id", "entity_id"),
        {"sqlite_with_rowid": False},
    )

    kind: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    word: Mapped[str] = mapped_column(BytewiseText, primary_key=True)
    entity_id: Mapped[UUID] = mapped_column(primary_key=True)
