"""The school's name, time zone and telephone number."""

from __future__ import annotations

import zoneinfo

import sqlalchemy as sa

from school.accounts.service.schools import forget_members
from school.audit import log
from school.db import db
from school.errors import Invalid, NotFound, Stale
from school.files.service import open_links
from school.tenancy.models import School
from school.tenancy.scope import current_school_id

FACTS = ("name", "time_zone", "phone")


def get_school() -> School:
    """The school in scope."""
    school = db.session.scalar(sa.select(School).where(School.id == current_school_id()))
    if school is None:
        raise NotFound("There is no such school.")
    return school


def allow_links(*, allowed: bool) -> None:
    """Say whether files may be shared by a link that opens without an account. Twice is once.

    When it is taken back, every link ends for good.
    """
    school = get_school()
    if not allowed:
        open_links.end_all_links()
    before = log.facts(school, ("allows_links",))
    school.allows_links = allowed
    db.session.flush()
    after = log.facts(school, ("allows_links",))
    log.record_change("school.links_allowed", "school", school, before=before, after=after)


def edit_school(*, version: int, name: str, time_zone: str, phone: str | None) -> School:
    """Change what the school says of itself. Raises Stale, Invalid."""
    school = get_school()
    yours = {"name": " ".join(name.split()), "time_zone": time_zone, "phone": phone}
    if not 1 <= len(str(yours["name"])) <= 200:
        raise Invalid("A school needs a name of up to 200 letters.", field="name")
    if time_zone not in zoneinfo.available_timezones():
        raise Invalid("There is no such time zone.", field="time_zone")
    differing = [key for key, value in yours.items() if getattr(school, key) != value]
    if school.version != version and differing:
        raise Stale(
            "Somebody else changed the school meanwhile.",
            theirs={key: getattr(school, key) for key in differing},
            yours={key: yours[key] for key in differing},
        )
    before = log.facts(school, FACTS)
    for key, value in yours.items():
        setattr(school, key, value)
    db.session.flush()
    log.record_change(
        "school.edited", "school", school, before=before, after=log.facts(school, FACTS)
    )
    forget_members(school.id)  # the school's name stands in the frame of their pages
    return school
