"""Verbs above the schools."""

from __future__ import annotations

from datetime import date

from school import clock
from school.academics import queries as academics
from school.academics import service as academics_service
from school.accounts.service import create_school
from school.db import transaction
from school.students import service as students
from school.tenancy.models import School
from school.tenancy.scope import school_scope


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
