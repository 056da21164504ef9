"""A school is opened, renamed, archived."""

from __future__ import annotations

import re
from uuid import UUID, uuid4
from zoneinfo import available_timezones

import sqlalchemy as sa

from school import cache
from school.accounts import queries
from school.accounts.models import Membership, User
from school.audit.log import record_platform
from school.db import db
from school.errors import Conflict, Invalid
from school.search.words import fold
from school.tenancy.models import School, SchoolStatus


def create_school(
    name: str, *, time_zone: str = "UTC", locale: str = "en", is_demo: bool = False
) -> School:
    """A new school with nothing in it yet. Raises Invalid for an empty name or unknown zone."""
    name = _checked_name(name)
    if time_zone not in available_timezones():
        raise Invalid("%(zone)s is not a time zone.", field="time_zone", zone=time_zone)
    school = School(
        name=name, slug=_free_slug(name), time_zone=time_zone, locale=locale, is_demo=is_demo
    )
    db.session.add(school)
    db.session.flush()
    record_platform("school.created", "school", school.id, details={"name": name})
    return school


def rename_school(school_id: UUID, name: str) -> School:
    """Its people see the new name at their next click."""
    school = queries.get_school(school_id)
    before, school.name = school.name, _checked_name(name)
    db.session.flush()
    record_platform(
        "school.renamed", "school", school.id, details={"from": before, "to": school.name}
    )
    forget_members(school_id)
    return school


def archive_school(school_id: UUID) -> School:
    """Nobody can enter it any more; nothing in it is lost."""
    return _set_status(school_id, SchoolStatus.ARCHIVED, "school.archived")


def restore_school(school_id: UUID) -> School:
    """Its members can enter it again."""
    return _set_status(school_id, SchoolStatus.ACTIVE, "school.restored")


def forget_members(school_id: UUID) -> None:
    """What is remembered about the members of this school is read again."""
    keys = db.session.scalars(
        sa.select(User.fs_uniquifier)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.school_id == school_id)
    )
    for key in keys:
        cache.forget(key, "person")


def _set_status(school_id: UUID, status: SchoolStatus, action: str) -> School:
    school = queries.get_school(school_id)
    if school.status == status:
        raise Conflict("%(name)s is in that state already.", name=school.name)
    school.status = status
    db.session.flush()
    record_platform(action, "school", school.id, details={"name": school.name})
    forget_members(school_id)
    return school


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 200:
        raise Invalid("Give the school a name of up to 200 characters.", field="name")
    return name


def _free_slug(name: str) -> str:
    """Letters and digits of the name; with a tail when another school has it."""
    slug = re.sub(r"[^a-z0-9]+", "-", fold(name)).strip("-")[:50] or "school"
    taken = db.session.scalar(sa.select(School.id).where(School.slug == slug))
    return f"{slug}-{uuid4().hex[:6]}" if taken else slug
