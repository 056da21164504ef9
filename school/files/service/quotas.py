"""How much space a school and each person in it may take up: counted exactly, refused in time.

What counts for a school: its blobs that are pending or stored, and of its uploads under way the
announced length, or, when nobody has gone on for a while, what has arrived. For a person: the same,
of what they sent; what is made of a file (a smaller picture) has no sender and counts for the
school only.

The counters change in the very transaction in which a blob or an upload begins or ceases to
count, by compare and swap against the limit: two uploads at once never exceed it together, and a
crash leaves the counter and what it counts in step. The school's row is always taken before a
person's, so that no two transactions wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from school import cache
from school.audit.log import facts, record_change
from school.db import changes_one, db, take_turn, take_write_lock
from school.errors import Invalid, TooLarge
from school.files.models import Blob, BlobState, HolderKind, StorageUsage
from school.files.service.shelf import shelf
from school.tenancy.scope import current_school_id

COUNTED = (BlobState.PENDING, BlobState.STORED)
TOPIC = "usage"
"""What is remembered of these numbers; forgotten whenever one of them changes."""
LARGEST_LIMIT = 2**53
FACTS = ("holder_kind", "holder_id", "limit_bytes")
# Said in the language of whoever sends; each names whose room it is.
NO_ROOM_MESSAGES = {
    HolderKind.SCHOOL: "There is no room for this file: the school has %(left)s left of %(limit)s.",
    HolderKind.PERSON: "There is no room for this file: you have %(left)s left of %(limit)s.",
}
# As pages say sizes (web.formats.size), but without fractions: an error knows no language.
UNITS = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
_reserved: ContextVar[int] = ContextVar("reserved", default=0)


class NoRoom(TooLarge):
    """It would exceed the space of the school or of the person."""

    code = "no_room"


@dataclass(frozen=True, slots=True)
class Standing:
    """What one holder takes up, and may take up; a `limit_bytes` of 0 is none."""

    kind: HolderKind
    holder_id: UUID
    used_bytes: int
    limit_bytes: int
    # Set for this holder; otherwise the limit is that of the installation.
    is_own_limit: bool = False

    @property
    def left_bytes(self) -> int | None:
        """None: there is no limit."""
        return max(0, self.limit_bytes - self.used_bytes) if self.limit_bytes else None

    def refusal(self) -> NoRoom:
        return NoRoom(
            NO_ROOM_MESSAGES[self.kind],
            field="file",
            left=in_words(self.left_bytes or 0),
            limit=in_words(self.limit_bytes),
        )


def in_words(size_bytes: int) -> str:
    """'120 MB', rounded down: what is said to be left is left."""
    for unit, size in UNITS:
        # 1536 MB rather than "1 GB": rounding must not take a third away.
        if size_bytes >= 10 * size or (size_bytes >= size and size_bytes % size == 0):
            return f"{size_bytes // size} {unit}"
    return f"{size_bytes // 1000} kB"


# ---- counting: always in the transaction in which the thing itself begins or ceases ----


def count(size_bytes: int, *, sent_by: UUID | None) -> None:
    """A blob begins to count. Raises NoRoom (413), and then nothing has changed."""
    covered = _reserved.get()
    for kind, holder_id in holders(sent_by):
        _take(kind, holder_id, size_bytes, covered=covered)
    cache.forget(current_school_id(), TOPIC)


def discount(size_bytes: int, *, sent_by: UUID | None) -> None:
    """A blob ceases to count."""
    for kind, holder_id in holders(sent_by):
        _give_back(kind, holder_id, size_bytes)
    cache.forget(current_school_id(), TOPIC)


def discount_blobs(blob_ids: Collection[UUID]) -> None:
    """These blobs cease to count; call it in the transaction that takes them out of `COUNTED`."""
    rows = db.session.execute(
        sa.select(Blob.sent_by, sa.func.sum(Blob.size_bytes))
        .where(Blob.id.in_(blob_ids))
        .group_by(Blob.sent_by)
    )
    by_sender = {sent_by: int(total or 0) for sent_by, total in rows}
    # The same order for everybody.
    for sent_by in sorted(by_sender, key=str):
        discount(by_sender[sent_by], sent_by=sent_by)


def reserve_upload(length_bytes: int, *, user_id: UUID) -> None:
    """Keep room for an upload that begins or goes on, in the transaction of its row. Raises
    NoRoom."""
    count(length_bytes, sent_by=user_id)


def release_upload(length_bytes: int, *, user_id: UUID) -> None:
    """An upload is under way no more (kept, refused, ended), or nobody goes on with it, in the
    transaction that says so."""
    discount(length_bytes, sent_by=user_id)


@contextmanager
def room_of_upload(length_bytes: int) -> Iterator[None]:
    """Keep what an upload brought: it takes the room that was reserved for it.

    Until `release_upload` both are counted, because both lie in the storage, and this content may
    exceed the limit by what was reserved, and by no more.
    """
    token = _reserved.set(length_bytes)
    try:
        yield
    finally:
        _reserved.reset(token)


def check_room(size_bytes: int | None, *, sent_by: UUID | None) -> None:
    """Refuse before the first byte where the size is told. Raises NoRoom."""
    if size_bytes is None:
        return
    tightest = find_tightest(sent_by)
    if tightest is not None and size_bytes > (tightest.left_bytes or 0) + _reserved.get():
        raise tightest.refusal()


# ---- where a holder stands ----


def list_standings(user_id: UUID | None) -> list[Standing]:
    """The school's standing, then the person's."""
    found = holders(user_id)
    rows = db.session.execute(
        sa.select(
            StorageUsage.holder_kind,
            StorageUsage.holder_id,
            StorageUsage.used_bytes,
            StorageUsage.limit_bytes,
        ).where(StorageUsage.holder_id.in_([holder_id for _, holder_id in found]))
    )
    known = {(row[0], row[1]): (row[2], row[3]) for row in rows}
    return [standing_of(*holder, *known.get(holder, (0, None))) for holder in found]


def standing_of(
    kind: HolderKind, holder_id: UUID, used_bytes: int, own_limit: int | None
) -> Standing:
    """What a row of `StorageUsage` says, with the installation's limit where it has none."""
    limit = default_limit(kind) if own_limit is None else own_limit
    return Standing(kind, holder_id, used_bytes, limit, is_own_limit=own_limit is not None)


