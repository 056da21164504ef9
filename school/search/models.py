"""The index: the words of each thing, together and one by one.

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
from school.tenancy.scope import current_school_id


class Kind(StrEnum):
    STUDENT = "student"
    GUARDIAN = "guardian"
    CLASS = "class"
    FILE = "file"


class SearchEntry(TenantMixin, Base):
    """All words of one thing, folded, each between spaces: " jan novak 0042 "."""

    __tablename__ = "search_entry"
    __table_args__ = (one_of("kind", Kind), {"sqlite_with_rowid": False})

    kind: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    entity_id: Mapped[UUID] = mapped_column(primary_key=True)
    words: Mapped[str] = mapped_column(BytewiseText)


class SearchWord(TenantMixin, Base):
    """The same words, one to a row, in their order: what answers the question.

    Kept with the entries and nowhere else. Neither the kind nor the school is checked again by a
    constraint: there are a dozen of these to a student, and each check would cost as much as the
    row.
    """

    __tablename__ = "search_word"
    __table_args__ = ({"sqlite_with_rowid": False},)

    school_id: Mapped[UUID] = mapped_column(
        primary_key=True, default=current_school_id, sort_order=-2
    )
    kind: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    word: Mapped[str] = mapped_column(BytewiseText, primary_key=True)
    entity_id: Mapped[UUID] = mapped_column(primary_key=True)
