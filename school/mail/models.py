"""The outbox."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from school.db import Base, Timestamps, new_id, one_of


class MailState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


class MailMessage(Timestamps, Base):
    """One message to one address. What stays is to whom, about what and when.

    The text goes (it is empty then) as soon as nobody needs it here: it may hold a way in.
    """

    __tablename__ = "mail_message"
    __table_args__ = (
        one_of("state", MailState),
        sa.Index("ix_mail_message_state", "state", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    school_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("school.id", ondelete="CASCADE"))
    to_address: Mapped[str] = mapped_column(sa.String(320))
    subject: Mapped[str] = mapped_column(sa.String(300))
    body: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.String(16), default=MailState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(sa.Text)
