"""Users, memberships, invitations, sign-in attempts, passkeys, API tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from flask_security.core import UserMixin, WebAuthnMixin
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column, relationship

from school import clock
from school.db import Base, Json, Timestamps, Versioned, new_id, one_of
from school.permissions import Role
from school.tenancy.models import TenantEntity

# A type of its own: as_mutable would otherwise watch every JSON column of the house.
_Codes = sa.JSON().with_variant(JSONB(), "postgresql")


class User(UserMixin, Timestamps, Base):
    """One person's account, the same in every school. Roles stand in `Membership`."""

    __tablename__ = "user"
    __table_args__ = (
        sa.CheckConstraint("email LIKE '%_@_%' AND email = lower(email)", name="email_shape"),
        sa.CheckConstraint("username IS NULL OR username = lower(username)", name="username_lower"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)  # type: ignore[assignment]
    email: Mapped[str] = mapped_column(sa.String(320), unique=True)
    username: Mapped[str | None] = mapped_column(sa.String(60), unique=True)
    password: Mapped[str | None] = mapped_column(sa.String(255))
    # Wrong tries before it no longer count.
    password_set_at: Mapped[datetime | None]
    # API tokens made before it open nothing, in whichever school.
    tokens_ended_at: Mapped[datetime | None]
    display_name: Mapped[str] = mapped_column(sa.String(200))
    active: Mapped[bool] = mapped_column(default=True)
    is_platform_admin: Mapped[bool] = mapped_column(default=False)
    confirmed_at: Mapped[datetime | None]
    # Changing it ends every session of this person at once.
    fs_uniquifier: Mapped[str] = mapped_column(
        sa.String(64), unique=True, default=lambda: uuid4().hex
    )
    # Preferences
    locale: Mapped[str | None] = mapped_column(sa.String(16))
    time_zone: Mapped[str | None] = mapped_column(sa.String(64))
    theme: Mapped[str] = mapped_column(sa.String(8), default="auto")
    density: Mapped[str] = mapped_column(sa.String(8), default="normal")
    avatar_key: Mapped[str | None] = mapped_column(sa.String(200))
    # Traces of sign-in
    last_login_at: Mapped[datetime | None]  # type: ignore[assignment]
    current_login_at: Mapped[datetime | None]  # type: ignore[assignment]
    last_login_ip: Mapped[str | None] = mapped_column(sa.String(64))
    current_login_ip: Mapped[str | None] = mapped_column(sa.String(64))
    login_count: Mapped[int | None] = mapped_column(default=0)  # type: ignore[assignment]
    # Second factors
    tf_primary_method: Mapped[str | None] = mapped_column(sa.String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(sa.String(255))
    # The time step of the last code that opened: none at or before it opens again.
    last_code_step: Mapped[int | None]
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(_Codes))
    fs_webauthn_user_handle: Mapped[str | None] = mapped_column(sa.String(64), unique=True)  # type: ignore[assignment]

    webauthn: Mapped[list[WebAuthn]] = relationship(  # type: ignore[assignment]
        back_populates="user", cascade="all, delete-orphan"
    )
    roles: Any = ()
    """Empty: Flask-Security asks for it; who may do what stands in memberships."""


class WebAuthn(WebAuthnMixin, Base):
    """A passkey."""

    __tablename__ = "webauthn"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)  # type: ignore[assignment]
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(sa.LargeBinary(1024), index=True, unique=True)
    public_key: Mapped[bytes] = mapped_column(sa.LargeBinary)
    sign_count: Mapped[int | None] = mapped_column(default=0)  # type: ignore[assignment]
    transports: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(_Codes))
    backup_state: Mapped[bool]
    device_type: Mapped[str] = mapped_column(sa.String(64))
    extensions: Mapped[str | None] = mapped_column(sa.String(255))
    create_datetime: Mapped[datetime] = mapped_column(default=clock.now)
    lastuse_datetime: Mapped[datetime] = mapped_column(default=clock.now)
    name: Mapped[str] = mapped_column(sa.String(64))
    usage: Mapped[str] = mapped_column(sa.String(64))
    user: Mapped[User] = relationship(back_populates="webauthn")


class Membership(Timestamps, Base):
    """A person holds a role in a school.

    Not a tenant table: it is read before any school is in scope, to find a person's schools.
    Every query on it names the user or the school.
    """

    __tablename__ = "membership"
    __table_args__ = (
        one_of("role", Role),
        sa.UniqueConstraint("school_id", "user_id", "role"),
        sa.Index("ix_membership_user", "user_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    school_id: Mapped[UUID] = mapped_column(sa.ForeignKey("school.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(sa.String(16))


class Invitation(TenantEntity, Timestamps, Base):
    """A role offered to an e-mail address. Nothing of it counts until whoever reads there accepts.

    It says only what the inviter typed: whether the address has an account elsewhere is nobody's
    business here. Accepting removes it; of its link only the hash is kept.
    """

    __tablename__ = "invitation"
    __table_args__ = (one_of("role", Role), sa.UniqueConstraint("school_id", "email"))

    email: Mapped[str] = mapped_column(sa.String(320))
    display_name: Mapped[str] = mapped_column(sa.String(200))
    role: Mapped[str] = mapped_column(sa.String(16))
    secret_hash: Mapped[str] = mapped_column(sa.String(64))
    expires_at: Mapped[datetime]


class LoginAttempt(Base):
    """One try to sign in, for lock-out and throttling. The name is kept only as a hash."""

    __tablename__ = "login_attempt"
    __table_args__ = (
        sa.Index("ix_login_attempt_name", "name_hash", "at"),
        sa.Index("ix_login_attempt_address", "address", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    name_hash: Mapped[str] = mapped_column(sa.String(64))
    address: Mapped[str] = mapped_column(sa.String(64))
    succeeded: Mapped[bool]


class OneTimeLink(Timestamps, Base):
    """A way to set a new password: used once, then worthless. Only the hash is kept."""

    __tablename__ = "one_time_link"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), index=True)
    secret_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ApiToken(TenantEntity, Versioned, Timestamps, Base):
    """A key for programs: acts as one person in one school, with some of their permissions."""

    __tablename__ = "api_token"

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    secret_hash: Mapped[str] = mapped_column(sa.String(64))
    scopes: Mapped[list[Any]] = mapped_column(Json)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
