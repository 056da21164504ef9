"""Verbs above the schools."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.academics import queries as academics
from school.academics import service as academics_service
from school.accounts.models import User
from school.accounts.queries import find_user
from school.accounts.service import (
    add_member,
    create_school,
    invite,
    make_sign_in_link,
    make_user,
)
from school.accounts.service.people import checked_email, checked_name
from school.admin import queries
from school.audit.log import record_platform
from school.db import db, take_write_lock, transaction
from school.errors import Conflict
from school.files.models import HolderKind
from school.files.service import quotas
from school.files.service.quotas import Standing
from school.jobs.queue import enqueue
from school.mail.models import MailMessage, MailState
from school.mail.service import JOB as MAIL_JOB
from school.permissions import Person, Role
from school.students import service as students
from school.tenancy.models import School
from school.tenancy.scope import outside_schools, school_scope


def found_school(
    name: str, *, time_zone: str = "UTC", locale: str = "en", is_demo: bool = False
) -> School:
    """A new school, ready to work: with a list of genders and the running academic year.

    Opens its own transactions, because a school's rows are written inside its scope; cut off in
    between, `furnish` completes it.
    """
    with transaction():
        school = create_school(name, time_zone=time_zone, locale=locale, is_demo=is_demo)
    furnish(school)
    return school


def furnish(school: School) -> None:
    """What every school needs before its first student; harmless to repeat."""
    with school_scope(school.id), transaction():
        students.seed_school()
        if academics.find_current_year() is None:
            begins_on, ends_on = running_year(clock.today())
            academics_service.open_year(year_name(begins_on), begins_on, ends_on)


def running_year(today: date) -> tuple[date, date]:
    """September to July, as most schools have it; the school changes it in its settings."""
    first = today.year if today.month >= 8 else today.year - 1
    return date(first, 9 if today.month != 8 else 8, 1), date(first + 1, 7, 31)


def year_name(begins_on: date) -> str:
    """'2026–27'."""
    return f"{begins_on.year}–{(begins_on.year + 1) % 100:02}"


def open_first_school(name: str, email: str, *, time_zone: str = "UTC") -> str | None:
    """Found the school and its administrator; the link that lets them in once.

    None when an administrator was there before: a second run gives nobody a way in. A run that
    was cut off is completed.
    """
    if db.session.scalar(sa.select(User.id).where(User.confirmed_at.is_not(None)).limit(1)):
        return None
    school = db.session.scalar(sa.select(School).limit(1)) or found_school(
        name, time_zone=time_zone
    )
    furnish(school)
    with transaction():
        user = find_user(email) or make_user(email, email.partition("@")[0], is_platform_admin=True)
        add_member(user, school_id=school.id, role=Role.ADMINISTRATOR)
        return make_sign_in_link(user)


def open_school(name: str, *, time_zone: str, email: str, display_name: str, by: Person) -> School:
    """Found a school and invite its first administrator. Opens its own transactions."""
    checked_name(display_name)
    checked_email(email)
    with outside_schools():
        school = found_school(name, time_zone=time_zone)
        invite_administrator(school, email, display_name=display_name, by=by)
    return school


def invite_administrator(school: School, email: str, *, display_name: str, by: Person) -> None:
    """Somebody to look after a school. Opens its own transaction, inside that school."""
    with outside_schools(), school_scope(school.id), transaction():
        invite(email, role=Role.ADMINISTRATOR, display_name=display_name, by=by)


def space_of(school_id: UUID) -> Standing:
    """How much of its space a school has used."""
    with outside_schools(), school_scope(school_id):
        return quotas.list_standings(None)[0]


def limit_space(school_id: UUID, limit_bytes: int | None) -> None:
    """Give a school a limit of its own; None: as usual, 0: none. Opens its own transaction,
    inside that school."""
    with outside_schools(), school_scope(school_id), transaction():
        quotas.set_limit(HolderKind.SCHOOL, school_id, limit_bytes)
        details = {"limit_bytes": limit_bytes}
        record_platform("school.space_limited", "school", school_id, details=details)


def take_platform_from(user: User, *, by: Person) -> None:
    """From now on this person looks after no other school. The last one who does stays."""
    if not user.is_platform_admin:
        return
    take_write_lock(db.session())
    if user.id == by.user_id or len(queries.hold_platform_admins()) < 2:
        raise Conflict("Somebody has to look after all schools. Give it to another person first.")
    user.is_platform_admin = False
    record_platform("account.platform_admin_taken", "user", user.id)
    db.session.flush()


def send_again(message: MailMessage) -> None:
    """Try a mail that failed once more."""
    if message.state != MailState.FAILED:
        raise Conflict("Only a mail that failed can be sent again.")
    message.state, message.error = MailState.WAITING, None
    record_platform("mail.sent_again", "mail_message", message.id)
    db.session.flush()
    enqueue(MAIL_JOB, message_id=str(message.id))
