"""Move students to a class, as one act that can be undone; archive a class nobody is in."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from uuid import UUID

from school.academics import service as academics
from school.academics.models import SchoolClass
from school.audit import log
from school.audit.models import ChangeSet
from school.db import db
from school.enrollment import service as enrollment
from school.errors import Conflict
from school.students import queries
from school.students.models import StudentStatus


def move_to_class(student_ids: Collection[UUID], school_class: SchoolClass, on: date) -> ChangeSet:
    """From `on` they are in this class. Raises Conflict when nobody has to move."""
    students = [
        student
        for student in queries.get_students(student_ids)
        if student.status != StudentStatus.ARCHIVED
    ]
    change_set = log.open_change_set("class.move", f"Moved to class {school_class.name}")
    ids = [student.id for student in students]
    made = enrollment.place_many(ids, school_class, on, change_set=change_set)
    if not made:
        raise Conflict("They are in class %(name)s already.", name=school_class.name)
    change_set.counts = {"students": len(made), "class": school_class.name}
    db.session.flush()
    return change_set


def archive_class(school_class: SchoolClass) -> SchoolClass:
    """Out of the lists. Raises Conflict while students are in it: they would be in no list."""
    count = queries.count_by_class(school_class.id).get(school_class.id, 0)
    if count == 1:
        raise Conflict("One student is in this class. Move them first.")
    if count:
        raise Conflict("%(count)s students are in this class. Move them first.", count=count)
    return academics.archive_class(school_class)
