"""Files as people know them, their versions, the folders they lie in and who else may see them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, validates

from school import clock
from school.db import Base, BytewiseText, Timestamps, Versioned, one_of
from school.search.words import fold
from school.tenancy.models import TenantEntity, belongs_to


class OwnerKind(StrEnum):
    """What a file can hang on. Its domain's policy decides who may see it."""

    STUDENT = "student"
    SCHOOL = "school"
    ROLE = "role"
    PERSON = "person"


class Target(StrEnum):
    FILE = "file"
    FOLDER = "folder"


class Grantee(StrEnum):
    PERSON = "person"
    ROLE = "role"
    LINK = "link"  # whoever holds the link


class Access(StrEnum):
    VIEW = "view"
    EDIT = "edit"


def _sort_name(context: Any) -> str:
    return fold(context.get_current_parameters()["name"])


class Named:
    """Goes by a name, and lies in lists where people look for it: `sort_name` follows the name."""

    name: Mapped[str] = mapped_column(sa.String(150))
    sort_name: Mapped[str] = mapped_column(BytewiseText, default=_sort_name)

    @validates("name")
    def _sort(self, _key: str, name: str) -> str:
        self.sort_name = fold(name)
        return name


def _trash_indexes(table: str) -> list[sa.Index]:
    """What lies in the trash: the oldest first, and all that went there with one folder."""
    found = []
    for suffix, column in (("trashed", "trashed_at"), ("trashed_with", "trashed_with")):
        is_there = sa.text(f"{column} IS NOT NULL")
        found.append(
            sa.Index(
                f"ix_{table}_{suffix}",
                "school_id",
                column,
                sqlite_where=is_there,
                postgresql_where=is_there,
            )
        )
    return found


class Folder(Named, TenantEntity, Versioned, Timestamps, Base):
    """A folder of one owner. Two of one name never lie side by side (its service sees to it)."""

    __tablename__ = "folder"
    __table_args__ = (
        one_of("owner_kind", OwnerKind),
        belongs_to("parent_id", "folder"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 150", name="name_length"),
        sa.Index(
            "ix_folder_parent",
            "school_id",
            "parent_id",
            "owner_kind",
            "owner_id",
            "sort_name",
            "id",
        ),
        *_trash_indexes("folder"),
    )

    owner_kind: Mapped[str] = mapped_column(sa.String(16))
    owner_id: Mapped[UUID]
    # None: at the top of its owner's files.
    parent_id: Mapped[UUID | None]
    trashed_at: Mapped[datetime | None]
    trashed_by_name: Mapped[str | None] = mapped_column(sa.String(200))
    # The folder above that was deleted and took this one along; None: deleted by itself.
    trashed_with: Mapped[UUID | None]


_IN_FOLDER = ("school_id", "folder_id", "owner_kind", "owner_id")


class File(Named, TenantEntity, Versioned, Timestamps, Base):
    """A file as people know it: a name, an owner, a current version."""

    __tablename__ = "file"
    __table_args__ = (
        one_of("owner_kind", OwnerKind),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 150", name="name_length"),
        belongs_to("folder_id", "folder"),
        sa.Index("ix_file_owner", "school_id", "owner_kind", "owner_id", "archived_at"),
        # The three orders of a folder's page.
        sa.Index("ix_file_folder", *_IN_FOLDER, "sort_name", "id"),
        sa.Index("ix_file_folder_changed", *_IN_FOLDER, "changed_at", "id"),
        sa.Index("ix_file_folder_size", *_IN_FOLDER, "size_bytes", "id"),
        *_trash_indexes("file"),
    )

    owner_kind: Mapped[str] = mapped_column(sa.String(16))
    owner_id: Mapped[UUID]
    purpose: Mapped[str] = mapped_column(sa.String(40), default="document")
    # Not a foreign key: version and file point at each other; the service keeps it true and the
    # reconciler checks it.
    current_version: Mapped[int] = mapped_column(default=1)
    # Of the current version, for the order of lists.
    changed_at: Mapped[datetime] = mapped_column(default=clock.now)
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    archived_at: Mapped[datetime | None]
    # None: at the top of its owner's files.
    folder_id: Mapped[UUID | None]
    # Put away stays for good; in the trash it is deleted after a while.
    trashed_at: Mapped[datetime | None]
    trashed_by_name: Mapped[str | None] = mapped_column(sa.String(200))
    # The deleted folder it went along with; None: deleted by itself.
    trashed_with: Mapped[UUID | None]


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
    # When a rule of retention let its content go; the row stays and says so.
    pruned_at: Mapped[datetime | None]


class Share(TenantEntity, Base):
    """Somebody else may see or change a file or a folder with all in it, until it is taken back."""

    __tablename__ = "share"
    __table_args__ = (
        one_of("target_kind", Target),
        one_of("grantee_kind", Grantee),
        one_of("access", Access),
        sa.CheckConstraint(
            "(grantee_kind = 'person') = (grantee_id IS NOT NULL)"
            " AND (grantee_kind = 'role') = (grantee_role IS NOT NULL)"
            " AND (grantee_kind = 'link') = (token_sha256 IS NOT NULL)",
            name="grantee_named",
        ),
        sa.CheckConstraint(
            "grantee_kind <> 'link' OR (access = 'view' AND expires_at IS NOT NULL)",
            name="link_limited",
        ),
        sa.Index("ix_share_target", "school_id", "target_kind", "target_id"),
        sa.Index("ix_share_person", "school_id", "grantee_id"),
        sa.Index("ix_share_token", "token_sha256", unique=True),
    )

    target_kind: Mapped[str] = mapped_column(sa.String(16))
    target_id: Mapped[UUID]
    grantee_kind: Mapped[str] = mapped_column(sa.String(16))
    grantee_id: Mapped[UUID | None]
    grantee_role: Mapped[str | None] = mapped_column(sa.String(16))
    access: Mapped[str] = mapped_column(sa.String(8), default=Access.VIEW)
    # Of the secret in the link; the link itself is shown once.
    token_sha256: Mapped[str | None] = mapped_column(sa.String(64))
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    created_by: Mapped[UUID | None]
    created_by_name: Mapped[str] = mapped_column(sa.String(200))
    ended_at: Mapped[datetime | None]