def default_limit(kind: HolderKind) -> int:
    """The installation's, in bytes; 0: none."""
    here = shelf()
    return here.school_bytes if kind is HolderKind.SCHOOL else here.person_bytes


def find_tightest(user_id: UUID | None) -> Standing | None:
    """Of the school and the person, the one that has less room; None where neither is limited."""
    limited = [one for one in list_standings(user_id) if one.left_bytes is not None]
    return min(limited, key=lambda one: one.left_bytes or 0, default=None)


def set_limit(kind: HolderKind, holder_id: UUID, limit_bytes: int | None) -> None:
    """Give a holder a limit of its own; None: as the installation says, 0: none. Audited.

    A limit below what is used already takes nothing away; it only lets nothing more in.
    """
    if limit_bytes is not None and not 0 <= limit_bytes <= LARGEST_LIMIT:
        raise Invalid("Type a number of megabytes that is not below 0.", field="limit_mb")
    row = hold(kind, holder_id)
    before = facts(row, FACTS)
    row.limit_bytes = limit_bytes
    db.session.flush()
    record_change("storage.limit_set", "storage_usage", row, before=before, after=facts(row, FACTS))
    cache.forget(current_school_id(), TOPIC)


# ---- one holder's row ----


def holders(sent_by: UUID | None) -> list[tuple[HolderKind, UUID]]:
    """Towards whom something counts, in the order in which their rows are taken."""
    school = (HolderKind.SCHOOL, current_school_id())
    return [school] if sent_by is None else [school, (HolderKind.PERSON, sent_by)]


def _is(kind: HolderKind, holder_id: UUID) -> tuple[sa.ColumnElement[bool], ...]:
    return StorageUsage.holder_kind == kind, StorageUsage.holder_id == holder_id


def _take(kind: HolderKind, holder_id: UUID, size_bytes: int, *, covered: int) -> None:
    limit = sa.func.coalesce(StorageUsage.limit_bytes, default_limit(kind))
    used = StorageUsage.used_bytes + size_bytes
    fits = sa.or_(limit == 0, used <= limit + covered)
    if _update(kind, holder_id, used, fits):
        return
    _open(kind, holder_id)
    if not _update(kind, holder_id, used, fits):
        raise next(one for one in list_standings(holder_id) if one.kind is kind).refusal()


def _give_back(kind: HolderKind, holder_id: UUID, size_bytes: int) -> None:
    # A counter that drifted must not keep a file from being deleted: the recount mends it.
    enough = StorageUsage.used_bytes >= size_bytes
    used = sa.case((enough, StorageUsage.used_bytes - size_bytes), else_=0)
    _update(kind, holder_id, used, sa.true())


def _update(
    kind: HolderKind, holder_id: UUID, used: sa.ColumnElement[int], where: sa.ColumnElement[bool]
) -> bool:
    return changes_one(
        sa.update(StorageUsage).where(*_is(kind, holder_id), where).values(used_bytes=used)
    )


def hold(kind: HolderKind, holder_id: UUID) -> StorageUsage:
    """The holder's row, which nobody else changes until the transaction ends."""
    take_write_lock(db.session())
    _open(kind, holder_id)
    return db.session.scalars(
        sa.select(StorageUsage)
        .where(*_is(kind, holder_id))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _open(kind: HolderKind, holder_id: UUID) -> None:
    """See to it that the holder has a row; until it has one, nothing counts towards it."""
    known = sa.select(StorageUsage.id).where(*_is(kind, holder_id))
    if db.session.scalar(known) is not None:
        return
    take_turn(db.session(), f"usage:{current_school_id()}:{holder_id}")
    if db.session.scalar(known) is None:
        db.session.add(StorageUsage(holder_kind=kind, holder_id=holder_id))
        db.session.flush()
