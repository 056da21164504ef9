"""Which older versions are let go, by a rule for each purpose.

A version goes when it is beyond the newest so many, or was replaced more than so many days ago,
whichever the rule names. Never: the current version, content that a version which stays has too (it
was brought back), and nothing under a legal hold. The row of a version stays and says since when
its content is gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from school import cache, clock
from school.audit.log import facts, record, record_change
from school.db import db, take_turn, transaction
from school.errors import Invalid, NotFound, Stale
from school.files.models import Blob, File, FileVersion, RetentionRule
from school.files.service.changing import take_file
from school.files.service.families import PURPOSES
from school.files.service.holding import held, take_deleting_turn
from school.files.service.sweeping import let_go
from school.jobs.queue import enqueue, find_unfinished, progress
from school.tenancy.scope import current_school_id

RETAIN = "files.retain"
AT_ONCE = 200
NIGHT_S = 30 * 60.0
MOST_VERSIONS, MOST_DAYS = 1000, 36500
EVERY = sa.true()
FACTS = ("purpose", "most_versions", "most_days")


class Limits(NamedTuple):
    """What a rule says: the newest `versions` of a file stay, and a version stays until `days`
    after it was replaced; None sets no such limit."""

    purpose: str
    versions: int | None
    days: int | None

    @property
    def is_empty(self) -> bool:
        """Everything is kept."""
        return self.versions is None and self.days is None


class Amount(NamedTuple):
    """What a rule lets go."""

    versions: int = 0
    files: int = 0
    bytes: int = 0


def list_rules() -> list[RetentionRule]:
    """The school's rules, by purpose."""
    return list(db.session.scalars(sa.select(RetentionRule).order_by(RetentionRule.purpose)))


def limits_of(rule: RetentionRule) -> Limits:
    return Limits(rule.purpose, rule.most_versions, rule.most_days)


def check_limits(limits: Limits) -> None:
    """Raises Invalid."""
    if limits.purpose not in PURPOSES:
        raise Invalid(
            "Files are not kept for “%(purpose)s”.", field="purpose", purpose=limits.purpose
        )
    for field, value, most in (
        ("most_versions", limits.versions, MOST_VERSIONS),
        ("most_days", limits.days, MOST_DAYS),
    ):
        if value is not None and not 1 <= value <= most:
            raise Invalid(
                "Type a whole number from 1 to %(most)s, or leave it empty.", field=field, most=most
            )


def set_rule(limits: Limits, *, expected_version: int | None = None) -> RetentionRule | None:
    """Make or change the rule of a purpose; limits that are empty take it away (None). Audited.

    `expected_version` is the rule's version the person saw, 0 where there was none. Raises Stale,
    Invalid.
    """
    check_limits(limits)
    take_turn(db.session(), f"retention:{current_school_id()}")
    rule = _find_rule(limits.purpose)
    _check_unchanged(rule, expected_version)
    before = facts(rule, FACTS) if rule else {}
    if limits.is_empty:
        if rule is not None:
            record("retention.removed", "retention_rule", rule.id, before=before)
            db.session.delete(rule)
        return None
    if rule is None:
        rule = RetentionRule(purpose=limits.purpose)
        db.session.add(rule)
    rule.most_versions, rule.most_days = limits.versions, limits.days
    db.session.flush()
    record_change("retention.set", "retention_rule", rule, before=before, after=facts(rule, FACTS))
    return rule


def _find_rule(purpose: str) -> RetentionRule | None:
    """As it is now."""
    return db.session.scalar(
        sa.select(RetentionRule)
        .where(RetentionRule.purpose == purpose)
        .execution_options(populate_existing=True)
    )


def _check_unchanged(rule: RetentionRule | None, expected_version: int | None) -> None:
    version = rule.version if rule else 0
    if expected_version is not None and version != expected_version:
        raise Stale(
            "Somebody else changed this rule meanwhile, so nothing was saved. Look at it again.",
            theirs={"most_versions": rule and rule.most_versions},
            yours={},
        )


# ---- which versions go ----


def _going(limits: Limits, of: sa.ColumnElement[bool] = EVERY) -> sa.Subquery:
    """(id, file_id, blob_id) of the versions that go; `of` narrows the files."""
    following = aliased(FileVersion)
    return (
        sa.select(FileVersion.id, FileVersion.file_id, FileVersion.blob_id)
        .join(
            File, sa.and_(File.school_id == FileVersion.school_id, File.id == FileVersion.file_id)
        )
        # Numbers have no gaps: the next one is what replaced it. The current one has none.
        .join(following, _replaces(following, FileVersion))
        .where(
            File.purpose == limits.purpose,
            File.trashed_at.is_(None),
            of,
            FileVersion.number < File.current_version,
            FileVersion.pruned_at.is_(None),
            _is_beyond(limits, FileVersion, following),
            ~_is_needed(limits),
            ~held(),
        )
        .subquery()
    )


def _replaces(following: Any, version: Any) -> sa.ColumnElement[bool]:
    return sa.and_(
        following.school_id == version.school_id,
        following.file_id == version.file_id,
        following.number == version.number + 1,
    )


