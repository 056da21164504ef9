"""What the page about space shows: how full it is, of what, since when, and by whom."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from school import cache, clock
from school.accounts.models import Membership, User
from school.db import db
from school.errors import NotFound
from school.files.models import (
    UNDER_WAY,
    Blob,
    BlobDerivative,
    BlobState,
    File,
    HolderKind,
    StorageUsage,
    Upload,
    UsageDay,
)
from school.files.policy import seen_files
from school.files.service import quotas
from school.files.service.quotas import Standing
from school.permissions import Person
from school.tenancy.scope import current_school_id

PERSON = HolderKind.PERSON
DAYS = 90
MOST = 10
EARLIER, TRASH, PREVIEWS, UPLOADS = "earlier", "trash", "previews", "uploads"
"""Parts that are no purpose of a file in use."""
MANY_FILES = 20_000
"""From here on the parts are counted once an hour; below, whenever something changed."""
HOURLY = "usage_hourly"
SHORT_S, LONG_S = 60, 3600


class Day(NamedTuple):
    day: date
    used_bytes: int
    files: int


class Part(NamedTuple):
    """What takes up space: files in use of one purpose, or one of the codes above."""

    code: str
    size_bytes: int


class Largest(NamedTuple):
    """A large file. Without a name: it is there, and this person may not know more of it."""

    id: UUID
    size_bytes: int
    purpose: str
    is_archived: bool
    name: str | None


class Sender(NamedTuple):
    """Somebody, and what they sent."""

    user_id: UUID
    name: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class Picture:
    """The space of the school in scope; parts and largest files were counted at `as_of`."""

    school: Standing
    days: list[Day]
    parts: list[Part]
    largest: list[Largest]
    senders: list[Sender]
    as_of: datetime


def look(person: Person) -> Picture:
    """The school's space as this person may see it, in few queries however many files there are."""
    days = list_days()
    told = _remembered(is_large=bool(days) and days[-1].files >= MANY_FILES)
    names = _names([UUID(row[0]) for row in told["largest"]], person)
    return Picture(
        school=quotas.list_standings(None)[0],
        days=days,
        parts=[Part(code, size_bytes) for code, size_bytes in told["parts"]],
        largest=[_largest_of(row, names) for row in told["largest"]],
        senders=list_senders(),
        as_of=datetime.fromisoformat(told["as_of"]),
    )


def _largest_of(row: list[Any], names: dict[UUID, str]) -> Largest:
    file_id, size_bytes, purpose, is_archived = row
    return Largest(UUID(file_id), size_bytes, purpose, is_archived, names.get(UUID(file_id)))


def list_days() -> list[Day]:
    """What was noted in the last days, the oldest first."""
    since = clock.today() - timedelta(days=DAYS)
    rows = db.session.execute(
        sa.select(UsageDay.day, UsageDay.used_bytes, UsageDay.files)
        .where(UsageDay.day > since)
        .order_by(UsageDay.day)
    )
    return [Day(*row) for row in rows]


def list_senders() -> list[Sender]:
    """Those whose files take up most, also whoever left the school."""
    rows = db.session.execute(
        sa.select(
            StorageUsage.holder_id,
            User.display_name,
            StorageUsage.used_bytes,
            StorageUsage.limit_bytes,
        )
        .join(User, User.id == StorageUsage.holder_id)
        .where(StorageUsage.holder_kind == PERSON)
        .order_by(StorageUsage.used_bytes.desc(), StorageUsage.holder_id)
        .limit(MOST)
    )
    return [
        Sender(user_id, name, quotas.standing_of(PERSON, user_id, used, own))
        for user_id, name, used, own in rows
    ]


def get_sender(user_id: UUID) -> Sender:
    """A member of the school, or somebody whose files it still has. Raises NotFound."""
    here = current_school_id()
    is_member = sa.exists().where(Membership.school_id == here, Membership.user_id == User.id)
    has_files = sa.select(StorageUsage.holder_id).where(StorageUsage.holder_kind == PERSON)
    name = db.session.scalar(
        sa.select(User.display_name).where(
            User.id == user_id, sa.or_(is_member, User.id.in_(has_files))
        )
    )
    if name is None:
        raise NotFound("There is no such person in this school.")
    return Sender(user_id, name, quotas.list_standings(user_id)[1])


def _remembered(*, is_large: bool) -> dict[str, Any]:
    topic, seconds = (HOURLY, LONG_S) if is_large else (quotas.TOPIC, SHORT_S)
    return cache.remember(current_school_id(), topic, "picture", _count, seconds=seconds)


def _count() -> dict[str, Any]:
    """As JSON keeps it. Reads every file's row once."""
    return {
        "as_of": clock.now().isoformat(),
        "parts": _parts(),
        "largest": [[str(row[0]), *row[1:]] for row in _largest()],
    }


def _parts() -> list[tuple[str, int]]:
    """(code, bytes): together what the school takes up, the largest first."""
    is_trashed = File.trashed_at.is_not(None)
    code = sa.case((is_trashed, TRASH), else_=File.purpose)
    rows = db.session.execute(
        sa.select(code.label("code"), sa.func.sum(File.size_bytes)).group_by("code")
    )
    parts = {name: int(total or 0) for name, total in rows}
    parts[PREVIEWS] = _sum(
        sa.select(sa.func.sum(Blob.size_bytes))
        .join(
            BlobDerivative,
            (BlobDerivative.school_id == Blob.school_id) & (BlobDerivative.derived_id == Blob.id),
        )
        .where(Blob.state == BlobState.STORED)
    )
    parts[UPLOADS] = _sum(
        sa.select(sa.func.sum(Upload.room_bytes)).where(Upload.state.in_(UNDER_WAY))
    ) + _sum(sa.select(sa.func.sum(Blob.size_bytes)).where(Blob.state == BlobState.PENDING))
    used = quotas.list_standings(None)[0].used_bytes
    # The rest: a version is current, or it was.
    parts[EARLIER] = max(0, used - sum(parts.values()))
    return sorted(((n, size) for n, size in parts.items() if size), key=lambda part: -part[1])


def _sum(query: sa.Select[Any]) -> int:
    return int(db.session.scalar(query) or 0)


def _largest() -> list[tuple[UUID, int, str, bool]]:
    rows = db.session.execute(
        sa.select(File.id, File.size_bytes, File.purpose, File.archived_at)
        .where(File.trashed_at.is_(None))
        .order_by(File.size_bytes.desc(), File.id)
        .limit(MOST)
    )
    return [(row[0], row[1], row[2], row[3] is not None) for row in rows]


def _names(file_ids: Collection[UUID], person: Person) -> dict[UUID, str]:
    """The names of those this person may see."""
    rows = db.session.execute(
        sa.select(File.id, File.name).where(File.id.in_(file_ids), seen_files(person))
    )
    return {row.id: row.name for row in rows}
