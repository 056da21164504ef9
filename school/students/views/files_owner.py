"""Students answer for the files that hang on them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import url_for
from flask_babel import gettext as _

from school.audit.log import record_change
from school.db import db
from school.files.models import OwnerKind
from school.files.policy import OwnerCard, register_owner
from school.permissions import Permission, Person
from school.students import policy, queries
from school.students.models import Student
from school.students.queries.visibility import visible_to
from school.students.views import words
from school.students.views.record import headline, student_tabs
from school.web.access import the_person


def register() -> None:
    """Called once, when this domain's pages are opened."""
    register_owner(
        OwnerKind.STUDENT,
        may_view=policy.may_view,
        may_edit=_may_add,
        may_take=_may_take,
        card=_card,
        seen=_seen,
        set_photo=_set_photo,
        titles=_titles,
    )


def _may_add(person: Person, student_id: UUID) -> bool:
    """Whoever works here and may see the student."""
    return person.is_staff and policy.may_view(person, student_id)


def _may_take(person: Person, student_id: UUID) -> bool:
    """What belongs to a student's record leaves it by the office only."""
    return person.is_office and _may_add(person, student_id)


def _seen(person: Person, owner_id: Any) -> sa.ColumnElement[bool]:
    """As `may_view`. For staff it would gather every student of the school to say yes to each."""
    if person.is_staff and person.may(Permission.STUDENT_VIEW):
        return sa.true()
    seen: sa.ColumnElement[bool] = owner_id.in_(sa.select(Student.id).where(visible_to(person)))
    return seen


def _titles(student_ids: Collection[UUID]) -> dict[UUID, str]:
    names = sa.select(
        Student.id, Student.given_name, Student.family_name, Student.family_name_first
    ).where(Student.id.in_(student_ids))
    return {row.id: words.full_name(row) for row in db.session.execute(names)}


def _card(student_id: UUID) -> OwnerCard | None:
    found = queries.find_with_class(student_id)
    if found is None:
        return None
    student, school_class = found
    name = words.full_name(student)
    own_url = url_for("students.show", student_id=student_id)
    return OwnerCard(
        title=name,
        url=own_url,
        sentence=headline(student, school_class),
        crumbs=((_("Students"), url_for("students.index")), (name, own_url)),
        initials=words.letters(student),
        tabs=tuple(student_tabs(student_id, the_person(), "files")),
        files_url=url_for("files.of_student", student_id=student_id),
        seen_by=_(
            "Everybody who works here sees what lies here, and so does the family of %(name)s.",
            name=name,
        ),
    )


def _set_photo(student_id: UUID, file_id: UUID | None) -> None:
    student = queries.get_student(student_id)
    before = {"photo_file_id": str(student.photo_file_id) if student.photo_file_id else None}
    student.photo_file_id = file_id
    db.session.flush()
    after = {"photo_file_id": str(file_id) if file_id else None}
    record_change("student.edited", "student", student, before=before, after=after)