def _is_beyond(limits: Limits, version: Any, following: Any) -> sa.ColumnElement[bool]:
    """The limits name this version, by its number or by when the following one came."""
    named = []
    if limits.versions is not None:
        named.append(version.number <= File.current_version - limits.versions)
    if limits.days is not None:
        named.append(following.created_at < clock.now() - timedelta(days=limits.days))
    return sa.or_(*named)


def _is_needed(limits: Limits) -> sa.ColumnElement[bool]:
    """A version of the same file that stays has the same content."""
    stays, following = aliased(FileVersion), aliased(FileVersion)
    is_kept = sa.or_(stays.number == File.current_version, ~_is_beyond(limits, stays, following))
    return sa.exists(
        sa.select(1)
        .select_from(stays)
        .outerjoin(following, _replaces(following, stays))
        .where(
            stays.school_id == FileVersion.school_id,
            stays.file_id == FileVersion.file_id,
            stays.blob_id == FileVersion.blob_id,
            stays.pruned_at.is_(None),
            is_kept,
        )
        .correlate(File, FileVersion)
    )


def amount_of(limits: Limits) -> Amount:
    """What these limits would let go now. Reads only. Raises Invalid."""
    check_limits(limits)
    if limits.is_empty:
        return Amount()
    going = _going(limits)
    counted = db.session.execute(
        sa.select(sa.func.count(), sa.func.count(sa.distinct(going.c.file_id))).select_from(going)
    ).one()
    return Amount(counted[0], counted[1], _freed_bytes(going))


def _freed_bytes(going: sa.Subquery) -> int:
    """What goes as a whole: content of a version that stays takes up its space there."""
    gone = (
        sa.select(going.c.blob_id, sa.func.count().label("versions"))
        .group_by(going.c.blob_id)
        .subquery()
    )
    held_by = (
        sa.select(sa.func.count())
        .select_from(FileVersion)
        .where(FileVersion.school_id == Blob.school_id, FileVersion.blob_id == Blob.id)
        .where(FileVersion.pruned_at.is_(None))
        .correlate(Blob)
        .scalar_subquery()
    )
    freed = db.session.scalar(
        sa.select(sa.func.sum(Blob.size_bytes))
        .join(gone, gone.c.blob_id == Blob.id)
        .where(gone.c.versions == held_by)
    )
    return int(freed or 0)


# ---- every night ----


@dataclass(slots=True)
class Retained:
    """What one run did."""

    versions: int = 0
    files: int = 0


def plan_retention() -> bool:
    """For the school in scope, where it has rules. Opens its own transaction; one job at a time."""
    with transaction():
        if find_unfinished(RETAIN) is not None or not list_rules():
            return False
        enqueue(RETAIN)
    return True


def retain() -> Retained:
    """Let go what the school's rules name; a file at a time, each in its own transaction, for half
    an hour at most. Run again it goes on where it was cut off."""
    done, stops_at = Retained(), time.monotonic() + NIGHT_S
    for limits in [limits_of(rule) for rule in list_rules()]:
        for file_id in _files_with_old_versions(limits):
            versions = _retain_one(file_id, limits.purpose)
            done.versions += versions
            done.files += bool(versions)
            if time.monotonic() > stops_at:
                return done
        progress(0.5, "%(versions)s versions are let go", versions=done.versions)
    return done


def _files_with_old_versions(limits: Limits) -> Iterator[UUID]:
    """Read a batch at a time, so that no long read stands beside the writes."""
    last: UUID | None = None
    while True:
        going = _going(limits, File.id > last if last else EVERY)
        files = sa.select(going.c.file_id).distinct().order_by(going.c.file_id).limit(AT_ONCE)
        found = db.session.scalars(files).all()
        db.session.rollback()
        yield from found
        if len(found) < AT_ONCE:
            return
        last = found[-1]


def _retain_one(file_id: UUID, purpose: str) -> int:
    """How many of its versions went. Everything is asked again: the rule and the holds too."""
    try:
        with transaction():
            take_deleting_turn()
            rule = _find_rule(purpose)
            return _let_go_of(take_file(file_id), limits_of(rule)) if rule else 0
    except NotFound:
        return 0  # deleted or put into the trash meanwhile
    finally:
        db.session.expunge_all()


def _let_go_of(file: File, limits: Limits) -> int:
    going = _going(limits, File.id == file.id)
    versions = db.session.scalars(
        sa.select(FileVersion)
        .where(FileVersion.id.in_(sa.select(going.c.id)))
        .order_by(FileVersion.number)
        .execution_options(populate_existing=True)
    ).all()
    if not versions:
        return 0
    for version in versions:
        version.pruned_at = clock.now()
    record("file.versions_let_go", "file", file.id, before={"versions": _told(versions)})
    db.session.flush()
    for blob_id in dict.fromkeys(version.blob_id for version in versions):
        let_go(blob_id)
    cache.forget(current_school_id(), "files")
    return len(versions)


def _told(versions: Any) -> list[dict[str, Any]]:
    """What the history keeps of content that is gone."""
    rows = db.session.execute(
        sa.select(Blob.id, Blob.sha256).where(Blob.id.in_([one.blob_id for one in versions]))
    )
    sha256 = {row.id: row.sha256 for row in rows}
    return [
        {"number": one.number, "name": one.name, "sha256": sha256[one.blob_id]} for one in versions
    ]
