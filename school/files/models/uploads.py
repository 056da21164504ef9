"""Uploads that may stop and go on: what has arrived so far, piece by piece."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from school.db import Base, Json, Timestamps, one_of
from school.files.models.content import Key
from school.tenancy.models import TenantEntity, belongs_to


class UploadState(StrEnum):
    OPEN = "open"
    FINISHING = "finishing"  # all bytes are there; they are being checked
    KEPT = "kept"
    REFUSED = "refused"
    ENDED = "ended"  # given up by the person, or too old


UNDER_WAY = (UploadState.OPEN, UploadState.FINISHING)


def _whole_length(context: Any) -> int:
    return int(context.get_current_parameters()["length_bytes"])


class Upload(TenantEntity, Timestamps, Base):
    """A file on its way in over the tus protocol (https://tus.io/protocols/resumable-upload)."""

    __tablename__ = "upload"
    __table_args__ = (
        one_of("state", UploadState),
        sa.CheckConstraint(
            "length_bytes >= 0 AND offset_bytes BETWEEN 0 AND length_bytes", name="offset_inside"
        ),
        sa.CheckConstraint("room_bytes BETWEEN 0 AND length_bytes", name="room_inside"),
        sa.Index("ix_upload_user", "school_id", "user_id", "state"),
        sa.Index("ix_upload_expires", "school_id", "state", "expires_at"),
    )

    user_id: Mapped[UUID]
    owner_kind: Mapped[str] = mapped_column(sa.String(16))
    owner_id: Mapped[UUID]
    folder_id: Mapped[UUID | None]
    # The file it is a new version of, where it was sent for that.
    replaces_id: Mapped[UUID | None]
    # `File.version` as it was seen: whoever changed it since is not overwritten.
    replaces_version: Mapped[int | None]
    note: Mapped[str | None] = mapped_column(sa.String(300))
    purpose: Mapped[str] = mapped_column(sa.String(40))
    filename: Mapped[str] = mapped_column(sa.String(300))
    length_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    offset_bytes: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    # What it counts for in the space of the school and the person: all that is announced, or, when
    # nobody goes on with it, what has arrived.
    room_bytes: Mapped[int] = mapped_column(sa.BigInteger, default=_whole_length)
    state: Mapped[str] = mapped_column(sa.String(16), default=UploadState.OPEN)
    expires_at: Mapped[datetime]
    # While one request is writing to it no other may.
    lease_until: Mapped[datetime | None]
    # What became of it: the file, or why it was refused (problem+json).
    file_id: Mapped[UUID | None]
    problem: Mapped[dict[str, Any] | None] = mapped_column(Json)


class UploadPart(TenantEntity, Timestamps, Base):
    """Bytes that have arrived, as one object at the provider. Its row is there before its bytes."""

    __tablename__ = "upload_part"
    __table_args__ = (
        belongs_to("upload_id", "upload", ondelete="CASCADE"),
        sa.Index("ix_upload_part_upload", "school_id", "upload_id", "start_byte"),
        sa.Index("ix_upload_part_key", "provider", "key"),
    )

    upload_id: Mapped[UUID]
    start_byte: Mapped[int] = mapped_column(sa.BigInteger)
    # None until the bytes lie there.
    size_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    sha256: Mapped[str | None] = mapped_column(sa.String(64))
    provider: Mapped[str] = mapped_column(sa.String(40))
    key: Mapped[str] = mapped_column(Key)
    # Of a sensitive file the pieces lie encrypted, too: the wrapped data key.
    envelope: Mapped[str | None] = mapped_column(sa.String(128))
